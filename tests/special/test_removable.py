"""Quotients with a removable singularity, and their first two derivatives, against mpmath."""

import mpmath
import pytest
import torch

from reparam.special import exprel, log1prel
from reparam.special.removable import sinc

POINTS = [-1e-3, -1e-9, 0.0, 1e-9, 0.1, 0.4999, 0.5001, 0.999, 1.001, 5.0, 50.0, -0.3, -0.4999, -0.5001, -0.9999]
EXACT = {
    exprel: lambda x: mpmath.expm1(x) / x,
    log1prel: lambda x: mpmath.log1p(x) / x,
    sinc: lambda x: mpmath.sin(x) / x,
}


@pytest.mark.parametrize("function", EXACT, ids=lambda function: function.__name__)
@pytest.mark.parametrize("x", POINTS)
def test_two_derivatives(function, x):
    argument = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    value = function(argument)
    (slope,) = torch.autograd.grad(value, argument, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, argument)
    with mpmath.workdps(60):
        terms = mpmath.taylor(EXACT[function], mpmath.mpf(x) or mpmath.mpf(1e-20), 2)
    for seen, exact in ((value, terms[0]), (slope, terms[1]), (curvature, 2 * terms[2])):
        assert seen.item() == pytest.approx(float(exact), rel=1e-12, abs=1e-15)


def test_far_away():
    x = torch.tensor([-1e30, -1e4], requires_grad=True)
    value = exprel(x)
    torch.testing.assert_close(value, -1 / x)
    assert torch.autograd.grad(value.sum(), x)[0].isfinite().all()
    assert log1prel(torch.tensor(-1.0)) == torch.inf
