"""Discrete laws made continuous: what a temperature keeps away from the corners has a pathwise gradient.

The gradient is unbiased for the relaxed law, which is not the discrete one. At a high temperature the draws are far
from the corners; towards 0 they reach them, and the variance of the gradient grows without bound.

Everything is computed with logits. Through probabilities, a float32 would end at logits of ±16, with gradient 0 beyond.

Sources: Maddison, Mnih & Teh, "The Concrete Distribution", arXiv:1611.00712; Jang, Gu & Poole, "Categorical
Reparameterization with Gumbel-Softmax", arXiv:1611.01144.
"""

import math

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli as TorchLogitRelaxedBernoulli
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical as TorchExpRelaxedCategorical
from torch.nn.functional import log_softmax, logsigmoid

from reparam.distributions.base import InverseCdf, Law, Pathwise
from reparam.distributions.categorical import Categorical
from reparam.distributions.odds import log_odds, log_weights, probs_or_logits
from reparam.distributions.parameters import open_unit_interval, positive_weights
from reparam.distributions.precision import confine, minus_log, narrow, open_sigmoid, positive_range, tails, widen
from reparam.noise import Source

__all__ = [
    "ExpRelaxedCategorical",
    "LogitRelaxedBernoulli",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "gumbel_scores",
]


def gumbel_scores(law: Law, noise: Tensor) -> Tensor:
    """``α - log(-log u)`` for classes of log weights α: the largest is the k-th with the probability of class k."""
    return log_weights(law) - minus_log(*tails(noise, law._like)).log()


