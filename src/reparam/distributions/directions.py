"""Unit vectors, computed so that nothing is lost near a pole."""

import math

import torch
from torch import Tensor

__all__ = ["coordinate_variance", "half_squared_distance", "length", "log_area", "normalize", "split"]


def normalize(vector: Tensor) -> Tensor:
    """The direction of ``vector`` (last dimension), of length 1; zero stays zero."""
    return vector / length(vector).clamp(min=torch.finfo(vector.dtype).tiny)


def length(vector: Tensor) -> Tensor:
    """The length along the last dimension, which stays as one of size 1; no square over- or underflows."""
    scale = vector.detach().abs().amax(-1, keepdim=True).clamp(min=torch.finfo(vector.dtype).tiny)
    length: Tensor = scale * torch.linalg.vector_norm(vector / scale, dim=-1, keepdim=True)
    return length


def split(direction: Tensor, pole: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cosine and sine of the angle between two unit vectors, and the direction across the second towards the first.

    Example:
        >>> split(torch.tensor([0.6, 0.8]), torch.tensor([1.0, 0.0]))
        (tensor(0.6000), tensor(0.8000), tensor([0., 1.]))
    """
    cosine = (direction * pole).sum(-1)
    across = normalize(direction - cosine.unsqueeze(-1) * pole)
    # Twice, because what rounding left along the pole counts where the two are close.
    across = normalize(across - (across * pole).sum(-1, keepdim=True) * pole)
    sine = (direction * across).sum(-1).clamp(min=torch.finfo(direction.dtype).tiny)
    return cosine, sine, across


def half_squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """``1 - x·y`` of unit vectors, with all its digits where they are close."""
    return (x - y).square().sum(-1) / 2


def coordinate_variance(pole: Tensor, along: Tensor, across: Tensor) -> Tensor:
    """The variance of each coordinate, from that along the pole and that in each direction across it."""
    share = pole**2
    return share * along.unsqueeze(-1) + (1 - share) * across.unsqueeze(-1)


def log_area(dim: int) -> float:
    """Log of the area of the unit sphere in ``dim`` dimensions, ``2 π^(dim/2) / Γ(dim/2)``.

    Example:
        >>> round(log_area(3), 12) == round(math.log(4 * math.pi), 12)
        True
    """
    return math.log(2) + dim / 2 * math.log(math.pi) - math.lgamma(dim / 2)
