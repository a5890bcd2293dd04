"""Digamma and its derivatives, to full precision, and in the form that keeps its digits at large arguments."""

import math

import torch
from torch import Tensor

from reparam.reparameterize import attach

__all__ = ["log_minus_digamma", "polygamma", "raw_digamma_plus_one", "raw_log_minus_digamma", "raw_polygamma"]

BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)  # B_2, B_4, ..
_FAR = {torch.float32: 4, torch.float64: 10}  # from here on the asymptotic series with so many terms is exact
_TERMS = {torch.float32: 4, torch.float64: 7}


def log_minus_digamma(a: Tensor) -> Tensor:
    """``log a - digamma(a)``, positive, with relative precision; differentiable to any order.

    Example:
        >>> log_minus_digamma(torch.tensor([1e-30, 1.0, 1e8]))
        tensor([1.0000e+30, 5.7722e-01, 5.0000e-09])
    """
    return attach(raw_log_minus_digamma(a.detach()), lambda value, a: (1 / a - polygamma(1, a),), a)


def polygamma(order: int, a: Tensor) -> Tensor:
    """The derivative of digamma of that order, from 1 on; torch's first one is good to 9 digits only."""
    return attach(raw_polygamma(order, a.detach()), lambda value, a: (polygamma(order + 1, a),), a)


def raw_polygamma(order: int, a: Tensor) -> Tensor:
    """Without gradient."""
    zeta: Tensor = torch.special.zeta(torch.full_like(a, order + 1.0), a)
    return zeta * ((-1.0) ** (order + 1) * math.factorial(order))


def raw_log_minus_digamma(a: Tensor) -> Tensor:
    """Without gradient."""
    far = _FAR[a.dtype]
    return _asymptotic(a + far) - torch.log1p(far / a) + _inverses(a, 0, far)


def raw_digamma_plus_one(a: Tensor) -> Tensor:
    """``digamma(a + 1)``, without gradient; no 1/a has to cancel where a is small."""
    far = _FAR[a.dtype]
    return (a + far).log() - _asymptotic(a + far) - _inverses(a, 1, far)


def _inverses(a: Tensor, start: int, stop: int) -> Tensor:
    total = 1 / (a + start)
    for k in range(start + 1, stop):
        total.add_((a + k).reciprocal_())
    return total


def _asymptotic(z: Tensor) -> Tensor:
    """``log z - digamma(z)`` for large z."""
    inverse = 1 / z
    square, total = inverse**2, torch.zeros_like(z)
    for k in range(_TERMS[z.dtype], 0, -1):
        total.add_(BERNOULLI[k - 1] / (2 * k)).mul_(square)
    return total.add_(inverse, alpha=0.5)
