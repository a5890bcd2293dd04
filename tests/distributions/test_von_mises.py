"""VonMises: the circle, both gradients, and concentrations from 1e-30 to 1e30."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam.distributions import VonMises
from reparam.noise import generator
from reparam.special import bessel_ratio
from tests.statistical.instruments import check_continuous, check_mean


def wide(*values):
    return torch.tensor(values, dtype=torch.float64)


def wrapped(angle):
    return np.remainder(np.asarray(angle) + math.pi, 2 * math.pi) - math.pi


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_follow_scipys_law(dtype):
    concentration = torch.tensor([1e-3, 0.8, 12.0, 1e5], dtype=dtype)
    draws = VonMises(torch.tensor(3.0, dtype=dtype), concentration).sample((50_000,), generator=generator(0)).double()
    assert ((draws >= -math.pi - 1e-6) & (draws < math.pi)).all()
    for column, kappa in enumerate(concentration.tolist()):
        check_continuous(wrapped(draws[:, column] - 3.0), stats.vonmises(kappa).cdf)


def test_density_cdf_and_entropy_agree_with_scipy():
    law, points = VonMises(wide(0.0), wide(0.3, 5.0, 40.0)), torch.linspace(-3, 3, 21).double()[:, None]
    for index, kappa in enumerate((0.3, 5.0, 40.0)):
        reference = stats.vonmises(kappa)
        np.testing.assert_allclose(law.log_prob(points)[:, index], reference.logpdf(points[:, 0]), rtol=1e-10)
        np.testing.assert_allclose(law.entropy()[index], reference.entropy(), rtol=1e-10)
        inside = reference.cdf(points[:, 0]) > 1e-6  # scipy's CDF is absolute, and for large κ normal
        np.testing.assert_allclose(law.cdf(points)[:, index][inside], reference.cdf(points[:, 0])[inside], rtol=1e-6)
    levels = wide(1e-30, 1e-3, 0.5, 0.9)[:, None]
    torch.testing.assert_close(law.cdf(law.icdf(levels))[1:], levels[1:].expand(3, 3), rtol=1e-12, atol=0)
    torch.testing.assert_close(law.cdf(law.icdf(levels))[0, 2], levels[0, 0], rtol=1e-11, atol=0)


def test_density_is_torchs_to_its_seven_digits():
    loc, concentration, value = wide(0.4, -2.0), wide(0.7, 30.0), wide(3.0, -1.9)
    ours, theirs = VonMises(loc, concentration), td.VonMises(loc, concentration)
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.variance, theirs.variance, rtol=1e-5, atol=0)
    assert ours.mean is ours.loc
    assert isinstance(ours, td.VonMises)


def test_gradients_of_the_mean_cosine():
    """``E cos(y - a) = A cos(μ - a)``."""
    loc, concentration = wide(2.9).requires_grad_(), wide(2.0).requires_grad_()
    laws = VonMises(loc.expand(100_000), concentration.expand(100_000))
    parameters = (laws.loc, laws.concentration)
    each = torch.autograd.grad(torch.cos(laws.rsample(generator=generator(0)) - 0.3).sum(), parameters)
    exact = torch.autograd.grad(bessel_ratio(0.0, concentration) * torch.cos(loc - 0.3), (loc, concentration))
    for seen, expected in zip(each, exact, strict=True):
        check_mean(seen[:, None], expected)


def test_derivative_in_the_limits():
    """Uniform at κ → 0: ``∂δ/∂κ = -sin δ``. Normal at κ → ∞: ``δ = z/√κ``, ``∂δ/∂κ = -δ/(2κ)``."""
    noise = torch.linspace(0.01, 0.99, 25).double()
    for kappa, expected, rtol in (
        (1e-9, lambda y: -torch.sin(y), 1e-8),
        (1e12, lambda y: -y / 2e12, 1e-10),
        (1e30, lambda y: -y / 2e30, 1e-12),
    ):
        concentration = wide(kappa).expand(25).clone().requires_grad_()
        draw = VonMises(wide(0.0), concentration).from_noise(noise)
        (seen,) = torch.autograd.grad(draw.sum(), concentration)
        torch.testing.assert_close(seen, expected(draw.detach()), rtol=rtol, atol=1e-50)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_concentration_is_finite(dtype):
    concentration = torch.logspace(-30, 30, 20_000, dtype=torch.float64).to(dtype).requires_grad_()
    loc = torch.zeros_like(concentration).requires_grad_()
    law = VonMises(loc, concentration)
    draw = law.rsample((5,), generator=generator(0))
    assert draw.isfinite().all()
    moved = torch.autograd.grad(draw.sum(), (loc, concentration))
    assert (moved[0] == 5).all()
    density = torch.autograd.grad(law.log_prob(draw.detach()).sum() + law.entropy().sum(), (loc, concentration))
    assert all(gradient.isfinite().all() for gradient in (*moved, *density))


def test_the_middle_draw_has_all_derivatives():
    """At δ = 0 the sign of δ changes, and nothing else."""
    u, concentration = wide(0.5).requires_grad_(), wide(3.0).requires_grad_()
    draw = VonMises(wide(0.0), concentration).from_noise(u)
    (along_u,) = torch.autograd.grad(draw.sum(), u, create_graph=True)
    near = VonMises(wide(0.0), concentration).from_noise(u + 1e-6)
    (along_kappa,) = torch.autograd.grad(near.sum(), concentration)
    assert draw.item() == pytest.approx(0, abs=1e-15)
    (mixed,) = torch.autograd.grad(along_u.sum(), concentration)
    assert mixed.item() == pytest.approx(along_kappa.item() / 1e-6, rel=1e-4)


def test_kl():
    p, q = VonMises(wide(0.5), wide(3.0)), VonMises(wide(-1.0), wide(0.4))
    points = -math.pi + 2 * math.pi * (torch.arange(1000).double()[:, None] + 0.5) / 1000
    integrand = p.log_prob(points).exp() * (p.log_prob(points) - q.log_prob(points))
    torch.testing.assert_close(td.kl_divergence(p, q), integrand.mean(0) * 2 * math.pi)
    assert td.kl_divergence(p, p) == 0


def test_any_angle_will_do_for_loc():
    law, turned = VonMises(wide(1.0), wide(2.0)), VonMises(wide(1.0 + 20 * math.pi), wide(2.0))
    noise = law.noise((100,), generator=generator(0))
    torch.testing.assert_close(law.from_noise(noise), turned.from_noise(noise))
