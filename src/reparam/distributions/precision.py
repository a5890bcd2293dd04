"""Half types are computed in float32 and rounded once, and tails keep their digits: where both are seen to."""

import math

import torch
from torch import Tensor

from reparam.special.log_space import log1mexp

__all__ = [
    "confine",
    "exp_within",
    "exponential_level",
    "indicator",
    "log_tails",
    "minus_log",
    "narrow",
    "open_sigmoid",
    "positive_range",
    "standardize",
    "tails",
    "widen",
]


def widen(tensor: Tensor) -> Tensor:
    """In float32 at least: half types are made wider, everything else is left alone.

    Example:
        >>> widen(torch.zeros((), dtype=torch.float16)).dtype, widen(torch.zeros((), dtype=torch.float64)).dtype
        (torch.float32, torch.float64)
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def narrow(result: Tensor, value: Tensor, parameter: Tensor) -> Tensor:
    """What was computed wide, back in half precision where both inputs were; unchanged otherwise.

    Example:
        >>> half = torch.tensor(0.5, dtype=torch.float16)
        >>> narrow(torch.tensor(2.0), half, half).dtype, narrow(torch.tensor(2.0), half, half.float()).dtype
        (torch.float16, torch.float32)
    """
    dtype = torch.promote_types(value.dtype, parameter.dtype)
    return result.to(dtype) if dtype in (torch.float16, torch.bfloat16) else result


def standardize(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """The map backwards, ``ε = (y - μ) / σ``, in float32 at least: what densities and CDFs are written in.

    Example:
        >>> standardize(torch.tensor([2.5, 4.0]), torch.tensor(3.0), torch.tensor(0.5))
        tensor([-1.,  2.])
    """
    # The value as well: a parameter without dimensions would not widen the result.
    return (widen(value) - widen(loc)) / widen(scale)


def tails(probability: Tensor, like: Tensor, keep: bool = True) -> tuple[Tensor, Tensor]:
    """``(u, 1 - u)`` in the dtype of ``like``, float32 at least: the smaller of both is exact to that dtype.

    The difference is taken in the dtype of ``probability`` first, so that float64 noise brings both tails of a float32
    law: near 1 a float32 knows nothing finer than 6e-8. Without ``keep``, ``probability`` is overwritten.

    Example:
        >>> tails(torch.tensor(1 - 2.0**-40, dtype=torch.float64), torch.zeros(()))
        (tensor(1.), tensor(9.0949e-13))
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    lower = probability.to(dtype, copy=not keep)
    return lower, (1 - probability if keep else probability.neg_().add_(1)).to(dtype)


def minus_log(tail: Tensor, rest: Tensor) -> Tensor:
    """``-log(tail)`` where ``rest`` is ``1 - tail``: to full precision at both ends, if both are.

    Example:
        >>> minus_log(*tails(torch.tensor([1e-30, 0.75, 1 - 2.0**-40], dtype=torch.float64), torch.zeros(())))
        tensor([6.9078e+01, 2.8768e-01, 9.0949e-13])
    """
    # With r the root of the tail, 1/r = 1 + rest/(r + tail): all terms are positive, so no digit is lost. The plain
    # 1/tail = 1 + rest/tail would do, but its square, in the derivative, leaves the range of a float32.
    return 2 * torch.log1p(rest / (tail.sqrt() + tail))


