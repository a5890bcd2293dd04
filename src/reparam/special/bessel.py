"""Modified Bessel functions of the first kind, I_v, as laws on circles and spheres need them: ratios and logarithms.

With ``A = I_{v+1}/I_v`` and the entire function ``h(x) = log(Γ(v+1) (2/x)^v I_v(x))``, ``h(0) = 0`` and ``h' = A``.
All are started at an order of at least ``_FIRST_ORDER`` from Debye's expansion, which holds for every x there, and
brought down one order at a time, ``A_{v-1} = x / (2v + x·A_v)``, which is stable; so there is no seam between small
and large arguments. What tends to 1 or to x is also computed as its distance from that, never as a difference.

Source: NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov, 10.41.3 (Debye), 10.29.1 (recurrence).
"""

import math
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from reparam.reparameterize import attach
from reparam.special.elementwise import opaque
from reparam.special.removable import polynomial

__all__ = ["bessel_ratio", "bessel_ratio_complement", "log_ive", "log_normalized_iv", "log_normalized_ive"]

# With these the first term left out is about 1e-12 of the result.
_FIRST_ORDER = 15.0
_TERMS = 13


def bessel_ratio(order: float, x: Tensor) -> Tensor:
    """``A(x) = I_{order+1}(x) / I_order(x)``, in (0, 1): relative precision, also of its derivatives.

    Args:
        order: v >= 0, a number.
        x: positive; any shape.

    Example:
        >>> bessel_ratio(0.5, torch.tensor([1e-20, 1.0, 1e20]))
        tensor([3.3333e-21, 3.1304e-01, 1.0000e+00])
    """
    return _value(x, order, "ratio")


def bessel_ratio_complement(order: float, x: Tensor) -> Tensor:
    """``1 - I_{order+1}(x) / I_order(x)``: relative precision where x is large, also of its derivatives.

    Args as for :func:`bessel_ratio`.

    Example:
        >>> bessel_ratio_complement(0.5, torch.tensor([1e-20, 1.0, 1e20]))
        tensor([1.0000e+00, 6.8696e-01, 1.0000e-20])
    """
    return _value(x, order, "complement")


def log_normalized_iv(order: float, x: Tensor) -> Tensor:
    """``log(Γ(v+1) (2/x)^v I_v(x))``: 0 at 0, about ``x²/(4v+4)`` near it; its derivative is :func:`bessel_ratio`.

    This is ``log E[exp(x·w)]``, w a coordinate of a point uniform on the sphere in ``2v + 2`` dimensions.
    Args as for :func:`bessel_ratio`.

    Example:
        >>> log_normalized_iv(0.5, torch.tensor(1.0))  # log sinh 1
        tensor(0.1614)
    """
    return attach(_value(x.detach(), order, "log_iv"), lambda _, x: (bessel_ratio(order, x),), x)


def log_normalized_ive(order: float, x: Tensor) -> Tensor:
    """:func:`log_normalized_iv` less x, without the cancellation at large x; args as for :func:`bessel_ratio`.

    Example:
        >>> log_normalized_ive(0.0, torch.tensor(1e20))  # -log(2πx) / 2
        tensor(-23.9448)
    """
    return attach(_value(x.detach(), order, "log_ive"), lambda _, x: (-bessel_ratio_complement(order, x),), x)


def log_ive(order: float, x: Tensor) -> Tensor:
    """``log(I_v(x) exp(-x))``, the exponentially scaled function; args as for :func:`bessel_ratio`.

    Example:
        >>> log_ive(100.0, torch.tensor(1e-3, dtype=torch.float64))
        tensor(-1123.8306, dtype=torch.float64)
    """
    return log_normalized_ive(order, x) + order * (x / 2).log() - math.lgamma(order + 1)


class _Values(NamedTuple):
    ratio: Tensor
    complement: Tensor
    log_iv: Tensor
    log_ive: Tensor


def _value(x: Tensor, order: float, name: str) -> Tensor:
    # A compiler cannot ask for transformations of functions.
    transformed = not torch.compiler.is_compiling() and is_functorch_wrapped_tensor(x)
    if not (torch.is_grad_enabled() and (x.requires_grad or transformed)):
        return _fixed_bessel(x, order, name)
    value: Tensor = getattr(_lowered(order, x), name)
    return value


@opaque
def _fixed_bessel(x: Tensor, order: float, name: str) -> Tensor:
    value: Tensor = getattr(_lowered(order, x), name)
    return value


