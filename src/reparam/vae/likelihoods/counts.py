"""Families for counts: whole numbers from 0 on, as they are, not scaled.

The decoder gives the logarithm of the mean of each value, softly kept within a factor of e^20 of where it starts. With
an ``exposure`` ``[B]``, what is expected of a row altogether (the library size of a cell, the length of a document), it
gives the share of each value instead::

    mean = exp(offset + output),        or        mean = exposure · softmax(offset + outputs)

with the softmax over all values of the example (Lopez et al. 2018, doi:10.1038/s41592-018-0229-2).
"""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from reparam import distributions
from reparam.distributions import Independent
from reparam.vae.limits import BoundedPositive, soft_bound

__all__ = [
    "CountFamily",
    "LogCounts",
    "NegativeBinomial",
    "Poisson",
    "ZeroInflatedNegativeBinomial",
    "ZeroInflatedPoisson",
]


class CountFamily(nn.Module, ABC):
    """A law of counts around a mean that the decoder gives.

    Args:
        event_shape: shape of one example.
    """

    log_mean_bounds: ClassVar[tuple[float, float]] = (-20.0, 20.0)

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(event_shape))

    @abstractmethod
    def _law(self, log_mean: Tensor, *others: Tensor) -> distributions.Law:
        """The law of each value, of the logarithm of its mean and what else the decoder gives, ``[B, *X]`` each."""

    @abstractmethod
    def _start(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Give each value this mean and variance, event shape; the mean that takes, before any zeros are added."""

    @property
    def outputs_per_value(self) -> int:
        """Outputs of the decoder for each value."""
        return 1

    def num_outputs(self, num_values: int) -> int:
        """The log-mean of each value, and what else its law needs."""
        return self.outputs_per_value * num_values

    def start_at(self, x: Tensor, **_: Any) -> Self:
        """Start at mean and variance of the counts ``x`` (``[N, *X]``); a value that is always 0, at half a count."""
        wide = x.double()
        mean, variance = wide.mean(0).clamp(min=0.5 / len(x)), wide.var(0, correction=0)
        self.offset.data.copy_(self._start(mean, variance).log())
        return self

    def forward(self, outputs: Tensor, exposure: Tensor | None = None) -> Independent:
        """The law with these means.

        Args:
            outputs: ``[B, outputs_per_value · C, ...]``.
            exposure: ``[B]``, positive, or ``None``.
        """
        outputs, *others = outputs.chunk(self.outputs_per_value, dim=1)
        log_mean = self.offset + soft_bound(outputs, *self.log_mean_bounds)
        if exposure is not None:
            log_share = torch.log_softmax(log_mean.flatten(1), 1)
            log_mean = (exposure.to(log_share).log().unsqueeze(1) + log_share).reshape(log_mean.shape)
        return Independent(self._law(log_mean, *others), self.offset.dim(), validate_args=False)


class Poisson(CountFamily):
    """Counts of events that know nothing of each other: the variance is the mean.

    Most counts vary more than that; then :class:`NegativeBinomial` is many nats better. See :class:`CountFamily`.

    Example:
        >>> family = Poisson((2,)).start_at(torch.tensor([[0.0, 7.0], [3.0, 9.0]]))
        >>> family(torch.zeros(1, 2)).mean.detach()
        tensor([[1.5000, 8.0000]])
        >>> family(torch.zeros(1, 2), exposure=torch.tensor([19.0])).mean.detach()
        tensor([[ 3., 16.]])
    """

    def _law(self, log_mean: Tensor, *others: Tensor) -> distributions.Law:
        return distributions.Poisson(log_mean.exp(), validate_args=False)

    def _start(self, mean: Tensor, variance: Tensor) -> Tensor:
        return mean


class NegativeBinomial(CountFamily):
    """Counts that vary more than :class:`Poisson` ones: ``variance = mean + mean²/r``.

    The inverse dispersion r of each value is learned, one for all examples, between e^-8 and e^16. See
    :class:`CountFamily`.

    Example:
        >>> family = NegativeBinomial((1,)).start_at(torch.tensor([[0.0], [2.0], [10.0]]))
        >>> law = family(torch.zeros(1, 1))
        >>> law.mean.detach(), law.variance.detach(), family.inverse_dispersion().detach()
        (tensor([[4.]]), tensor([[18.6667]]), tensor([1.0909]))
    """

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__(event_shape)
        self.inverse_dispersion = _inverse_dispersion(event_shape)

    def _law(self, log_mean: Tensor, *others: Tensor) -> distributions.Law:
        return _negative_binomial(log_mean, self.inverse_dispersion())

    def _start(self, mean: Tensor, variance: Tensor) -> Tensor:
        self.inverse_dispersion.put(_dispersed(mean, variance - mean))
        return mean


class ZeroInflatedPoisson(CountFamily):
    """:class:`Poisson` counts of which some are 0 for a reason of their own, with log odds from the decoder.

    See :class:`CountFamily`; the means above are those of the counts before zeros are added.
    """

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__(event_shape)
        self.zero_offset = nn.Parameter(torch.full(event_shape, _FEW_ZEROS))

    @property
    def outputs_per_value(self) -> int:
        """Log-mean, and log odds of a zero."""
        return 2

    def _law(self, log_mean: Tensor, *others: Tensor) -> distributions.Law:
        base = distributions.Poisson(log_mean.exp(), validate_args=False)
        return distributions.ZeroInflated(base, self.zero_offset + others[0], validate_args=False)

    def _start(self, mean: Tensor, variance: Tensor) -> Tensor:
        # mean = (1 - g)·λ and variance = mean·(1 + g·λ), solved for g.
        surplus = (variance / mean - 1).clamp(min=0)
        zeros = (surplus / (mean + surplus)).clamp(0.01, 0.9)
        self.zero_offset.data.copy_(zeros.logit())
        return mean / (1 - zeros)


class ZeroInflatedNegativeBinomial(CountFamily):
    """:class:`NegativeBinomial` counts of which some are 0 for a reason of their own, with log odds from the decoder.

    See :class:`CountFamily`; mean and r are those of the counts before zeros are added.
    """

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__(event_shape)
        self.inverse_dispersion = _inverse_dispersion(event_shape)
        self.zero_offset = nn.Parameter(torch.full(event_shape, _FEW_ZEROS))

    @property
    def outputs_per_value(self) -> int:
        """Log-mean, and log odds of a zero."""
        return 2

    def _law(self, log_mean: Tensor, *others: Tensor) -> distributions.Law:
        base = _negative_binomial(log_mean, self.inverse_dispersion())
        return distributions.ZeroInflated(base, self.zero_offset + others[0], validate_args=False)

    def _start(self, mean: Tensor, variance: Tensor) -> Tensor:
        # A few zeros at first, the rest of the variance by dispersion: variance = (1 - g)·(v + g·m²).
        zeros = torch.sigmoid(torch.tensor(_FEW_ZEROS, dtype=mean.dtype))
        self.zero_offset.data.fill_(_FEW_ZEROS)
        before = mean / (1 - zeros)
        self.inverse_dispersion.put(_dispersed(before, variance / (1 - zeros) - zeros * before**2 - before))
        return before


class LogCounts(nn.Module):
    """What an encoder is shown of counts: ``log(1 + x)``, with mean 0 and standard deviation 1 over the training data.

    No value is divided by less than 0.1: one that is nearly always 0 would otherwise shout when it is not.

    Args:
        event_shape: shape of one example.

    Example:
        >>> view = LogCounts((1,)).start_at(torch.tensor([[0.0], [math.e - 1]]))
        >>> view(torch.tensor([[0.0], [math.e - 1], [math.e**2 - 1]]))
        tensor([[-1.],
                [ 1.],
                [ 3.]])
    """

    smallest_deviation: ClassVar[float] = 0.1

    mean: Tensor
    deviation: Tensor

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(event_shape))
        self.register_buffer("deviation", torch.ones(event_shape))

    def start_at(self, x: Tensor, **_: Any) -> Self:
        """Standardise by the counts ``x`` (``[N, *X]``)."""
        logarithms = torch.log1p(x)
        self.mean.copy_(logarithms.mean(0))
        self.deviation.copy_(logarithms.std(0, correction=0).clamp(min=self.smallest_deviation))
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Standardised logarithms, of the shape of ``x``."""
        return (torch.log1p(x) - self.mean) / self.deviation


_FEW_ZEROS = -3.0  # log odds


def _inverse_dispersion(event_shape: tuple[int, ...]) -> BoundedPositive:
    return BoundedPositive(event_shape, math.exp(-8), math.exp(16), start=1.0)


def _dispersed(mean: Tensor, surplus: Tensor) -> Tensor:
    """The inverse dispersion that adds ``mean²/r`` to a variance; next to none where nothing is to be added."""
    return mean**2 / surplus.clamp(min=1e-4 * mean**2)


def _negative_binomial(log_mean: Tensor, inverse_dispersion: Tensor) -> distributions.NegativeBinomial:
    logits = log_mean - inverse_dispersion.log()
    return distributions.NegativeBinomial(inverse_dispersion.expand_as(logits), logits=logits, validate_args=False)
