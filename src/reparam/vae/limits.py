"""Numbers from a network, or learned, that cannot run away."""

import math

import torch
from torch import Tensor, nn

__all__ = ["BoundedPositive", "soft_bound"]


def soft_bound(values: Tensor, low: float, high: float) -> Tensor:
    """Squeeze values into ``(low, high)`` without ever stopping the gradient.

    ``middle + half · (2/π) · atan((π/2) · (values - middle) / half)``: close to the identity around the middle, and
    with a derivative that falls off like ``1/values²``, where a clamp's is zero outside and a tanh's underflows.

    Args:
        values: any shape.
        low, high: the bounds, ``low < high``.

    Example:
        >>> soft_bound(torch.tensor([-1e6, -2.0, 1e6]), -10.0, 6.0)
        tensor([-10.0000,  -2.0000,   6.0000])
    """
    middle, half = (low + high) / 2, (high - low) / 2
    return middle + half * (2 / math.pi) * torch.atan((math.pi / 2) * (values - middle) / half)


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
