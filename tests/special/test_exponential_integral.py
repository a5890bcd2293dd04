"""The exponential integral against mpmath."""

import mpmath
import numpy as np
import pytest
import torch

from reparam.special import scaled_exponential_integral


@pytest.mark.parametrize("x", [1e-300, 1e-9, 0.3, 0.9999, 1.0, 1.0001, 3.0, 50.0, 1e6, 1e30])
def test_value_and_derivative(x):
    argument = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    value = scaled_exponential_integral(argument)
    (slope,) = torch.autograd.grad(value, argument)
    with mpmath.workdps(60):
        exact = mpmath.exp(x) * mpmath.e1(x) if x < 1e4 else mpmath.hyp2f0(1, 1, -1 / mpmath.mpf(x)) / x
        derivative = exact - 1 / mpmath.mpf(x)
    np.testing.assert_allclose(value.item(), float(exact), rtol=1e-13)
    np.testing.assert_allclose(slope.item(), float(derivative), rtol=1e-12)
