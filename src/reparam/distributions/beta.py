"""The beta law and the ratio of two gamma draws: both are the beta law on the logit scale."""

import math
from typing import cast

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam import noise
from reparam.distributions.base import Implicit
from reparam.distributions.precision import exp_within, log_tails, narrow, open_sigmoid, positive_range, widen
from reparam.reparameterize import attach
from reparam.special.beta import (
    beta_excess_velocities,
    beta_log_density,
    beta_quantile,
    beta_velocities,
    log_betainc,
)

__all__ = ["Beta", "FisherSnedecor"]


class Beta(Implicit, td.Beta):
    """The beta law on (0, 1): density ``t^(a-1)·(1-t)^(b-1) / B(a, b)``, a = concentration1, b = concentration0.

    Draws are made on the logit scale, ``log t - log(1-t) = log g - log g'`` with two gamma draws, and move with both
    concentrations exactly, at concentrations of any size: torch's gradient is good to three digits, infinite in
    places, and at concentrations of 1e-3 a quarter of its draws are 0.5. What would round to 0 or 1 is the smallest
    or largest number between them.

    Args:
        concentration1: a, positive and finite; any shape.
        concentration0: b, positive and finite; broadcasts against ``concentration1``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: a parameter is NaN, infinite, an integer tensor or not positive; or shapes, dtypes or devices
            do not go together.

    Source: Figurnov, Mohamed & Mnih, arXiv:1805.08498, for the implicit gradient; ``reparam.special.beta``.

    Example:
        >>> a = torch.tensor(1.0, requires_grad=True)
        >>> draw = Beta(a, 1.0).from_noise(torch.tensor(0.5, dtype=torch.float64))  # the draw is 0.5^(1/a)
        >>> draw, torch.autograd.grad(draw, a)[0]
        (tensor(0.5000, grad_fn=<AddBackward0>), tensor(0.3466))
    """

    arg_constraints = {  # noqa: RUF012
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    # Plain attributes; torch's class has properties that read them out of a Dirichlet law.
    concentration1 = cast(Tensor, None)
    concentration0 = cast(Tensor, None)

    def __init__(
        self, concentration1: Tensor | float, concentration0: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self._set(validate_args, concentration1=concentration1, concentration0=concentration0)

    @property
    def mode(self) -> Tensor:
        """``(a-1) / (a+b-2)`` where both are above 1; 0 or 1 where the density is highest there; NaN where at both."""
        a, b = self.concentration1 - 1, self.concentration0 - 1
        inside = (a > 0) & (b > 0)
        ends = torch.where(a == b, torch.nan, (a > b).to(a.dtype))
        return torch.where(inside, a / torch.where(inside, a + b, 1.0), torch.where((a < 0) & (b < 0), torch.nan, ends))

    @property
    def mean(self) -> Tensor:
        """``a / (a + b)``."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> Tensor:
        """``E t·E(1-t) / (a + b + 1)``."""
        total = self.concentration1 + self.concentration0
        return self.mean * (self.concentration0 / total) / (total + 1)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        a, b = self._wide()
        logit = _log_gamma(a.expand(shape), generator) - _log_gamma(b.expand(shape), generator)
        return open_sigmoid(attach(logit, beta_velocities, a, b), self._like)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._log_quantile(*log_tails(lower, upper))

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        return open_sigmoid(beta_quantile(log_lower, log_upper, *self._wide()), self._like)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats; shape as broadcast. At 0 and 1 it is that of the next number inside."""
        if self._validate_args:
            self._validate_sample(value)
        a, b = self._wide()
        inside = widen(value).clamp(positive_range(widen(value))[0], 1 - torch.finfo(widen(value).dtype).eps / 2)
        log_t, log_rest = torch.log(inside), torch.log1p(-inside)
        return narrow(beta_log_density(log_t - log_rest, a, b) - log_t - log_rest, value, self._like)

    def cdf(self, value: Tensor) -> Tensor:
        """P(t <= value), with relative precision in the lower tail; differentiable in everything."""
        if self._validate_args:
            self._validate_sample(value)
        return self.log_cdf(value).exp()

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(t <= value)``, precise in both tails."""
        return self._log_tail(value, 0)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(t > value)``, precise in both tails."""
        return self._log_tail(value, 1)

    def _log_tail(self, value: Tensor, side: int) -> Tensor:
        wide = widen(value)
        inside = (wide > 0) & (wide < 1)
        kept = torch.where(inside, wide, 0.5)
        log_tail = log_betainc(kept.log() - torch.log1p(-kept), *self._wide())[side]
        nothing = (wide <= 0) if side == 0 else (wide >= 1)
        return narrow(torch.where(inside, log_tail, torch.where(nothing, -math.inf, 0.0)), value, self._like)

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        a, b = self._wide()
        log_beta = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
        means = (a - 1) * torch.digamma(a) + (b - 1) * torch.digamma(b) - (a + b - 2) * torch.digamma(a + b)
        return (log_beta - means).to(self._like.dtype)


class FisherSnedecor(Implicit, td.FisherSnedecor):
    """Fisher's F law: ``x = (g/df1) / (g'/df2)`` for chi-squared draws g, g' of df1 and df2 degrees of freedom.

    ``x·df1/df2`` are the odds of a Beta(df1/2, df2/2) draw, so log x moves with both parameters exactly. Where x or its
    derivative would over- or underflow, x is the last number before and does not move.

    Args:
        df1: degrees of freedom of the numerator, positive and finite; any shape.
        df2: degrees of freedom of the denominator, positive and finite; broadcasts against ``df1``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Beta`.

    Example:
        >>> law = FisherSnedecor(torch.tensor(3.0), torch.tensor(3.0))
        >>> law.icdf(torch.tensor(0.5)), law.cdf(torch.tensor(1.0))
        (tensor(1.0000), tensor(0.5000))
    """

    df1: Tensor
    df2: Tensor

    def __init__(self, df1: Tensor | float, df2: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, df1=df1, df2=df2)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        df1, df2 = self._wide()
        log_odds = _log_gamma((df1 / 2).expand(shape), generator) - _log_gamma((df2 / 2).expand(shape), generator)
        log_ratio = attach(log_odds - (df1 / df2).log(), log_f_velocities, df1, df2)
        return exp_within(log_ratio, self._like, 1000 / df1, 1000 / df2)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._log_quantile(*log_tails(lower, upper))

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        df1, df2 = self._wide()
        log_odds = beta_quantile(log_lower, log_upper, df1 / 2, df2 / 2)
        return exp_within(log_odds - (df1 / df2).log(), self._like, 1000 / df1, 1000 / df2)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        df1, df2 = self._wide()
        log_value = widen(value).log()
        return narrow(beta_log_density(log_value + (df1 / df2).log(), df1 / 2, df2 / 2) - log_value, value, self.df1)

    def cdf(self, value: Tensor) -> Tensor:
        """P(x <= value), with relative precision in the lower tail; differentiable in everything."""
        if self._validate_args:
            self._validate_sample(value)
        return self.log_cdf(value).exp()

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(x <= value)``, precise in both tails; -inf at 0 and below."""
        return self._log_tail(value, 0)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(x > value)``, precise in both tails; 0 at 0 and below."""
        return self._log_tail(value, 1)

    def _log_tail(self, value: Tensor, side: int) -> Tensor:
        df1, df2 = self._wide()
        inside = value > 0
        log_odds = torch.where(inside, widen(value), 1.0).log() + (df1 / df2).log()
        log_tail = log_betainc(log_odds, df1 / 2, df2 / 2)[side]
        return narrow(torch.where(inside, log_tail, 0.0 if side else -math.inf), value, self.df1)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: that of the log odds, and the mean of log x."""
        df1, df2 = self._wide()
        a, b = df1 / 2, df2 / 2
        log_beta = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
        means = (1 - a) * torch.digamma(a) - (1 + b) * torch.digamma(b) + (a + b) * torch.digamma(a + b)
        return (log_beta + means + (df2 / df1).log()).to(self.df1.dtype)


def log_f_velocities(log_ratio: Tensor, df1: Tensor, df2: Tensor) -> tuple[Tensor, Tensor]:
    """How log x of an F draw moves with both degrees of freedom."""
    along_1, along_2 = beta_excess_velocities(log_ratio + (df1 / df2).log(), df1 / 2, df2 / 2)
    return along_1 / 2, along_2 / 2


def _log_gamma(concentration: Tensor, generator: torch.Generator | None) -> Tensor:
    """The logarithm of a standard gamma draw, finite; no gradient."""
    concentration = concentration.detach()
    g, e = noise.standard_gamma(concentration, generator=generator)
    return g.log() - (e / concentration).clamp(max=torch.finfo(g.dtype).max / 4)
