"""Inverse Gaussian: its CDF, quantile and velocities where the textbook formulas overflow or cancel."""

import mpmath
import numpy as np
import pytest
import torch
import torch.distributions as td

from reparam.distributions import InverseGaussian
from reparam.noise import generator
from tests.statistical.instruments import check_mean


def exact_cdf(x, loc, concentration):
    root = mpmath.sqrt(concentration / x)
    second = mpmath.exp(2 * concentration / loc) * mpmath.ncdf(-root * (x / loc + 1))
    return mpmath.ncdf(root * (x / loc - 1)) + second


def exact_velocities(x, loc, concentration):
    """-(∂F/∂θ)/p with the derivatives of the CDF by mpmath."""
    with mpmath.workdps(60):
        x, loc, concentration = mpmath.mpf(x), mpmath.mpf(loc), mpmath.mpf(concentration)
        density = mpmath.diff(lambda t: exact_cdf(t * x, loc, concentration), 1) / x
        by_loc = mpmath.diff(lambda t: exact_cdf(x, t * loc, concentration), 1) / loc
        by_concentration = mpmath.diff(lambda t: exact_cdf(x, loc, t * concentration), 1) / concentration
        return float(-by_loc / density), float(-by_concentration / density)


@pytest.mark.parametrize("ratio", [1e-4, 1e-2, 1.0, 100.0, 1e4])
@pytest.mark.parametrize("level", [1e-9, 0.03, 0.5, 0.9, 1 - 1e-9])
def test_velocities_against_mpmath(ratio, level):
    loc = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    concentration = torch.tensor(1.5 * ratio, dtype=torch.float64, requires_grad=True)
    y = InverseGaussian(loc, concentration).icdf(torch.tensor(level, dtype=torch.float64))
    with mpmath.workdps(60):
        exact = exact_cdf(mpmath.mpf(y.item()), mpmath.mpf(1.5), mpmath.mpf(1.5 * ratio))
    assert min(exact, 1 - exact) == pytest.approx(min(level, 1 - level), rel=1e-6)
    seen = [slope.item() for slope in torch.autograd.grad(y, (loc, concentration))]
    np.testing.assert_allclose(seen, exact_velocities(y.item(), 1.5, 1.5 * ratio), rtol=1e-9)


@pytest.mark.parametrize("ratio", [1e-6, 1e-2, 1.0, 1e3, 1e6, 1e12])
def test_quantile_inverts_the_cdf(ratio):
    law = InverseGaussian(torch.ones((), dtype=torch.float64), ratio)
    level = torch.tensor([1e-300, 1e-30, 1e-5, 0.2, 0.499, 0.5, 0.501, 0.8, 1 - 1e-5], dtype=torch.float64)
    rtol = 1e-10 if ratio < 1e9 else 1e-6  # of a law this narrow a float64 does not tell more
    torch.testing.assert_close(law.cdf(law.icdf(level)), level, rtol=rtol, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_the_moments(dtype):
    """E y = μ and Var y = μ³/λ: dE y/dμ = 1, dE y/dλ = 0, dE y²/dλ = -μ³/λ²."""
    loc, concentration = torch.tensor(1.5, dtype=dtype), torch.tensor(2.5, dtype=dtype)

    def draw(loc, concentration):
        law = InverseGaussian(loc, concentration, validate_args=False)
        return law.rsample((100_000,), generator=generator(0))

    drawn = draw(loc, concentration)
    by_loc, by_concentration = torch.func.jacfwd(draw, (0, 1), randomness="same")(loc, concentration)
    check_mean(by_loc, 1.0)
    check_mean(by_concentration, 0.0)
    check_mean(2 * drawn * by_concentration, -(loc**3) / concentration**2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loc", [1e-20, 1e-3, 1.0, 1e20])
@pytest.mark.parametrize("ratio", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_extreme_parameters(loc, ratio, dtype):
    parameters = [torch.tensor(value, dtype=dtype, requires_grad=True) for value in (loc, loc * ratio)]
    law = InverseGaussian(*parameters)
    drawn = law.rsample((1000,), generator=generator(0))
    assert drawn.isfinite().all()
    assert (drawn > 0).all()
    assert all(slope.isfinite() for slope in torch.autograd.grad(drawn.sum(), parameters))
    assert law.log_prob(drawn.detach()).isfinite().all()
    assert law.cdf(drawn.detach()).isfinite().all()


def test_kl_and_entropy_are_the_means_they_claim_to_be():
    p = InverseGaussian(torch.tensor([1.5], dtype=torch.float64), 2.5)
    q = InverseGaussian(torch.tensor([0.9], dtype=torch.float64), 1.2)
    value = p.sample((100_000,), generator=generator(0))
    check_mean(p.log_prob(value) - q.log_prob(value), td.kl_divergence(p, q))
    check_mean(-p.log_prob(value), p.entropy())
    assert td.kl_divergence(p, p) == 0


def test_mode_is_where_the_density_is_largest():
    law = InverseGaussian(torch.tensor([1.5, 1.0], dtype=torch.float64), torch.tensor([2.5, 0.01], dtype=torch.float64))
    for step in (0.999, 1.001):
        assert (law.log_prob(law.mode) > law.log_prob(law.mode * step)).all()


def test_off_the_support():
    law = InverseGaussian(1.0, 1.0, validate_args=False)
    assert law.log_prob(torch.tensor([-1.0, 0.0])).tolist() == [-torch.inf, -torch.inf]
    assert law.cdf(torch.tensor([-1.0, 0.0])).tolist() == [0.0, 0.0]
