"""Families for ``q(z | x)`` and for regressions: the diagonal Normal with a scale that cannot run away."""

import math

import torch
from torch import Tensor, nn

from reparam.distributions import Independent, Normal

__all__ = ["DiagonalNormal", "soft_bound"]


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


class DiagonalNormal(nn.Module):
    """``N(loc, diag(scale²))`` from outputs ``[B, 2·D, ...]``: first ``loc``, then the raw log-scale.

    ``log scale`` is softly bounded to (-8, 8), so that it and its gradient stay finite for any output of a network
    (an unbounded ``exp`` overflows from outputs of about 90). Outputs of 0 give the standard Normal.

    Shapes:
        outputs: ``[B, 2·D, ...]``; the law has batch shape ``[B]`` and event shape ``[D, ...]``.

    Example:
        >>> law = DiagonalNormal()(torch.zeros(4, 6))
        >>> law.batch_shape, law.event_shape
        (torch.Size([4]), torch.Size([3]))
    """

    log_scale_bounds = (-8.0, 8.0)

    def num_outputs(self, num_values: int) -> int:
        """Location and log-scale of each value."""
        return 2 * num_values

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these parameters."""
        loc, raw_log_scale = outputs.chunk(2, dim=1)
        scale = soft_bound(raw_log_scale, *self.log_scale_bounds).exp()
        return Independent(Normal(loc, scale, validate_args=False), loc.dim() - 1, validate_args=False)
