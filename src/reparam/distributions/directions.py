"""Unit vectors, computed so that nothing is lost near a pole."""

import math

import torch
from torch import Tensor

__all__ = ["half_squared_distance", "log_area", "normalize", "split"]


def normalize(vector: Tensor) -> Tensor:
    """The direction of ``vector`` (last dimension), of length 1; zero stays zero."""
    return vector / _length(vector)


def split(direction: Tensor, pole: Tensor) -> tuple[Tensor, Tensor]:
    """The angle between two unit vectors, and the direction of the first as seen from the second, orthogonal to it.

    Example:
        >>> angle, tangent = split(torch.tensor([0.6, 0.8]), torch.tensor([1.0, 0.0]))
        >>> angle.cos(), tangent
        (tensor(0.6000), tensor([0., 1.]))
    """
    along = (direction * pole).sum(-1)
    across = direction - along.unsqueeze(-1) * pole
    across = across - (across * pole).sum(-1, keepdim=True) * pole  # what rounding left, which counts where it is short
    length = _length(across)
    return torch.atan2(length.squeeze(-1), along), across / length


def half_squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """``1 - x·y`` of unit vectors, with all its digits where they are close."""
    return (x - y).square().sum(-1) / 2


def log_area(dim: int) -> float:
    """Log of the area of the unit sphere in ``dim`` dimensions, ``2 π^(dim/2) / Γ(dim/2)``.

    Example:
        >>> log_area(3), math.log(4 * math.pi)
        (2.5310242469692907, 2.5310242469692907)
    """
    return math.log(2) + dim / 2 * math.log(math.pi) - math.lgamma(dim / 2)


def _length(vector: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vector, dim=-1, keepdim=True).clamp(min=torch.finfo(vector.dtype).tiny)
