"""StudentT: its gradient in df against scipy and closed forms, from the heaviest tails to the normal limit."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam.distributions import StudentT
from reparam.noise import generator
from reparam.special.student import log_student_velocity
from tests.statistical.instruments import check_continuous, check_mean


@pytest.mark.parametrize("df", [0.4, 1.0, 3.0, 30.0])
def test_quantiles_move_with_df_as_scipys_do(df):
    levels = np.array([1e-12, 0.01, 0.3, 0.9, 1 - 1e-6])
    parameter = torch.full((5,), df, dtype=torch.float64, requires_grad=True)
    quantiles = StudentT(parameter).icdf(torch.from_numpy(levels))
    np.testing.assert_allclose(quantiles.detach().numpy(), stats.t(df).ppf(levels), rtol=1e-8)
    (seen,) = torch.autograd.grad(quantiles.sum(), parameter)
    step = 1e-4 * df
    expected = (stats.t(df + step).ppf(levels) - stats.t(df - step).ppf(levels)) / (2 * step)
    np.testing.assert_allclose(seen.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("df", [1e-3, 0.05, 0.3])
def test_heavy_tails_are_finite(df, dtype):
    """torch's gradient is NaN in float32 for df up to 0.3."""
    parameter = torch.full((20_000,), df, dtype=dtype, requires_grad=True)
    law = StudentT(parameter, 0.7, 1.3)
    draws = law.rsample(generator=generator(0))
    assert draws.isfinite().all()
    assert law.log_prob(draws.detach()).isfinite().all()
    (along_df,) = torch.autograd.grad(draws.sum(), parameter)
    assert along_df.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_heavy_tails_follow_the_law(dtype):
    law = StudentT(torch.tensor(0.3, dtype=dtype))
    draws = law.sample((50_000,), generator=generator(2))
    check_continuous(draws.double(), stats.t(0.3).cdf)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-3), (torch.float64, 1e-6)])
@pytest.mark.parametrize("df", [1e6, 1e8, 1e15])
def test_the_normal_limit_is_smooth(df, dtype, rtol):
    """The quantile is z + (z + z³)/(4·df) + O(1/df²), so it moves by -(z + z³)/(4·df²)."""
    parameter = torch.full((4,), df, dtype=dtype, requires_grad=True)
    z = torch.tensor([-3.0, -0.5, 1.0, 2.5], dtype=torch.float64)
    quantiles = StudentT(parameter).icdf(torch.special.ndtr(z))
    torch.testing.assert_close(quantiles.double(), z, rtol=1e-4, atol=0)
    (seen,) = torch.autograd.grad(quantiles.sum(), parameter)
    expected = -(z + z**3) / (4 * df**2)
    torch.testing.assert_close(seen.double(), expected, rtol=max(rtol, 10 / df), atol=1e-40)
    assert StudentT(torch.tensor(1e30, dtype=dtype)).sample((100,), generator=generator(0)).isfinite().all()


def test_the_gradient_of_an_expectation():
    """E y² = df / (df - 2): its derivative is -2 / (df - 2)²."""
    df = torch.full((100_000,), 12.0, dtype=torch.float64, requires_grad=True)
    draws = StudentT(df).rsample(generator=generator(0))
    (along_df,) = torch.autograd.grad((draws**2).sum(), df)
    check_mean(along_df, -2 / 100)


def test_float32_draws_move_as_the_exact_velocity_says():
    """To 4e-6, the rounding of the draw itself included."""
    df = torch.linspace(-3, 16, 20_000).exp().requires_grad_()
    draws = StudentT(df).rsample(generator=generator(4))
    (seen,) = torch.autograd.grad(draws.sum(), df)
    value, wide = draws.detach().double(), df.detach().double()
    expected = value * log_student_velocity(value.abs().log(), wide)
    known = (value.abs() < 1e30) & (expected.abs() > 1.2e-38)
    assert known.double().mean() > 0.98
    np.testing.assert_allclose(seen.double()[known].numpy(), expected[known].numpy(), rtol=4e-6)


@pytest.mark.parametrize("df", [1.2e-38, 1e-30, 1e-3, 3e38])
def test_extreme_degrees_of_freedom_give_numbers(df):
    df, scale = torch.tensor(df, requires_grad=True), torch.tensor([1e-30, 1.0, 3e38], requires_grad=True)
    draws = StudentT(df, 0.0, scale).rsample((200,), generator=generator(0))
    assert draws.isfinite().all()
    for gradient in torch.autograd.grad((draws / 1e36 / scale.detach()).sum(), (df, scale)):
        assert gradient.isfinite().all()


def test_the_gradient_has_no_auxiliary_noise():
    """Draws that are near each other move alike: the velocity is a function of the draw, as torch's is not."""
    df = torch.full((20_000,), 3.0, dtype=torch.float64, requires_grad=True)
    draws = StudentT(df).rsample(generator=generator(0))
    (along_df,) = torch.autograd.grad(draws.sum(), df)
    order = draws.detach().argsort()
    sizes = along_df[order].abs()[draws.detach()[order] > 0]
    assert (sizes.diff() >= 0).all()


def test_cauchy():
    """df = 1, in closed form; at the median nothing moves with df."""
    df = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    levels = torch.tensor([1e-200, 0.1, 0.5, 0.75], dtype=torch.float64)
    law = StudentT(df)
    quantiles = law.icdf(levels)
    expected = -1 / torch.tan(math.pi * levels)
    torch.testing.assert_close(quantiles, expected, rtol=1e-12, atol=1e-15)
    assert torch.autograd.grad(quantiles[2], df, retain_graph=True)[0].item() == 0
    torch.testing.assert_close(law.cdf(expected), levels, rtol=1e-12, atol=0)
    (at_median,) = torch.autograd.grad(law.cdf(torch.zeros((), dtype=torch.float64)), df)
    assert at_median.item() == 0


def test_log_prob_far_out_in_float32():
    """torch squares the value; at 1e30 that is infinite."""
    df = torch.tensor([0.1, 3.0], requires_grad=True)
    value = torch.tensor(1e30)
    log_prob = StudentT(df).log_prob(value)
    expected = [stats.t(one).logpdf(float(value)) for one in (0.1, 3.0)]
    np.testing.assert_allclose(log_prob.detach().numpy(), expected, rtol=1e-5)
    assert torch.autograd.grad(log_prob.sum(), df)[0].isfinite().all()


def test_what_torch_gets_right_is_kept():
    df, loc, scale = (torch.tensor(values, dtype=torch.float64) for values in ((0.8, 5.0), (0.7, -2.0), (1.3, 0.2)))
    ours, theirs = StudentT(df, loc, scale), td.StudentT(df, loc, scale)
    for name in ("mean", "mode", "variance"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), equal_nan=True)
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    value = theirs.sample((20,))
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
