"""log1mexp and log_diff_exp against 50 digits, and their derivatives."""

import mpmath
import numpy as np
import pytest
import torch

from reparam.special import log1mexp, log_diff_exp

POINTS = [-1e-30, -1e-12, -1e-3, -0.5, -0.6931, -0.6932, -1.0, -5.0, -30.0, -80.0, -700.0]


def exact(x):
    with mpmath.workdps(400):
        return float(mpmath.log1p(-mpmath.exp(mpmath.mpf(x))))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_to_a_few_units_in_the_last_place(dtype):
    x = torch.tensor([p for p in POINTS if dtype == torch.float64 or p > -87], dtype=dtype)
    expected = [exact(value) for value in x.tolist()]
    np.testing.assert_allclose(log1mexp(x).double().numpy(), expected, rtol=8 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivative_is_finite_and_right(dtype):
    x = torch.tensor([*POINTS, -1e4, -1e30, -float("inf")], dtype=dtype, requires_grad=True)
    log1mexp(x).sum().backward()
    with mpmath.workdps(400):
        expected = [float(-1 / mpmath.expm1(-mpmath.mpf(value))) for value in x.tolist()[:-3]] + [0.0] * 3
    expected = torch.tensor(expected, dtype=torch.float64).to(dtype)
    torch.testing.assert_close(x.grad, expected, rtol=1e-4 if dtype == torch.float32 else 1e-12, atol=1e-37)


def test_gradcheck():
    x = torch.tensor([-3.0, -0.7, -0.69, -0.1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(log1mexp, (x,))
    assert torch.autograd.gradgradcheck(log1mexp, (x,))
    larger = torch.tensor([1.0, -4.0, 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: log_diff_exp(a, a + b), (larger, x))


def test_edges_of_the_domain():
    assert log1mexp(torch.tensor(0.0)) == -torch.inf
    assert log1mexp(torch.tensor(0.1)).isnan()
    assert log_diff_exp(torch.tensor(2.0), torch.tensor(2.0)) == -torch.inf


def test_log_diff_exp():
    larger = torch.tensor([0.0, -1000.0, 5.0, -3.0])
    smaller = torch.tensor([-1.0, -1001.0, -torch.inf, -200.0], requires_grad=True)
    result = log_diff_exp(larger, smaller)
    torch.testing.assert_close(result, larger + torch.tensor([exact(-1.0), exact(-1.0), 0.0, 0.0]))
    result.sum().backward()
    assert smaller.grad.isfinite().all()
