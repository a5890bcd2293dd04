"""Families for ``p(x|z)``: what the decoder's outputs mean, and how far off a decoded value may be.

Each family starts at the training data: ``start_at`` sets its offsets so that a decoder that says nothing (outputs 0)
already gives every pixel or column its own mean and spread. None has a fixed unit variance: the width is part of the
model and is calibrated by maximum likelihood (Rybkin, Daniilidis & Levine 2021, arXiv:2006.13202). A width fixed at
one makes the latents worthless for data that varies less than that, and no weight on the KL term mends it.

Shapes: outputs ``[B, num_outputs(C), ...]`` for examples ``[C, ...]``; laws have batch shape ``[B]`` and the event
shape of one example.
"""

import math
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from reparam import distributions
from reparam.distributions import Independent
from reparam.vae.posteriors.normal import soft_bound

__all__ = ["Bernoulli", "DiscretizedLogistic", "Gaussian"]


class Bernoulli(nn.Module):
    """Black or white: each value is 1 with probability ``sigmoid(output + offset)``, else 0.

    Args:
        event_shape: shape of one example.

    Example:
        >>> law = Bernoulli((2,)).start_at(torch.tensor([[0.0, 1.0], [1.0, 1.0]]))(torch.zeros(5, 2))
        >>> law.mean[0].detach()
        tensor([0.5000, 0.9990])
    """

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(event_shape))

    def num_outputs(self, num_values: int) -> int:
        """One logit a value."""
        return num_values

    def start_at(self, x: Tensor, **_: Any) -> Self:
        """Start at the mean of ``x`` (``[N, *X]`` in [0, 1]), kept within [0.001, 0.999]."""
        self.offset.data.copy_(torch.logit(x.mean(0), eps=1e-3))
        return self

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these logits."""
        law = distributions.Bernoulli(logits=outputs + self.offset, validate_args=False)
        return Independent(law, self.offset.dim(), validate_args=False)


class DiscretizedLogistic(nn.Module):
    """A grey level out of ``levels``: the mass a logistic law puts on each cell of the grid in [0, 1].

    A probability, not a density, so its logarithm can be told in bits per dimension. Location and width both come
    from the decoder. Salimans et al. 2017, arXiv:1701.05517, with one component.

    Args:
        event_shape: shape of one example.
        levels: number of levels, e.g. 256.
    """

    log_scale_bounds: ClassVar[tuple[float, float]] = (-6.0, 6.0)

    def __init__(self, event_shape: tuple[int, ...], levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.loc_offset = nn.Parameter(torch.full(event_shape, 0.5))
        self.log_scale_offset = nn.Parameter(torch.full(event_shape, -2.0))

    def num_outputs(self, num_values: int) -> int:
        """Location and log-width of each value."""
        return 2 * num_values

    def start_at(self, x: Tensor, **_: Any) -> Self:
        """Start at the mean and spread of ``x`` (``[N, *X]`` on the grid); no narrower than half a cell."""
        scale = x.std(0, correction=0) * math.sqrt(3) / math.pi
        self.loc_offset.data.copy_(x.mean(0))
        self.log_scale_offset.data.copy_(scale.clamp(min=0.5 / (self.levels - 1)).log())
        return self

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these locations and log-widths."""
        loc, log_scale = outputs.chunk(2, dim=1)
        scale = (self.log_scale_offset + soft_bound(log_scale, *self.log_scale_bounds)).exp()
        law = distributions.DiscretizedLogistic(loc + self.loc_offset, scale, self.levels, validate_args=False)
        return Independent(law, self.loc_offset.dim(), validate_args=False)


class Gaussian(nn.Module):
    """A real value: Normal with a width per value that is learned, and never finer than the data is recorded.

    ``scale = sqrt(floor² + exp(2 · log_scale))`` with one ``log_scale`` a value, shared by all examples. The floor
    is the rounding noise of the column, its resolution over √12: without it, a column of whole numbers would be
    fitted by ever narrower spikes and the likelihood would grow without bound and mean nothing.

    Args:
        event_shape: shape of one example.
        floor: smallest scale of a value until :meth:`start_at` sets it, broadcastable to the event shape.
    """

    smallest_floor: ClassVar[float] = 1e-3

    floor: Tensor

    def __init__(self, event_shape: tuple[int, ...], floor: Tensor | float = smallest_floor) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(event_shape))
        self.log_scale = nn.Parameter(torch.zeros(event_shape))
        self.register_buffer("floor", torch.as_tensor(floor).expand(event_shape).clone())

    def num_outputs(self, num_values: int) -> int:
        """The mean of each value."""
        return num_values

    def start_at(self, x: Tensor, *, resolution: Tensor, **_: Any) -> Self:
        """Start at the mean and standard deviation of ``x`` (``[N, *X]``).

        Args:
            x: scaled training examples.
            resolution: smallest step between values, in the same units, broadcastable to the event shape.
        """
        self.floor.copy_((resolution / math.sqrt(12)).clamp(min=self.smallest_floor).expand(self.floor.shape))
        self.offset.data.copy_(x.mean(0))
        self.log_scale.data.copy_(x.std(0, correction=0).clamp(min=self.smallest_floor).log())
        return self

    @property
    def scale(self) -> Tensor:
        """The calibrated standard deviation of each value, event shape, in the units the model sees."""
        return torch.hypot(self.floor, self.log_scale.exp())

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these means."""
        loc = outputs + self.offset
        law = distributions.Normal(loc, self.scale.expand_as(loc), validate_args=False)
        return Independent(law, self.offset.dim(), validate_args=False)
