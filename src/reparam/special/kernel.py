"""Elementwise numerical kernels: long formulas that are one operation to whoever calls them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["in_pieces", "kernel", "where_each"]

_CACHE = 2**19  # bytes: what a CPU core has close at hand, at least


def kernel(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make an elementwise function, written with torch operations, one operation: for ``vmap`` and for compilers.

    It takes tensors of one shape and dtype and, after them, options; it has no gradient (``attach`` gives it one). A
    compiler does not look inside: some hundreds of operations would take it half a minute.

    Args:
        function: of one-dimensional tensors; its annotations say what is a tensor.
    """

    def whole(*arguments: Any) -> Tensor:
        tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
        options = arguments[len(tensors) :]
        flat = (tensor.reshape(-1) for tensor in tensors)
        return in_pieces(lambda *piece: function(*piece, *options), 4, *flat).reshape(tensors[0].shape)

    schema = torch.library.infer_schema(function, mutates_args=())
    operation = torch.library.custom_op(f"reparam::{function.__name__}", whole, mutates_args=(), schema=schema)
    operation.register_fake(lambda first, *_: first.new_empty(first.shape))

    def batched(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Tensor, int]:
        moved = []
        for argument, dim in zip(arguments, in_dims, strict=True):
            if dim is None and isinstance(argument, Tensor):
                argument = argument.expand(info.batch_size, *argument.shape)
            moved.append(argument if dim is None else argument.movedim(dim, 0))
        return operation(*moved), 0

    operation.register_vmap(batched)
    return operation


def in_pieces(function: Callable[..., Tensor], depth: int, *arguments: Tensor) -> Tensor:
    """``function`` of vectors, on a CPU a piece at a time, where it makes ``depth`` values of each element.

    Pieces that stay in the cache are several times faster.
    """
    first = arguments[0]
    size = max(1, _CACHE // (depth * first.element_size()))
    if not _waits_for_nobody(first) or len(first) <= size:
        return function(*arguments)
    pieces = zip(*(argument.split(size) for argument in arguments), strict=True)
    return torch.cat([function(*piece) for piece in pieces], -1)


def where_each(*cases: tuple[Tensor, Callable[..., Tensor]], arguments: tuple[Tensor, ...]) -> Tensor:
    """Each element by the function of the case it belongs to (masks exclude each other); NaN where it has none.

    On a CPU each function sees its own elements only. Elsewhere, where that would wait for the device, each sees all:
    it has to return something for the others, be it NaN.
    """
    result = torch.full_like(arguments[0], torch.nan)
    if not _waits_for_nobody(result):
        for mask, function in cases:
            result = torch.where(mask, function(*arguments), result)
        return result
    for mask, function in cases:
        if mask.all():
            return function(*arguments)
        if mask.any():
            (index,) = mask.nonzero(as_tuple=True)
            result[index] = function(*(argument[index] for argument in arguments))
    return result


def _waits_for_nobody(tensor: Tensor) -> bool:
    """Whether looking at values is free."""
    return tensor.device.type == "cpu"
