"""The gap between two log gammas, against mpmath."""

import mpmath
import pytest
import torch

from reparam.special.stirling import lgamma_gap

POINTS = torch.tensor([1e-30, 1e-3, 0.4, 3.0, 9.0, 24.9, 25.1, 49.0, 150.0, 1e6, 1e12, 1e30], dtype=torch.float64)


@pytest.mark.parametrize("step", [0.5, 2.5, 50.0])
def test_values_and_derivatives(step):
    x = POINTS.clone().requires_grad_()
    value = lgamma_gap(x, torch.tensor(step, dtype=torch.float64))
    (slope,) = torch.autograd.grad(value.sum(), x)
    with mpmath.workdps(120):
        exact = [
            mpmath.loggamma(p + step) - mpmath.loggamma(p) - step * mpmath.log(p)
            for p in map(mpmath.mpf, POINTS.tolist())
        ]
        slopes = [mpmath.digamma(p + step) - mpmath.digamma(p) - step / p for p in map(mpmath.mpf, POINTS.tolist())]
    torch.testing.assert_close(
        value.detach(), torch.tensor(list(map(float, exact)), dtype=torch.float64), rtol=1e-11, atol=0
    )
    torch.testing.assert_close(slope, torch.tensor(list(map(float, slopes)), dtype=torch.float64), rtol=1e-9, atol=0)


def test_float32():
    x = POINTS.float().requires_grad_()
    single = lgamma_gap(x, torch.tensor(2.5))
    torch.testing.assert_close(
        single.double(), lgamma_gap(POINTS.float().double(), torch.tensor(2.5).double()), rtol=3e-5, atol=0
    )
    assert torch.autograd.grad(single.sum(), x)[0].isfinite().all()


def test_second_derivative():
    x = torch.tensor([0.3, 2.0, 30.0, 300.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: lgamma_gap(x, torch.tensor(2.5).double()), (x,))
