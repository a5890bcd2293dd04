"""The beta law on the logit scale: its density, both of its tails, its quantile, and how its draws move.

With ``y = logit t`` the density of t ~ Beta(a, b) is ``p(y) = t^a·(1-t)^b / B(a, b)``: log-concave, on the whole line,
and nothing in it under- or overflows before y itself does. What moves when a parameter does is, at a fixed level,

    ``∂y/∂a = -(∂F/∂a) / p(y) = ∫ (E[log t] - log u)·p(s)/p(y) ds``  over the s below y,  u = sigmoid(s),

and the same over the s above y with the opposite sign. Both halves of ``p`` have the same form (swap a with b, t with
1-t, y with -y), so it is always the *near* tail that is integrated, the one that falls away from y, by a Gauss-Legendre
rule over the range where the integrand matters. Two thoughts keep the digits:

- *What is left over.* y is nearly ``log a - log b + noise``, so ∂y/∂a is nearly 1/a. With the slope h' of log p,
  ``∫ h'(s)·p(s)/p(y) ds = 1``, and ``h'(s) = a·(1 - τ) = b·(τ' - 1)`` for ``τ = u / E t``, ``τ' = (1-u) / E(1-t)``. So

      ``∂y/∂a - 1/a = ∫ (Ψ(τ - 1) - E Ψ) p(s)/p(y) ds``,  ``∂y/∂b + 1/b = ∫ (Ψ(τ' - 1) - E Ψ) p(s)/p(y) ds``

  with ``Ψ(x) = x - log(1 + x)``. This is what Student's t and F need, where the 1/a cancels.
- *Small concentrations.* For a < 1 the lower tail is ``e^{as}`` over a length of 1/a, and differs from it over a length
  of 1 only. The exponential is integrated exactly and the rule is left with the difference.

Source: Figurnov, Mohamed & Mnih, arXiv:1805.08498, for the implicit gradient. The formulas above are derived here.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.reparameterize import attach
from reparam.special.elementwise import in_pieces, opaque
from reparam.special.log_space import log1mexp
from reparam.special.quadrature import Rule, gauss_legendre
from reparam.special.stirling import digamma_gap, stirling_remainder

__all__ = ["beta_excess_velocities", "beta_log_density", "beta_quantile", "beta_velocities", "log_betainc"]

# The integrand is left where it is e^-depth; so many nodes make the error as small as the rounding.
_SINGLE, _DOUBLE = (15.0, gauss_legendre(14)), (32.0, gauss_legendre(40))


def beta_log_density(logit: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``log p(y) = a·log t + b·log(1-t) - log B(a, b)``, the log density of ``y = logit t``; differentiable.

    Written from the mode, so that it is exact to rounding of its own size for huge a and b too.

    Example:
        >>> beta_log_density(torch.tensor(0.0), torch.tensor(1e8), torch.tensor(1e8))
        tensor(7.9448)
    """
    n, lower = a + b, a < b
    # Not minimum(): where a = b its derivative would be that of neither.
    smaller, off = torch.where(lower, a, b), _log_ratio(a, b) - logit
    share = (smaller / n).clamp(min=torch.finfo(n.dtype).tiny)
    fall = smaller / share * _bend(torch.where(lower, -off, off), share)
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
    return in_pieces(_velocities, *torch.broadcast_tensors(logit, a, b))


