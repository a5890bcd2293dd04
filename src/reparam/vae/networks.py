"""Networks sized from the data: a residual MLP for vectors, a small residual convolutional pair for images.

Heads of encoders start at zero: the first posterior is then the prior for data of any scale, and the first KL is 0.

Shape letters: B batch, C channels, H height, W width, D latent.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["MLP", "ConvDecoder", "ConvEncoder"]


class MLP(nn.Module):
    """Residual network for vectors: ``[B, num_inputs]`` to ``[B, num_outputs]``.

    Args:
        num_inputs, num_outputs: sizes of a row going in and coming out.
        width: size of the hidden layers.
        num_blocks: residual blocks between the first and the last layer.
        zero_head: start with outputs 0.

    Example:
        >>> MLP(3, 4, width=16)(torch.zeros(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self, num_inputs: int, num_outputs: int, *, width: int, num_blocks: int = 2, zero_head: bool = False
    ) -> None:
        super().__init__()
        self.stem = nn.Linear(num_inputs, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(num_blocks))
        self.head = _head(nn.Linear(width, num_outputs), zero_head)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``[B, num_outputs]``."""
        hidden = self.stem(x)
        for block in self.blocks:
            hidden = hidden + block(F.silu(hidden))
        outputs: Tensor = self.head(F.silu(hidden))
        return outputs


class ConvEncoder(nn.Module):
    """Images ``[B, C, H, W]`` of any size to ``[B, num_outputs]``.

    Halves the image until its shorter side is below 8 pixels (at most 6 times), with one residual block at each size,
    then a hidden layer. Sizes that do not halve evenly are padded at the bottom and right.

    Args:
        image_shape: ``(C, H, W)``.
        num_outputs: size of the output row.
        width: channels at half size; doubled at each further halving, up to 8 times.
    """

    def __init__(self, image_shape: tuple[int, int, int], num_outputs: int, *, width: int = 16) -> None:
        super().__init__()
        self.pyramid = _Pyramid(image_shape, width)
        layers: list[nn.Module] = []
        before = image_shape[0]
        for channels in self.pyramid.channels:
            layers += [
                nn.Conv2d(before, channels, 4, stride=2, padding=1),
                _ResidualBlock(channels),
                nn.SiLU(),
            ]
            before = channels
        self.layers = _channels_last(nn.Sequential(*layers))
        self.hidden = nn.Linear(self.pyramid.num_features, self.pyramid.hidden)
        self.head = _head(nn.Linear(self.pyramid.hidden, num_outputs), zero=True)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``[B, num_outputs]``."""
        right, bottom = self.pyramid.padding
        x = F.pad(x, (0, right, 0, bottom)).contiguous(memory_format=torch.channels_last)
        outputs: Tensor = self.head(F.silu(self.hidden(self.layers(x).flatten(1))))
        return outputs


class ConvDecoder(nn.Module):
    """Latents ``[B, D]`` to images ``[B, num_outputs · C, H, W]``: the mirror of :class:`ConvEncoder`.

    Doubles the size by rearranging channels into pixels (sub-pixel convolution, Shi et al. 2016, arXiv:1609.05158).

    Args:
        latent_dim: ``D``.
        image_shape: ``(C, H, W)``.
        num_outputs: numbers a value of the image needs, see :class:`reparam.vae.Family`.
        width: as for the encoder.
    """

    def __init__(
        self, latent_dim: int, image_shape: tuple[int, int, int], num_outputs: int, *, width: int = 16
    ) -> None:
        super().__init__()
        self.pyramid = _Pyramid(image_shape, width)
        channels = [*reversed(self.pyramid.channels)]
        self.dense = nn.Sequential(
            nn.Linear(latent_dim, self.pyramid.hidden),
            nn.SiLU(),
            nn.Linear(self.pyramid.hidden, self.pyramid.num_features),
        )
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [_ResidualBlock(before), nn.SiLU(), nn.Conv2d(before, 4 * after, 1), nn.PixelShuffle(2)]
        last = nn.Conv2d(channels[-1], 4 * num_outputs * image_shape[0], 3, padding=1)
        layers += [_ResidualBlock(channels[-1]), nn.SiLU(), last, nn.PixelShuffle(2)]
        self.layers = _channels_last(nn.Sequential(*layers))

    def forward(self, z: Tensor) -> Tensor:
        """Outputs ``[B, num_outputs · C, H, W]``."""
        pyramid = self.pyramid
        features = self.dense(z).unflatten(1, (pyramid.channels[-1], *pyramid.smallest))
        image: Tensor = self.layers(features.contiguous(memory_format=torch.channels_last))
        return image[:, :, : pyramid.height, : pyramid.width]


class _Pyramid:
    """The sizes both convolutional networks share, worked out from the image alone."""

    def __init__(self, image_shape: tuple[int, int, int], width: int) -> None:
        _, self.height, self.width = image_shape
        num_halvings = min(max(math.ceil(math.log2(min(self.height, self.width) / 7)), 1), 6)
        multiple = 2**num_halvings
        padded = [-(-side // multiple) * multiple for side in (self.height, self.width)]
        self.padding = (padded[1] - self.width, padded[0] - self.height)
        self.smallest = (padded[0] // multiple, padded[1] // multiple)
        self.channels = [width * min(2**level, 8) for level in range(num_halvings)]
        self.num_features = self.channels[-1] * math.prod(self.smallest)
        self.hidden = 16 * width


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = _head(nn.Conv2d(channels, channels, 3, padding=1), zero=True)

    def forward(self, x: Tensor) -> Tensor:
        update: Tensor = self.second(F.silu(self.first(F.silu(x))))
        return x + update


def _channels_last(layers: nn.Sequential) -> nn.Sequential:
    # The layout in which convolutions are fastest; torch's own annotation of `to` leaves the argument out.
    return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _head(layer: nn.Linear | nn.Conv2d, zero: bool) -> nn.Linear | nn.Conv2d:
    if zero:
        nn.init.zeros_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return layer