def log_tails(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """``(log u, log(1 - u))`` of the two :func:`tails`, to full precision.

    Example:
        >>> log_tails(*tails(torch.tensor([1e-30, 0.75]), torch.zeros(())))
        (tensor([-69.0776,  -0.2877]), tensor([-1.0000e-30, -1.3863e+00]))
    """
    return -minus_log(lower, upper), -minus_log(upper, lower)


def exponential_level(log_lower: Tensor, log_upper: Tensor) -> Tensor:
    """``t = -log(1 - u)``, the quantile of the standard exponential law, of the logarithms of both tails.

    Example:
        >>> exponential_level(torch.tensor([-50.0, 0.0]), torch.tensor([0.0, -1e4]))
        tensor([1.9287e-22, 1.0000e+04])
    """
    left = log_lower < log_upper
    return -torch.where(left, log1mexp(torch.where(left, log_lower, -1.0)), log_upper)


def positive_range(like: Tensor) -> tuple[float, float]:
    """The smallest and the largest positive number that a draw in the dtype of ``like`` may be.

    Example:
        >>> positive_range(torch.zeros(()))
        (1.1754943508222875e-38, 3.4028234663852886e+38)
    """
    # Subnormal numbers have no finite reciprocal, so log has no finite derivative there. float16 has so few exponents
    # that its subnormal numbers are in daily use.
    info = torch.finfo(like.dtype)
    return (2.0**-24 if like.dtype == torch.float16 else info.tiny), info.max


def confine(quantile: Tensor, smallest: float, largest: float) -> Tensor:
    """The quantile kept between two numbers, with gradient 0 where it was not.

    Example:
        >>> confine(torch.tensor([1e-40, 0.5, torch.inf]), *positive_range(torch.zeros(())))
        tensor([1.1755e-38, 5.0000e-01, 3.4028e+38])
    """
    # The same as clamp, whose backward pass is ten times slower.
    return torch.nn.functional.hardtanh(quantile, smallest, largest)


def indicator(margin: Tensor) -> Tensor:
    """1 where ``margin > 0``, else 0, as a number without gradient: multiplying by it is faster than ``torch.where``.

    Example:
        >>> indicator(torch.tensor([-torch.inf, 0.0, 1e-30]))
        tensor([0., 0., 1.])
    """
    return margin.detach().sign().clamp(min=0)


def exp_within(logarithm: Tensor, like: Tensor, *factors: Tensor) -> Tensor:
    """The exponential of a log draw, within the positive numbers of the dtype of ``like``, with a finite gradient.

    A draw stops moving before a derivative could overflow: ``factors`` say how much larger than the draw its
    derivatives may be. That of the logarithm of a heavy-tailed draw is of the size of the logarithm, at most some
    hundreds, over the degrees of freedom.

    Example:
        >>> x = torch.tensor([-200.0, 1.0, 85.0, 200.0], requires_grad=True)
        >>> y = exp_within(x, x, torch.tensor(1e4))
        >>> y.isfinite().all(), torch.autograd.grad(y.sum(), x)[0]
        (tensor(True), tensor([0.0000, 2.7183, 0.0000, 0.0000]))
    """
    smallest, largest = positive_range(like)
    room = math.log(torch.finfo(logarithm.dtype).max) - sum(torch.log1p(factor.detach()) for factor in factors)
    moving = torch.where(logarithm < room, logarithm, logarithm.detach())
    end = math.log(largest)
    value = moving.clamp(math.log(smallest), end * (1 - torch.finfo(logarithm.dtype).eps)).exp()
    return torch.where(logarithm < end, value, largest).clamp(min=smallest).to(like.dtype)


def open_sigmoid(logit: Tensor, like: Tensor) -> Tensor:
    """The sigmoid, rounded to the dtype of ``like`` inside (0, 1), with derivative ``s(x)·s(-x)`` also where it rounds.

    Example:
        >>> x = torch.tensor([-200.0, 0.0, 40.0], requires_grad=True)
        >>> y = open_sigmoid(x, x)
        >>> bool(((y > 0) & (y < 1)).all()), torch.autograd.grad(y.sum(), x)[0]
        (True, tensor([0.0000e+00, 2.5000e-01, 4.2484e-18]))
    """
    # -sign(x)·s(-|x|) has the derivative s(x)·s(-x), to full precision on both sides; its value is taken away again.
    sign = torch.copysign(torch.ones_like(logit), logit).detach()
    moving = -sign * torch.sigmoid(-sign * logit)
    value = torch.sigmoid(logit.detach()).clamp(positive_range(like)[0], 1 - torch.finfo(like.dtype).eps / 2)
    return (value + (moving - moving.detach())).to(like.dtype)
