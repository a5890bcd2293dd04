"""The integrals over the near tail of the beta law on the logit scale, ``y = logit t``, with any concentrations.

With ``p(y) = t^a·(1-t)^b / B(a, b)`` the mass of the tail is ``∫ p(s)/p(y) ds`` times the density at its end, and what
moves when a parameter does is, at a fixed level,

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

Source: derived here.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.special.quadrature import Rule, gauss_legendre

__all__ = [
    "Range",
    "bend",
    "integration_range",
    "log_ratio",
    "mirror",
    "near",
    "near_tail",
    "node_count",
    "nodes",
]

# The integrand is left where it is e^-depth; so many nodes make the error as small as the rounding.
_SINGLE, _DOUBLE = (15.0, gauss_legendre(14)), (32.0, gauss_legendre(40))


class Tail(NamedTuple):
    """The near tail of y, as the lower one: where y was above the bulk, a and b are swapped and y is mirrored."""

    mirrored: Tensor
    y: Tensor
    a: Tensor
    b: Tensor


def near_tail(logit: Tensor, a: Tensor, b: Tensor) -> Tail:
    return mirror(logit > a.clamp(min=1).log() - b.clamp(min=1).log(), logit, a, b)


def mirror(mirrored: Tensor, logit: Tensor, a: Tensor, b: Tensor) -> Tail:
    return Tail(
        mirrored, torch.where(mirrored, -logit, logit), torch.where(mirrored, b, a), torch.where(mirrored, a, b)
    )


class Range(NamedTuple):
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


def integration_range(y: Tensor, a: Tensor, b: Tensor) -> Range:
    n, t, rest = a + b, torch.sigmoid(y), torch.sigmoid(-y)
    low, small, depth = y <= 0, a < 1, _depth_and_rule(y)[0]
    off = log_ratio(a, b) - y
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
    return Range(reach, signed, torch.where(low, t, rest), slope, n, limit, torch.where(small, a, 0.0))


class Nodes(NamedTuple):
    """The integrand at the nodes, along a new first dimension."""

    r: Tensor
    weight: Tensor
    ratio: Tensor
    exact: Tensor
    grown: Tensor  # z·(e^±r - 1)
    log_grown: Tensor  # its log1p: the change of log t, or where t <= 1/2 minus that of log(1-t)


def nodes(over: Range) -> Nodes:
    nodes, weights = _depth_and_rule(over.n)[1].along_first(over.n)
    r, signed = over.reach * nodes, over.signed * nodes
    grown = over.z * torch.expm1(signed)
    log_grown = torch.log1p(grown)
    direct = torch.addcmul(log_grown, -over.z, signed)
    bent = torch.where(r < near(r, 0.1, 0.003), _bend_series(signed, over.z), direct)
    ratio = torch.exp(torch.addcmul(-over.slope * r, -over.n, bent))
    return Nodes(r, over.reach * weights, ratio, over.limit * torch.exp(-over.rate * r), grown, log_grown)


def log_ratio(a: Tensor, b: Tensor) -> Tensor:
    """log(a / b); the quotient first, as it is often near 1."""
    limits, ratio = torch.finfo(a.dtype), a / b
    fits = (ratio > limits.tiny) & (ratio < limits.max)
    return torch.where(fits, torch.log(torch.where(fits, ratio, 1.0)), a.log() - b.log())


def bend(r: Tensor, z: Tensor) -> Tensor:
    """``log(1 + z·(e^r - 1)) - z·r``, 0 < z <= 1/2, any r: how far a Bernoulli law's cumulants bend from a line."""
    far, bound = r > 10, near(r, 0.1, 0.003)
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


def _depth_and_rule(like: Tensor) -> tuple[float, Rule]:
    return _DOUBLE if like.dtype == torch.float64 else _SINGLE


def node_count(like: Tensor) -> int:
    return len(_depth_and_rule(like)[1].nodes)


def near(like: Tensor, single: float, double: float) -> float:
    """Up to where the series of a few terms is the better formula."""
    return double if like.dtype == torch.float64 else single
