"""A residual convolutional pair for images of any size.

Shape letters: B batch, C channels, H height, W width, D latent.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reparam.vae.networks.mlp import head

__all__ = ["ConvDecoder", "ConvEncoder"]


class ConvEncoder(nn.Module):
    """Images ``[B, C, H, W]`` of any size to ``[B, num_outputs]``.

    Halves the image until its shorter side is below 8 pixels (at most 6 times), with residual blocks at each size, then
    a dense layer. Sizes that do not halve evenly are padded at the bottom and right.

    Args:
        image_shape: ``(C, H, W)``.
        num_outputs: size of the output row.
        width: channels at half size; doubled at each further halving, up to 8 times.
        num_blocks: residual blocks at each size.
        dense_width: hidden units between the convolutions and the outputs; 0 for none, which leaves few weights but
            those of the convolutions. Default: 16 times ``width``.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_outputs: int,
        *,
        width: int = 16,
        num_blocks: int = 1,
        dense_width: int | None = None,
    ) -> None:
        super().__init__()
        self.pyramid = _Pyramid(image_shape, width)
        layers: list[nn.Module] = []
        before = image_shape[0]
        for channels in self.pyramid.channels:
            layers += [
                nn.Conv2d(before, channels, 4, stride=2, padding=1),
                *_residual_blocks(channels, num_blocks),
                nn.SiLU(),
            ]
            before = channels
        self.layers = _channels_last(nn.Sequential(*layers))
        self.dense = _dense(self.pyramid.num_features, _hidden(width, dense_width), num_outputs, zero_head=True)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``[B, num_outputs]``."""
        right, bottom = self.pyramid.padding
        x = F.pad(x, (0, right, 0, bottom)).contiguous(memory_format=torch.channels_last)
        outputs: Tensor = self.dense(self.layers(x).flatten(1))
        return outputs


class ConvDecoder(nn.Module):
    """Latents ``[B, D]`` to images ``[B, *out_shape]``: the mirror of :class:`ConvEncoder`.

    Doubles the size by rearranging channels into pixels (sub-pixel convolution, Shi et al. 2016, arXiv:1609.05158).

    Args:
        latent_dim: ``D``.
        out_shape: ``(num_outputs, H, W)``, see :class:`reparam.vae.Family`.
        width, num_blocks, dense_width: as for the encoder.
    """

    def __init__(
        self,
        latent_dim: int,
        out_shape: tuple[int, int, int],
        *,
        width: int = 16,
        num_blocks: int = 1,
        dense_width: int | None = None,
    ) -> None:
        super().__init__()
        self.pyramid = _Pyramid(out_shape, width)
        channels = [*reversed(self.pyramid.channels)]
        self.dense = _dense(latent_dim, _hidden(width, dense_width), self.pyramid.num_features)
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [*_residual_blocks(before, num_blocks), nn.SiLU()]
            layers += [nn.Conv2d(before, 4 * after, 1), nn.PixelShuffle(2)]
        last = nn.Conv2d(channels[-1], 4 * out_shape[0], 3, padding=1)
        layers += [*_residual_blocks(channels[-1], num_blocks), nn.SiLU(), last, nn.PixelShuffle(2)]
        self.layers = _channels_last(nn.Sequential(*layers))

    def forward(self, z: Tensor) -> Tensor:
        """Outputs ``[B, *out_shape]``."""
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


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = head(nn.Conv2d(channels, channels, 3, padding=1), zero=True)

    def forward(self, x: Tensor) -> Tensor:
        update: Tensor = self.second(F.silu(self.first(F.silu(x))))
        return x + update


def _hidden(width: int, dense_width: int | None) -> list[int]:
    units = 16 * width if dense_width is None else dense_width
    return [units] if units else []


def _dense(num_inputs: int, hidden: list[int], num_outputs: int, *, zero_head: bool = False) -> nn.Sequential:
    sizes = [num_inputs, *hidden]
    layers = [layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, after), nn.SiLU())]
    return nn.Sequential(*layers, head(nn.Linear(sizes[-1], num_outputs), zero_head))


def _residual_blocks(channels: int, number: int) -> list[nn.Module]:
    return [_ResidualBlock(channels) for _ in range(number)]


def _channels_last(layers: nn.Sequential) -> nn.Sequential:
    # The layout in which convolutions are fastest; torch's own annotation of `to` leaves the argument out.
    return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
