"""What quantiles are written in: logarithms of tails, and clamps and masks that let no NaN into a gradient."""

import mpmath
import numpy as np
import pytest
import torch

from reparam.distributions import Cauchy, Exponential, Laplace, Logistic, Uniform
from reparam.distributions.precision import confine, indicator, minus_log, tails


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_minus_log_and_its_derivative_against_mpmath(dtype):
    levels = [1e-37, 2.0**-53, 1e-3, 0.5, 0.9, 1 - 2.0**-20, 1 - 2.0**-53]
    level = torch.tensor(levels, dtype=torch.float64, requires_grad=True)
    value = minus_log(*tails(level, torch.zeros((), dtype=dtype)))
    exact = [float(-mpmath.log(mpmath.mpf(number))) for number in levels]
    rounded = 4 * torch.finfo(dtype).eps
    np.testing.assert_allclose(value.detach().double(), exact, rtol=rounded)
    np.testing.assert_allclose(torch.autograd.grad(value.sum(), level)[0], -1 / np.array(levels), rtol=2 * rounded)


def test_confine_and_indicator():
    quantile = torch.tensor([-torch.inf, 0.5, torch.inf, torch.nan], requires_grad=True)
    confined = confine(quantile, 0.0, 1.0)
    assert confined[:3].tolist() == [0.0, 0.5, 1.0]
    assert confined[3].isnan()
    assert torch.autograd.grad(confined[:3].sum(), quantile)[0].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert indicator(quantile[:3]).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("law", [Cauchy, Laplace, Logistic])
def test_ends_of_a_quantile_have_a_gradient_without_nan(law):
    loc, scale = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    level = torch.tensor([0.0, 0.5, 1.0], requires_grad=True)
    quantile = law(loc, scale).icdf(level)
    assert quantile.tolist() == [-torch.inf, 1.0, torch.inf]
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(quantile.sum(), (loc, scale, level)))


def test_ends_of_the_uniform_quantile_move_with_them():
    low, high = torch.tensor(-1.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    quantile = Uniform(low, high).icdf(torch.tensor([0.0, 1.0]))
    assert [gradient.item() for gradient in torch.autograd.grad(quantile[1], (low, high), allow_unused=True)] == [0, 1]


def test_a_level_that_is_not_a_number_has_no_quantile():
    assert Exponential(1.0).icdf(torch.tensor(torch.nan)).isnan()


def test_the_gradient_of_laplace_at_the_median_of_the_noise():
    noise = torch.tensor(0.5, requires_grad=True)
    assert torch.autograd.grad(Laplace(0.0, 1.0).from_noise(noise), noise)[0] == 2
