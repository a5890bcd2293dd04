"""The incomplete gamma integrals, as kernels without gradient (``gamma.py`` gives them their derivatives).

All is written from ``y = log x``. With ``f(r) = |a - x| r + x (e^(∓r) - 1 ± r)``, upper signs below the turning point
``x = exp(digamma(a))`` and lower signs above it, the substitution ``t = x e^(∓r)`` turns the incomplete gamma integrals
into

    P (or Q) = x p(x) M_0,    d log x / da = M_1 ∓ L M_0,    M_k = ∫_0^∞ r^k e^(-f(r)) dr,

with p the density of Gamma(a, 1) and ``L = log x - digamma(a)``. Every term is positive: nothing cancels, on either
side. ``e^(-f)`` lies between an exponential and a Gaussian in shape, so one Gauss-Legendre rule, on the interval where
it is not negligible, serves all concentrations. Below x = 1 the power series of P takes over; it holds for every
concentration, however small (DLMF 8.7.1 and its derivative).
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reparam.special import fits
from reparam.special.digamma import raw_digamma_plus_one, raw_log_minus_digamma, raw_polygamma
from reparam.special.elementwise import in_pieces, opaque, where_each
from reparam.special.gamma_fit import SCALED_VELOCITY
from reparam.special.log_space import log1mexp
from reparam.special.stirling import stirling_remainder

__all__ = [
    "log_density",
    "log_gamma_over",
    "log_mills",
    "log_tails",
    "on_lower_side",
    "scaled_velocity",
    "velocity",
]


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


_RULES = {torch.float32: _rule(16.0, 12, 32.0, 6, 10), torch.float64: _rule(34.0, 30, 64.0, 17, 19)}

Part = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@opaque
def velocity(log_x: Tensor, a: Tensor, order: int) -> Tensor:
    """The derivative of that order in ``a``, at fixed ``log_x``, of ``d log x / da``; in float32 the 0th by a fit."""
    fitted = order == 0 and fits.applies(log_x)
    value = fits.evaluate(SCALED_VELOCITY, scaled_velocity, log_x, a).div_(a) if fitted else _velocity(log_x, a, order)
    largest = torch.finfo(log_x.dtype).max
    return value.clamp_(-largest, largest)


def scaled_velocity(log_x: Tensor, a: Tensor) -> Tensor:
    """``a d log x / da``, by the exact formulas."""
    return a * _velocity(log_x, a, 0)


def _velocity(log_x: Tensor, a: Tensor, order: int) -> Tensor:
    series = functools.partial(_series_velocity, order=order)
    integral = functools.partial(_integral_velocity, order=order)
    return _by_region(log_x, a, series, integral)


@opaque
def log_mills(log_x: Tensor, a: Tensor) -> Tensor:
    """``log M_0``: of P over the density of ``log x`` below the turning point, of Q over it above."""
    return _by_region(log_x, a, _series_log_mills, _integral_log_mills)


def log_tails(log_x: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``log P``, ``log Q`` and ``log M_0``."""
    # From e^690 on, where x itself will overflow, M_0 is 1/x to the last digit.
    mills, below_one = log_mills(log_x.clamp(max=690.0), a) - (log_x - 690.0).clamp(min=0.0), log_x.clamp(max=0.0)
    series = a * (below_one - log_gamma_over(a)) + torch.log1p(a * _series_rest(below_one.exp(), a))
    own = torch.where(log_x <= 0, series, log_density(log_x - a.log(), a) + mills)
    own = own.clamp(max=-torch.finfo(own.dtype).tiny)
    other, lower_side = log1mexp(own), on_lower_side(log_x, a)
    return torch.where(lower_side, own, other), torch.where(lower_side, other, own), mills


def on_lower_side(log_x: Tensor, a: Tensor) -> Tensor:
    """Whether ``log_mills`` is about P; up to x = 1 it always is."""
    return (log_x <= 0) | (log_x - a.log() + raw_log_minus_digamma(a) < 0)