def beta_excess_velocities(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """``(∂y/∂a - 1/a, ∂y/∂b + 1/b)``: what :func:`beta_velocities` leaves beyond the move of the mean.

    Of size 1/a² and 1/b² for large arguments, and exact to that size.

    Example:
        >>> beta_excess_velocities(torch.tensor(0.0), torch.tensor(1.0), torch.tensor(1.0))
        (tensor(0.3863), tensor(-0.3863))
    """
    return in_pieces(_excess_velocities, *torch.broadcast_tensors(logit, a, b))


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


class _Tail(NamedTuple):
    """The near tail of y, as the lower one: where y was above the bulk, a and b are swapped and y is mirrored."""

    mirrored: Tensor
    y: Tensor
    a: Tensor
    b: Tensor


def _near_tail(logit: Tensor, a: Tensor, b: Tensor) -> _Tail:
    return _mirror(logit > a.clamp(min=1).log() - b.clamp(min=1).log(), logit, a, b)


def _mirror(mirrored: Tensor, logit: Tensor, a: Tensor, b: Tensor) -> _Tail:
    return _Tail(
        mirrored, torch.where(mirrored, -logit, logit), torch.where(mirrored, b, a), torch.where(mirrored, a, b)
    )


class _Range(NamedTuple):
    """What the integrand of a tail needs, one number for each y: ``ratio(r) = p(y-r)/p(y)`` for r up to ``reach``.

    For a < 1 the exponential ``limit·e^{-rate·r}`` is integrated apart; elsewhere both are 0.
    """

    reach: Tensor
    signed: Tensor  # reach, negative where t <= 1/2
    z: Tensor  # the smaller of t and 1-t
    slope: Tensor  # h'(y)
    n: Tensor  # a + b
    limit: Tensor
    rate: Tensor


def _range(y: Tensor, a: Tensor, b: Tensor) -> _Range:
    n, t, rest = a + b, torch.sigmoid(y), torch.sigmoid(-y)
    low, small, depth = y <= 0, a < 1, _depth_and_rule(y)[0]
    off = _log_ratio(a, b) - y
    slope = torch.where(off < 1, b * t * torch.expm1(off.clamp(max=1)), a * rest - b * t)
    bend = n * t * rest
    # How far to go: depth = slope·r + bend·r²/(2 + (1-t)·r); or n·(1-t)·(e^r - 1 - r)/2, which holds for r < y.
    tiny, fall = torch.finfo(y.dtype).tiny, slope.clamp(min=0)
    half, leading = depth * rest - 2 * fall, (fall * rest + bend).clamp(min=tiny)
    reach = (half + torch.sqrt(half**2 + 8 * depth * leading)) / (2 * leading)
    quick = 2 * depth / (n * rest).clamp(min=tiny)
    quick = torch.log1p(quick + torch.sqrt(2 * quick))
    reach = torch.where(quick < y, torch.minimum(reach, quick), reach)
    reach = torch.where(small, depth / (1 + a), reach).clamp(max=80.0).detach()
    limit = torch.where(small, torch.exp(-torch.where(small, n * logsigmoid(-y), 0.0)), 0.0)
    signed = torch.where(low, -reach, reach)
    return _Range(reach, signed, torch.where(low, t, rest), slope, n, limit, torch.where(small, a, 0.0))


class _Nodes(NamedTuple):
    """The integrand at the nodes, along a new first dimension."""

    r: Tensor
    weight: Tensor
    ratio: Tensor
    exact: Tensor
    grown: Tensor  # z·(e^±r - 1)
    log_grown: Tensor  # its log1p: the change of log t, or where t <= 1/2 minus that of log(1-t)


def _nodes(over: _Range) -> _Nodes:
    nodes, weights = _depth_and_rule(over.n)[1].along_first(over.n)
    r, signed = over.reach * nodes, over.signed * nodes
    grown = over.z * torch.expm1(signed)
    log_grown = torch.log1p(grown)
    direct = torch.addcmul(log_grown, -over.z, signed)
    bent = torch.where(r < _near(r, 0.1, 0.003), _bend_series(signed, over.z), direct)
    ratio = torch.exp(torch.addcmul(-over.slope * r, -over.n, bent))
    return _Nodes(r, over.reach * weights, ratio, over.limit * torch.exp(-over.rate * r), grown, log_grown)


def _mass(*over: Tensor) -> Tensor:
    at = _nodes(_Range(*over))
    return ((at.ratio - at.exact) * at.weight).sum(0)


def _moments(*over: Tensor) -> tuple[Tensor, ...]:
    """The integrals of 1 and r, of the change of the logarithm, and of 1 over what is integrated apart."""
    at = _nodes(_Range(*over))
    left_over = (at.ratio - at.exact) * at.weight
    change = at.log_grown * at.ratio * at.weight
    return left_over.sum(0), (left_over * at.r).sum(0), change.sum(0), (at.exact * at.weight).sum(0)


def _log_tail_over_density(y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``log(F(y) / p(y))`` of the near tail."""
    over = _range(y, a, b)
    mass = in_pieces(_mass, *over, depth=_node_count(y))
    return torch.log(mass + over.limit / a)


@opaque
def _log_tails(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    tail = _near_tail(logit, a, b)
    width = _log_tail_over_density(*tail[1:])
    below_zero = -torch.finfo(logit.dtype).tiny
    near = (beta_log_density(*tail[1:]) + width).clamp(max=below_zero)
    far = log1mexp(near)
    return torch.where(tail.mirrored, far, near), torch.where(tail.mirrored, near, far)


class _Centre(NamedTuple):
    """Where y lies relative to the means: ``log(t / E t)``, and ``-log E t - E[-log t]``, the mean of Ψ; both sides."""

    log_t: Tensor
    log_rest: Tensor
    gap_a: Tensor
    gap_b: Tensor
    rise_a: Tensor  # ψ(a + b + 1) - ψ(a + 1): for a < 1 the first step of the recurrence cancels, and is left out
    ratio: Tensor  # a / b


def _centre(y: Tensor, a: Tensor, b: Tensor) -> _Centre:
    n, largest = a + b, torch.finfo(y.dtype).max
    ratio, inverse = (a / b).clamp(max=largest), (b / a).clamp(max=largest)
    off = _log_ratio(a, b) - y
    near, kept = off.abs() < 1, off.clamp(-1, 1)
    log_t = torch.where(near, -torch.log1p(b / n * torch.expm1(kept)), logsigmoid(y) + torch.log1p(inverse))
    log_rest = torch.where(near, -torch.log1p(a / n * torch.expm1(-kept)), logsigmoid(-y) + torch.log1p(ratio))
    above = digamma_gap(a + 1, b)
    gap_a = b / n / a - torch.log1p(inverse / (n + 1)) + above
    return _Centre(log_t, log_rest, gap_a, digamma_gap(b, a), torch.log1p(b / (a + 1)) + above, ratio)


def _velocities(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    mirrored, y, a, b = _near_tail(logit, a, b)
    over, centre = _range(y, a, b), _centre(y, a, b)
    mass, reach, change, apart = in_pieces(_moments, *over, depth=_node_count(y))
    end = logsigmoid(-y) * apart
    fall = torch.where(y <= 0, reach + change - end, change)
    rise = torch.where(y <= 0, end - change, reach - change)
    scale = over.limit / a
    along_a = scale * (1 / over.n - centre.rise_a - y) - (centre.log_t + centre.gap_a) * mass + fall
    along_b = scale * (torch.log1p(centre.ratio) + centre.gap_b) + (centre.log_rest + centre.gap_b) * mass + rise
    return _unmirror(mirrored, along_a, -along_b)


def _excess_velocities(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    mirrored, y, a, b = _near_tail(logit, a, b)
    over, centre = _range(y, a, b), _centre(y, a, b)
    end_a = y + 1 + centre.rise_a
    end_b = _psi(centre.ratio, torch.log1p(centre.ratio)) - centre.gap_b
    given = (a, b, y, centre.log_t, centre.log_rest, centre.gap_a, centre.gap_b, end_a, end_b)
    along_a, along_b = in_pieces(_excess_moments, *given, *over, depth=_node_count(y))
    scale = over.limit / a
    return _unmirror(mirrored, along_a + scale * (1 / over.n - end_a), along_b + scale * end_b)


def _excess_moments(
    a: Tensor,
    b: Tensor,
    y: Tensor,
    log_t: Tensor,
    log_rest: Tensor,
    gap_a: Tensor,
    gap_b: Tensor,
    end_a: Tensor,
    end_b: Tensor,
    *over: Tensor,
) -> tuple[Tensor, Tensor]:
    """The integrals of ``Ψ - E Ψ``, less those of its limits ``r - ...`` and ``end_b`` where there are any."""
    at, (*_, slope, n, _, _) = _nodes(_Range(*over)), over
    low = y <= 0
    slope = slope + n * torch.sigmoid(torch.where(low, -y, y)) * at.grown.abs() / (1 + at.grown)
    fall = torch.where(low, at.r + at.log_grown, at.log_grown)
    rise = torch.where(low, -at.log_grown, at.r - at.log_grown)
    along_a = (_psi(-slope / a, log_t - fall) - gap_a) * at.ratio - (at.r - end_a - b / n / a) * at.exact
    along_b = (
        _psi((slope / b).clamp(max=torch.finfo(b.dtype).max), log_rest + rise) - gap_b
    ) * at.ratio - end_b * at.exact
    return (along_a * at.weight).sum(0), (along_b * at.weight).sum(0)


def _unmirror(mirrored: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
    """The velocities of y from those of the near tail, at most the largest finite number where they overflow."""
    largest = torch.finfo(along_a.dtype).max
    along_a, along_b = along_a.clamp(-largest, largest), along_b.clamp(-largest, largest)
    return torch.where(mirrored, -along_b, along_a), torch.where(mirrored, -along_a, along_b)


@opaque
def _beta_quantile(log_lower: Tensor, log_upper: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Newton's method on the log of the near tail, which is concave, from a point that is close or on its left."""
    middle = a.clamp(min=1).log() - b.clamp(min=1).log()
    level, _ = _log_tails(middle, a, b)
    mirrored, middle, a, b = _mirror(log_lower > level, middle, a, b)
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
    return _log_ratio(a, b) + 2 * (
        normal * torch.sqrt((h + curve).clamp(min=0.0)) / h + (p - q) * -(curve + 5 / 6 - 2 / (3 * h))
    )


def _log_ratio(a: Tensor, b: Tensor) -> Tensor:
    """log(a / b); the quotient first, as it is often near 1."""
    limits, ratio = torch.finfo(a.dtype), a / b
    fits = (ratio > limits.tiny) & (ratio < limits.max)
    return torch.where(fits, torch.log(torch.where(fits, ratio, 1.0)), a.log() - b.log())


def _bend(r: Tensor, z: Tensor) -> Tensor:
    """``log(1 + z·(e^r - 1)) - z·r``, 0 < z <= 1/2, any r: how far a Bernoulli law's cumulants bend from a line."""
    far, bound = r > 10, _near(r, 0.1, 0.003)
    direct = torch.log1p(z * torch.expm1(torch.where(far, 0.0, r)))
    beyond = torch.logaddexp(torch.log1p(-z), z.log() + torch.where(far, r, 10.0))
    bent = torch.where(far, beyond, direct) - z * r
    return torch.where(r.abs() < bound, _bend_series(r.clamp(-bound, bound), z), bent)


def _bend_series(r: Tensor, z: Tensor) -> Tensor:
    variance, skew = z * (1 - z), 1 - 2 * z
    third, fourth = variance * skew / 6, variance * (1 - 6 * variance) / 24
    series = torch.addcmul(fourth, variance * skew * (1 - 12 * variance) / 120, r)
    series = torch.addcmul(third, series, r)
    return torch.addcmul(variance / 2, series, r) * r * r


def _psi(x: Tensor, log1p_x: Tensor) -> Tensor:
    """``x - log(1 + x)``, the logarithm given."""
    bound = _near(x, 0.1, 0.01)
    small = x.clamp(-bound, bound)
    series = 1 / 7 - small / 8
    for k in range(6, 1, -1):
        series = 1 / k - small * series
    return torch.where(x.abs() < bound, small * small * series, x - log1p_x)


def _depth_and_rule(like: Tensor) -> tuple[float, Rule]:
    return _DOUBLE if like.dtype == torch.float64 else _SINGLE


def _node_count(like: Tensor) -> int:
    return len(_depth_and_rule(like)[1].nodes)


def _near(like: Tensor, single: float, double: float) -> float:
    """Up to where the series of a few terms is the better formula."""
    return double if like.dtype == torch.float64 else single
