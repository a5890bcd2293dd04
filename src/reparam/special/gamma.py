"""The gamma law in log space: its tails, its quantile, and how a draw moves with the concentration.

All is written from ``y = log x``, so that draws of tiny concentrations, whose x underflows, keep their gradient. With
``f(r) = |a - x| r + x (e^(∓r) - 1 ± r)``, upper signs below the turning point ``x = exp(digamma(a))`` and lower signs
above it, the substitution ``t = x e^(∓r)`` turns the incomplete gamma integrals into

    P (or Q) = x p(x) M_0,    d log x / da = M_1 ∓ L M_0,    M_k = ∫_0^∞ r^k e^(-f(r)) dr,

with p the density of Gamma(a, 1) and ``L = log x - digamma(a)``. Every term is positive: nothing cancels, on either side.
``e^(-f)`` lies between an exponential and a Gaussian in shape, so one Gauss-Legendre rule, on the interval where it is
not negligible, serves all concentrations. Below x = 1 the power series of P takes over; it holds for every
concentration, however small (DLMF 8.7.1 and its derivative).

Raw values are computed without gradient, and :func:`reparam.reparameterize.attach` gives them their derivatives, each of
which is written with the same functions: so they can be differentiated again.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reparam.reparameterize import attach
from reparam.special.log_space import log1mexp

__all__ = [
    "log_gamma_density",
    "log_gamma_quantile",
    "log_gamma_tails",
    "log_gamma_velocity",
    "log_gammainc",
    "log_gammaincc",
]

_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)  # B_2, B_4, ..
_SHIFT = 10  # where the asymptotic series with these numbers is exact to float64
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class _Rule(NamedTuple):
    """How finely to compute in a dtype."""

    depth: float  # e^-depth is negligible
    nodes: list[float]  # of the Gauss-Legendre rule on [0, 1]
    weights: list[float]
    split: float  # above this x, r is small and e^(∓r) - 1 ± r is summed as a polynomial
    degree: int  # of that polynomial
    terms: int  # of the power series for x <= 1


def _rule(depth: float, count: int, split: float, degree: int, terms: int) -> _Rule:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return _Rule(depth, ((nodes + 1) / 2).tolist(), (weights / 2).tolist(), split, degree, terms)


_RULES = {torch.float32: _rule(17.0, 13, 24.0, 12, 11), torch.float64: _rule(37.0, 36, 64.0, 20, 20)}


def log_gamma_velocity(log_x: Tensor, concentration: Tensor) -> Tensor:
    """``d log x / da`` while ``P(a, x)`` stays fixed: how the logarithm of a Gamma(a, 1) draw moves with ``a``.

    Positive, and differentiable to any order in both arguments.

    Args:
        log_x: logarithm of the draw, float32 or float64; any shape.
        concentration: a, positive; broadcasts.

    Example:
        >>> log_gamma_velocity(torch.tensor([-1e6, 0.0]), torch.tensor([1e-6, 1.0]))
        tensor([1.0000e+12, 5.9635e-01])
    """
    return _velocity(*torch.broadcast_tensors(log_x, concentration), order=0)


def _velocity(log_x: Tensor, a: Tensor, order: int) -> Tensor:
    """The derivative of that order in ``a`` of the velocity, at fixed ``log_x``."""
    raw = _in_pieces(functools.partial(_raw_velocity, order=order), log_x.detach(), a.detach())
    return attach(raw, functools.partial(_velocity_partials, order=order), log_x, a)


def _velocity_partials(value: Tensor, log_x: Tensor, a: Tensor, order: int) -> tuple[Tensor, Tensor]:
    # The density of y moves by the continuity equation: ∂v/∂y = -∂(log p)/∂a - v ∂(log p)/∂y, log p = a y - e^y - log Γ(a).
    delta = log_x - a.log()
    along = value * a * torch.expm1(delta)
    if order == 0:
        along = along - (delta + log_minus_digamma(a))
    else:
        along = along + _polygamma(order, a) - order * _velocity(log_x, a, order - 1)
    return along, _velocity(log_x, a, order + 1)


def _raw_velocity(log_x: Tensor, a: Tensor, order: int) -> Tensor:
    low = _series_velocity(log_x.clamp(max=0.0), a, order)
    high = _integral_velocity(log_x.clamp(min=0.0), a, order)
    largest = torch.finfo(low.dtype).max
    return torch.where(log_x <= 0, low, high).clamp(-largest, largest)


def _series_velocity(log_x: Tensor, a: Tensor, order: int) -> Tensor:
    """For x <= 1. With S = Σ (-x)^n a / (n! (a + n)) and Λ = digamma(a + 1) - log x, ``v = e^x (S Λ - ∂S/∂a) / a``."""
    x = log_x.exp()
    sums = _power_series(x, a, order + 2)
    derivatives = [torch.exp(-x) - sums[0]]
    derivatives += [(-1) ** (k + 1) * math.factorial(k) * sums[k] for k in range(1, order + 2)]
    level = [_digamma_plus_one(a) - log_x, *(_raw_polygamma(k, a + 1) for k in range(1, order + 1))]
    velocity = torch.zeros_like(x)
    for n in range(order + 1):
        product = sum(math.comb(n, k) * derivatives[n - k] * level[k] for k in range(n + 1))
        velocity = ((product - derivatives[n + 1]) * torch.exp(x) - n * velocity) / a
    return velocity


def _power_series(x: Tensor, a: Tensor, count: int) -> list[Tensor]:
    """``Σ_{n>=1} (-x)^n / (n - 1)! / (a + n)^(k+1)`` for k = 0 .. count - 1."""
    sums = [torch.zeros_like(x) for _ in range(count)]
    power = torch.ones_like(x)
    for n in range(1, _RULES[x.dtype].terms + 1):
        power = power * x * (-1 / max(1, n - 1))
        term = power
        for k in range(count):
            term = term / (a + n)
            sums[k] = sums[k] + term
    return sums


def _integral_velocity(log_x: Tensor, a: Tensor, order: int) -> Tensor:
    """For x >= 1: ``M_1 ∓ L M_0`` and its derivatives in ``a``, where each brings a factor ∓r into the integral."""
    delta = log_x - a.log()
    level = [delta + _raw_log_minus_digamma(a), *(-_raw_polygamma(k, a) for k in range(1, order + 1))]
    side = torch.where(level[0] < 0, 1.0, -1.0).to(delta.dtype)
    moments = _tail_moments(log_x, delta, a, side, order + 2)
    product = sum(
        math.comb(order, k) * level[k] * (-side) ** (order - k) * moments[order - k] for k in range(order + 1)
    )
    return (-side) ** order * moments[order + 1] - side * product


def _tail_moments(log_x: Tensor, delta: Tensor, a: Tensor, side: Tensor, count: int) -> list[Tensor]:
    """``M_0 .. M_{count-1}`` for x >= 1, of the lower tail where ``side`` is 1 and of the upper where it is -1."""
    rule, x = _RULES[log_x.dtype], log_x.exp()
    slope = -side * a * torch.expm1(delta)
    reach = _reach(x, a, slope, side, rule.depth)
    column = (-1, *(1 for _ in x.shape))
    nodes = torch.tensor(rule.nodes, dtype=x.dtype, device=x.device).reshape(column)
    weights = torch.tensor(rule.weights, dtype=x.dtype, device=x.device).reshape(column)
    # Where x is large, e^(∓r) - 1 ± r would cancel; r is small there, and the Taylor polynomial takes its place.
    direct = torch.where(x > rule.split, 0.0, x)
    step = -side * reach
    coefficients = [(x - direct) * step**k / math.factorial(k) for k in range(rule.degree, 1, -1)]
    exponent = coefficients[0] * nodes
    for coefficient in coefficients[1:]:
        exponent = (exponent + coefficient) * nodes
    exponent = (exponent + (slope * reach - direct * step)) * nodes + direct * torch.expm1(step * nodes)
    values = torch.exp(-exponent) * weights
    return [reach ** (k + 1) * (values * nodes**k).sum(0) for k in range(count)]


def _reach(x: Tensor, a: Tensor, slope: Tensor, side: Tensor, depth: float) -> Tensor:
    """An r with ``f(r) >= depth``, and hardly more."""
    quadratic = 2 * depth / (slope + torch.hypot(slope, (2 * depth * x).sqrt()))
    # Above the turning point f lies over its quadratic part, and this fixed-point step leads down towards the root.
    upper = torch.minimum(quadratic, torch.log1p((depth + a * quadratic) / x))
    # Below, f lies under it and is convex: one Newton step leads beyond the root.
    fall = torch.expm1(-quadratic)
    lower = quadratic + (depth - slope * quadratic - x * (fall + quadratic)) / (slope - x * fall)
    return torch.where(side > 0, lower, upper)


def _in_pieces(function: Callable[[Tensor, Tensor], Tensor], log_x: Tensor, a: Tensor) -> Tensor:
    return function(log_x, a)


def log_gamma_density(log_ratio: Tensor, concentration: Tensor) -> Tensor:
    """Log density of ``log x`` at ``log x = log a + log_ratio``, x drawn from Gamma(a, 1).

    ``a log x - x - log Γ(a)``, without the cancellation of these terms where a is large; differentiable to any order.

    Example:
        >>> log_gamma_density(torch.tensor(0.0), torch.tensor([1.0, 1e8]))
        tensor([-1.0000,  8.2914])
    """
    log_ratio, a = torch.broadcast_tensors(log_ratio, concentration)
    return attach(_raw_density(log_ratio.detach(), a.detach()), _density_partials, log_ratio, a)


def _density_partials(value: Tensor, log_ratio: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    growth = torch.expm1(log_ratio)
    return -a * growth, log_ratio - growth + log_minus_digamma(a)


def _raw_density(log_ratio: Tensor, a: Tensor) -> Tensor:
    z = a.clamp(min=_SHIFT)
    series = sum(b / (2 * k * (2 * k - 1)) / z ** (2 * k - 1) for k, b in enumerate(_BERNOULLI, 1))
    few = a.clamp(max=_SHIFT)
    exact = torch.lgamma(few) - (few - 0.5) * few.log() + few - _HALF_LOG_TWO_PI
    remainder = torch.where(a > _SHIFT, series, exact)  # of Stirling's formula
    return -a * _exponential_remainder(log_ratio) + 0.5 * a.log() - _HALF_LOG_TWO_PI - remainder


def _exponential_remainder(x: Tensor) -> Tensor:
    """``e^x - 1 - x``."""
    small = x.clamp(-0.5, 0.5)
    total = torch.ones_like(x)
    for k in range(15, 2, -1):
        total = 1 + total * small / k
    return torch.where(x.abs() < 0.5, total * small**2 / 2, torch.expm1(x) - x)


def log_gamma_tails(log_x: Tensor, concentration: Tensor) -> tuple[Tensor, Tensor]:
    """``(log P(a, x), log Q(a, x))``, the regularised incomplete gamma functions, each with relative precision.

    Differentiable to any order in both arguments. Computed in float64, returned in the dtype of ``log_x``.

    Args:
        log_x: logarithm of x, real; any shape.
        concentration: a, positive; broadcasts.

    Example:
        >>> log_gamma_tails(torch.tensor([-3000.0, 3.0]), torch.tensor([2.0, 1.0]))
        (tensor([-6.0007e+03, -1.8921e-09]), tensor([  0.0000, -20.0855]))
    """
    wide_x, a = torch.broadcast_tensors(log_x.double(), concentration.double())
    lower, upper, _ = _raw_tails(wide_x.detach(), a.detach())
    lower = attach(lower, _lower_partials, wide_x, a)
    upper = attach(upper, _upper_partials, wide_x, a)
    return lower.to(log_x.dtype), upper.to(log_x.dtype)


def log_gammainc(concentration: Tensor, x: Tensor) -> Tensor:
    """``log P(a, x)``: logarithm of ``torch.special.gammainc``, differentiable in both arguments.

    Example:
        >>> log_gammainc(torch.tensor(2.0), torch.tensor(1e-30))
        tensor(-138.8482)
    """
    return log_gamma_tails(x.double().log(), concentration)[0].to(torch.promote_types(x.dtype, concentration.dtype))


def log_gammaincc(concentration: Tensor, x: Tensor) -> Tensor:
    """``log Q(a, x)``: logarithm of ``torch.special.gammaincc``, differentiable in both arguments.

    Example:
        >>> log_gammaincc(torch.tensor(1.0), torch.tensor(1e6))
        tensor(-1000000.)
    """
    return log_gamma_tails(x.double().log(), concentration)[1].to(torch.promote_types(x.dtype, concentration.dtype))


def _on_lower_side(log_x: Tensor, a: Tensor) -> Tensor:
    return (log_x <= 0) | (log_x - a.log() + _raw_log_minus_digamma(a) < 0)


def _raw_tails(log_x: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``log P``, ``log Q`` and ``log M_0``."""
    low, mills = log_x.clamp(max=0.0), _raw_log_mills(log_x, a)
    series = a * (low - _log_gamma_plus_one(a)) + torch.log1p(a * _series_rest(low.exp(), a))
    own = torch.where(log_x <= 0, series, _raw_density(log_x - a.log(), a) + mills)
    own = own.clamp(max=-torch.finfo(own.dtype).tiny)
    other, on_lower_side = log1mexp(own), _on_lower_side(log_x, a)
    return torch.where(on_lower_side, own, other), torch.where(on_lower_side, other, own), mills


