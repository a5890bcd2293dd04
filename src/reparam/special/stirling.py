"""What Stirling's formulas for log Γ and its derivative leave over, without the cancellation of large arguments.

Source: DLMF 5.11.1 and 5.11.2, and the recurrences 5.5.1 and 5.5.2.
"""

import math

import torch
from torch import Tensor

__all__ = ["digamma_gap", "digamma_rise", "lgamma_gap", "stirling_remainder"]


def stirling_remainder(x: Tensor) -> Tensor:
    """``log Γ(x) - (x - 1/2)·log x + x - log(2π)/2``, which falls as 1/(12x); differentiable.

    Example:
        >>> stirling_remainder(torch.tensor([0.5, 1e10]))
        tensor([1.5343e-01, 8.3333e-12])
    """
    large = x > 10
    near, inverse = torch.where(large, 1.0, x), 1 / torch.where(large, x, 10.0)
    exact = torch.lgamma(near) - (near - 0.5) * near.log() + near - 0.5 * math.log(2 * math.pi)
    square = inverse * inverse
    terms = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
    series = torch.full_like(square, terms[-1])
    for term in reversed(terms[:-1]):
        series = series * square + term
    return torch.where(large, series * inverse, exact)


def digamma_gap(x: Tensor, step: Tensor) -> Tensor:
    """``ψ(x + step) - ψ(x) - log(1 + step/x)`` for positive arguments, to relative precision; differentiable.

    Both digammas and the logarithm nearly cancel for large x or small steps; here they never appear. The recurrence
    of ψ goes up to arguments where its asymptotic series holds, and each difference is written as a product.

    Example:
        >>> digamma_gap(torch.tensor([1.0, 1e10]), torch.tensor([1.0, 1.0]))
        tensor([3.0685e-01, 5.0000e-21])
    """
    shift = 16 if x.dtype == torch.float64 else 5
    here = x + torch.arange(shift, dtype=x.dtype, device=x.device).reshape(-1, *(1,) * x.dim())
    # Divisions in this order, as step / x alone may overflow.
    climbed = (step / (here + step) / here).sum(0) - torch.log1p(step * (shift / (x + shift + step)) / x)
    p, q = 1 / (x + shift), 1 / (x + shift + step)
    pp, qq = p * p, q * q
    series = 1 / 12 - (pp + qq) / 120 + (pp * pp + pp * qq + qq * qq) / 252 - (pp + qq) * (pp * pp + qq * qq) / 240
    return climbed + step * p * q * (0.5 + (p + q) * series)


def lgamma_gap(x: Tensor, step: Tensor) -> Tensor:
    """``log Γ(x + step) - log Γ(x) - step·log x`` for positive arguments, which falls as 1/x; differentiable.

    To relative precision where x is large; each log Γ alone is rounded at its own, much larger, size.

    Example:
        >>> lgamma_gap(torch.tensor(1.0), torch.tensor(3.0))  # log 3!
        tensor(1.7918)
    """
    large = x > 10 * step
    ratio = torch.where(large, step, 0.0) / torch.where(large, x, 1.0)
    series = torch.full_like(ratio, 1 / 17)  # of (r - log(1 + r)) / r², where both nearly cancel
    for k in range(16, 1, -1):
        series = 1 / k - ratio * series
    # A difference of logarithms, because the derivative of step / x overflows before they do.
    near = torch.where(large, 1.0, x)
    log_growth = torch.where(large, torch.log1p(ratio), torch.log(near + step) - near.log())
    main = torch.where(large, -step * ratio * series, near * log_growth - step)
    return main + (step - 0.5) * log_growth + stirling_remainder(x + step) - stirling_remainder(x)


def digamma_rise(x: Tensor, step: Tensor) -> Tensor:
    """``ψ(x + step) - ψ(x)`` for positive arguments, without gradient and quickly, to a few times 1e-7.

    Example:
        >>> digamma_rise(torch.tensor([1.0, 10.0]), torch.tensor([1.0, 1e-3]))
        tensor([1.0000e+00, 1.0516e-04])
    """
    end = x + step
    total = torch.mul(x, end).reciprocal_()
    for k in range(1, 4):
        total.add_((x + k).mul_(end + k).reciprocal_())
    p, q = (x + 4).reciprocal_(), end.add_(4).reciprocal_()
    pp, qq = p * p, q * q
    both = pp + qq
    series = torch.addcmul(pp.mul_(qq).mul_(-1 / 252), both, both, value=1 / 252).add_(both, alpha=-1 / 120)
    series.add_(1 / 12).mul_(p + q).add_(0.5).mul_(p).mul_(q)
    return torch.log1p(step * p).addcmul_(total.add_(series), step)
