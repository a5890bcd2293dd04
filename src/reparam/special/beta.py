"""The beta law on the logit scale: its density, both of its tails, its quantile, and how its draws move.

With ``y = logit t`` the density of t ~ Beta(a, b) is ``p(y) = t^a·(1-t)^b / B(a, b)``: log-concave, on the whole line,
and nothing in it under- or overflows before y itself does. All else are integrals over the near tail of y, which
``beta_integrals.py`` derives; the values are computed without gradient, each as one operation, and ``attach`` gives
them their derivatives. What moves with a parameter is computed in one of two ways: ``beta_quick_velocities.py`` for
float32 where neither concentration is extreme, ``beta_general_velocities.py`` for everything else.

Source: Figurnov, Mohamed & Mnih, arXiv:1805.08498, for the implicit gradient.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.reparameterize import attach
from reparam.special.beta_general_velocities import general_excess_velocities, general_velocities
from reparam.special.beta_integrals import (
    Range,
    bend,
    integration_range,
    log_ratio,
    mirror,
    near_tail,
    node_count,
    nodes,
)
from reparam.special.beta_quick_velocities import quick_enough, quick_velocities
from reparam.special.elementwise import in_pieces, opaque, where_each
from reparam.special.log_space import log1mexp
from reparam.special.stirling import stirling_remainder

__all__ = ["beta_excess_velocities", "beta_log_density", "beta_quantile", "beta_velocities", "log_betainc"]


def beta_log_density(logit: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``log p(y) = a·log t + b·log(1-t) - log B(a, b)``, the log density of ``y = logit t``; differentiable.

    Written from the mode, so that it is exact to rounding of its own size for huge a and b too.

    Example:
        >>> beta_log_density(torch.tensor(0.0), torch.tensor(1e8), torch.tensor(1e8))
        tensor(7.9448)
    """
    n, lower = a + b, a < b
    # Not minimum(): where a = b its derivative would be that of neither.
    smaller, off = torch.where(lower, a, b), log_ratio(a, b) - logit
    share = (smaller / n).clamp(min=torch.finfo(n.dtype).tiny)
    fall = smaller / share * bend(torch.where(lower, -off, off), share)
    top = 0.5 * (smaller.log() + torch.log1p(-share) - math.log(2 * math.pi))
    return top + stirling_remainder(n) - stirling_remainder(a) - stirling_remainder(b) - fall


