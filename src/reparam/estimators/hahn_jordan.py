"""The two halves of the derivative of a law on a line, drawn from: what grows, and what shrinks, with a parameter.

The derivative in θ of a density integrates to 0. With ``T(y) = -∂F/∂θ`` (F the CDF) that is ``∂p/∂θ = -T'(y)``. Where
T is positive with a single peak, at y₀, the density grows above y₀ and shrinks below. So ``c = T(y₀)`` is the mass of
either half (the Hahn-Jordan decomposition), ``T(y)/c`` the survival function of what grows and the CDF of what shrinks:

    ∂/∂θ E f(y) = c·E[f(above) - f(below)],  T(above) = T(below) = c·u,  u uniform.

No other pair has a smaller weight. T is the velocity ``∂y/∂θ`` of a draw at a fixed level times the density, which
``reparam.special`` knows for the gamma and beta laws; T(y) = c·u is solved for y by Newton's method.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.special import (
    beta_log_density,
    beta_velocities,
    log1mexp,
    log_gamma_density,
    log_gamma_velocity,
    log_minus_digamma,
)

__all__ = ["Halves", "beta_concentration", "gamma_concentration", "gamma_scale"]

_STEPS = 60  # five are usual, twenty the most that was seen


class Halves(NamedTuple):
    """The mass of each half, and draws of them."""

    weight: Tensor
    above: Tensor
    below: Tensor


class _Change(NamedTuple):
    """``log T`` and its derivative in y, with the sign changed: both vanish at the peak."""

    log_size: Tensor
    fall: Tensor


def gamma_concentration(level: Tensor, concentration: Tensor) -> Halves:
    """Logarithms of draws x from Gamma(a, 1), moved by a; weight ``c`` of ``∂/∂a``.

    Args:
        level: ``-log u``, standard exponential, float64; any shape.
        concentration: a, positive, float64; broadcasts.

    Example:
        >>> halves = gamma_concentration(torch.tensor(1.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
        >>> halves.below < torch.digamma(torch.tensor(1.0)) < halves.above
        tensor(True)
    """
    level, a = torch.broadcast_tensors(level, concentration)
    peak = a.log() - log_minus_digamma(a)

    def change(log_x: Tensor) -> _Change:
        velocity = log_gamma_velocity(log_x, a)
        log_size = velocity.log() + log_gamma_density(log_x - a.log(), a)
        return _Change(log_size, (log_x - peak) / velocity)

    reach = 60 * (1 + 1 / a), torch.log(a + 12 * a.sqrt() + 60) - peak  # beyond, T is less than any c·u
    return _halves(change, level, peak, *reach)


def beta_concentration(level: Tensor, a: Tensor, b: Tensor) -> Halves:
    """Logits of draws from Beta(a, b), moved by a; weight of ``∂/∂a``. Mirrored, with a and b exchanged, those of b.

    Args as for :func:`gamma_concentration`.
    """
    level, a, b = torch.broadcast_tensors(level, a, b)
    log_peak = (a / (a + b)).log() - log_minus_digamma(a) + log_minus_digamma(a + b)  # digamma(a) - digamma(a + b)
    peak = log_peak - log1mexp(log_peak)

    def change(logit: Tensor) -> _Change:
        velocity = beta_velocities(logit, a, b)[0]
        log_size = velocity.log() + beta_log_density(logit, a, b)
        return _Change(log_size, (logsigmoid(logit) - log_peak) / velocity)

    below, above = (60 * (1 + 1 / part) + peak.abs() for part in (a, b))
    return _halves(change, level, peak, below, above)


def gamma_scale(level: Tensor, concentration: Tensor) -> Halves:
    """Logarithms of ``x/a``, x from Gamma(a, 1), moved by the logarithm of a scale; weight of that derivative.

    In closed form, as ``T = x·p(x)``: the two solutions of ``r - 1 - log r = level/a``, r = x/a.

    Args as for :func:`gamma_concentration`.

    Example:
        >>> one = torch.tensor(1.0, dtype=torch.float64)
        >>> gamma_scale(one, one).weight  # 1/e
        tensor(0.3679, dtype=torch.float64)
    """
    level, a = torch.broadcast_tensors(level, concentration)
    height = level / a
    spread = torch.sqrt(2 * height)
    # From outside, where Newton's method for a convex function only comes nearer.
    above, below = torch.log1p(spread + height), -(spread + height)
    for _ in range(5):
        above = above - (torch.expm1(above) - above - height) / torch.expm1(above)
        below = below - (torch.expm1(below) - below - height) / torch.expm1(below)
    return Halves(log_gamma_density(torch.zeros_like(a), a).exp(), above, below)


def _halves(
    change: Callable[[Tensor], _Change], level: Tensor, peak: Tensor, reach_below: Tensor, reach_above: Tensor
) -> Halves:
    top = change(peak)
    width = torch.exp(-0.5 * _bend(change, peak))
    above = peak + _distance(change, level, peak, top.log_size, width, 1, reach_above)
    below = peak - _distance(change, level, peak, top.log_size, width, -1, reach_below)
    return Halves(top.log_size.exp(), above, below)


def _bend(change: Callable[[Tensor], _Change], peak: Tensor) -> Tensor:
    """Logarithm of the second derivative of ``-log T`` at the peak, by a difference of its first."""
    step = 1e-4 * (1 + peak.abs()).clamp(max=1)
    return (change(peak + step).fall / step).log()


def _distance(
    change: Callable[[Tensor], _Change],
    level: Tensor,
    peak: Tensor,
    top: Tensor,
    width: Tensor,
    side: int,
    reach: Tensor,
) -> Tensor:
    """How far from the peak, on that side, ``log T`` is lower by ``level``."""
    # In h = √(2·drop) the problem is nearly linear: Newton's method, kept between what is known to be too near and too
    # far. Where it would leave that, or has not brought h twice as close, the interval is halved.
    wanted = torch.sqrt(2 * level)
    near, far, last = torch.zeros_like(level), reach, torch.full_like(level, torch.inf)
    distance = torch.minimum(wanted * width, reach / 2)
    for _ in range(_STEPS):
        at = change(peak + side * distance)
        found = torch.sqrt(2 * (top - at.log_size).clamp(min=0))
        off = (found - wanted).abs()
        good = (off <= 1e-9 * wanted + 1e-7) | (far - near <= 1e-12 * far)
        if bool(good.all()):
            break
        near, far = torch.where(found < wanted, distance, near), torch.where(found < wanted, far, distance)
        newton = distance - (found - wanted) * found / (side * at.fall)
        trusted = (newton >= near) & (newton <= far) & (off <= last / 2)
        distance = torch.where(good, distance, torch.where(trusted, newton, (near + far) / 2))
        last = off
    return distance
