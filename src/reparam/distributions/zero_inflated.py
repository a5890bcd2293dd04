"""Counts with more zeros than their law has."""

from collections.abc import Sequence
from typing import Self, cast

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from reparam import noise
from reparam.distributions.base import Law, Unreparameterized, _to_size
from reparam.distributions.precision import widen
from reparam.errors import ParameterError

__all__ = ["ZeroInflated"]


class ZeroInflated(Unreparameterized):
    """Zero with probability ``g = sigmoid(logits)``, else a draw of a law of counts.

        P(0) = g + (1 - g)·p(0),    P(k) = (1 - g)·p(k)    for k > 0

    The logarithm is put together from logarithms, in float64, so that value and gradients are finite at any logit,
    however improbable a zero is under the law of counts.

    Args:
        base: the law p of the counts 0, 1, 2, ..., from this package: :class:`Poisson`, :class:`NegativeBinomial`, ...
        logits: log odds of a zero that is none of its own, finite; broadcasts against the batch shape of ``base``;
            dtype of ``base``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: ``base`` is no such law; ``logits`` is of another dtype or does not broadcast; or as for
            :class:`Normal`.

    Source: Lambert 1992, Technometrics 34(1), "Zero-Inflated Poisson Regression", eq. 1 (there for the Poisson law).

    Example:
        >>> from reparam.distributions import Poisson
        >>> law = ZeroInflated(Poisson(2.0), logits=torch.tensor(0.0))
        >>> law.log_prob(torch.tensor([0.0, 1.0])).exp(), law.mean
        (tensor([0.5677, 0.1353]), tensor(1.))
    """

    arg_constraints = {"logits": constraints.real}  # noqa: RUF012
    logits: Tensor
    _instead = (
        "reparam.expectation(f, law, estimator=reparam.estimators.ScoreFunction()), unbiased for any f; or log_prob, "
        "which is differentiable in the parameters"
    )

    def __init__(self, base: Law, logits: Tensor | float, validate_args: bool | None = None) -> None:
        if not _counts_from_zero(base):
            raise ParameterError(
                f"ZeroInflated: base must be a law of counts 0, 1, 2, ... of reparam.distributions; got {base!r}"
            )
        like = base._like
        tensor = logits if isinstance(logits, (Tensor, bool)) else like.new_full((), float(logits))
        self._set(validate_args, logits=tensor)
        if self.logits.dtype != like.dtype:
            raise ParameterError(
                f"ZeroInflated: logits has {self.logits.dtype} and the base law {like.dtype}. Convert with "
                f".to({like.dtype})"
            )
        try:
            batch_shape = torch.broadcast_shapes(base.batch_shape, self.logits.shape)
        except RuntimeError as error:
            raise ParameterError(
                f"ZeroInflated: the shape {tuple(self.logits.shape)} of logits does not broadcast against the batch "
                f"shape {tuple(base.batch_shape)} of the base law"
            ) from error
        self.base = base.expand(batch_shape)
        self.logits = self.logits.expand(batch_shape)
        self._batch_shape = batch_shape

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> Self:
        """See :meth:`Law.expand`."""
        shape = torch.Size(batch_shape)
        expanded = type(self)(self.base.expand(shape), self.logits.expand(shape), False)
        expanded._validate_args = self._validate_args
        return expanded

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """That of the law of counts."""
        return cast(constraints.Constraint, self.base.support)

    @property
    def mean(self) -> Tensor:
        """``(1 - g)·m``, m the mean of the counts."""
        return (torch.sigmoid(-widen(self.logits)) * widen(self.base.mean)).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        """``(1 - g)·(v + g·m²)``, m and v mean and variance of the counts."""
        logits, mean, variance = widen(self.logits), widen(self.base.mean), widen(self.base.variance)
        return (torch.sigmoid(-logits) * (variance + torch.sigmoid(logits) * mean**2)).to(self.logits.dtype)

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Counts in the dtype of the parameters; see :meth:`Law.sample`."""
        shape = self._extended_shape(_to_size(sample_shape))
        with torch.no_grad():
            counts = self.base.sample(sample_shape, generator=generator)
            counted = noise.bernoulli(torch.sigmoid(-widen(self.logits)).expand(shape), generator=generator)
            return counts * counted.to(counts)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        logits = self.logits.double()
        counted = logsigmoid(-logits) + self.base.log_prob(value.double())
        log_probability = torch.where(value == 0, torch.logaddexp(logsigmoid(logits), counted), counted)
        return log_probability.to(torch.promote_types(value.dtype, self.logits.dtype))


def _counts_from_zero(base: object) -> bool:
    if not isinstance(base, Law) or base.event_shape or base.support is None:
        return False
    lowest = getattr(base.support, "lower_bound", None)
    return base.support.is_discrete and isinstance(lowest, int) and lowest == 0
