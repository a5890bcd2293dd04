"""The angle θ between a direction and the pole it gathers at: density ∝ exp(κ cos θ) sin^m θ on (0, π), κ > 0.

This is what von Mises (m = 0, both sides folded together) and von Mises-Fisher in ``d = m + 2`` dimensions have in
common. Neither CDF nor quantile has a closed form. Both come from one integral over the tail on that side of θ where
the score ``∂ log p/∂κ = cos θ - A`` keeps its sign (A is the mean of cos θ, θ_A the angle with that cosine):

- ``M = ∫ p(t)/p(θ) dt``, so that the tail probability is ``p(θ)·M``, with all its digits however small;
- ``S = ∫ (cos t - A) p(t)/p(θ) dt``, so that θ moves with κ at the velocity ``∂θ/∂κ = ∓S``, a sum without
  cancellation.

Gauss-Legendre nodes are spread over that part of the tail which counts. ``1 - cos t`` stands as ``2 sin²(t/2)`` and
its differences as products of sines, so nothing is lost at any concentration.
"""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from reparam.special.bessel import bessel_ratio_complement, log_normalized_ive

__all__ = ["angle_log_density", "angle_quantile", "angle_tails", "angle_velocity"]

_LARGEST = {torch.float32: 3.1415925, torch.float64: math.pi}  # below π
# By dtype: nodes, and the depth (in nats below p(θ)) at which the tail is cut.
_NODES = {torch.float32: (14, 18.0), torch.float64: (32, 34.0)}
_STEPS = {torch.float32: 3, torch.float64: 4}


def angle_log_density(angle: Tensor, concentration: Tensor, power: int) -> Tensor:
    """``log p(θ)`` in nats, normalised over (0, π); ``power`` is m.

    Example:
        >>> angle_log_density(torch.tensor(1.0), torch.tensor(1e-8), 0).exp()  # 1/π
        tensor(0.3183)
    """
    log_total = math.log(math.pi) / 2 + math.lgamma((power + 1) / 2) - math.lgamma(power / 2 + 1)
    from_pole = -2 * concentration * torch.sin(angle / 2) ** 2
    log_sine = power * torch.sin(angle).log() if power else 0.0
    return from_pole + log_sine - log_normalized_ive(power / 2, concentration) - log_total


def angle_tails(angle: Tensor, concentration: Tensor, power: int) -> tuple[Tensor, Tensor]:
    """P(θ' < θ) and P(θ' > θ): the smaller tail has relative precision."""
    below = _is_below(angle, concentration, power)
    mass, _ = _integrals(angle, concentration, power, below)
    tail = angle_log_density(angle, concentration, power).exp() * mass
    return torch.where(below, tail, 1 - tail), torch.where(below, 1 - tail, tail)


def angle_velocity(angle: Tensor, concentration: Tensor, power: int) -> Tensor:
    """``∂θ/∂κ`` at a fixed probability: negative, and 0 at both ends."""
    below = _is_below(angle, concentration, power)
    _, moment = _integrals(angle, concentration, power, below)
    return torch.where(below, -moment, moment)


@torch.no_grad()
def angle_quantile(lower: Tensor, upper: Tensor, concentration: Tensor, power: int) -> Tensor:
    """The angle with ``lower`` below it and ``upper = 1 - lower`` above, from the one on its side; no gradient.

    Halley's method for the logarithm of the tail probability in the logarithm of the distance to the end of the tail,
    in which it is concave and nearly straight, a fixed number of steps.
    """
    middle = _middle(concentration, power)
    below_middle, _ = _integrals(middle, concentration, power, torch.ones_like(middle, dtype=torch.bool))
    lower_middle = below_middle * angle_log_density(middle, concentration, power).exp()
    lower, upper, concentration = torch.broadcast_tensors(lower, upper, concentration)
    below = lower < lower_middle
    log_tail = torch.where(below, lower, upper).log()
    sign = torch.where(below, 1.0, -1.0).to(lower.dtype)
    largest = _LARGEST[lower.dtype]
    angle = _start(lower, upper, concentration, power, below, middle).clamp(max=largest)
    for _ in range(_STEPS[lower.dtype]):
        mass, _ = _integrals(angle, concentration, power, below)
        excess = angle_log_density(angle, concentration, power) + mass.log() - log_tail
        far = torch.where(below, angle, math.pi - angle)
        slope = sign * _slope(angle, concentration, power)
        bend = 1 - 0.5 * excess * (mass / far - 1 + mass * slope)
        step = -excess * mass / far / bend.clamp(min=0.5)
        moved = angle + sign * far * torch.expm1(step.clamp(-3, 3))
        angle = moved.clamp(torch.finfo(angle.dtype).tiny, largest)
    return angle


def _middle(concentration: Tensor, power: int) -> Tensor:
    """θ_A, where ``cos θ = A``."""
    return 2 * torch.asin((bessel_ratio_complement(power / 2, concentration) / 2).sqrt())


