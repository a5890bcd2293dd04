"""Half types are computed in float32 and rounded once, and tails keep their digits: where both are seen to."""

import torch
from torch import Tensor

__all__ = ["narrow", "standardize", "tails", "widen"]


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
    return (value - widen(loc)) / widen(scale)


def tails(probability: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """``(u, 1 - u)`` in the dtype of ``like``, float32 at least: the smaller of both is exact to that dtype.

    The difference is taken in the dtype of ``probability`` first, so that float64 noise brings both tails of a float32
    law: near 1 a float32 knows nothing finer than 6e-8.

    Example:
        >>> tails(torch.tensor(1 - 2.0**-40, dtype=torch.float64), torch.zeros(()))
        (tensor(1.), tensor(9.0949e-13))
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    return probability.to(dtype), (1 - probability).to(dtype)
