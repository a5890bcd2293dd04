"""Families for a level out of a few: grey levels of images.

Probabilities, not densities, so their logarithms can be told in bits per dimension. Values lie on the grid
``{0, 1/(levels-1), ..., 1}``.
"""

import math
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from reparam import distributions
from reparam.distributions import Independent
from reparam.vae.limits import soft_bound

__all__ = ["Categorical", "DiscretizedLogistic", "DiscretizedLogisticMixture"]

# Quantiles at which components start are taken from at most this many examples.
_MOST_ROWS = 2000


class DiscretizedLogistic(nn.Module):
    """A grey level out of ``levels``: the mass a logistic law puts on each cell of the grid in [0, 1].

    Location and width both come from the decoder. Salimans et al. 2017, arXiv:1701.05517, with one component.

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
        self.loc_offset.data.copy_(x.mean(0))
        self.log_scale_offset.data.copy_(_log_scale(x.var(0, correction=0), self.levels))
        return self

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these locations and log-widths."""
        loc, log_scale = outputs.chunk(2, dim=1)
        scale = (self.log_scale_offset + soft_bound(log_scale, *self.log_scale_bounds)).exp()
        law = distributions.DiscretizedLogistic(loc + self.loc_offset, scale, self.levels, validate_args=False)
        return Independent(law, self.loc_offset.dim(), validate_args=False)


class DiscretizedLogisticMixture(nn.Module):
    """A grey level under a mixture of ``num_components`` discretised logistic laws: several grey levels may be likely.

    Weights, locations and widths come from the decoder, for each value by itself. In Salimans et al. 2017
    (arXiv:1701.05517) the channels of a pixel share their weights, and the location of green depends on red, that of
    blue on both: here it does not, all values are independent given the latents.

    Args:
        event_shape: shape of one example.
        levels: number of levels, e.g. 256.
        num_components: laws in each mixture.

    Example:
        >>> family = DiscretizedLogisticMixture((1, 2, 2), levels=256, num_components=3)
        >>> family.num_outputs(1)
        9
        >>> family(torch.zeros(5, 9, 2, 2)).log_prob(torch.zeros(5, 1, 2, 2)).shape
        torch.Size([5])
    """

    log_scale_bounds: ClassVar[tuple[float, float]] = DiscretizedLogistic.log_scale_bounds

    def __init__(self, event_shape: tuple[int, ...], levels: int, num_components: int = 5) -> None:
        super().__init__()
        self.levels, self.num_components = levels, num_components
        places = (torch.arange(num_components) + 0.5) / num_components
        self.logit_offset = nn.Parameter(torch.zeros(*event_shape, num_components))
        self.loc_offset = nn.Parameter(places.expand(*event_shape, num_components).clone())
        self.log_scale_offset = nn.Parameter(torch.full((*event_shape, num_components), -2.0))

    def num_outputs(self, num_values: int) -> int:
        """Log-weight, location and log-width of each component of each value."""
        return 3 * self.num_components * num_values

    def start_at(self, x: Tensor, **_: Any) -> Self:
        """Start the components at quantiles of ``x`` (``[N, *X]`` on the grid), as wide as to give it its spread."""
        some = x[torch.linspace(0, len(x) - 1, min(len(x), _MOST_ROWS)).long()]
        places = (torch.arange(self.num_components) + 0.5) / self.num_components
        quantiles = some.sort(0).values[(places * len(some)).long()].movedim(0, -1)
        within = some.var(0, correction=0) - quantiles.var(-1, correction=0)
        self.logit_offset.data.zero_()
        self.loc_offset.data.copy_(quantiles)
        self.log_scale_offset.data.copy_(_log_scale(within.clamp(min=0), self.levels).unsqueeze(-1))
        return self

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these log-weights, locations and log-widths, each for all components of all values."""
        logits, loc, log_scale = _last(outputs, self.num_components, 3)
        scale = (self.log_scale_offset + soft_bound(log_scale, *self.log_scale_bounds)).exp()
        component = distributions.DiscretizedLogistic(loc + self.loc_offset, scale, self.levels, validate_args=False)
        weights = distributions.Categorical(logits=logits + self.logit_offset, validate_args=False)
        law = distributions.MixtureSameFamily(weights, component, validate_args=False)
        return Independent(law, self.loc_offset.dim() - 1, validate_args=False)


class Categorical(nn.Module):
    """A level out of ``levels``, with a probability of its own each: nothing is assumed of neighbouring levels.

    The mean is the expected level, in [0, 1]. Takes ``levels`` outputs a value, so it is for few levels.

    Args:
        event_shape: shape of one example.
        levels: number of levels.

    Example:
        >>> law = Categorical((2,), levels=3).start_at(torch.tensor([[0.0, 1.0], [0.5, 1.0]]))(torch.zeros(5, 6))
        >>> law.mean[0].detach()  # one count more, shared by the levels
        tensor([0.3333, 0.8333])
    """

    def __init__(self, event_shape: tuple[int, ...], levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.offset = nn.Parameter(torch.zeros(*event_shape, levels))

    def num_outputs(self, num_values: int) -> int:
        """One logit a level and value."""
        return self.levels * num_values

    def start_at(self, x: Tensor, **_: Any) -> Self:
        """Start at the frequencies of the levels in ``x`` (``[N, *X]`` on the grid), one more count shared by them."""
        level = (x * (self.levels - 1)).round()
        counts = torch.stack([(level == number).sum(0) for number in range(self.levels)], dim=-1)
        self.offset.data.copy_(((counts + 1 / self.levels) / (len(x) + 1)).log())
        return self

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these logits, for all levels of all values."""
        (logits,) = _last(outputs, self.levels, 1)
        law = distributions.GridCategorical(logits + self.offset, validate_args=False)
        return Independent(law, self.offset.dim() - 1, validate_args=False)


def _last(outputs: Tensor, size: int, number: int) -> tuple[Tensor, ...]:
    """Outputs ``[B, number·size·C, ...]`` as ``number`` tensors ``[B, C, ..., size]``."""
    parts: tuple[Tensor, ...] = outputs.unflatten(1, (number, size, -1)).movedim(2, -1).unbind(1)
    return parts


def _log_scale(variance: Tensor, levels: int) -> Tensor:
    """That of the logistic law of this variance, which is π²/3 for a scale of 1; no narrower than half a cell."""
    return (variance.sqrt() * math.sqrt(3) / math.pi).clamp(min=0.5 / (levels - 1)).log()
