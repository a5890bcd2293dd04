"""Tails of the standard normal law against mpmath."""

import mpmath
import numpy as np
import pytest
import torch

from reparam.special import log_ndtr, mills, mills_deficit, mills_drop

POINTS = [-1.0, -0.3, 0.0, 0.7, 2.0, 4.99, 5.01, 8.0, 40.0, 1e4, 1e8]


def exact_mills(x):
    return mpmath.erfc(x / mpmath.sqrt(2)) / 2 / mpmath.npdf(x)


def three(function, x, dtype=torch.float64):
    """Value, first and second derivative."""
    argument = torch.tensor(x, dtype=dtype, requires_grad=True)
    value = function(argument)
    (slope,) = torch.autograd.grad(value, argument, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, argument)
    return [value.item(), slope.item(), curvature.item()]


@pytest.mark.parametrize("x", POINTS)
def test_mills_ratio_and_its_derivatives(x):
    with mpmath.workdps(80):
        ratio = exact_mills(mpmath.mpf(x))
        deficit = 1 - x * ratio
        bend = ratio - x * deficit
        exact = [float(ratio), float(-deficit), float(bend)]
        exact_deficit = [float(deficit), float(-bend), float(2 * deficit - x * bend)]
    np.testing.assert_allclose(three(mills, x), exact, rtol=2e-12)
    np.testing.assert_allclose(three(mills_deficit, x), exact_deficit, rtol=2e-11)
    np.testing.assert_allclose(three(mills, x, torch.float32)[:2], exact[:2], rtol=2e-5)


@pytest.mark.parametrize("x", [*(-point for point in POINTS), 9.0, 20.0])
def test_log_ndtr_and_its_derivatives(x):
    with mpmath.workdps(80):
        hazard = mpmath.npdf(x) / mpmath.ncdf(x) if x > -1e4 else 1 / exact_mills(mpmath.mpf(-x))
        value = mpmath.log(exact_mills(mpmath.mpf(-x)) * mpmath.npdf(x)) if x < 0 else mpmath.log1p(-mpmath.ncdf(-x))
        exact = [float(value), float(hazard), float(-hazard * (hazard + x))]
    np.testing.assert_allclose(three(log_ndtr, x), exact, rtol=2e-12)
    np.testing.assert_allclose(three(log_ndtr, x, torch.float32)[:2], exact[:2], rtol=2e-5, atol=1e-37)


@pytest.mark.parametrize("x", [-1.0, 0.0, 0.9, 4.8, 40.0, 1e4])
@pytest.mark.parametrize("width", [1e-30, 1e-9, 0.1, 0.499, 0.501, 3.0, 300.0, 1e6])
def test_drop_of_the_mills_ratio(x, width):
    with mpmath.workdps(120):
        exact = float(exact_mills(mpmath.mpf(x)) - exact_mills(mpmath.mpf(x) + width))
    ours = mills_drop(torch.tensor(x, dtype=torch.float64), torch.tensor(width, dtype=torch.float64)).item()
    assert ours == pytest.approx(exact, rel=1e-13)
