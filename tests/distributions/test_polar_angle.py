"""The angle that von Mises and von Mises-Fisher share: velocity, tails and quantile against 30 digits."""

import math

import mpmath
import numpy as np
import pytest
import torch

from reparam.distributions.polar_angle import PolarAngle
from reparam.special import bessel_ratio

# Concentration and power m.
LAWS = [(1e-4, 0), (1.0, 0), (13.0, 0), (1e8, 0), (5.0, 1), (300.0, 18), (1e4, 498)]


def exact_velocity(angle, concentration, power):
    """-(∂F/∂κ)/p with 30 digits."""
    with mpmath.workdps(30):
        theta, kappa, order = mpmath.mpf(angle), mpmath.mpf(concentration), mpmath.mpf(power) / 2
        if kappa < 1e5:
            ratio = mpmath.besseli(order + 1, kappa) / mpmath.besseli(order, kappa)
        else:  # six terms of the series in 1/κ for m = 0
            ratio = 1 - mpmath.fsum(c / kappa**k for k, c in enumerate([0.5, 0.125, 0.125, 25 / 128, 13 / 32], 1))

        def integrand(t):
            gain = 2 * kappa * mpmath.sin((theta - t) / 2) * mpmath.sin((theta + t) / 2)
            return (mpmath.cos(t) - ratio) * mpmath.exp(gain) * (mpmath.sin(t) / mpmath.sin(theta)) ** power

        width = 1 / mpmath.sqrt(kappa + power + 1)
        below = mpmath.cos(theta) > ratio
        end, sign = (mpmath.mpf(0), -1) if below else (mpmath.pi, 1)
        reach = min(abs(end - theta), 12 * width)
        points = mpmath.linspace(theta, theta + sign * reach, 9)
        return float(mpmath.quad(integrand, points))


@pytest.mark.parametrize(("concentration", "power"), LAWS)
def test_velocity(concentration, power):
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        law = PolarAngle(torch.tensor(concentration, dtype=dtype), power)
        lower = torch.tensor([1e-6, 0.1, 0.6, 0.9, 1 - 1e-3], dtype=torch.float64)
        angles = law.quantile(lower.to(dtype), (1 - lower).to(dtype))
        expected = [exact_velocity(angle, law.concentration.item(), power) for angle in angles.tolist()]
        # Near π the angle itself is rounded, which changes a velocity that goes to 0 there.
        rounding = 4 * torch.finfo(dtype).eps * np.abs(expected).max()
        np.testing.assert_allclose(law.velocity(angles).double(), expected, rtol=tolerance, atol=rounding)


@pytest.mark.parametrize("power", [0, 1, 3, 18, 98, 498])
def test_velocity_gives_the_derivative_of_the_mean(power):
    """``∫ -sin θ · v · p dθ = A'(κ)``, without draws."""
    concentration = torch.logspace(-4, 8, 25, dtype=torch.float64)
    law = PolarAngle(concentration, power)
    level = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    # Where the density is small the integrand is: levels u = s²(3 - 2s), all but still at both ends.
    lower = (level**2 * (3 - 2 * level))[:, None]
    upper = (level.flip(0) ** 2 * (3 - 2 * level.flip(0)))[:, None]
    weight = 6 * level * (1 - level) / 4000
    angle = law.quantile(lower, upper)
    seen = (weight[:, None] * -torch.sin(angle) * law.velocity(angle)).sum(0)
    kappa = concentration.clone().requires_grad_()
    expected = torch.autograd.grad(bessel_ratio(power / 2, kappa).sum(), kappa)[0]
    torch.testing.assert_close(seen, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tails_of_the_quantile(dtype):
    eps = torch.finfo(dtype).eps
    concentration = torch.cat([torch.logspace(-4, 8, 41), torch.tensor([1e-30, 1e-10, 1e15, 1e30])]).to(dtype)
    tail = torch.tensor(
        [1e-30 if dtype == torch.float64 else 1e-20, 1e-16, 1e-8, 1e-4, 0.05, 0.2, 0.5], dtype=torch.float64
    )
    lower = torch.cat([tail, 1 - tail])[:, None].to(dtype)
    upper = torch.cat([1 - tail, tail])[:, None].to(dtype)
    for power in (0, 1, 2, 8, 98):
        law = PolarAngle(concentration, power)
        angle = law.quantile(lower, upper)
        assert ((angle > 0) & (angle < math.pi)).all()
        below, above = law.tails(angle)
        wanted, seen = torch.minimum(lower, upper), torch.where(lower < upper, below, above)
        # Near π the next angle has quite another tail.
        rounding = law.log_density(angle).exp() * eps * (2 * angle + 10 * (angle > 3))
        assert ((seen - wanted).abs() <= rounding + (100 + 10 * power) * eps * wanted + 1e-11 * wanted).all()


def test_tails_in_three_dimensions_are_closed():
    """There the cosine is a truncated exponential."""
    concentration, angle = torch.tensor(2.5, dtype=torch.float64), torch.tensor([1e-9, 0.5, 2.0], dtype=torch.float64)
    below, _ = PolarAngle(concentration, 1).tails(angle)
    expected = torch.expm1(-5 * torch.sin(angle / 2) ** 2) / math.expm1(-5)
    torch.testing.assert_close(below, expected, rtol=1e-12, atol=0)
