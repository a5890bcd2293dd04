"""An elementwise function as one operation: long formulas that nobody outside has to look into.

To whoever calls it (``vmap``, a compiler) it is one operation (:func:`opaque`); within, it goes through its elements in
pieces that stay in the cache (:func:`in_pieces`), and each element by the formula that suits it (:func:`where_each`).
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast, get_args, get_type_hints

import torch
from torch import Tensor

__all__ = ["in_pieces", "opaque", "where_each"]

_CACHE = 2**19  # bytes: what a CPU core has close at hand, at least

Values = TypeVar("Values", bound=Tensor | tuple[Tensor, ...])


def opaque(function: Callable[..., Values], depth: int = 4) -> Callable[..., Values]:
    """Make an elementwise function, written with torch operations, one operation: for ``vmap`` and for compilers.

    A compiler would take half a minute over some hundreds of operations, and minutes over an iteration. The operation
    takes tensors, which are broadcast, and after them options; it has no gradient (``attach`` gives it one).

    Args:
        function: of vectors; its annotations say what is a tensor. It returns one or more new ones, of their dtype.
        depth: as for :func:`in_pieces`; 1 where a few cheap passes are all, so that calling them would cost as much.
    """

    def whole(*arguments: Any) -> Values:
        tensors, options = _parted(arguments)
        return in_pieces(lambda *piece: function(*piece, *options), *tensors, depth=depth)

    name = f"reparam::{function.__name__.strip('_')}"
    schema = torch.library.infer_schema(function, mutates_args=())
    operation: Any = torch.library.custom_op(name, whole, mutates_args=(), schema=schema)
    count = len(get_args(get_type_hints(function)["return"]))  # of a tuple

    def fake(first: Tensor, *_: Any) -> Any:
        return tuple(first.new_empty(first.shape) for _ in range(count)) if count else first.new_empty(first.shape)

    def batched(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, Any]:
        tensors, options = _parted(arguments)
        moved = (
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims, strict=False)
        )
        return operation(*moved, *options), (0,) * count if count else 0

    operation.register_fake(fake)
    operation.register_vmap(batched)

    def broadcast(*arguments: Any) -> Values:
        tensors, options = _parted(arguments)
        fixed = [tensor.detach() for tensor in torch.broadcast_tensors(*tensors)]
        result: Values = (whole if _nobody_looks(fixed) else operation)(*fixed, *options)
        return result

    return broadcast


def in_pieces(function: Callable[..., Values], *arguments: Tensor, depth: int = 4) -> Values:
    """``function`` of the elements as vectors, on a CPU a piece at a time, where it makes ``depth`` values of each.

    Pieces that stay in the cache are several times faster. What it returns may have more dimensions in front.
    """
    shape = arguments[0].shape
    vectors = [argument.reshape(-1) for argument in arguments]
    size = max(1, _CACHE // (depth * vectors[0].element_size()))
    if not _waits_for_nobody(vectors[0]) or len(vectors[0]) <= size:
        parts: Any = [function(*vectors)]
    else:
        parts = [function(*piece) for piece in zip(*(vector.split(size) for vector in vectors), strict=True)]
    several = isinstance(parts[0], tuple)
    result: Any = tuple(_joined(p, shape) for p in zip(*parts, strict=True)) if several else _joined(parts, shape)
    return cast(Values, result)


def _joined(parts: tuple[Tensor, ...] | list[Tensor], shape: torch.Size) -> Tensor:
    joined = parts[0] if len(parts) == 1 else torch.cat(parts, -1)
    return joined.reshape(joined.shape[:-1] + shape)


def where_each(*cases: tuple[Tensor, Callable[..., Values]], arguments: tuple[Tensor, ...]) -> Values:
    """Each element by the function of the case it belongs to: exactly one, except for NaN, which stays NaN.

    On a CPU the commonest case is computed for all elements, which costs less than to pick them out, and the others for
    their own elements only. Elsewhere, where counting would wait for the device, every case is computed for all. So
    each function has to return something new for elements of other cases, be it NaN.
    """
    at_once = not _waits_for_nobody(arguments[0])
    commonest, *others = (
        cases if at_once else sorted(cases, key=lambda case: int(case[0].count_nonzero()), reverse=True)
    )
    result = commonest[1](*arguments)
    for mask, function in others:
        if at_once:
            for whole, part in zip(_each(result), _each(function(*arguments)), strict=True):
                whole.copy_(torch.where(mask, part, whole))
        elif mask.any():
            (index,) = mask.nonzero(as_tuple=True)
            found = function(*(argument[index] for argument in arguments))
            for whole, part in zip(_each(result), _each(found), strict=True):
                whole[index] = part
    return result


def _each(values: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (values,) if isinstance(values, Tensor) else values


def _waits_for_nobody(tensor: Tensor) -> bool:
    """Whether looking at values and sizes is free."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def _nobody_looks(tensors: list[Tensor]) -> bool:
    """Whether it need not be one operation for anybody, which takes some 20 µs."""
    return (
        not torch.compiler.is_compiling()
        and torch._C._functorch.peek_interpreter_stack() is None
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._get_tracing_state() is None
        and all(type(tensor) is Tensor for tensor in tensors)
    )


def _parted(arguments: tuple[Any, ...]) -> tuple[list[Tensor], list[Any]]:
    """Tensors, and options."""
    tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
    return tensors, list(arguments[len(tensors) :])