class LogitRelaxedBernoulli(InverseCdf, TorchLogitRelaxedBernoulli):
    """The law of the logit of a :class:`RelaxedBernoulli`: ``y = (α + log u - log(1 - u))/T``, α the log odds.

    It is the logistic law with location α/T and scale 1/T.

    Args:
        temperature: T, positive and finite; any shape.
        probs: probability of a positive y, strictly between 0 and 1; broadcasts against ``temperature``.
        logits: its log odds α, finite; likewise. Give one of the two.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: both or none of ``probs`` and ``logits`` are given; or as for :class:`Normal`.

    Example:
        >>> LogitRelaxedBernoulli(torch.tensor(0.5), logits=torch.tensor(40.0)).from_noise(torch.tensor(0.5))
        tensor(80.)
    """

    arg_constraints = {  # noqa: RUF012
        "temperature": constraints.positive,
        "probs": open_unit_interval,
        "logits": constraints.real,
    }

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (temperature, parameter) = self._checked(validate_args, temperature=temperature, **given)
        super().__init__(temperature, **dict.fromkeys(given, parameter), validate_args=False)
        self._validate_args = validating

    @property
    def mean(self) -> Tensor:
        """``α/T``."""
        return (log_odds(self) / widen(self.temperature)).to(self.temperature.dtype)

    @property
    def mode(self) -> Tensor:
        """``α/T``."""
        return self.mean

    @property
    def variance(self) -> Tensor:
        """``π²/(3T²)``."""
        return ((math.pi / math.sqrt(3) / widen(self.temperature)) ** 2).to(self.temperature.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log T + log s(α - Ty) + log s(Ty - α)``, s the sigmoid."""
        if self._validate_args:
            self._validate_sample(value)
        temperature = widen(self.temperature)
        difference = log_odds(self) - temperature * value
        log_density = temperature.log() + logsigmoid(difference) + logsigmoid(-difference)
        return narrow(log_density, value, self.temperature)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(torch.sigmoid(widen(self.temperature) * value - log_odds(self)), value, self.temperature)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return (log_odds(self) + lower.log() - upper.log()) / widen(self.temperature)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``2 - log T``."""
        return (2 - widen(self.temperature).log()).to(self.temperature.dtype)


class RelaxedBernoulli(InverseCdf, td.RelaxedBernoulli):
    """A coin made continuous: ``y = s((α + log u - log(1 - u))/T)`` in (0, 1), s the sigmoid, α the log odds.

    ``y > 1/2`` has probability ``probs`` at every temperature. A draw that would round to 0 or 1 is the number of the
    dtype next to it, so its density is finite; its gradient is that of the exact sigmoid. There is no closed form for
    mean, variance and entropy.

    Args and errors as for :class:`LogitRelaxedBernoulli`.

    Example:
        >>> law = RelaxedBernoulli(torch.tensor(0.5), logits=torch.tensor([-1.0, 0.0, 1.0]))
        >>> law.from_noise(torch.tensor(0.5))
        tensor([0.1192, 0.5000, 0.8808])
    """

    arg_constraints = LogitRelaxedBernoulli.arg_constraints
    base_dist: LogitRelaxedBernoulli

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (temperature, parameter) = self._checked(validate_args, temperature=temperature, **given)
        base = LogitRelaxedBernoulli(temperature, **dict.fromkeys(given, parameter), validate_args=False)
        td.TransformedDistribution.__init__(self, base, td.SigmoidTransform(), validate_args=False)
        self._validate_args = validating

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, that of the logit, less ``log y + log(1 - y)``; -inf at 0 and 1 themselves."""
        if self._validate_args:
            self._validate_sample(value)
        inside = (value > 0) & (value < 1)
        safe = torch.where(inside, widen(value), 0.5)
        log_value, log_rest = safe.log(), torch.log1p(-safe)
        log_density = self.base_dist.log_prob(log_value - log_rest) - log_value - log_rest
        return narrow(torch.where(inside, log_density, -torch.inf), value, self.temperature)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail."""
        if self._validate_args:
            self._validate_sample(value)
        inside = (value > 0) & (value < 1)
        probability = self.base_dist.cdf(torch.where(inside, widen(value), 0.5).logit())
        return narrow(torch.where(inside, probability, (value >= 1).to(probability)), value, self.temperature)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return open_sigmoid(self.base_dist._quantile(lower, upper), self.temperature)


class ExpRelaxedCategorical(Pathwise, TorchExpRelaxedCategorical):
    """The law of the logarithm of a :class:`RelaxedOneHotCategorical`: ``y = log softmax((α + g)/T)``, g Gumbel noise.

    Where a draw of the one-hot law has components too small for the dtype, their logarithms are here, exactly.

    Args:
        temperature: T, positive and finite; shape ``[*batch_shape]``.
        probs: positive weights; shape ``[*batch_shape, K]``. They need not sum to 1.
        logits: their logarithms α, up to a constant, finite; likewise. Give one of the two.
        validate_args: as for :class:`Normal`.

    Shapes: the noise is uniform, ``[*sample_shape, *batch_shape, K]``.

    Raises:
        ParameterError: both or none of ``probs`` and ``logits`` are given; or as for :class:`Normal`.

    Example:
        >>> law = ExpRelaxedCategorical(torch.tensor(0.1), logits=torch.tensor([50.0, 0.0, 0.0]))
        >>> law.from_noise(torch.tensor([0.5, 0.5, 0.5]))
        tensor([   0., -500., -500.])
    """

    arg_constraints = {  # noqa: RUF012
        "temperature": constraints.positive,
        "probs": positive_weights,
        "logits": constraints.real_vector,
    }
    _categorical: Categorical

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (self.temperature, weights) = self._checked(validate_args, temperature=temperature, **given)
        self._categorical = Categorical(**dict.fromkeys(given, weights), validate_args=False)
        td.Distribution.__init__(self, weights.shape[:-1], weights.shape[-1:], validate_args=False)
        self._validate_args = validating

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.uniform(sample_shape, self.noise_shape, like=self.temperature)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = log softmax((α - log(-log u))/T)``; see :meth:`Pathwise.from_noise`. The noise is uniform."""
        drawn = log_softmax(self._scores(noise), -1)
        return confine(drawn, torch.finfo(self.temperature.dtype).min, math.inf).to(self.temperature.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats on the vectors whose exponentials sum to 1: ``Σ_k log softmax(α - Ty)_k + const``.

        The constant is ``log (K - 1)! + (K - 1)·log T``.
        """
        if self._validate_args:
            self._validate_sample(value)
        temperature, size = widen(self.temperature), self.event_shape[0]
        score = log_softmax(log_weights(self) - temperature.unsqueeze(-1) * value, -1).sum(-1)
        return narrow(score + math.lgamma(size) + (size - 1) * temperature.log(), value, self.temperature)

    def _scores(self, noise: Tensor) -> Tensor:
        return gumbel_scores(self, noise) / widen(self.temperature).unsqueeze(-1)


class _Simplex(constraints._Simplex):
    """torch's simplex, with a tolerance for the rounding of K numbers of the dtype of the value."""

    def check(self, value: Tensor) -> Tensor:
        """For each vector: does it lie there?"""
        tolerance = max(1e-6, value.shape[-1] * torch.finfo(value.dtype).eps)
        return (value >= 0).all(-1) & ((widen(value).sum(-1) - 1).abs() < tolerance)


class RelaxedOneHotCategorical(Pathwise, td.RelaxedOneHotCategorical):
    """A one-hot vector made continuous: ``y = softmax((α + g)/T)``, g Gumbel noise; also called Concrete.

    The largest component is the k-th with probability ``probs[k]`` at every temperature. Components too small for the
    dtype are its smallest positive number, so the density of a draw is finite; at low temperatures, where that happens,
    :class:`ExpRelaxedCategorical` has the exact one. There is no closed form for mean, variance and entropy.

    Args, shapes and errors as for :class:`ExpRelaxedCategorical`.

    Example:
        >>> law = RelaxedOneHotCategorical(torch.tensor(1.0), torch.tensor([0.2, 0.3, 0.5]))
        >>> law.from_noise(torch.tensor([0.5, 0.5, 0.5]))
        tensor([0.2000, 0.3000, 0.5000])
    """

    arg_constraints = ExpRelaxedCategorical.arg_constraints
    support = _Simplex()
    base_dist: ExpRelaxedCategorical

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (temperature, weights) = self._checked(validate_args, temperature=temperature, **given)
        base = ExpRelaxedCategorical(temperature, **dict.fromkeys(given, weights), validate_args=False)
        td.TransformedDistribution.__init__(self, base, td.ExpTransform(), validate_args=False)
        self._validate_args = validating

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return self.base_dist._draw_noise(source, sample_shape)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = softmax((α - log(-log u))/T)``; see :meth:`Pathwise.from_noise`. The noise is uniform."""
        # Not the exponential of the logarithm, whose rounding grows with the scores: this sums to 1.
        drawn = torch.softmax(self.base_dist._scores(noise), -1)
        return confine(drawn, positive_range(self.temperature)[0], math.inf).to(self.temperature.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats on the simplex, that of log y, less ``Σ_k log y_k``; -inf on its boundary."""
        if self._validate_args:
            self._validate_sample(value)
        inside = (value > 0).all(-1)
        log_value = torch.where(inside.unsqueeze(-1), widen(value), 0.5).log()
        log_density = self.base_dist.log_prob(log_value) - log_value.sum(-1)
        return narrow(torch.where(inside, log_density, -torch.inf), value, self.temperature)
