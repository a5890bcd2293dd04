"""Networks for vectors: residual, and gated.

Heads of encoders start at zero: the first posterior is then the prior for data of any scale, and the first KL is 0.
"""

from itertools import pairwise
from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["MLP", "GatedMLP", "head"]

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


class MLP(nn.Module):
    """Residual network for vectors: ``[B, num_inputs]`` to ``[B, num_outputs]``.

    Args:
        num_inputs, num_outputs: sizes of a row going in and coming out.
        width: size of the hidden layers.
        num_blocks: residual blocks between the first and the last layer.
        zero_head: start with outputs 0.

    Example:
        >>> import torch
        >>> MLP(3, 4, width=16)(torch.zeros(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self, num_inputs: int, num_outputs: int, *, width: int, num_blocks: int = 2, zero_head: bool = False
    ) -> None:
        super().__init__()
        self.stem = nn.Linear(num_inputs, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(num_blocks))
        self.head = head(nn.Linear(width, num_outputs), zero_head)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``[B, num_outputs]``."""
        hidden = self.stem(x)
        for block in self.blocks:
            hidden = hidden + block(F.silu(hidden))
        outputs: Tensor = self.head(F.silu(hidden))
        return outputs


class GatedMLP(nn.Module):
    """Layers let through by gates, ``(Ax + a) · sigmoid(Bx + b)``: ``[B, num_inputs]`` to ``[B, num_outputs]``.

    Dauphin et al. 2017, arXiv:1612.08083; the networks of Tomczak & Welling 2018, arXiv:1705.07120.

    Args:
        num_inputs, num_outputs: sizes of a row going in and coming out.
        width: size of the hidden layers.
        num_blocks: gated layers, at least 1.
        zero_head: start with outputs 0.

    Example:
        >>> import torch
        >>> GatedMLP(3, 4, width=16)(torch.zeros(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self, num_inputs: int, num_outputs: int, *, width: int, num_blocks: int = 2, zero_head: bool = False
    ) -> None:
        super().__init__()
        sizes = [num_inputs, *[width] * num_blocks]
        self.layers = nn.Sequential(
            *(layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, 2 * after), nn.GLU(dim=1)))
        )
        self.head = head(nn.Linear(width, num_outputs), zero_head)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``[B, num_outputs]``."""
        outputs: Tensor = self.head(self.layers(x))
        return outputs


def head(layer: Layer, zero: bool) -> Layer:
    """The last layer of a network or of a residual branch; with ``zero``, its outputs start at 0."""
    if zero:
        nn.init.zeros_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return layer
