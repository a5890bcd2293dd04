"""What an estimator is, and what it needs to know of the function it averages.

An estimator turns draws of a law into a *surrogate*: a tensor whose value estimates ``E f(y)`` and whose gradient
estimates that of the expectation. The surrogate of the plain score function estimator, say, is
``f(y)·exp(log p(y) - stop(log p(y)))``, whose value is ``f(y)`` and whose gradient is ``∇f(y) + f(y)·∇log p(y)``.

*Elements.* A law of batch shape ``[*batch]`` is that many independent laws, and so is ``Independent`` of it. They are
its elements. ``f`` takes draws ``[S, *batch, *event]`` and returns values ``[S, *b]``, where ``b`` is a leading part of
the batch shape. Elements that share one value of f are *coupled*: f sums them out, or they belong to one event.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, cast

import torch
import torch.distributions as td
from torch import Tensor
from torch.autograd import forward_ad

from reparam.distributions import Independent
from reparam.distributions.base import Law
from reparam.errors import EstimatorError
from reparam.estimators.first_order import first_order

__all__ = ["Estimator", "Function", "Integrand", "as_made", "attached", "draw", "elements", "wants_gradient"]

Function = Callable[[Tensor], Tensor]


class Estimator(ABC):
    """A way to estimate ``E f(y)`` and its gradient in the parameters of the law of y, and in those of f.

    Options of the constructor are kept as attributes of the same names.
    """

    unbiased: bool = True  # whether the expectation of the gradient is the gradient of the expectation

    @abstractmethod
    def refusal(self, law: td.Distribution) -> str:
        """Why it cannot be used for this law, as the end of a sentence; empty if it can."""

    @abstractmethod
    def surrogate(
        self, integrand: "Integrand", law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """Estimate and gradient in one, shape ``[*b]``; ``samples`` independent estimates are averaged."""

    def __repr__(self) -> str:
        return as_made(self)


def as_made(made: object) -> str:
    """The call that makes an object whose options are attributes of the same names, without those that are usual."""
    texts = []
    for place, (name, option) in enumerate(signature(type(made)).parameters.items()):
        value = getattr(made, name, option.default)
        if value is not option.default and value != option.default:
            texts.append(repr(value) if place == 0 else f"{name}={value!r}")
    return f"{type(made).__name__}({', '.join(texts)})"


class Integrand:
    """The function f whose expectation is wanted, with what it couples; what it returns is checked.

    Args:
        function: draws ``[S, *batch, *event]`` to values ``[S, *b]``.
        law: what the draws come from.
    """

    def __init__(self, function: Function, law: td.Distribution) -> None:
        if not callable(function):
            raise EstimatorError(f"f must be a function of draws; got {function!r} ({type(function).__name__})")
        self._function = function
        self._batch_shape = torch.Size(law.batch_shape)
        self._element_shape = elements(law).batch_shape
        self._kept = 0
        self.shape = torch.Size()  # b, known after the first evaluation

    def __call__(self, draws: Tensor) -> Tensor:
        """Values, ``[S, *b]``.

        Raises:
            EstimatorError: they are not a tensor of such a shape.
        """
        values = self._function(draws)
        if not isinstance(values, Tensor):
            raise EstimatorError(
                f"f must return a tensor of one value for each draw; it returned {values!r} ({type(values).__name__})"
            )
        kept = values.dim() - 1
        if kept < 0 or kept > len(self._batch_shape) or values.shape != draws.shape[:1] + self._batch_shape[:kept]:
            raise EstimatorError(self._wrong_shape(values, draws))
        self._kept, self.shape = kept, values.shape[1:]
        return values if values.is_floating_point() else values.to(torch.get_default_dtype())

    def _wrong_shape(self, values: Tensor, draws: Tensor) -> str:
        batch = "".join(f", {size}" for size in self._batch_shape)
        allowed = f"[S{batch}]" if not batch else f"[S{batch}] or a leading part of it, such as [S]"
        return (
            f"f must keep the first dimension S, that of the draws, and sum out the event: for draws of shape "
            f"{tuple(draws.shape)} values of shape {allowed} with S = {len(draws)} were expected, and f returned "
            f"{tuple(values.shape)}. Sum over the last dimensions only, e.g. (y ** 2).sum(-1)"
        )

    @property
    def num_coupled(self) -> int:
        """How many elements share one value; known after the first evaluation."""
        return math.prod(self._element_shape[self._kept :])

    def joined(self, by_element: Tensor) -> Tensor:
        """``[*any, *elements]`` summed over the elements that share a value: ``[*any, *b]``."""
        dims = len(self._element_shape) - self._kept
        return by_element.sum(tuple(range(-dims, 0))) if dims else by_element

    def for_each(self, values: Tensor) -> Tensor:
        """``[*any, *b]`` with dimensions of size 1 for the coupled elements, to broadcast against ``[*elements]``."""
        return values[(..., *(None for _ in self._element_shape[self._kept :]))]

    def flat(self, by_element: Tensor) -> Tensor:
        """``[S, *elements, *rest]`` as ``[S, *b, num_coupled, *rest]``."""
        first = 1 + self._kept
        rest = by_element.shape[1 + len(self._element_shape) :]
        return by_element.reshape(*by_element.shape[:first], self.num_coupled, *rest)

    def with_gradient(self, value: Tensor, parameter: Tensor, gradient: Tensor) -> Tensor:
        """``value`` ``[*b]``, to the bit, with the first derivative ``gradient`` in ``parameter``.

        Both are ``[*elements, *rest]``.
        """
        moving = gradient.detach() * (first_order(parameter) - parameter.detach())
        rest = tuple(range(len(self._element_shape), moving.dim()))
        return value + self.joined(moving.sum(rest) if rest else moving).to(value.dtype)


def attached(value: Tensor, parameter: Tensor, gradient: Tensor) -> Tensor:
    """``value``, to the bit, with ``gradient`` as its derivative in ``parameter``; elementwise."""
    return value + gradient.detach() * (parameter - parameter.detach())


def wants_gradient(tensor: Tensor) -> bool:
    """Whether a derivative in this tensor is being taken, in reverse or in forward mode."""
    return tensor.requires_grad or forward_ad.unpack_dual(tensor).tangent is not None


def elements(law: td.Distribution) -> td.Distribution:
    """The law whose batch are the elements: without ``Independent``, the draws' shape being the same."""
    while isinstance(law, td.Independent):
        law = law.base_dist
    return law


def draw(
    law: td.Distribution, sample_shape: Sequence[int], generator: torch.Generator | None, method: str = "sample"
) -> Any:
    """``law.sample(sample_shape)``, or what ``method`` says, with the generator if there is one.

    Raises:
        EstimatorError: there is one, and the law takes none.
    """
    function = getattr(law, method)
    if generator is None:
        return function(torch.Size(sample_shape))
    if not isinstance(law, (Law, Independent)):
        raise EstimatorError(
            f"{type(law).__module__}.{type(law).__qualname__} takes no generator=; use the law of that name in "
            "reparam.distributions, or leave generator out and seed torch's own"
        )
    return cast(Any, function)(torch.Size(sample_shape), generator=generator)
