"""The tails of the standard normal law, in forms that neither underflow nor cancel.

Everything is written with the Mills ratio ``M(x) = Q(x)/φ(x)``, Q the upper tail and φ the density: it falls like 1/x,
and ``M' = -D`` with ``D(x) = 1 - x·M(x)``, positive too. ``1/M`` is the hazard.
"""

import math

import torch
from torch import Tensor

from reparam.special.quadrature import gauss_legendre

__all__ = ["log_ndtr", "mills", "mills_deficit", "mills_drop"]

_LEVELS = 24  # of the continued fraction: enough for float64 from _SWITCH on
_SWITCH = 5.0
_RULE = gauss_legendre(8)


def mills(x: Tensor) -> Tensor:
    """The Mills ratio ``M(x) = Q(x)/φ(x)``: for ``x > -37`` in float64 (``-13`` in float32), inf below.

    Example:
        >>> mills(torch.tensor([0.0, 10.0, 1e30]))
        tensor([1.2533e+00, 9.9029e-02, 1.0000e-30])
    """
    far, beyond, within = _split(x)
    return torch.where(far, 1 / (beyond + _fraction(beyond)), _erfcx_ratio(within))


def mills_deficit(x: Tensor) -> Tensor:
    """``D(x) = 1 - x·M(x)``, which falls like 1/x²; the domain is that of :func:`mills`.

    Example:
        >>> mills_deficit(torch.tensor([0.0, 1e4]))
        tensor([1.0000e+00, 1.0000e-08])
    """
    far, beyond, within = _split(x)
    fraction = _fraction(beyond)
    return torch.where(far, fraction / (beyond + fraction), 1 - within * _erfcx_ratio(within))


def mills_drop(x: Tensor, width: Tensor) -> Tensor:
    """``M(x) - M(x + width)`` for ``x >= -1`` and ``width >= 0``, with relative precision however small the width is.

    Example:
        >>> mills_drop(torch.tensor([0.0, 3.0]), torch.tensor([1e-20, torch.inf]))
        tensor([1.0000e-20, 3.0459e-01])
    """
    near = width < 0.5 * x.clamp(min=1)
    short, long = torch.where(near, width, 0.0), torch.where(near, 1.0, width)
    nodes, weights = _RULE.along_first(short)
    integral = (weights * mills_deficit(x + nodes * short)).sum(0)  # M' = -D
    return torch.where(near, short * integral, mills(x) - mills(x + long))


def _split(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where x is large, and an argument for each formula, harmless where the other one is taken."""
    far = x > _SWITCH
    return far, torch.where(far, x, _SWITCH), torch.where(far, 0.0, x)


def _erfcx_ratio(x: Tensor) -> Tensor:
    ratio: Tensor = math.sqrt(math.pi / 2) * torch.special.erfcx(x * math.sqrt(0.5))
    return ratio


def _fraction(x: Tensor) -> Tensor:
    """The K of ``M(x) = 1/(x + K)``, ``K = 1/(x + 2/(x + 3/(x + ...)))`` (Laplace): positive terms, no cancellation."""
    fraction = x
    for level in range(_LEVELS, 1, -1):
        fraction = x + level / fraction
    return 1 / fraction


def log_ndtr(x: Tensor) -> Tensor:
    """``log Φ(x)``, Φ the standard normal CDF, with derivatives that keep their digits in both tails.

    The derivative of ``torch.special.log_ndtr`` is a difference of squares, and has none left at x = -1e4 in float32.

    Example:
        >>> log_ndtr(torch.tensor([-1e4, 0.0, 10.0]))
        tensor([-5.0000e+07, -6.9315e-01, -7.6199e-24])
    """
    low = x < -1
    below, above = torch.where(low, x, -1.0), torch.where(low, 0.0, x)
    tail = -(below**2) / 2 + mills(-below).log() - 0.5 * math.log(2 * math.pi)
    return torch.where(low, tail, torch.log1p(-torch.special.erfc(above * math.sqrt(0.5)) / 2))
