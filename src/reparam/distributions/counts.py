"""Laws on the whole numbers.

Their ``log_prob`` is computed in float64 and rounded once: its terms are large and nearly cancel, so that in float32
nothing would be left of it at counts of a million. A draw that is larger than the largest number of the dtype is that
number.
"""

from collections.abc import Sequence

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from reparam import noise
from reparam.distributions.base import Unreparameterized, _to_size
from reparam.distributions.odds import has_probs, log_likelihood, log_odds, odds_against, probs_or_logits
from reparam.distributions.parameters import above_zero, below_one
from reparam.distributions.precision import widen

__all__ = ["Binomial", "Geometric", "NegativeBinomial", "Poisson"]


class Poisson(Unreparameterized, td.Poisson):
    """The Poisson law: ``P(k) = λ^k·exp(-λ)/k!``.

    torch's ``Poisson`` with a generator for each draw and a ``log_prob`` that keeps its digits at large counts.

    Args:
        rate: λ, mean and variance, zero or more and finite; any shape.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Example:
        >>> Poisson(torch.tensor(1e6)).log_prob(torch.tensor(1e6))  # torch: -7.5
        tensor(-7.8267)
    """

    _instead = (
        "reparam.expectation(f, law, estimator=reparam.estimators.MeasureValued()), which takes d/dλ E[f(k)] = "
        "E[f(k + 1) - f(k)], unbiased for any f; or ScoreFunction() there, where f couples many counts"
    )

    def __init__(self, rate: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, rate=rate)

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Counts in the dtype of the parameter; see :meth:`Law.sample`."""
        shape = self._extended_shape(_to_size(sample_shape))
        return noise.poisson(self.rate.expand(shape), generator=generator)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats, ``k·log λ - λ - log k!``; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        count, rate = value.double(), self.rate.double()
        log_rate = torch.log(torch.where((count == 0) & (rate == 0), 1.0, rate))
        return (count * log_rate - rate - torch.lgamma(count + 1)).to(_dtype(value, self.rate))


class Binomial(Unreparameterized, td.Binomial):
    """The number of successes in n independent trials: ``P(k) = n!/(k!(n - k)!)·p^k·(1 - p)^(n - k)``.

    torch's ``Binomial`` with a generator for each draw, and exact for the parameter it was given, however small (torch
    turns ``probs`` into logits and so rounds every probability below 1e-7 up to that, in float32).

    Args:
        total_count: n, whole number(s) >= 0.
        probs: p, in [0, 1]; broadcasts against ``total_count``.
        logits: log odds of p, finite; likewise. Give one of the two.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: both or none of ``probs`` and ``logits`` are given; or as for :class:`Normal`.

    Example:
        >>> Binomial(10, probs=torch.tensor(1e-20)).log_prob(torch.tensor(1.0)).exp()
        tensor(1.0000e-19)
    """

    _instead = (
        "reparam.expectation(f, law, estimator=reparam.estimators.MeasureValued()), which takes d/dp E[f(k)] = "
        "n·E[f(k + 1) - f(k)] with k of n - 1 trials, unbiased for any f; or Enumerate(), exact, for few trials, or "
        "ScoreFunction() there, where f couples many counts"
    )

    def __init__(
        self,
        total_count: Tensor | float = 1,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        total_count = _as_dtype_of(total_count, *given.values())
        validating, (total_count, parameter) = self._checked(validate_args, total_count=total_count, **given)
        super().__init__(total_count, **dict.fromkeys(given, parameter), validate_args=False)
        self._validate_args = validating

    @property
    def variance(self) -> Tensor:
        """``n·p·(1 - p)``."""
        if has_probs(self):
            return self.total_count * self.probs * (1 - self.probs)
        return self.total_count * torch.sigmoid(self.logits) * torch.sigmoid(-self.logits)

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Counts in the dtype of the parameters; see :meth:`Law.sample`."""
        shape = self._extended_shape(_to_size(sample_shape))
        total_count = self.total_count.expand(shape)
        if has_probs(self):
            return noise.binomial(total_count, self.probs.expand(shape), generator=generator)
        # Whichever of success and failure is rarer is counted: its probability is the one with digits.
        rarer = torch.sigmoid(-self.logits.abs()).expand(shape)
        counted = noise.binomial(total_count, rarer, generator=generator)
        return torch.where(self.logits > 0, total_count - counted, counted).detach()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        successes, total = value.double(), self.total_count.double()
        failures = total - successes
        log_ways = torch.lgamma(total + 1) - torch.lgamma(successes + 1) - torch.lgamma(failures + 1)
        return (log_likelihood(self, successes, failures) + log_ways).to(_dtype(value, self.total_count))


