"""Uniform and LogitNormal: the ends of the interval, and moments by quadrature."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import integrate, stats
from scipy.special import expit

from reparam.distributions import LogitNormal, Normal, Uniform
from reparam.errors import ParameterError
from reparam.noise import generator

LOWEST, HIGHEST = 2.0**-54, 1 - 2.0**-53
ENDS = torch.tensor([LOWEST, HIGHEST], dtype=torch.float64)
ALL_DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def test_uniform_agrees_with_torch():
    ours, theirs = Uniform(torch.tensor([-1.0, 0.5]), 2.0), td.Uniform(torch.tensor([-1.0, 0.5]), 2.0)
    for name in ("mean", "stddev", "variance"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name))
    assert torch.equal(ours.entropy(), theirs.entropy())
    value = torch.tensor([[-1.0], [0.0], [1.9], [2.0]])
    for refused in (ours.log_prob, ours.cdf):
        with pytest.raises(ValueError, match="support"):
            refused(value)
    ours, theirs = (law.__class__(law.low, law.high, validate_args=False) for law in (ours, theirs))
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.cdf(value), theirs.cdf(value))
    other = Uniform(-2.0, 5.0)
    torch.testing.assert_close(td.kl_divergence(ours, other), td.kl_divergence(theirs, td.Uniform(-2.0, 5.0)))


@pytest.mark.parametrize("high", [2.0, 1.0])
def test_an_empty_interval_is_refused_by_name_and_place(high):
    low, high = torch.zeros(2, 2), torch.tensor([[1.0, 1.0], [1.0, high - 2]])
    message = rf"high must be greater than low; got {high[1, 1]:g} at index \(1, 1\) \(1 of 4 values are wrong\)\. Swap"
    with pytest.raises(ParameterError, match=message):
        Uniform(low, high)
    Uniform(low, high, validate_args=False)


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, -1.9), (1.0, 1.0), (-1.0, 0.0), (0.0, 1e-4)])
def test_uniform_draws_stay_below_high_and_keep_their_gradient(dtype, low, high):
    low = torch.tensor(low, dtype=dtype, requires_grad=True)
    high = torch.tensor(high, dtype=dtype)
    if high == low:  # neighbours
        high = high + torch.finfo(dtype).eps
    high.requires_grad_()
    law = Uniform(low, high)
    noise = torch.cat([ENDS, torch.linspace(0.001, 0.999, 500, dtype=torch.float64)])
    drawn = law.from_noise(noise)
    assert ((drawn >= low) & (drawn < high)).all()
    assert law.log_prob(drawn.detach()).isfinite().all()
    gradients = torch.autograd.grad(drawn[:2].float().sum(), (low, high))
    assert [gradient.item() for gradient in gradients] == pytest.approx([1, 1], abs=1 if law.low == 1 else 0.01)
    torch.testing.assert_close(law.icdf(torch.tensor([0.0, 1.0], dtype=dtype)), torch.stack([low, high]))


def test_uniform_is_precise_near_low():
    law = Uniform(torch.tensor(0.0), 4.0)
    assert law.from_noise(ENDS)[0].item() == pytest.approx(2.0**-52)
    low, high = torch.tensor(0.25, requires_grad=True), torch.tensor(0.75, requires_grad=True)
    gradients = torch.autograd.grad(Uniform(low, high).from_noise(torch.tensor(0.8)), (low, high))
    assert [gradient.item() for gradient in gradients] == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_logit_normal_stays_inside_with_the_gradient_of_the_logit(dtype):
    loc = torch.tensor([-60.0, -20.0, 0.0, 20.0, 60.0], dtype=dtype, requires_grad=True)
    drawn = LogitNormal(loc, 1.0).from_noise(torch.zeros(5))
    assert ((drawn > 0) & (drawn < 1)).all()
    assert LogitNormal(loc, 1.0).log_prob(drawn.detach()).isfinite().all()
    (gradient,) = torch.autograd.grad(drawn.float().sum(), loc)
    exact = expit(loc.detach().double().numpy()) * expit(-loc.detach().double().numpy())
    info = torch.finfo(dtype)
    np.testing.assert_allclose(gradient.double(), exact, rtol=4 * info.eps, atol=2 * info.tiny * info.eps)


@pytest.mark.parametrize("loc", [-30.0, -3.0, 0.0, 1.0])
@pytest.mark.parametrize("scale", [1e-6, 0.1, 1.0, 5.0, 15.0])
def test_logit_normal_moments_by_quadrature(loc, scale):
    law = LogitNormal(torch.tensor(loc, dtype=torch.float64), scale)

    def expectation(function):
        def integrand(noise):
            return stats.norm.pdf(noise) * function(loc + scale * noise)

        middle = min(max(-loc / scale, -12), 12)
        parts = [integrate.quad(integrand, *ends, epsabs=1e-14, limit=400) for ends in ((-12, middle), (middle, 12))]
        return sum(value for value, _ in parts)

    mean = expectation(expit)
    assert law.mean.item() == pytest.approx(mean, abs=1e-10)
    assert law.variance.item() == pytest.approx(expectation(lambda x: (expit(x) - mean) ** 2), abs=1e-10)
    log_slope = expectation(lambda x: -np.logaddexp(0, -x) - np.logaddexp(0, x))
    assert law.entropy().item() == pytest.approx(stats.norm.entropy(0, scale) + log_slope, abs=1e-8)


def test_logit_normal_moments_have_gradients():
    loc, scale = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.3, 2.0))

    def moments(loc, scale):
        law = LogitNormal(loc, scale)
        return law.mean, law.variance, law.entropy()

    assert torch.autograd.gradcheck(moments, (loc, scale))


def test_logit_normal_at_the_ends():
    loc = torch.tensor(0.3, requires_grad=True)
    law = LogitNormal(loc, 2.0)
    assert law.log_prob(torch.tensor([0.0, 1.0])).tolist() == [-math.inf, -math.inf]
    assert law.cdf(torch.tensor([0.0, 1.0])).tolist() == [0.0, 1.0]
    assert law.icdf(torch.tensor([0.0, 1.0])).tolist() == [0.0, 1.0]
    assert torch.autograd.grad(law.log_prob(torch.tensor([0.0, 0.5, 1.0]))[1], loc)[0].isfinite()
    with pytest.raises(ValueError, match="support"):
        law.log_prob(torch.tensor(1.5))


def test_logit_normal_divergence_is_that_of_the_logits():
    p, q = LogitNormal(0.3, 2.0), LogitNormal(-1.0, 0.5)
    assert td.kl_divergence(p, q) == td.kl_divergence(Normal(0.3, 2.0), Normal(-1.0, 0.5))
    base = td.TransformedDistribution(td.Normal(0.3, 2.0), [td.SigmoidTransform()])
    value = p.sample((50,), generator=generator(0))
    torch.testing.assert_close(p.log_prob(value), base.log_prob(value), rtol=1e-4, atol=1e-4)
