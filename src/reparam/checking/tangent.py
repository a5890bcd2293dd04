"""In which directions a parameter can move and stay one: a triangle stays a triangle, probabilities sum to 1."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

__all__ = ["Direction", "directions"]


@dataclass(frozen=True)
class Direction:
    """One direction of one parameter.

    Args:
        parameter: its name.
        label: name and index, for people.
        step: the shape of the parameter.
    """

    parameter: str
    label: str
    step: Tensor


def directions(name: str, value: Tensor, constraint: Constraint | None = None) -> list[Direction]:
    """One direction for each free element; what binds the others is read off the constraint, or off the value.

    Example:
        >>> [way.label for way in directions("scale_tril", torch.eye(2), constraints.lower_cholesky)]
        ['scale_tril[0,0]', 'scale_tril[1,0]', 'scale_tril[1,1]']
    """
    if value.dim() == 0:
        return [Direction(name, name, torch.ones_like(value))]
    steps = torch.eye(value.numel(), dtype=value.dtype).reshape(-1, *value.shape)
    free = torch.ones(value.shape, dtype=torch.bool)
    if _is_triangular(name, value, constraint):
        free = free.tril()
        if constraint is constraints.corr_cholesky:  # rows of length 1
            steps = steps - value * (steps * value).sum(-1, keepdim=True)
            free = free.tril(-1)
    elif _is_symmetric(value, constraint):
        free = free.tril()
        steps = (steps + steps.mT) / 2
    elif constraint is constraints.simplex or (constraint is None and _sums_to_one(value)):
        steps = steps - steps.mean(-1, keepdim=True)
    elif constraint is not constraints.real_vector and value.shape[-1] > 1 and _has_length_one(value):
        steps = steps - value * (steps * value).sum(-1, keepdim=True)
    return [
        Direction(name, f"{name}[{','.join(map(str, index))}]", step)
        for index, step, allowed in zip(
            torch.ones(value.shape).nonzero().tolist(), steps, free.flatten().tolist(), strict=True
        )
        if allowed and step.any()
    ]


def _is_square(value: Tensor) -> bool:
    return value.dim() >= 2 and value.shape[-1] == value.shape[-2]


def _is_triangular(name: str, value: Tensor, constraint: Constraint | None) -> bool:
    triangles = (constraints.lower_cholesky, constraints.lower_triangular, constraints.corr_cholesky)
    if constraint is not None or not _is_square(value):
        return constraint in triangles
    return bool((value.triu(1) == 0).all()) and ("tril" in name or not bool((value.tril(-1) == 0).all()))


def _is_symmetric(value: Tensor, constraint: Constraint | None) -> bool:
    if constraint is not None or not _is_square(value):
        return constraint in (constraints.positive_definite, constraints.positive_semidefinite, constraints.symmetric)
    return torch.equal(value, value.mT)


def _sums_to_one(value: Tensor) -> bool:
    return bool((value > 0).all()) and torch.allclose(value.sum(-1), value.new_ones(()), rtol=0, atol=1e-6)


def _has_length_one(value: Tensor) -> bool:
    return torch.allclose(value.norm(dim=-1), value.new_ones(()), rtol=0, atol=1e-6)
