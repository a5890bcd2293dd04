"""Iterations that a compiler need not see."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["opaque"]


def opaque(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make ``function`` one operation to ``torch.compile``, which would take minutes over the graph of an iteration.

    The function is elementwise, takes annotated tensors, then numbers, and returns a new tensor of the broadcast shape
    and common dtype; it has no gradient, which is for ``reparam.reparameterize.attach`` to give.
    """
    operation: Any = torch.library.custom_op(f"reparam::{function.__name__.strip('_')}", mutates_args=())(function)

    def fake(*arguments: Any) -> Tensor:
        return torch.empty_like(arguments[0])

    def batched(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Tensor, int]:
        tensors, numbers = _parted(arguments)
        moved = (
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims, strict=False)
        )
        return operation(*moved, *numbers), 0

    operation.register_fake(fake)
    operation.register_vmap(batched)

    def broadcast(*arguments: Any) -> Tensor:
        tensors, numbers = _parted(arguments)
        result: Tensor = operation(*(tensor.detach() for tensor in torch.broadcast_tensors(*tensors)), *numbers)
        return result

    return broadcast


def _parted(arguments: tuple[Any, ...]) -> tuple[list[Tensor], list[Any]]:
    """Tensors, and numbers."""
    tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
    return tensors, [argument for argument in arguments if not isinstance(argument, Tensor)]
