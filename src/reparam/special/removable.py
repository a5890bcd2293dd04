"""Quotients like ``(eˣ - 1)/x``, whose hole at 0 is only in the formula: smooth there, and so are their derivatives."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["exprel", "log1prel", "polynomial", "sinc"]

# In float32, two derivatives included, 13 terms of the first and 10 of the second have all digits.
_EXPREL = [1 / math.factorial(n + 1) for n in range(20)]
_ATANH = [1 / (2 * n + 1) for n in range(16)]
_SINC = [(-1) ** n / math.factorial(2 * n + 1) for n in range(12)]


def polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """``c₀ + c₁·x + c₂·x² + ...`` (Horner).

    Example:
        >>> polynomial(torch.tensor(2.0), [1.0, 0.0, 3.0])
        tensor(13.)
    """
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def exprel(x: Tensor) -> Tensor:
    """``(eˣ - 1)/x``, and 1 at 0: with derivatives that keep their digits near 0 and are finite for ``x → -∞``.

    Example:
        >>> exprel(torch.tensor([-1e30, 0.0, 1e-9, 1.0]))
        tensor([1.0000e-30, 1.0000e+00, 1.0000e+00, 1.7183e+00])
    """
    # Below 1 the derivative of the quotient loses digits, and the series has them all.
    near = x.abs() < 1
    far = torch.where(near, 1.0, x)
    series = polynomial(torch.where(near, x, 0.0), _EXPREL[:13] if x.dtype == torch.float32 else _EXPREL)
    return torch.where(near, series, torch.expm1(far) / far)


def log1prel(x: Tensor) -> Tensor:
    """``log(1 + x)/x`` for ``x > -1``, and 1 at 0: with derivatives that keep their digits near 0.

    At the edge of the domain, ``x = -1``, the value is inf.

    Example:
        >>> log1prel(torch.tensor([-0.5, 0.0, 1e-9, 1e30]))
        tensor([1.3863e+00, 1.0000e+00, 1.0000e+00, 6.9078e-29])
    """
    near = x.abs() < 0.5
    far, small = torch.where(near, 1.0, x), torch.where(near, x, 0.0)
    # log(1 + x) = 2·artanh(x/(2 + x)): its series needs half the terms.
    terms = _ATANH[:10] if x.dtype == torch.float32 else _ATANH
    series = 2 / (2 + small) * polynomial((small / (2 + small)) ** 2, terms)
    return torch.where(near, series, torch.log1p(far) / far)


def sinc(x: Tensor) -> Tensor:
    """``sin(x)/x``, and 1 at 0; without the π of ``torch.sinc``.

    Example:
        >>> sinc(torch.tensor([0.0, math.pi / 2]))
        tensor([1.0000, 0.6366])
    """
    near = x.abs() < 1
    far = torch.where(near, 1.0, x)
    return torch.where(near, polynomial(torch.where(near, x, 0.0) ** 2, _SINC), torch.sin(far) / far)
