"""Differences of probabilities that are known by their logarithms, without cancellation.

Source: M. Mächler, "Accurately computing log(1 - exp(-|a|))", 2012, https://cran.r-project.org/package=Rmpfr
(the switch at log 2).
"""

import math

import torch
from torch import Tensor

__all__ = ["log1mexp", "log_diff_exp"]


def log1mexp(x: Tensor) -> Tensor:
    """``log(1 - exp(x))`` for ``x < 0``, to a few units in the last place, with finite derivatives.

    At the edge of the domain, ``x = 0``, the value is -inf and the derivative too; for ``x > 0`` the value is
    NaN.

    Example:
        >>> log1mexp(torch.tensor([-1e-20, -0.5, -80.0]))
        tensor([-4.6052e+01, -9.3275e-01, -1.8049e-35])
    """
    near = x > -math.log(2)
    # Each formula sees only the arguments it is good for: where() alone would let a NaN gradient through.
    x_near = torch.where(near, x, -0.5)
    x_far = torch.where(near, -1.0, x)
    return torch.where(near, torch.log(-torch.expm1(x_near)), torch.log1p(-torch.exp(x_far)))


def log_diff_exp(larger: Tensor, smaller: Tensor) -> Tensor:
    """``log(exp(larger) - exp(smaller))``, elementwise, for ``larger > smaller``; ``smaller`` may be -inf.

    Equal arguments give -inf, arguments in the wrong order NaN.

    Example:
        >>> log_diff_exp(torch.tensor(-1000.0), torch.tensor(-1001.0))
        tensor(-1000.4587)
    """
    return larger + log1mexp(smaller - larger)
