"""A parameter whose gradient cannot be differentiated again: a second derivative is refused rather than wrong."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["first_order"]


def first_order(parameter: Tensor) -> Tensor:
    """``parameter`` itself, for an estimator that knows the first derivative only.

    Its gradient is a number that was computed, so a second derivative would miss how that number changes.

    Raises (in a second backward pass):
        NotImplementedError: always, with the name of an estimator that has one.

    Example:
        >>> x = torch.tensor(3.0, requires_grad=True)
        >>> (slope,) = torch.autograd.grad(2 * first_order(x), x, create_graph=True)
        >>> torch.autograd.grad(slope, x)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        NotImplementedError: this estimator has first derivatives only; for second ones use ScoreFunction()...
    """
    return _Guarded.apply(parameter, parameter, False)  # type: ignore[no-untyped-call, no-any-return]


class _Guarded(torch.autograd.Function):
    generate_vmap_rule = True
    forward = staticmethod(lambda value, parameter, is_gradient: value.clone())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])
        ctx.is_gradient = inputs[2]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.is_gradient:
            _refuse()
        # The parameter goes along, so that a second backward pass always comes by here.
        return _Guarded.apply(grad, *ctx.saved_tensors, True), None, None  # type: ignore[no-untyped-call]

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        if ctx.is_gradient:
            _refuse()
        return tangent.clone()


def _refuse() -> None:
    raise NotImplementedError(
        "this estimator has first derivatives only; for second ones use ScoreFunction() or Pathwise()"
    )
