"""A learned positive number for each value, that cannot run away."""

import math

import torch
from torch import Tensor, nn

from reparam.vae.posteriors.normal import soft_bound

__all__ = ["BoundedPositive"]


class BoundedPositive(nn.Module):
    """A positive number for each value, learned, whose logarithm is softly kept between two bounds.

    An optimiser that sees a small gradient of always the same sign would otherwise move such a number (degrees of
    freedom, an inverse dispersion) by a constant factor each step, for ever.

    Args:
        event_shape: shape of one example.
        low, high: what it stays between, positive.
        start: what it is at first, between them.

    Example:
        >>> df = BoundedPositive((2,), 1.0, 100.0, start=4.0)
        >>> df().detach()
        tensor([4., 4.])
        >>> df.put(torch.tensor([1e-9, 30.0]))
        >>> df().detach()
        tensor([ 1.0233, 30.0000])
    """

    def __init__(self, event_shape: tuple[int, ...], low: float, high: float, *, start: float) -> None:
        super().__init__()
        self.bounds = (math.log(low), math.log(high))
        self.raw = nn.Parameter(torch.zeros(event_shape))
        self.put(torch.full(event_shape, start))

    def put(self, values: Tensor) -> None:
        """Set them, event shape; what is beyond the bounds, or almost, is put a little inside."""
        low, high = self.bounds
        middle, half = (low + high) / 2, (high - low) / 2
        target = values.double().log().clamp(middle - 0.99 * half, middle + 0.99 * half)
        self.raw.data.copy_(middle + half * (2 / math.pi) * torch.tan((math.pi / 2) * (target - middle) / half))

    def forward(self) -> Tensor:
        """The numbers, event shape."""
        return soft_bound(self.raw, *self.bounds).exp()
