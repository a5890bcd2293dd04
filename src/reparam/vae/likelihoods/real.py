"""Families for real values: a location from the decoder, a width per value that is learned.

No width is fixed at 1: it is part of the model and calibrated by maximum likelihood (Rybkin, Daniilidis & Levine 2021,
arXiv:2006.13202). A width fixed at one makes the latents worthless for data that varies less than that, and no weight
on the KL term mends it.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from reparam import distributions
from reparam.distributions import Independent
from reparam.vae.limits import BoundedPositive

__all__ = ["Gaussian", "Laplace", "RealFamily", "StudentT"]


class RealFamily(nn.Module, ABC):
    """A law of real values with a scale per value that is learned, and never finer than the data is recorded.

    ``scale = sqrt(floor² + exp(2 · log_scale))`` with one ``log_scale`` a value, shared by all examples. The floor is
    the rounding noise of the column, its resolution over √12: without it, a column of whole numbers would be fitted by
    ever narrower spikes and the likelihood would grow without bound and mean nothing.

    Args:
        event_shape: shape of one example.
        floor: smallest scale of a value until :meth:`start_at` sets it, broadcastable to the event shape.
    """

    smallest_floor: ClassVar[float] = 1e-3
    deviation_of_unit_scale: ClassVar[float] = 1.0  # the rounding noise is a standard deviation

    floor: Tensor

    def __init__(self, event_shape: tuple[int, ...], floor: Tensor | float = smallest_floor) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(event_shape))
        self.log_scale = nn.Parameter(torch.zeros(event_shape))
        self.register_buffer("floor", torch.as_tensor(floor).expand(event_shape).clone())

    @abstractmethod
    def _law(self, loc: Tensor) -> distributions.Law:
        """The law of each value around ``loc``, ``[..., *X]``."""

    @staticmethod
    @abstractmethod
    def _middle_and_scale(x: Tensor) -> tuple[Tensor, Tensor]:
        """Where a value lies, and the scale that makes this law as wide as the values ``[N, *X]`` are."""

    def num_outputs(self, num_values: int) -> int:
        """The location of each value."""
        return num_values

    def start_at(self, x: Tensor, *, resolution: Tensor, **_: Any) -> Self:
        """Start at location and spread of ``x`` (``[N, *X]``).

        Args:
            x: scaled training examples.
            resolution: smallest step between values, in the same units, broadcastable to the event shape.
        """
        rounding = resolution / math.sqrt(12) / self.deviation_of_unit_scale
        self.floor.copy_(rounding.clamp(min=self.smallest_floor).expand(self.floor.shape))
        middle, scale = self._middle_and_scale(x)
        self.offset.data.copy_(middle)
        self.log_scale.data.copy_(scale.clamp(min=self.smallest_floor).log())
        return self

    @property
    def scale(self) -> Tensor:
        """The calibrated scale of each value, event shape, in the units the model sees."""
        return torch.hypot(self.floor, self.log_scale.exp())

    def forward(self, outputs: Tensor) -> Independent:
        """The law around these locations."""
        return Independent(self._law(outputs + self.offset), self.offset.dim(), validate_args=False)


class Gaussian(RealFamily):
    """A real value: Normal around the decoder's mean, with a standard deviation per value that is learned.

    See :class:`RealFamily`; it starts at mean and standard deviation of the data.
    """

    def _law(self, loc: Tensor) -> distributions.Law:
        return distributions.Normal(loc, self.scale.expand_as(loc), validate_args=False)

    @staticmethod
    def _middle_and_scale(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean(0), x.std(0, correction=0)


class Laplace(RealFamily):
    """A real value with tails as ``e^-|x|``: the decoder gives the median, which a few values far off do not move.

    See :class:`RealFamily`; it starts at median and mean absolute deviation, its maximum likelihood.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [5.0]])
        >>> family = Laplace((1,)).start_at(x, resolution=torch.tensor([0.0]))
        >>> family(torch.zeros(1, 1)).mean.detach(), family.scale.detach()
        (tensor([[1.]]), tensor([1.6667]))
    """

    deviation_of_unit_scale = math.sqrt(2)

    def _law(self, loc: Tensor) -> distributions.Law:
        return distributions.Laplace(loc, self.scale.expand_as(loc), validate_args=False)

    @staticmethod
    def _middle_and_scale(x: Tensor) -> tuple[Tensor, Tensor]:
        return _median_and_deviation(x)


class StudentT(RealFamily):
    """A real value with outliers: Student's t around the decoder's location, width and tails learned for each value.

    See :class:`RealFamily`. The degrees of freedom stay above 1.1, so that the location is the mean; at most about
    1000, where the law is Normal for all that data can tell. It starts at median and mean absolute deviation, which is
    the scale at the 4 degrees of freedom it starts with.

    Example:
        >>> family = StudentT((2,))
        >>> family.df().detach().round(decimals=3), family(torch.zeros(1, 2)).mean.detach()
        (tensor([4., 4.]), tensor([[0., 0.]]))
    """

    def __init__(self, event_shape: tuple[int, ...], floor: Tensor | float = RealFamily.smallest_floor) -> None:
        super().__init__(event_shape, floor)
        self.df = BoundedPositive(event_shape, 1.1, 1000.0, start=4.0)

    def _law(self, loc: Tensor) -> distributions.Law:
        return distributions.StudentT(self.df().expand_as(loc), loc, self.scale.expand_as(loc), validate_args=False)

    @staticmethod
    def _middle_and_scale(x: Tensor) -> tuple[Tensor, Tensor]:
        return _median_and_deviation(x)  # the mean absolute deviation of t with 4 degrees of freedom is its scale


def _median_and_deviation(x: Tensor) -> tuple[Tensor, Tensor]:
    median = x.median(0).values
    return median, (x - median).abs().mean(0)