def _lower_partials(value: Tensor, log_x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    own = -_log_mills(log_x, a)
    hazard = torch.where(_on_lower_side(log_x, a), own, log_gamma_density(log_x - a.log(), a) - value).exp()
    return hazard, -_velocity(log_x, a, 0) * hazard


def _upper_partials(value: Tensor, log_x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    own = -_log_mills(log_x, a)
    hazard = torch.where(_on_lower_side(log_x, a), log_gamma_density(log_x - a.log(), a) - value, own).exp()
    return -hazard, _velocity(log_x, a, 0) * hazard


def _log_mills(log_x: Tensor, a: Tensor) -> Tensor:
    """``log M_0``: of P over the density of ``log x`` below the turning point, of Q over it above."""
    return attach(_raw_log_mills(log_x.detach(), a.detach()), _mills_partials, log_x, a)


def _mills_partials(value: Tensor, log_x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    delta = log_x - a.log()
    hazard = torch.where(_on_lower_side(log_x, a), 1.0, -1.0).to(value.dtype) * torch.exp(-value)
    along = hazard + a * torch.expm1(delta)
    return along, -hazard * _velocity(log_x, a, 0) - delta - log_minus_digamma(a)


def _raw_log_mills(log_x: Tensor, a: Tensor) -> Tensor:
    x = log_x.clamp(max=0.0).exp()
    low = x + torch.log1p(a * _series_rest(x, a)) - a.log()
    high = log_x.clamp(min=0.0)
    delta = high - a.log()
    side = torch.where(delta + _raw_log_minus_digamma(a) < 0, 1.0, -1.0).to(x.dtype)
    return torch.where(log_x <= 0, low, _tail_moments(high, delta, a, side, 1)[0].log())


def _series_rest(x: Tensor, a: Tensor) -> Tensor:
    """``(S - 1) / a = Σ_{n>=1} (-x)^n / n! / (a + n)`` for x <= 1."""
    total, power = torch.zeros_like(x), torch.ones_like(x)
    for n in range(1, _RULES[x.dtype].terms + 1):
        power = power * x * (-1 / n)
        total = total + power / (a + n)
    return total


def _log_gamma_plus_one(a: Tensor) -> Tensor:
    """``log Γ(a + 1) / a``, also where that is close to minus Euler's constant (Abramowitz & Stegun 6.1.33)."""
    small = a.clamp(max=0.5)
    total = torch.zeros_like(a)
    for k in range(26, 1, -1):
        total = (total + (-1) ** k * _ZETA_MINUS_ONE[k] / k) * small
    small = 1 - _EULER - torch.log1p(small) / small + total
    return torch.where(a < 0.5, small, torch.lgamma(a + 1) / a)


_EULER = 0.5772156649015329
_ZETA_MINUS_ONE = [0.0, 0.0, *torch.special.zeta(torch.arange(2.0, 27.0, dtype=torch.float64), 2.0).tolist()]


def log_minus_digamma(a: Tensor) -> Tensor:
    """``log a - digamma(a)``, with relative precision where a is large."""
    return attach(_raw_log_minus_digamma(a.detach()), lambda value, a: (1 / a - _polygamma(1, a),), a)


def _raw_log_minus_digamma(a: Tensor) -> Tensor:
    shifted = sum(1 / (a + k) for k in range(_SHIFT)) - torch.log1p(_SHIFT / a)
    return shifted + _log_minus_digamma_series(a + _SHIFT)


def _log_minus_digamma_series(z: Tensor) -> Tensor:
    inverse = 1 / z
    square, total = inverse**2, torch.zeros_like(z)
    for k in range(len(_BERNOULLI), 0, -1):
        total = (total + _BERNOULLI[k - 1] / (2 * k)) * square
    return total + inverse / 2


def _digamma_plus_one(a: Tensor) -> Tensor:
    z = a + _SHIFT
    return z.log() - _log_minus_digamma_series(z) - sum(1 / (a + k) for k in range(1, _SHIFT))


def _polygamma(order: int, a: Tensor) -> Tensor:
    """``torch.polygamma``, whose first order is good to 9 digits only."""
    return attach(_raw_polygamma(order, a.detach()), lambda value, a: (_polygamma(order + 1, a),), a)


def _raw_polygamma(order: int, a: Tensor) -> Tensor:
    zeta: Tensor = torch.special.zeta(torch.full_like(a, order + 1.0), a)
    return (-1) ** (order + 1) * math.factorial(order) * zeta


def log_gamma_quantile(concentration: Tensor, log_lower: Tensor, log_upper: Tensor) -> Tensor:
    """The y with ``log P(a, e^y) = log_lower`` and ``log Q(a, e^y) = log_upper``; the smaller of both says it exactly.

    In float64. Differentiable to any order: in ``a``, and in whichever of the two levels is the smaller.

    Args:
        concentration: a, positive; any shape.
        log_lower: logarithm of the probability below, negative; broadcasts.
        log_upper: logarithm of the probability above, ``log(1 - e^log_lower)``; broadcasts.

    Example:
        >>> level = torch.tensor([-1000.0, -1e-300], dtype=torch.float64)
        >>> log_gamma_quantile(torch.tensor(1e-3), level, torch.tensor([0.0, -690.7755]))
        tensor([-1.0000e+06,  6.5250e+00], dtype=torch.float64)
    """
    inputs = torch.broadcast_tensors(concentration.double(), log_lower.double(), log_upper.double())
    raw = _raw_quantile(*(tensor.detach() for tensor in inputs))
    return attach(raw, _quantile_partials, *inputs)


def _quantile_partials(value: Tensor, a: Tensor, log_lower: Tensor, log_upper: Tensor) -> tuple[Tensor, ...]:
    lower_side, own = _on_lower_side(value, a), _log_mills(value, a)
    density = log_gamma_density(value - a.log(), a)
    small_below = log_lower < log_upper
    below = torch.where(lower_side, own, log_lower - density)
    above = torch.where(lower_side, log_upper - density, own)
    return (
        _velocity(value, a, 0),
        torch.where(small_below, below.exp(), 0.0),
        torch.where(small_below, 0.0, -above.exp()),
    )


_ITERATIONS = 6


@torch.library.custom_op("reparam::log_gamma_quantile", mutates_args=())
def _raw_quantile(a: Tensor, log_lower: Tensor, log_upper: Tensor) -> Tensor:
    """Newton's method, on log P as a function of log x or on log Q as a function of x: both nearly straight, bent one way.

    So from the first step on it stays on one side of the root, wherever it starts.
    """
    log_lower, log_upper = (level.clamp(min=-1e200) for level in (log_lower, log_upper))  # a level of 0: very far out
    floor = (log_lower / a + _log_gamma_plus_one(a)).clamp(min=-1e200)  # P <= x^a / Γ(a + 1)
    turning = (a.log() - _raw_log_minus_digamma(a)).clamp(min=0.0)
    below = log_lower < _raw_tails(turning, a)[0]
    start = torch.where(below, floor, turning)
    y = torch.maximum(torch.where(a < 1, start, _wilson_hilferty(a, log_lower, log_upper)), floor)
    for _ in range(_ITERATIONS):
        lower, upper, mills = _raw_tails(y, a)
        density, on_lower_side = _raw_density(y - a.log(), a), _on_lower_side(y, a)
        lower_hazard = torch.where(on_lower_side, -mills, density - lower).exp()
        upper_hazard = torch.where(on_lower_side, density - upper, -mills).exp()
        along_y = y + (log_lower - lower) / lower_hazard
        along_x = y + torch.log1p(((upper - log_upper) / upper_hazard).clamp(min=-0.999))
        y = torch.maximum(torch.where(below, along_y, along_x), floor)
    return y


@_raw_quantile.register_fake
def _(a: Tensor, log_lower: Tensor, log_upper: Tensor) -> Tensor:
    return torch.empty_like(a)


@_raw_quantile.register_vmap
def _(info, in_dims, *inputs):
    moved = [t.expand(info.batch_size, *t.shape) if d is None else t.movedim(d, 0) for t, d in zip(inputs, in_dims)]
    return _raw_quantile(*torch.broadcast_tensors(*moved)), 0


def _wilson_hilferty(a: Tensor, log_lower: Tensor, log_upper: Tensor) -> Tensor:
    """A normal approximation for the cube root of x (Wilson & Hilferty 1931)."""
    smaller = torch.minimum(log_lower, log_upper)
    far = -torch.sqrt((-2 * smaller - torch.log(-4 * math.pi * smaller.clamp(max=-30.0))).clamp(min=0.0))
    z = torch.where(smaller < -30, far, torch.special.ndtri(smaller.exp()))
    z = torch.where(log_lower < log_upper, z, -z)
    root = (1 - 1 / (9 * a) + z / (3 * a.sqrt())).clamp(min=1e-3)
    return a.log() + 3 * root.log()
