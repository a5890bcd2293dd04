"""Laplace and its asymmetric form: closed-form gradients, both tails, extreme asymmetry."""

import math

import mpmath
import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam.distributions import AsymmetricLaplace, Laplace
from reparam.errors import ParameterError
from reparam.noise import generator

LOWEST, HIGHEST = 2.0**-54, 1 - 2.0**-53
DTYPES = [torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_laplace_tails_are_not_cut(dtype):
    """On torch's float32 lattice no draw lies beyond 22·log 2 = 15.2."""
    law = Laplace(torch.zeros((), dtype=dtype), 1.0)
    noise = torch.tensor([LOWEST, HIGHEST], dtype=torch.float64)
    np.testing.assert_allclose(law.from_noise(noise), [-53 * math.log(2), 52 * math.log(2)], rtol=1e-6)


def test_laplace_keeps_torchs_other_methods():
    ours, theirs = Laplace(torch.tensor([0.5]), 2.0), td.Laplace(torch.tensor([0.5]), 2.0)
    for name in ("mean", "mode", "stddev", "variance"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name))
    assert torch.equal(ours.entropy(), theirs.entropy())
    value = torch.tensor([-1.0, 0.5, 3.0])
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.cdf(value), theirs.cdf(value))
    torch.testing.assert_close(
        td.kl_divergence(ours, Laplace(1.0, 3.0)), td.kl_divergence(theirs, td.Laplace(1.0, 3.0))
    )


@pytest.mark.parametrize("law", [Laplace(0.0, 1.0), AsymmetricLaplace(0.0, 1.0, 1.0)])
def test_cdf_keeps_the_lower_tail(law):
    """torch's Laplace gives 0 here: 0.5 - 0.5."""
    assert law.cdf(torch.tensor(-60.0)).item() == pytest.approx(math.exp(-60) / 2, rel=1e-5)
    assert td.Laplace(0.0, 1.0).cdf(torch.tensor(-60.0)) == 0


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("asymmetry", [1e-3, 1.0, 1e3])
def test_extreme_scales_are_finite(scale, asymmetry):
    parameters = [torch.tensor(value, requires_grad=True) for value in (0.0, scale, asymmetry)]
    law = AsymmetricLaplace(*parameters)
    drawn = law.from_noise(torch.tensor([LOWEST, 1e-3, 0.5, 1 - 1e-3, HIGHEST], dtype=torch.float64))
    assert drawn.isfinite().all()
    value = law.log_prob(drawn.detach())
    assert value.isfinite().all()
    for output in (drawn, value):
        assert all(gradient.isfinite() for gradient in torch.autograd.grad(output.sum(), parameters))


def test_asymmetry_one_is_the_laplace_law():
    noise = torch.linspace(0.01, 0.99, 9, dtype=torch.float64)
    symmetric, law = Laplace(noise * 0 + 0.7, 1.3), AsymmetricLaplace(noise * 0 + 0.7, 1.3, 1.0)
    torch.testing.assert_close(law.from_noise(noise), symmetric.from_noise(noise))
    torch.testing.assert_close(law.log_prob(noise), symmetric.log_prob(noise))
    torch.testing.assert_close(law.entropy(), symmetric.entropy())


def test_loc_is_the_quantile_of_the_lower_mass():
    asymmetry = torch.tensor([0.01, 0.5, 2.0, 100.0], dtype=torch.float64)
    law = AsymmetricLaplace(torch.full_like(asymmetry, 3.0), 2.0, asymmetry)
    torch.testing.assert_close(law.cdf(law.loc), asymmetry**2 / (1 + asymmetry**2))


@pytest.mark.parametrize("asymmetry", [1e-8, 1e-2, 1.0, 1e2, 1e8])
def test_quantiles_at_extreme_asymmetry_keep_their_digits(asymmetry):
    """The thin side has a probability down to 1e-16, and the quantile near loc is a difference of two logs near 0."""
    law = AsymmetricLaplace(torch.zeros((), dtype=torch.float64), 1.0, asymmetry)
    with mpmath.workdps(50):
        kappa = mpmath.mpf(asymmetry)
        below = kappa**2 / (1 + kappa**2)
        for part in (1e-3, 0.5, 1 - 1e-6):
            level = float(below * part)
            expected = float(kappa * mpmath.log(mpmath.mpf(level) / below))
            assert law.icdf(torch.tensor(level, dtype=torch.float64)).item() == pytest.approx(expected, rel=1e-9)


def test_gradient_to_the_asymmetry_in_closed_form():
    """d/dκ E[y] = -(1/κ² + 1)·σ."""
    asymmetry = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    law = AsymmetricLaplace(torch.zeros((), dtype=torch.float64), 2.0, asymmetry)
    (gradient,) = torch.autograd.grad(law.mean, asymmetry)
    assert gradient.item() == pytest.approx(-2 * (1 / 0.36 + 1))
    noise = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    (pathwise,) = torch.autograd.grad(law.from_noise(noise).mean(), asymmetry)
    assert pathwise.item() == pytest.approx(gradient.item(), rel=1e-4)


def test_asymmetric_laplace_in_float32_against_scipy():
    law, reference = AsymmetricLaplace(0.5, 2.0, 3.0), stats.laplace_asymmetric(3.0, 0.5, 2.0)
    value = law.sample((50,), generator=generator(0))
    np.testing.assert_allclose(law.log_prob(value), reference.logpdf(value.double()), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(law.cdf(value), reference.cdf(value.double()), rtol=2e-5)
    assert law.mode == law.loc


def test_bad_asymmetry_is_refused():
    with pytest.raises(ParameterError, match="asymmetry must be positive and finite; got -1"):
        AsymmetricLaplace(0.0, 1.0, -1.0)
