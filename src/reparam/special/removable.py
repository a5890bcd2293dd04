"""Quotients like ``(eˣ - 1)/x``, whose hole at 0 is only in the formula: smooth there, and so are their derivatives."""

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from reparam.reparameterize import attach, forward_over_forward
from reparam.special.elementwise import opaque

__all__ = ["exprel", "log1prel", "polynomial", "sinc"]

_EXPREL_TERMS = 20
_FLOOR = 3e-4
# In float32, two derivatives included, 10 terms have all digits.
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
    # What attach refuses, torch differentiates term by term.
    return _exact_moment(x, 0) if forward_over_forward() else _exponential_moment(0, x)


def _exponential_moment(order: int, x: Tensor) -> Tensor:
    """``E_n(x) = ∫ tⁿ·exp(x·t) dt`` over (0, 1); E_0 is :func:`exprel`, and the derivative of E_n is E_(n+1)."""
    return attach(_raw_exponential_moment(x.detach(), order), partial(_moment_velocity, order), x)


def _moment_velocity(order: int, _: Tensor, x: Tensor) -> tuple[Tensor]:
    return (_exponential_moment(order + 1, x),)


@opaque
def _raw_exponential_moment(x: Tensor, order: int) -> Tensor:
    if order == 0:  # only 0 itself is in the way
        x = x + torch.copysign(x.new_tensor(1e-30), x)
        return torch.expm1(x) / x
    if order == 1 and x.dtype == torch.float32:
        # In float64 the cancellation spares the digits of float32, down to where a straight line goes on.
        wide = x.double()
        far = torch.copysign(wide.abs().clamp_(min=_FLOOR), wide)
        quotient = far.exp().mul_(far - 1).add_(1).div_(far * far)
        return quotient.add_(wide.sub_(far), alpha=1 / 3).float()
    return _exact_moment(x, order)


def _exact_moment(x: Tensor, order: int) -> Tensor:
    near = x.abs() < 1
    small, far = torch.where(near, x, 0.0), torch.where(near, 1.0, x)
    power = torch.exp(far)
    moment = torch.expm1(far) / far
    for n in range(1, order + 1):
        moment = (power - n * moment) / far
    series = [1 / (math.factorial(n) * (n + order + 1)) for n in range(_EXPREL_TERMS)]
    return torch.where(near, polynomial(small, series), moment)


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
