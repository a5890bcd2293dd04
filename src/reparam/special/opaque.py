"""Iterations that a compiler need not see."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["opaque"]


def opaque(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make ``function`` one operation to ``torch.compile``, which would take minutes over the graph of an iteration.

    The function is elementwise, takes annotated tensors and returns a new one of their broadcast shape and common
    dtype; it has no gradient, which is for ``reparam.reparameterize.attach`` to give.
    """
    operation: Any = torch.library.custom_op(f"reparam::{function.__name__.strip('_')}", mutates_args=())(function)

    def fake(*tensors: Tensor) -> Tensor:
        return torch.empty_like(tensors[0])

    def batched(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> tuple[Tensor, int]:
        moved = (
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims, strict=True)
        )
        return operation(*moved), 0

    operation.register_fake(fake)
    operation.register_vmap(batched)

    def broadcast(*tensors: Tensor) -> Tensor:
        result: Tensor = operation(*(tensor.detach() for tensor in torch.broadcast_tensors(*tensors)))
        return result

    return broadcast
