"""The tails of the standard normal law, in forms that neither underflow nor cancel.

Everything is written with the Mills ratio ``M(x) = Q(x)/φ(x)``, Q the upper tail and φ the density, and its like,

    M_k(x) = ∫_0^∞ t^k·exp(-x·t - t²/2) dt,    M = M_0,    M_k' = -M_(k+1).

All are positive and fall like ``k!/x^(k+1)``. The hazard is 1/M. Derivatives are given by :func:`attach`, each from an
integral of its own: torch differentiates ``erfcx`` and ``log_ndtr`` by differences that have no digit left far out.
"""

import math
from functools import partial

import torch
from torch import Tensor

from reparam.reparameterize import attach
from reparam.special.elementwise import opaque
from reparam.special.quadrature import gauss_legendre

__all__ = ["erfcx_mills", "log_ndtr", "mills", "mills_deficit", "mills_drop"]

_SWITCH = 7.0  # where 1 - x·M(x) has lost two digits
_LEVELS = 16  # of the continued fraction: enough for float64 from _SWITCH on
_RULE, _SHORT_RULE = gauss_legendre(48), gauss_legendre(8)
_DEPTH = 45.0  # e^-45 is nothing beside 1 in float64


def mills(x: Tensor) -> Tensor:
    """The Mills ratio ``M(x) = Q(x)/φ(x)``, for ``x >= -1``.

    Example:
        >>> mills(torch.tensor([0.0, 10.0, 1e30]))
        tensor([1.2533e+00, 9.9029e-02, 1.0000e-30])
    """
    return _moment(0, x)


def mills_deficit(x: Tensor) -> Tensor:
    """``1 - x·M(x)``, which is ``M_1`` and falls like 1/x², for ``x >= -1``.

    Example:
        >>> mills_deficit(torch.tensor([0.0, 1e4]))
        tensor([1.0000e+00, 1.0000e-08])
    """
    return _moment(1, x)


def mills_drop(x: Tensor, width: Tensor) -> Tensor:
    """``M(x) - M(x + width)`` for ``x >= -1`` and ``width >= 0``, with relative precision however small the width is.

    Example:
        >>> mills_drop(torch.tensor([0.0, 3.0]), torch.tensor([1e-20, torch.inf]))
        tensor([1.0000e-20, 3.0459e-01])
    """
    return _drop(0, x, width)


def log_ndtr(x: Tensor) -> Tensor:
    """``log Φ(x)``, Φ the standard normal CDF, with derivatives that keep their digits in both tails.

    Example:
        >>> log_ndtr(torch.tensor([-1e4, 0.0, 10.0]))
        tensor([-5.0000e+07, -6.9315e-01, -7.6199e-24])
    """
    low = x < -1
    below, above = torch.where(low, x, -1.0), torch.where(low, 0.0, x)
    tail = -(below**2) / 2 + mills(-below).log() - 0.5 * math.log(2 * math.pi)
    return torch.where(low, tail, torch.log1p(-torch.special.erfc(above * math.sqrt(0.5)) / 2))


def erfcx_mills(x: Tensor) -> Tensor:
    """The value of the Mills ratio, in one operation, without care for derivatives."""
    ratio: Tensor = math.sqrt(math.pi / 2) * torch.special.erfcx(x * math.sqrt(0.5))
    return ratio


def _moment(order: int, x: Tensor) -> Tensor:
    return attach(_raw_mills_moment(x, order), partial(_moment_velocity, order), x)


def _moment_velocity(order: int, _: Tensor, x: Tensor) -> tuple[Tensor]:
    return (-_moment(order + 1, x),)


def _drop(order: int, x: Tensor, width: Tensor) -> Tensor:
    x, width = torch.broadcast_tensors(x, width)
    return attach(_raw_mills_drop(x, width, order), partial(_drop_velocity, order), x, width)


def _drop_velocity(order: int, _: Tensor, x: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    return -_drop(order + 1, x, width), _moment(order + 1, x + width)


@opaque
def _raw_mills_moment(x: Tensor, order: int) -> Tensor:
    if order == 0:
        return erfcx_mills(x)
    if order == 1:
        beyond = x.clamp(min=_SWITCH)
        inverse = 1 / _fraction(beyond)[1]
        return torch.where(x > _SWITCH, inverse / (beyond + inverse), 1 - x * erfcx_mills(x))
    points, weights = _rule(x)
    return (weights * points**order).sum(0)


@opaque
def _raw_mills_drop(x: Tensor, width: Tensor, order: int) -> Tensor:
    if order > 0:
        points, weights = _rule(x)
        return -(weights * points**order * torch.expm1(-width * points)).sum(0)
    # Three ways to the same: each where the others lose digits or time.
    short = torch.where(width < 0.5 * x.clamp(min=1), width, 0.0)
    nodes, node_weights = _SHORT_RULE.along_first(short)
    points = x.clamp(max=_SWITCH) + nodes * short
    near = short * (node_weights * (1 - points * erfcx_mills(points))).sum(0)
    far = _fraction_drop(x.clamp(min=_SWITCH), short)
    return torch.where(short == width, torch.where(x > _SWITCH, far, near), erfcx_mills(x) - erfcx_mills(x + width))


def _rule(x: Tensor) -> tuple[Tensor, Tensor]:
    """Points and weights for ``∫ f(t)·exp(-x·t - t²/2) dt``, f a power: Gauss-Legendre, to where nothing is left."""
    reach = 2 * _DEPTH / (x + torch.sqrt(x**2 + 2 * _DEPTH))
    nodes, weights = _RULE.along_first(x)
    points = nodes * reach
    return points, weights * reach * torch.exp(-(x + points / 2) * points)


def _fraction(x: Tensor) -> tuple[Tensor, Tensor]:
    """Levels 1 and 2 of Laplace's fraction ``1/M(x) = x + 1/(x + 2/(x + 3/(x + ...)))``: all terms positive."""
    first = second = x
    for level in range(_LEVELS, 0, -1):
        first, second = x + level / first, first
    return first, second


def _fraction_drop(x: Tensor, width: Tensor) -> Tensor:
    """By the difference of two continued fractions, level by level, each less than the one before."""
    start, end, difference = x, x + width, width
    for level in range(_LEVELS, 0, -1):
        difference = width - level * difference / (start * end)
        start, end = x + level / start, x + width + level / end
    return difference / (start * end)
