"""Continuous Bernoulli: smooth through one half, and right for every logit."""

import mpmath
import numpy as np
import pytest
import torch
import torch.distributions as td

from reparam.distributions import ContinuousBernoulli
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.statistical.instruments import check_mean

LOGITS = [-1e30, -800.0, -40.0, -1.001, -0.999, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 0.5, 0.999, 1.001, 40.0, 800.0, 1e30]


def mean_slope(logit):
    """dE y/dlogit = 1/l² - 1/(4 sinh²(l/2)), in many digits."""
    with mpmath.workdps(60):
        logit = mpmath.mpf(logit) or mpmath.mpf("1e-15")
        return float(1 / logit**2 - (1 / (4 * mpmath.sinh(logit / 2) ** 2) if abs(logit) < 1e4 else 0))


@pytest.mark.parametrize("logit", LOGITS)
def test_moments_against_mpmath(logit):
    logits = torch.tensor(logit, dtype=torch.float64, requires_grad=True)
    law = ContinuousBernoulli(logits=logits)
    (slope,) = torch.autograd.grad(law.mean, logits)
    np.testing.assert_allclose(slope.item(), mean_slope(logit), rtol=1e-13)
    np.testing.assert_allclose(law.variance.item(), mean_slope(logit), rtol=1e-13)
    assert torch.autograd.grad(law.variance, logits)[0].isfinite()
    assert torch.autograd.grad(law.entropy(), logits)[0].isfinite()


@pytest.mark.parametrize("logit", [-800.0, -3.0, -1e-6, 0.0, 1e-6, 0.02, 3.0, 800.0])
def test_gradient_of_draws(logit):
    logit = torch.tensor(logit, dtype=torch.float64)
    noise = ContinuousBernoulli(logits=logit).noise((20_000,), generator=generator(0))
    slope = torch.func.jacfwd(lambda x: ContinuousBernoulli(logits=x, validate_args=False).from_noise(noise))(logit)
    check_mean(slope / mean_slope(logit.item()), 1.0)