class NegativeBinomial(Unreparameterized, td.NegativeBinomial):
    """The number of successes before the r-th failure: ``P(k) = Γ(k + r)/(k! Γ(r))·p^k·(1 - p)^r``, p of a success.

    The Poisson law whose rate has a Gamma law of shape r and scale p/(1 - p), which is how it is drawn. torch's
    ``NegativeBinomial`` (with the same meaning of ``probs``), with a generator for each draw, and exact for the
    parameter it was given.

    Args:
        total_count: r, zero or more and finite, not necessarily whole.
        probs: p, in [0, 1); broadcasts against ``total_count``.
        logits: log odds of p, finite; likewise. Give one of the two.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: both or none of ``probs`` and ``logits`` are given; or as for :class:`Normal`.

    Example:
        >>> law = NegativeBinomial(3.0, probs=torch.tensor(1e-20))
        >>> law.mean, law.log_prob(torch.tensor(1.0)).exp()
        (tensor(3.0000e-20), tensor(3.0000e-20))
    """

    arg_constraints = {  # noqa: RUF012
        "total_count": constraints.nonnegative,
        "probs": below_one,
        "logits": constraints.real,
    }
    _instead = (
        "reparam.expectation(f, law, estimator=reparam.estimators.MeasureValued()), unbiased for any f; or "
        "ScoreFunction() there, where f couples many counts"
    )

    def __init__(
        self,
        total_count: Tensor | float,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        total_count = _as_dtype_of(total_count, *given.values())
        validating, (total_count, parameter) = self._checked(validate_args, total_count=total_count, **given)
        super().__init__(total_count, **dict.fromkeys(given, parameter), validate_args=False)
        self._validate_args = validating

    @property
    def mean(self) -> Tensor:
        """``r·p/(1 - p)``."""
        return (widen(self.total_count) * self._odds).to(self.total_count.dtype)

    @property
    def mode(self) -> Tensor:
        """``⌊(r - 1)·p/(1 - p)⌋``, 0 for r <= 1."""
        return ((widen(self.total_count) - 1) * self._odds).floor().clamp(min=0).to(self.total_count.dtype)

    @property
    def variance(self) -> Tensor:
        """``r·p/(1 - p)²``."""
        return (widen(self.total_count) * self._odds * (1 + self._odds)).to(self.total_count.dtype)

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Counts in the dtype of the parameters; see :meth:`Law.sample`."""
        shape = self._extended_shape(_to_size(sample_shape))
        with torch.no_grad():
            count = widen(self.total_count)
            safe = torch.where(count > 0, count, 1.0)
            g, e = noise.standard_gamma(safe.expand(shape), generator=generator)
            rate = torch.exp(g.log() - e / safe + log_odds(self)) * (count > 0)
            counts = noise.poisson(rate, generator=generator)
            return counts.clamp(max=torch.finfo(self.total_count.dtype).max).to(self.total_count.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        successes, failures = value.double(), self.total_count.double()
        never = failures == 0  # then no trial is made: k = 0 for certain
        safe = torch.where(never, 1.0, failures)
        log_ways = torch.lgamma(successes + safe) - torch.lgamma(successes + 1) - torch.lgamma(safe)
        log_probability = log_likelihood(self, successes, safe) + log_ways
        certain = torch.where(successes == 0, 0.0, -torch.inf)
        return torch.where(never, certain, log_probability).to(_dtype(value, self.total_count))

    @property
    def _odds(self) -> Tensor:
        if has_probs(self):
            probs = widen(self.probs)
            return probs / (1 - probs)
        return widen(self.logits).exp()


class Geometric(Unreparameterized, td.Geometric):
    """The number of failures before the first success: ``P(k) = (1 - p)^k·p``.

    Drawn by the inverse CDF, ``k = ⌊log u / log(1 - p)⌋``, in float64. torch's ``Geometric`` with a generator for each
    draw, both tails, and exact for the parameter it was given.

    Args:
        probs: p, in (0, 1]; any shape.
        logits: log odds of p, finite. Give one of the two.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: both or none of the two are given; or as for :class:`Normal`.

    Example:
        >>> law = Geometric(logits=torch.tensor(40.0))
        >>> law.mean, law.log_prob(torch.tensor(1.0))
        (tensor(4.2484e-18), tensor(-40.))
    """

    arg_constraints = {"probs": above_zero, "logits": constraints.real}  # noqa: RUF012
    _instead = NegativeBinomial._instead

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (parameter,) = self._checked(validate_args, **given)
        super().__init__(**dict.fromkeys(given, parameter), validate_args=False)
        self._validate_args = validating

    @property
    def mean(self) -> Tensor:
        """``(1 - p)/p``."""
        return odds_against(self).to(self._like.dtype)

    @property
    def variance(self) -> Tensor:
        """``(1 - p)/p²``."""
        odds = odds_against(self)
        return (odds * (1 + odds)).to(self._like.dtype)

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Counts in the dtype of the parameter; see :meth:`Law.sample`."""
        shape = self._extended_shape(_to_size(sample_shape))
        with torch.no_grad():
            uniform = noise.uniform(shape, like=self._like, generator=generator)
            precise = self._like.double()
            hazard = -torch.log1p(-precise) if has_probs(self) else -logsigmoid(-precise)
            counts = torch.floor(-uniform.log() / hazard.clamp(min=torch.finfo(torch.float64).tiny))
            return counts.clamp(max=torch.finfo(self._like.dtype).max).to(self._like.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats, ``k·log(1 - p) + log p``; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        failures = value.double()
        return log_likelihood(self, torch.ones_like(failures), failures).to(_dtype(value, self._like))

    def entropy(self) -> Tensor:
        """Entropy in nats, ``-log p - (1 - p)/p·log(1 - p)``."""
        mean = odds_against(self)
        return -log_likelihood(self, torch.ones_like(mean), mean).to(self._like.dtype)


def _as_dtype_of(total_count: Tensor | float, parameter: Tensor | float) -> Tensor | float:
    """Whole numbers may come as an integer tensor, and then take the dtype of the other parameter."""
    if isinstance(total_count, Tensor) and not total_count.is_floating_point():
        return total_count.to(parameter.dtype if isinstance(parameter, Tensor) else torch.get_default_dtype())
    return total_count


def _dtype(value: Tensor, parameter: Tensor) -> torch.dtype:
    return torch.promote_types(value.dtype, parameter.dtype)
