"""GeneralizedNormal: its well-known members, and its gradient in the power."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import special, stats

from reparam.distributions import GeneralizedNormal
from reparam.noise import generator
from tests.statistical.instruments import check_mean


@pytest.mark.parametrize(
    ("power", "known"),
    [(1.0, td.Laplace(0.7, 1.3)), (2.0, td.Normal(0.7, 1.3 / math.sqrt(2)))],
    ids=["Laplace", "Normal"],
)
def test_well_known_members(power, known):
    law = GeneralizedNormal(torch.tensor(0.7), 1.3, power)
    value = torch.linspace(-4, 5, 50)
    torch.testing.assert_close(law.log_prob(value), known.log_prob(value), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(law.cdf(value), known.cdf(value), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(law.variance, known.variance)
    torch.testing.assert_close(law.entropy(), known.entropy())
    level = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    torch.testing.assert_close(law.icdf(level), known.icdf(level.float()), rtol=1e-4, atol=1e-5)


def test_a_large_power_is_uniform():
    law = GeneralizedNormal(torch.tensor(1.0), 2.0, 1e8)
    x = law.rsample((1000,), generator=generator(0))
    assert ((x > -1.00001) & (x < 3.00001)).all()
    torch.testing.assert_close(law.icdf(torch.tensor([0.25, 0.9])), torch.tensor([0.0, 2.6]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [0.3, 1.0, 2.0, 30.0])
def test_gradient_in_the_power(power, dtype):
    """``E |ε| = Γ(2a) / Γ(a)``, a = 1/power."""
    parameter = torch.full((50_000,), power, dtype=dtype, requires_grad=True)
    law = GeneralizedNormal(0.0, 1.0, parameter)
    (gradient,) = torch.autograd.grad(law.rsample(generator=generator(0)).abs().sum(), parameter)
    a = 1 / float(torch.tensor(power, dtype=dtype))
    size = special.gamma(2 * a) / special.gamma(a)
    check_mean(gradient.double(), -(a**2) * size * (2 * special.digamma(2 * a) - special.digamma(a)))


def test_the_centre_is_smooth():
    """At the centre |ε| has a kink and log|ε| a pole; CDF and quantile have neither."""
    loc, power = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.5, 3.0))
    law = GeneralizedNormal(loc, 2.0, power)
    level = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    quantile = law.icdf(level)
    assert quantile.item() == 0.5
    density = 1 / (4 * math.gamma(1 + 1 / 3))
    gradients = torch.autograd.grad(quantile, (level, loc, power))
    np.testing.assert_allclose([g.item() for g in gradients], [1 / density, 1.0, 0.0])
    value = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    level = law.cdf(value)
    assert level.item() == 0.5
    gradients = torch.autograd.grad(level, (value, power), retain_graph=True)
    np.testing.assert_allclose([g.item() for g in gradients], [density, 0.0])
    assert torch.autograd.grad(law.log_prob(value), (value, power))[0] == 0


@pytest.mark.parametrize("power", [0.3, 1.5, 8.0])
def test_tails_keep_their_digits(power):
    law = GeneralizedNormal(torch.tensor(0.0, dtype=torch.float64), 1.0, power)
    levels = np.array([1e-300, 1e-30, 1e-3])
    expected = stats.gennorm(power).ppf(levels)
    np.testing.assert_allclose(law.icdf(torch.from_numpy(levels)).numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(law.cdf(torch.from_numpy(expected)).numpy(), levels, rtol=1e-9)


def test_extreme_parameters_give_numbers():
    power = torch.tensor([1e-3, 0.01, 0.1, 1.0, 1e3, 1e6, 1e30], requires_grad=True)
    for scale in (1e-30, 1.0, 1e30):
        law = GeneralizedNormal(0.0, scale, power)
        x = law.rsample((200,), generator=generator(0))
        assert x.isfinite().all()
        (gradient,) = torch.autograd.grad((x / (1 + x.detach().abs())).sum(), power)
        assert not gradient.isnan().any()