@pytest.mark.parametrize("probs", [0.4985, 0.4999, 0.5, 0.5001, 0.5015])
def test_gradient_near_one_half(probs):
    """It is 1/3 at 1/2; torch's is exactly 0 between 0.499 and 0.501."""
    probs = torch.tensor(probs, dtype=torch.float64)
    noise = ContinuousBernoulli(probs).noise((20_000,), generator=generator(0))
    slope = torch.func.jacfwd(lambda p: ContinuousBernoulli(p, validate_args=False).from_noise(noise))(probs)
    check_mean(slope, 1 / 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits(dtype):
    logits = torch.tensor(LOGITS, dtype=dtype, requires_grad=True)
    law = ContinuousBernoulli(logits=logits)
    drawn = law.rsample((500,), generator=generator(0))
    assert ((drawn > 0) & (drawn < 1)).all()
    assert torch.autograd.grad(drawn.sum(), logits)[0].isfinite().all()
    assert law.log_prob(drawn.detach()).isfinite().all()
    assert torch.autograd.grad(law.log_prob(drawn.detach()).sum(), logits)[0].isfinite().all()
    assert law.cdf(drawn.detach()).isfinite().all()


def test_probabilities_zero_and_one_are_the_numbers_next_to_them():
    probs = torch.tensor([0.0, 1.0], requires_grad=True)
    law = ContinuousBernoulli(probs)
    assert law.rsample((100,), generator=generator(0)).isfinite().all()
    assert law.log_prob(torch.tensor([0.0, 1.0])).isfinite().all()


def test_a_rising_law_mirrors_a_falling_one():
    value = torch.tensor([1e-12, 0.1, 0.5, 0.9], dtype=torch.float64)
    rising, falling = (ContinuousBernoulli(logits=torch.tensor(sign * 30.0, dtype=torch.float64)) for sign in (1, -1))
    torch.testing.assert_close(rising.cdf(value), 1 - falling.cdf(1 - value))
    torch.testing.assert_close(rising.log_prob(value), falling.log_prob(1 - value))
    torch.testing.assert_close(rising.icdf(rising.cdf(value)), value)
    assert rising.cdf(torch.tensor(0.0, dtype=torch.float64)) == 0
    assert (rising.mode, falling.mode) == (1, 0)


def test_agrees_with_torch_where_torch_is_right():
    probs = torch.tensor([0.1, 0.3, 0.8], dtype=torch.float64)
    ours, theirs = ContinuousBernoulli(probs), td.ContinuousBernoulli(probs)
    value = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.cdf(value), theirs.cdf(value))
    for name in ("mean", "variance", "logits"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    other = torch.tensor([0.2, 0.6, 0.9], dtype=torch.float64)
    expected = td.kl_divergence(theirs, td.ContinuousBernoulli(other))
    torch.testing.assert_close(td.kl_divergence(ours, ContinuousBernoulli(other)), expected)
    torch.testing.assert_close(
        td.kl_divergence(ours, td.Uniform(-1.0, 2.0)), td.kl_divergence(theirs, td.Uniform(-1.0, 2.0))
    )


def test_both_or_no_parameter_is_refused():
    for given in ({}, {"probs": 0.5, "logits": 0.0}):
        with pytest.raises(ParameterError, match="give probs= or logits="):
            ContinuousBernoulli(**given)


def test_off_the_support():
    law = ContinuousBernoulli(0.3, validate_args=False)
    assert law.log_prob(torch.tensor([-0.1, 1.1])).tolist() == [-torch.inf, -torch.inf]
    assert law.cdf(torch.tensor([-0.1, 1.1])).tolist() == [0.0, 1.0]


SLOPES = [
    -700.0,
    -80.0,
    -5.0,
    -1.001,
    -0.999,
    -0.1,
    -1e-3,
    -1e-5,
    -1e-9,
    1e-9,
    1e-5,
    1e-3,
    0.1,
    0.999,
    1.001,
    5.0,
    80.0,
]
LEVELS = [2.0**-53, 1e-9, 1e-3, 0.2, 0.5, 0.9, 1 - 1e-4]


def distance_and_speed(logit, level):
    """The distance of a draw from the end where the density is largest, and how it moves with the logit."""
    with mpmath.workdps(80):
        level = mpmath.mpf(level) if logit < 0 else 1 - mpmath.mpf(level)

        def distance(slope):
            return -mpmath.log(1 - level * -mpmath.expm1(-slope)) / slope

        slope = abs(mpmath.mpf(logit))
        first, second = mpmath.diff(distance, slope), mpmath.diff(distance, slope, 2)
        return float(distance(slope)), -float(first), float(second) * (1 if logit < 0 else -1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("logit", SLOPES)
def test_draws_and_two_derivatives_against_mpmath(logit, dtype):
    logits = torch.full((len(LEVELS),), logit, dtype=dtype, requires_grad=True)
    noise = torch.tensor(LEVELS, dtype=torch.float64)
    y = ContinuousBernoulli(logits=logits).from_noise(noise)
    quick = torch.autograd.grad(y.sum(), logits, retain_graph=True)[0]  # float32 has a way of its own
    slope = torch.autograd.grad(y.sum(), logits, create_graph=True)[0]
    (curvature,) = torch.autograd.grad(slope.sum(), logits)
    exact = np.array([distance_and_speed(logits[0].item(), level) for level in LEVELS]).T
    rtol = 1e-12 if dtype == torch.float64 else 2e-6
    # A distance from 1 has the absolute precision of 1, and the velocity is proportional to both distances.
    atol = 2 * torch.finfo(dtype).eps * (1 if logit > 0 else exact[0] ** 2)
    distance = y.detach() if logit < 0 else 1 - y.detach()
    seen = [distance, quick, slope.detach(), curvature]
    for value, expected in zip(seen, (exact[0], exact[1], exact[1], exact[2]), strict=True):
        assert (abs(value.numpy() - expected) <= rtol * abs(expected) + atol).all(), (value, expected)