def _is_below(angle: Tensor, concentration: Tensor, power: int) -> Tensor:
    return 2 * torch.sin(angle / 2) ** 2 < bessel_ratio_complement(power / 2, concentration)


def _slope(angle: Tensor, concentration: Tensor, power: int) -> Tensor:
    """``∂ log p / ∂θ``."""
    return power / torch.tan(angle) - concentration * torch.sin(angle)


def _integrals(angle: Tensor, concentration: Tensor, power: int, below: Tensor) -> tuple[Tensor, Tensor]:
    """M and S over (0, θ) where ``below``, over (θ, π) elsewhere."""
    count, depth = _NODES[angle.dtype]
    nodes, weights = (torch.tensor(values, dtype=angle.dtype, device=angle.device) for values in _legendre(count))
    with torch.no_grad():
        width = _width(angle, concentration, power, below, depth)
    # Where the whole tail counts the end of the integral moves with θ.
    length = torch.minimum(torch.where(below, angle, math.pi - angle), width)
    half = torch.where(below, 0.5, -0.5) * length * nodes.reshape(-1, *(1 for _ in length.shape))
    sine, cosine = torch.sin(angle), torch.cos(angle)
    half_sine, half_cosine = torch.sin(half), torch.cos(half)
    # With t = θ - 2·half: cos t - cos θ, and sin t / sin θ - 1.
    closer = 2 * half_sine * (sine * half_cosine - cosine * half_sine)
    exponent = concentration * closer
    if power:
        exponent = exponent + power * torch.log1p(-2 * half_sine * (cosine * half_cosine + sine * half_sine) / sine)
    ratio = torch.exp(exponent)
    offset = bessel_ratio_complement(power / 2, concentration) - 2 * torch.sin(angle / 2) ** 2
    mass = torch.tensordot(weights, ratio, 1) * length
    return mass, offset * mass + torch.tensordot(weights, closer * ratio, 1) * length


def _width(angle: Tensor, concentration: Tensor, power: int, below: Tensor, depth: float) -> Tensor:
    """How far from θ the density has fallen by ``depth`` nats, from its slope and a lower bound of its curvature."""
    sine, cosine = torch.sin(angle), torch.cos(angle)
    slope = power * cosine - concentration * sine**2  # all three times a power of sin θ, so that nothing overflows
    slope = torch.where(below, slope, -slope).clamp(min=0)
    pull = concentration * cosine.clamp(min=0) * sine**2
    near = sine * _parabola(slope, pull + power, depth)
    # Away from the pole the curvature declines: take that at the end of a first, too long stretch.
    first = sine * _parabola(slope, pull + power * sine**2, depth)
    end = torch.sin((angle + first).clamp(max=math.pi / 2)).maximum(sine)
    declined = pull * (1 - first.clamp(max=2.7) ** 2 / 9) + power * (sine / end) ** 2
    return torch.where(below, near, sine * _parabola(slope, declined, depth))


def _parabola(slope: Tensor, curvature: Tensor, depth: float) -> Tensor:
    """The h > 0 with ``slope·h + curvature·h²/2 = depth``."""
    return 2 * depth / (slope + (slope**2 + 2 * depth * curvature).sqrt())


def _start(
    lower: Tensor, upper: Tensor, concentration: Tensor, power: int, below: Tensor, middle: Tensor
) -> Tensor:
    """An angle near the quantile, on its side of the middle."""
    k = power + 1
    complement = bessel_ratio_complement(power / 2, concentration)
    # sin²(θ/2) is nearly Beta(k/2, b), b for the right mean; its odds nearly the cube of a normal's (Paulson 1942).
    alpha, beta = 2 / (9 * k), complement / (9 * (2 - complement)) * 2 / k
    smaller = torch.special.ndtri(torch.minimum(lower, upper))
    score = torch.where(lower < upper, smaller, -smaller)
    spread = ((1 - beta) ** 2 * alpha + (1 - alpha) ** 2 * beta - score**2 * alpha * beta).clamp(min=0).sqrt()
    remaining = (1 - beta) ** 2 - score**2 * beta
    cube_root = ((1 - alpha) * (1 - beta) + score * spread) / remaining.clamp(min=0.05)
    odds = cube_root.clamp(min=0) ** 3 * complement / (2 - complement)
    angle = 2 * torch.atan(odds.sqrt())
    # Both ends of the density are powers, and these the quantiles if it were one throughout.
    log_scale = log_normalized_ive(power / 2, concentration) + math.log(k) + (
        math.log(math.pi) / 2 + math.lgamma(k / 2) - math.lgamma(power / 2 + 1)
    )
    from_pole = ((lower.log() + log_scale) / k).exp()
    to_antipole = ((upper.log() + log_scale + 2 * concentration) / k).exp()
    return torch.where(
        below,
        angle.maximum(from_pole).minimum(middle),
        torch.where(remaining > 0.05, angle, math.pi - to_antipole).maximum(math.pi - to_antipole).maximum(middle),
    )


@cache
def _legendre(count: int) -> tuple[list[float], list[float]]:
    """Nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()