def log_density(log_ratio: Tensor, a: Tensor) -> Tensor:
    """``a log x - x - log Γ(a)`` at ``log x = log a + log_ratio``, by Stirling's formula: nothing large cancels."""
    half_log_two_pi = 0.5 * math.log(2 * math.pi)
    return 0.5 * a.log() - half_log_two_pi - stirling_remainder(a) - _exponential_remainder(log_ratio, a)


def _exponential_remainder(x: Tensor, factor: Tensor) -> Tensor:
    """``factor · (e^x - 1 - x)``, with relative precision."""
    small = x.clamp(-0.5, 0.5)
    total = torch.ones_like(x)
    for k in range(15, 2, -1):
        total = 1 + total * small / k
    root = torch.exp(x / 2)  # twice, because e^x may overflow where the factor makes up for it
    far = torch.where(x < 80, factor * (torch.expm1(x) - x), factor * root * root)
    return torch.where(x.abs() < 0.5, factor * total * small**2 / 2, far)


def _by_region(log_x: Tensor, a: Tensor, series: Callable[..., Tensor], integral: Callable[..., Tensor]) -> Tensor:
    # For a > 2 the series works too, but the integral does, and most elements are there.
    few, large = (log_x <= 0) & (a < 2), log_x > math.log(_RULES[log_x.dtype].split)
    return where_each(
        (few, series),
        (~(few | large), functools.partial(integral, exponent=_direct_exponent)),
        (large, functools.partial(integral, exponent=_polynomial_exponent)),
        arguments=(log_x, a),
    )


# --- x <= 1: the power series ---


def _series_velocity(log_x: Tensor, a: Tensor, order: int) -> Tensor:
    """With S = Σ_{n>=0} (-x)^n a / (n! (a + n)) and Λ = digamma(a + 1) - log x, ``a v = e^x (S Λ - ∂S/∂a)``."""
    x = log_x.exp()
    sums = _series_sums(log_x, a, order + 2)
    derivatives = [torch.exp(-x) - sums[0]]  # of S in a
    derivatives += [(-1) ** (k + 1) * math.factorial(k) * sums[k] for k in range(1, order + 2)]
    level = [raw_digamma_plus_one(a) - log_x, *(raw_polygamma(k, a + 1) for k in range(1, order + 1))]
    result = torch.zeros_like(x)
    for n in range(order + 1):  # the n-th derivative of both sides, solved for that of v
        product = derivatives[n] * level[0]
        for k in range(1, n + 1):
            product = product + math.comb(n, k) * derivatives[n - k] * level[k]
        result = ((product - derivatives[n + 1]) * x.exp() - n * result) / a
    return result


def _series_sums(log_x: Tensor, a: Tensor, count: int) -> list[Tensor]:
    """``Σ_{n>=1} (-x)^n / (n - 1)! / (a + n)^(k+1)`` for k = 0 .. count - 1."""
    x, power = log_x.exp(), torch.ones_like(log_x)
    sums = [torch.zeros_like(x) for _ in range(count)]
    for n in range(1, _RULES[x.dtype].terms + 1):
        power.mul_(x).mul_(-1 / max(1, n - 1))
        divisor, term = a + n, power.clone()
        for total in sums:
            total.add_(term.div_(divisor))
    return sums


def _series_log_mills(log_x: Tensor, a: Tensor) -> Tensor:
    x = log_x.exp()
    return x + torch.log1p(a * _series_rest(x, a)) - a.log()


def _series_rest(x: Tensor, a: Tensor) -> Tensor:
    """``(S - 1) / a``."""
    total, power = torch.zeros_like(x), torch.ones_like(x)
    for n in range(1, _RULES[x.dtype].terms + 1):
        power = power * x * (-1 / n)
        total = total + power / (a + n)
    return total


def log_gamma_over(a: Tensor) -> Tensor:
    """``log Γ(a + 1) / a``, also where that is close to minus Euler's constant (Abramowitz & Stegun 6.1.33)."""
    small = a.clamp(max=0.5)
    total = torch.zeros_like(a)
    for k in range(26, 1, -1):
        total = (total + (-1) ** k * _ZETA_MINUS_ONE[k] / k) * small
    return torch.where(a < 0.5, 1 - np.euler_gamma - torch.log1p(small) / small + total, torch.lgamma(a + 1) / a)