def log_betainc(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """``(log I, log(1 - I))`` of the regularised incomplete beta function at ``t = sigmoid(logit)``.

    Both have relative precision wherever they lie, far beyond underflow of I itself, and derivatives of any order in
    all arguments. Only where a small concentration leaves little mass on the other side (a on the upper one) is that
    tail what the first leaves of 1, and its relative error the rounding over a.

    Args:
        logit: log t - log(1-t); any shape.
        a: positive and finite; broadcasts.
        b: positive and finite; broadcasts.

    Example:
        >>> log_betainc(torch.tensor(-1000.0), torch.tensor(2.0), torch.tensor(3.0))[0]  # I is nearly 6·t²
        tensor(-1998.2083)
    """
    logit, a, b = torch.broadcast_tensors(logit, a, b)
    lower, upper = _log_tails(logit, a, b)
    return attach(lower, _lower_velocity, logit, a, b), attach(upper, _upper_velocity, logit, a, b)


def beta_quantile(log_lower: Tensor, log_upper: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The logit y with log probability ``log_lower`` below it and ``log_upper`` above; differentiable.

    The smaller of the two is the one that counts, and may lie far beyond underflow of the probability.

    Args:
        log_lower: log u, at most 0; any shape.
        log_upper: log(1-u); broadcasts.
        a: positive and finite; broadcasts.
        b: positive and finite; broadcasts.

    Example:
        >>> beta_quantile(torch.tensor(-2000.0), torch.tensor(0.0), torch.tensor(2.0), torch.tensor(3.0))
        tensor(-1000.8959)
    """
    found = _beta_quantile(log_lower, log_upper, a, b)
    return attach(found, _quantile_velocity, log_lower, log_upper, a, b)


def beta_velocities(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """``(∂y/∂a, ∂y/∂b)`` of the logit y of a Beta(a, b) draw, at a fixed level; differentiable.

    Example:
        >>> beta_velocities(torch.tensor(0.0), torch.tensor(1.0), torch.tensor(1.0))
        (tensor(1.3863), tensor(-1.3863))
    """
    return _moved(logit, a, b, excess=False)


def beta_excess_velocities(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """``(∂y/∂a - 1/a, ∂y/∂b + 1/b)``: what :func:`beta_velocities` leaves beyond the move of the mean.

    Of size 1/a² and 1/b² for large arguments, and exact to that size.

    Example:
        >>> beta_excess_velocities(torch.tensor(0.0), torch.tensor(1.0), torch.tensor(1.0))
        (tensor(0.3863), tensor(-0.3863))
    """
    return _moved(logit, a, b, excess=True)


def _moved(logit: Tensor, a: Tensor, b: Tensor, excess: bool) -> tuple[Tensor, Tensor]:
    logit, a, b = torch.broadcast_tensors(logit, a, b)
    along_a, along_b = _raw_velocities(logit, a, b, excess)
    partials = _EXCESS_PARTIALS if excess else _PARTIALS
    return attach(along_a, partials[0], logit, a, b), attach(along_b, partials[1], logit, a, b)


@opaque
def _raw_velocities(logit: Tensor, a: Tensor, b: Tensor, excess: bool) -> tuple[Tensor, Tensor]:
    general = general_excess_velocities if excess else general_velocities
    if logit.dtype == torch.float64:
        return general(logit, a, b)
    quick = quick_enough(a, b, excess)
    return where_each((quick, partial(quick_velocities, excess=excess)), (~quick, general), arguments=(logit, a, b))


def _partials(which: int, general: Callable[..., tuple[Tensor, Tensor]], _: Tensor, *at: Tensor) -> tuple[Tensor, ...]:
    """The derivatives of one of both velocities: of the integrals, which are made of differentiable operations."""
    found: Any = torch.func.vjp(lambda *at: in_pieces(general, *at)[which], *at)
    value, pull = found
    result: tuple[Tensor, ...] = pull(torch.ones_like(value))
    return result


_PARTIALS = [partial(_partials, which, general_velocities) for which in (0, 1)]
_EXCESS_PARTIALS = [partial(_partials, which, general_excess_velocities) for which in (0, 1)]


def _lower_velocity(log_tail: Tensor, logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    rate = torch.exp(beta_log_density(logit, a, b) - log_tail)
    along_a, along_b = beta_velocities(logit, a, b)
    return rate, -along_a * rate, -along_b * rate


def _upper_velocity(log_tail: Tensor, logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    return tuple(-speed for speed in _lower_velocity(log_tail, logit, a, b))


def _quantile_velocity(logit: Tensor, log_lower: Tensor, log_upper: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    log_density = beta_log_density(logit, a, b)
    below = log_lower < log_upper
    from_lower = torch.where(below, torch.exp(torch.where(below, log_lower, log_density) - log_density), 0.0)
    from_upper = torch.where(below, 0.0, -torch.exp(torch.where(below, log_density, log_upper) - log_density))
    return from_lower, from_upper, *beta_velocities(logit, a, b)


def _mass(*over: Tensor) -> Tensor:
    at = nodes(Range(*over))
    return ((at.ratio - at.exact) * at.weight).sum(0)


def _log_tail_over_density(y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``log(F(y) / p(y))`` of the near tail."""
    over = integration_range(y, a, b)
    mass = in_pieces(_mass, *over, depth=node_count(y))
    return torch.log(mass + over.limit / a)


@opaque
def _log_tails(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    tail = near_tail(logit, a, b)
    width = _log_tail_over_density(*tail[1:])
    below_zero = -torch.finfo(logit.dtype).tiny
    near = (beta_log_density(*tail[1:]) + width).clamp(max=below_zero)
    far = log1mexp(near)
    return torch.where(tail.mirrored, far, near), torch.where(tail.mirrored, near, far)


@opaque
def _beta_quantile(log_lower: Tensor, log_upper: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Newton's method on the log of the near tail, which is concave, from a point that is close or on its left."""
    middle = a.clamp(min=1).log() - b.clamp(min=1).log()
    level, _ = _log_tails(middle, a, b)
    mirrored, middle, a, b = mirror(log_lower > level, middle, a, b)
    goal = torch.where(mirrored, log_upper, log_lower)
    left = _left_bound(goal, middle, a, b)
    y = torch.where((a > 1) & (b > 1), torch.maximum(left, _normal_guess(goal, a, b)), left).minimum(middle)
    for _ in range(10 if y.dtype == torch.float64 else 7):
        width = _log_tail_over_density(y, a, b)
        missing = goal - beta_log_density(y, a, b) - width
        y = (y + missing * width.exp()).maximum(left).minimum(middle)
    return torch.where(mirrored, -y, y)


def _left_bound(goal: Tensor, middle: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """From ``F <= t^a·c / (a·B)``: c = 1, or the value at the middle of what grows with t where b < 1."""
    log_beta = a * logsigmoid(middle) + b * logsigmoid(-middle) - beta_log_density(middle, a, b)
    growth = (b - 1).clamp(max=0) * logsigmoid(-middle)
    most = logsigmoid(middle)
    log_t = ((goal + a.log() + log_beta - growth) / a).minimum(most)
    return log_t - torch.log(-torch.expm1(log_t))


def _normal_guess(goal: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Abramowitz & Stegun 26.5.22, for a, b > 1."""
    far = goal < -50
    normal = torch.where(
        far, -torch.sqrt(-2 * goal), torch.special.ndtri(torch.where(far, -50.0, goal).exp().clamp(max=0.9))
    )
    p, q = 1 / (2 * a.clamp(min=1.01) - 1), 1 / (2 * b.clamp(min=1.01) - 1)
    h = 2 / (p + q)
    curve = (normal**2 - 3) / 6
    return log_ratio(a, b) + 2 * (
        normal * torch.sqrt((h + curve).clamp(min=0.0)) / h + (p - q) * -(curve + 5 / 6 - 2 / (3 * h))
    )