def _lowered(order: float, x: Tensor) -> _Values:
    """The four values at ``order``, from the first order at which the expansion is good; in float64."""
    steps = max(0, math.ceil(_FIRST_ORDER - order))
    wide = x.double()
    ratio, complement, log_iv, log_ive = _debye(order + steps, wide)
    for above in range(steps, 0, -1):
        twice = 2 * (order + above)
        # h_{v-1} - h_v = log(1 + x·A_v / 2v)
        rise = torch.log1p(wide * ratio / twice)
        log_iv, log_ive = log_iv + rise, log_ive + rise
        denominator = twice + wide * ratio
        complement = (twice - wide * complement) / denominator
        ratio = wide / denominator
    # The derivative of either keeps its digits only where the value is small.
    small = wide < order + 1
    ratio, complement = torch.where(small, ratio, 1 - complement), torch.where(small, 1 - ratio, complement)
    return _Values(*(value.to(x.dtype) for value in (ratio, complement, log_iv, log_ive)))


def _debye(order: float, x: Tensor) -> _Values:
    """Debye's expansion in 1/order, with p = 1/√(1+z²), z = x/order; good for every x."""
    u, drop, w = _series(order)
    small = x < order
    z, s = torch.where(small, x, order) / order, order / torch.where(small, order, x)  # no square overflows
    root_z, root_s = (1 + z**2).sqrt(), (1 + s**2).sqrt()
    p = torch.where(small, 1 / root_z, s / root_s)
    series = polynomial(p, u)
    slope = polynomial(p, w) / series
    ratio = z / (1 + root_z) - slope * z / (1 + z**2)
    complement = 2 * s / (1 + s + root_s) + slope * s / (1 + s**2)
    q = torch.where(small, z**2 / (1 + root_z), (root_s - s) / s)  # √(1+(x/order)²) - 1
    # ΣU(p) and ΣU(1) tend to each other as x goes to 0, so their difference has its factor 1 - p = q·p taken out.
    rest = -order * torch.log1p(q / 2) - torch.log1p(q) / 2 + torch.log1p(q * p * polynomial(p, drop))
    return _Values(
        ratio=torch.where(small, ratio, 1 - complement),
        complement=torch.where(small, 1 - ratio, complement),
        log_iv=order * q + rest,
        log_ive=torch.where(small, order * q - x, -2 * order / (1 + s + root_s)) + rest,
    )


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _series(order: float) -> tuple[tuple[float, ...], ...]:
    """Coefficients in p, lowest first, of three sums over k of polynomials over order^k.

    ΣU_k(p); (ΣU(p) - ΣU(1)) / ((1 - p) ΣU(1)); and Σ(U_{k-1}/2 + p·U'_{k-1}), which is what V_k adds to U_k but for a
    factor ``-p(1 - p²)``.
    """
    if order not in _KNOWN_SERIES:
        _KNOWN_SERIES[order] = _make_series(order)
    return _KNOWN_SERIES[order]


def _make_series(order: float) -> tuple[tuple[float, ...], ...]:
    size = len(_DEBYE[-1])
    u, w = [0.0] * size, [0.0] * size
    for k, coefficients in enumerate(_DEBYE):
        for power, coefficient in enumerate(coefficients):
            u[power] += coefficient / order**k
            if k < _TERMS:
                w[power] += coefficient * (0.5 + power) / order ** (k + 1)
    at_one = math.fsum(u)
    # The coefficients of (u(p) - u(1)) / (p - 1) are sums of the higher ones of u.
    drop = [-math.fsum(u[power + 1 :]) / at_one for power in range(size - 1)]
    return tuple(u), tuple(drop), tuple(w)


def _debye_polynomials() -> list[list[float]]:
    """U_0 .. U_TERMS, lowest power first: ``U_{k+1} = p²(1-p²)U_k'/2 + ∫(1-5t²)U_k dt/8``."""
    polynomials = [[Fraction(1)]]
    for _ in range(_TERMS):
        new = [Fraction(0)] * (len(polynomials[-1]) + 3)
        for power, coefficient in enumerate(polynomials[-1]):
            new[power + 1] += coefficient * (Fraction(power, 2) + Fraction(1, 8 * (power + 1)))
            new[power + 3] -= coefficient * (Fraction(power, 2) + Fraction(5, 8 * (power + 3)))
        polynomials.append(new)
    return [[float(coefficient) for coefficient in polynomial] for polynomial in polynomials]


_DEBYE = _debye_polynomials()
_KNOWN_SERIES: dict[float, tuple[tuple[float, ...], ...]] = {}