_ZETA_MINUS_ONE = [0.0, 0.0, *torch.special.zeta(torch.arange(2.0, 27.0, dtype=torch.float64), 2.0).tolist()]


# --- x > 1: the integrals ---


def _integral_velocity(log_x: Tensor, a: Tensor, exponent: Part, order: int) -> Tensor:
    """``M_1 ∓ L M_0`` and its derivatives in ``a``, where each brings a factor ∓r into the integral."""
    ratio = log_x - a.log()
    level = [ratio + raw_log_minus_digamma(a), *(-raw_polygamma(k, a) for k in range(1, order + 1))]
    side = -torch.copysign(torch.ones_like(a), level[0])
    moments = _tail_moments(log_x, ratio, a, side, exponent, order + 2)
    result = (-side) ** order * moments[order + 1]
    for k in range(order + 1):
        result = result - side * math.comb(order, k) * level[k] * (-side) ** (order - k) * moments[order - k]
    return result


def _integral_log_mills(log_x: Tensor, a: Tensor, exponent: Part) -> Tensor:
    ratio = log_x - a.log()
    side = -torch.copysign(torch.ones_like(a), ratio + raw_log_minus_digamma(a))
    return _tail_moments(log_x, ratio, a, side, exponent, 1)[0].log()


def _tail_moments(log_x: Tensor, ratio: Tensor, a: Tensor, side: Tensor, exponent: Part, count: int) -> list[Tensor]:
    """``M_0 .. M_{count-1}``, of the lower tail where ``side`` is 1 and of the upper where it is -1."""
    rule, x = _RULES[log_x.dtype], log_x.exp()
    slope = -side * a * torch.expm1(ratio)
    reach = _reach(x, a, slope, side, rule.depth)
    sums = in_pieces(
        functools.partial(_node_sums, exponent=exponent, count=count),
        *(x, slope * reach, -side * reach),
        depth=len(rule.nodes),
    )
    return [reach ** (k + 1) * sums[k] for k in range(count)]


def _node_sums(x: Tensor, slope: Tensor, step: Tensor, exponent: Part, count: int) -> Tensor:
    """``Σ w_i t_i^k e^(-f)`` over the nodes t_i: shape ``[count, *]``."""
    rule = _RULES[x.dtype]
    nodes, weights = (torch.tensor(v, dtype=x.dtype, device=x.device).unsqueeze(-1) for v in (rule.nodes, rule.weights))
    values = exponent(x, slope, step, nodes).exp_()
    return torch.stack([(values * (weights * nodes**k)).sum(0) for k in range(count)])


def _direct_exponent(x: Tensor, slope: Tensor, step: Tensor, nodes: Tensor) -> Tensor:
    """``-f`` at the nodes, ``slope`` and ``step`` (∓r) for the whole interval."""
    return torch.exp(nodes * step).mul_(-x).add_((x * step - slope) * nodes).add_(x)


def _polynomial_exponent(x: Tensor, slope: Tensor, step: Tensor, nodes: Tensor) -> Tensor:
    """The same where x is large: for small r, ``e^(∓r) - 1 ± r`` would cancel."""
    r = nodes * step
    total = r * (1 / math.factorial(_RULES[x.dtype].degree))
    for k in range(_RULES[x.dtype].degree - 1, 1, -1):
        total.add_(1 / math.factorial(k)).mul_(r)
    return total.mul_(x * step).add_(slope).mul_(-nodes)


def _reach(x: Tensor, a: Tensor, slope: Tensor, side: Tensor, depth: float) -> Tensor:
    """An r with ``f(r) >= depth``, and hardly more."""
    quadratic = 2 * depth / (slope + torch.hypot(slope, (2 * depth * x).sqrt()))
    # Above the turning point f lies over its quadratic part, and this fixed-point step leads down towards the root.
    upper = torch.minimum(quadratic, torch.log1p((depth + a * quadratic) / x))
    # Below, f lies under it and is convex: one Newton step leads beyond the root.
    fall = torch.expm1(-quadratic)
    lower = quadratic + (depth - slope * quadratic - x * (fall + quadratic)) / (slope - x * fall)
    return upper + (lower - upper) * (0.5 * (side + 1))  # a random where() would take longer
