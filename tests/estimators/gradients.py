"""Gradients of single samples, and what they are compared with."""

from collections.abc import Callable

import torch
import torch.distributions as td
from torch import Tensor

from reparam.estimators import Enumerate, Estimator, expectation
from tests.contracts.estimating import limit, standard_errors


def single_gradients(
    f: Callable[[Tensor], Tensor],
    make: Callable[[Tensor], td.Distribution],
    parameter: Tensor,
    estimator: Estimator,
    draws: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """``[draws, *parameter.shape]``: the gradients of that many independent estimates of one sample each.

    ``f`` takes draws ``[S, draws, *]`` to values ``[S, draws]``.
    """
    leaf = parameter.expand(draws, *parameter.shape).clone().requires_grad_()
    value = expectation(f, make(leaf), estimator=estimator, generator=generator)
    assert value.shape == (draws,)
    return torch.autograd.grad(value.sum(), leaf)[0]


def exact_gradient(
    f: Callable[[Tensor], Tensor], make: Callable[[Tensor], td.Distribution], parameter: Tensor
) -> Tensor:
    leaf = parameter.clone().unsqueeze(0).requires_grad_()
    (value,) = expectation(f, make(leaf), estimator=Enumerate())
    return torch.autograd.grad(value, leaf)[0][0]


def assert_unbiased(gradients: Tensor, truth: Tensor) -> None:
    errors = standard_errors(gradients, truth)
    assert errors.max() < limit(errors.numel()), (gradients.mean(0), truth)
