"""The exponential integral."""

import math

import torch
from torch import Tensor

from reparam.special.removable import polynomial

__all__ = ["scaled_exponential_integral"]

_EULER = 0.5772156649015329
_SERIES = [0.0] + [(-1) ** (n + 1) / (n * math.factorial(n)) for n in range(1, 22)]
_LEVELS = 100


def scaled_exponential_integral(x: Tensor) -> Tensor:
    """``e^x·E₁(x)``, ``E₁(x) = ∫ e^-t/t dt`` from x to ∞, for ``x > 0``: it falls like 1/x.

    Example:
        >>> scaled_exponential_integral(torch.tensor([1e-3, 1.0, 1e6]))
        tensor([6.3379e+00, 5.9635e-01, 1.0000e-06])
    """
    near = x < 1
    small, large = torch.where(near, x, 1.0), torch.where(near, 1.0, x)
    series = torch.exp(small) * (polynomial(small, _SERIES) - _EULER - small.log())
    # 1/(x + 1 - 1²/(x + 3 - 2²/(x + 5 - ...))) (Abramowitz & Stegun 5.1.22, contracted)
    fraction = large + (2 * _LEVELS + 1)
    for level in range(_LEVELS, 0, -1):
        fraction = large + (2 * level - 1) - level**2 / fraction
    return torch.where(near, series, 1 / fraction)
