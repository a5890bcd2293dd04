"""The normal law seen from an edge, against mpmath."""

import mpmath
import numpy as np
import pytest
import torch

from reparam.special import cumulative_hazard, excess_moments, normal_excess

EDGES = [-1.0, -0.5, 0.0, 0.3, 5.0, 13.0, 40.0, 1e4]


def upper_tail(x):
    return mpmath.erfc(x / mpmath.sqrt(2)) / 2


def double(*values):
    return [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("level", [1e-15, 1e-9, 1e-3, 0.1, 1.0, 5.0, 36.0])
def test_excess_and_hazard_are_inverse_and_exact(edge, level):
    a, t = double(edge, level)
    excess = normal_excess(a, t)
    by_edge, by_level = torch.autograd.grad(excess, (a, t))
    with mpmath.workdps(80):
        delta = mpmath.mpf(excess.item())
        start, end = upper_tail(mpmath.mpf(edge)), upper_tail(edge + delta)
        hazard = mpmath.log(start) - mpmath.log(end)
        ratios = [tail / mpmath.npdf(x) for tail, x in ((start, mpmath.mpf(edge)), (end, edge + delta))]
        expected = float(ratios[1] / ratios[0] - 1), float(ratios[1])
    assert float(hazard) == pytest.approx(level, rel=1e-12)
    assert cumulative_hazard(a, excess).item() == pytest.approx(level, rel=1e-12)
    np.testing.assert_allclose([by_edge.item(), by_level.item()], expected, rtol=1e-11)


def test_two_derivatives():
    arguments = [torch.tensor([-0.9, 0.2, 6.9, 7.1, 30.0], dtype=torch.float64), torch.full((5,), 0.7).double()]
    for argument in arguments:
        argument.requires_grad_()
    for function in (normal_excess, cumulative_hazard):
        assert torch.autograd.gradcheck(function, arguments, check_forward_ad=True)
        assert torch.autograd.gradgradcheck(function, arguments)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("width", [1e-20, 1e-6, 1e-4, 0.3, 0.999, 1.5, 8.0, torch.inf])
def test_moments(edge, width):
    a, w = double(edge, width)
    with mpmath.workdps(80):
        nodes = mpmath.linspace(0, min(width, mpmath.mpf(60) / max(edge, 3)), 12)
        density = lambda v: mpmath.exp(-edge * v - v * v / 2)  # noqa: E731
        mass = mpmath.quad(density, nodes)
        mean = mpmath.quad(lambda v: v * density(v), nodes) / mass
        variance = mpmath.quad(lambda v: (v - mean) ** 2 * density(v), nodes) / mass
    seen = [moment.item() for moment in excess_moments(a, w)]
    np.testing.assert_allclose(seen, [float(mean), float(variance)], rtol=5e-13 + 2e-14 * max(edge, 1) ** 2)
    gradients = torch.autograd.grad(sum(excess_moments(a, w)), (a, w))
    assert all(gradient.isfinite() for gradient in gradients)
