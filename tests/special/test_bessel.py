"""Bessel ratios and logarithms against 60 digits, with two derivatives, from 1e-30 to 1e30."""

import mpmath
import numpy as np
import pytest
import torch
from scipy import special

from reparam.special import (
    bessel_ratio,
    bessel_ratio_complement,
    log_ive,
    log_normalized_iv,
    log_normalized_ive,
)

POINTS = [1e-30, 1e-4, 0.1, 3.0, 14.9, 15.1, 30.0, 300.0, 1e6, 1e30]
ORDERS = [0.0, 0.5, 7.3, 15.0, 249.0]
FUNCTIONS = [bessel_ratio, bessel_ratio_complement, log_normalized_iv, log_normalized_ive]


def hankel(order, x):
    """√(2πx)·exp(-x)·I_order(x), for large x."""
    total = term = mpmath.mpf(1)
    for j in range(1, 12):
        term *= -(4 * order**2 - (2 * j - 1) ** 2) / (j * 8 * x)
        total += term
    return total


def exact(order, x):
    """The four functions, and the first and second derivative of the ratio."""
    v, x = mpmath.mpf(order), mpmath.mpf(x)
    with mpmath.workdps(120):
        if x < 1e7:
            series = mpmath.hyp0f1(v + 1, x**2 / 4)
            ratio = mpmath.hyp0f1(v + 2, x**2 / 4) / series * x / (2 * (v + 1))
            scaled = mpmath.log(series) - x
        else:
            ratio = hankel(v + 1, x) / hankel(v, x)
            power = mpmath.loggamma(v + 1) - v * mpmath.log(x / 2) - mpmath.log(2 * mpmath.pi * x) / 2
            scaled = mpmath.log(hankel(v, x)) + power
        slope = 1 - ratio**2 - (2 * v + 1) * ratio / x
        bend = -2 * ratio * slope - (2 * v + 1) * (slope / x - ratio / x**2)
        return [float(value) for value in (ratio, 1 - ratio, scaled + x, scaled, slope, bend)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_derivatives_to_relative_precision(order, dtype):
    x = torch.tensor(POINTS, dtype=dtype, requires_grad=True)
    ratio, complement, log_iv, log_ive = (function(order, x) for function in FUNCTIONS)

    def along_x(y):
        return torch.autograd.grad(y.sum(), x, create_graph=True)[0]

    expected = np.array([exact(order, point) for point in x.tolist()]).T
    seen = [ratio, complement, log_iv, log_ive, along_x(ratio), along_x(along_x(ratio))]
    for index, (ours, theirs) in enumerate(zip(seen, expected, strict=True)):
        tolerance, smallest = (2e-7, 1e-37) if dtype == torch.float32 else (2e-12 if index < 5 else 1e-11, 0)
        np.testing.assert_allclose(ours.detach().double(), theirs, rtol=tolerance, atol=smallest)
    torch.testing.assert_close(along_x(log_iv), ratio)
    torch.testing.assert_close(along_x(log_ive), -complement)
    torch.testing.assert_close(along_x(complement), -along_x(ratio))
    torch.testing.assert_close(along_x(along_x(log_ive)), along_x(ratio))


def test_the_scaled_function_is_scipys():
    x = torch.logspace(-3, 4, 15, dtype=torch.float64)
    for order in (0.0, 1.5, 20.0):
        np.testing.assert_allclose(log_ive(order, x), np.log(special.ive(order, x.numpy())), rtol=1e-12, atol=1e-12)


def test_gradcheck():
    x = torch.tensor([0.3, 5.0, 40.0], dtype=torch.float64, requires_grad=True)
    for function in (*FUNCTIONS, log_ive):
        assert torch.autograd.gradcheck(lambda x, function=function: function(1.5, x), (x,))
        assert torch.autograd.gradgradcheck(lambda x, function=function: function(1.5, x), (x,))
