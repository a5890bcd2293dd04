"""The incomplete gamma functions in log space, and how a draw of the gamma law moves with the concentration.

All is written from ``log x``, so that draws of tiny concentrations, whose x underflows, keep their gradient. The values
are computed without gradient (``gamma_integrals.py``), and :func:`reparam.reparameterize.attach` gives them their
derivatives, each written with functions of this module: so they can be differentiated again, to any order.
"""

import functools

import torch
from torch import Tensor

from reparam.reparameterize import attach
from reparam.special import gamma_integrals
from reparam.special.digamma import log_minus_digamma, polygamma
from reparam.special.gamma_integrals import on_lower_side

__all__ = ["log_gamma_density", "log_gamma_tails", "log_gamma_velocity", "log_gammainc", "log_gammaincc", "log_mills"]


def log_gamma_velocity(log_x: Tensor, concentration: Tensor) -> Tensor:
    """``d log x / da`` while ``P(a, x)`` stays fixed: how the logarithm of a Gamma(a, 1) draw moves with ``a``.

    Positive, and differentiable to any order in both arguments; the largest number of its dtype where it would
    overflow.

    Args:
        log_x: logarithm of the draw, float32 or float64; any shape.
        concentration: a, positive; broadcasts.

    Example:
        >>> log_gamma_velocity(torch.tensor([-1e6, 0.0]), torch.tensor([1e-6, 1.0]))
        tensor([1.0000e+12, 1.1736e+00])
    """
    log_x, a = torch.broadcast_tensors(log_x, concentration)
    return _velocity(log_x, a, 0)


def _velocity(log_x: Tensor, a: Tensor, order: int) -> Tensor:
    """The derivative of that order in ``a`` of the velocity, at fixed ``log_x``."""
    raw = gamma_integrals.velocity(log_x.detach(), a.detach(), order)
    return attach(raw, functools.partial(_velocity_partials, order=order), log_x, a)


def _velocity_partials(value: Tensor, log_x: Tensor, a: Tensor, order: int) -> tuple[Tensor, Tensor]:
    # The density of y = log x moves by the continuity equation, ∂v/∂y = -∂(log p)/∂a - v ∂(log p)/∂y, with
    # log p = a y - e^y - log Γ(a); and this equation can be differentiated in a.
    ratio = log_x - a.log()
    along = value * a * torch.expm1(ratio)
    if order == 0:
        along = along - (ratio + log_minus_digamma(a))
    else:
        along = along + polygamma(order, a) - order * _velocity(log_x, a, order - 1)
    return along, _velocity(log_x, a, order + 1)


def log_gamma_density(log_ratio: Tensor, concentration: Tensor) -> Tensor:
    """Log density of ``log x`` at ``log x = log a + log_ratio``, x drawn from Gamma(a, 1).

    ``a log x - x - log Γ(a)``, without the cancellation of these terms where a is large; differentiable to any order.

    Example:
        >>> log_gamma_density(torch.tensor(0.0), torch.tensor([1.0, 1e8]))
        tensor([-1.0000,  8.2914])
    """
    log_ratio, a = torch.broadcast_tensors(log_ratio, concentration)
    return attach(gamma_integrals.log_density(log_ratio.detach(), a.detach()), _density_partials, log_ratio, a)


def _density_partials(value: Tensor, log_ratio: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    growth = torch.expm1(log_ratio).clamp(max=torch.finfo(a.dtype).max)  # inf would be subtracted from inf
    return -a * growth, log_ratio - growth + log_minus_digamma(a)


def log_gamma_tails(log_x: Tensor, concentration: Tensor) -> tuple[Tensor, Tensor]:
    """``(log P(a, x), log Q(a, x))``, the regularised incomplete gamma functions, each with relative precision.

    Differentiable to any order in both arguments. Computed in float64, returned in the dtype of ``log_x``.

    Args:
        log_x: logarithm of x, real; any shape.
        concentration: a, positive; broadcasts.

    Example:
        >>> log_gamma_tails(torch.tensor([-3000.0, 3.0]), torch.tensor([2.0, 1.0]))
        (tensor([-6.0007e+03, -1.8922e-09]), tensor([ -0.0000, -20.0855]))
    """
    wide_x, a = torch.broadcast_tensors(log_x.double(), concentration.double())
    lower, upper, _ = gamma_integrals.log_tails(wide_x.detach(), a.detach())
    lower = attach(lower, _lower_partials, wide_x, a)
    upper = attach(upper, _upper_partials, wide_x, a)
    return lower.to(log_x.dtype), upper.to(log_x.dtype)


def _lower_partials(value: Tensor, log_x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    hazard = torch.where(on_lower_side(log_x, a), -log_mills(log_x, a), _log_density_at(log_x, a) - value).exp()
    return hazard, -_velocity(log_x, a, 0) * hazard


def _upper_partials(value: Tensor, log_x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    hazard = torch.where(on_lower_side(log_x, a), _log_density_at(log_x, a) - value, -log_mills(log_x, a)).exp()
    return -hazard, _velocity(log_x, a, 0) * hazard


def _log_density_at(log_x: Tensor, a: Tensor) -> Tensor:
    return log_gamma_density(log_x - a.log(), a)


def log_mills(log_x: Tensor, a: Tensor) -> Tensor:
    """Mills' ratio on the log scale: of P over the density of ``log x`` below the turning point, of Q over it above."""
    return attach(gamma_integrals.log_mills(log_x.detach(), a.detach()), _mills_partials, log_x, a)


def _mills_partials(value: Tensor, log_x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    ratio = log_x - a.log()
    hazard = torch.where(on_lower_side(log_x, a), 1.0, -1.0).to(value.dtype) * torch.exp(-value)
    along = hazard + a * torch.expm1(ratio)
    return along, -hazard * _velocity(log_x, a, 0) - ratio - log_minus_digamma(a)


def log_gammainc(concentration: Tensor, x: Tensor) -> Tensor:
    """``log P(a, x)``: logarithm of ``torch.special.gammainc``, differentiable in both arguments.

    Example:
        >>> log_gammainc(torch.tensor(2.0), torch.tensor(1e-30))
        tensor(-138.8483)
    """
    return log_gamma_tails(x.double().log(), concentration)[0].to(torch.promote_types(x.dtype, concentration.dtype))


def log_gammaincc(concentration: Tensor, x: Tensor) -> Tensor:
    """``log Q(a, x)``: logarithm of ``torch.special.gammaincc``, differentiable in both arguments.

    Example:
        >>> log_gammaincc(torch.tensor(1.0), torch.tensor(1e6))
        tensor(-1000000.)
    """
    return log_gamma_tails(x.double().log(), concentration)[1].to(torch.promote_types(x.dtype, concentration.dtype))
