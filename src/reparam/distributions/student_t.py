"""Student's t law."""

import math

import torch
import torch.distributions as td
from torch import Tensor

from reparam import noise
from reparam.distributions.base import Implicit
from reparam.distributions.precision import exp_within, narrow, standardize
from reparam.reparameterize import attach, location_scale
from reparam.special.beta import beta_quantile, log_betainc
from reparam.special.stirling import stirling_remainder
from reparam.special.student import log_student_velocity

__all__ = ["StudentT"]


class StudentT(Implicit, td.StudentT):
    """Student's t law: ``y = loc + scale·ε``, ε with density proportional to ``(1 + ε²/df)^(-(df+1)/2)``.

    ε² is an F draw with 1 and df degrees of freedom, so log|ε| moves with df exactly: the gradient is that of the one
    dimensional law, from the smallest df to the normal limit, where it falls as 1/df². Where a draw or its
    derivative would overflow (often for df below 0.1), the draw is the last number before and does not move with df.

    Args:
        df: degrees of freedom, positive and finite; any shape.
        loc: median, finite; broadcasts.
        scale: positive and finite; broadcasts.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Source: ``reparam.special.student``.

    Example:
        >>> law = StudentT(torch.tensor(1.0), torch.tensor([0.0, 10.0]), 2.0)  # Cauchy's law
        >>> law.icdf(torch.tensor(0.75))
        tensor([ 2.0000, 12.0000])
    """

    def __init__(
        self,
        df: Tensor | float,
        loc: Tensor | float = 0.0,
        scale: Tensor | float = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        self._set(validate_args, df=df, loc=loc, scale=scale)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        df, _, scale = self._wide()
        half, largest = (df.detach() / 2).expand(shape), torch.finfo(df.dtype).max
        normal = noise.standard_normal(shape, like=df, generator=generator)
        g, e = noise.standard_gamma(half, generator=generator)
        # The draw is normal · sqrt(half / (g exp(-e / half))). Of that root the root, twice, so that it is finite: 0
        # times something infinite does not occur.
        log_spread = (e / half).clamp(max=largest) - (g / half).log()
        root = torch.exp(log_spread / 4).clamp(max=largest)
        standard = (normal * root * root).clamp(-largest, largest)
        return self._place(attach(standard, _draw_velocities, df, scale))

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        df, _, scale = self._wide()
        with torch.no_grad():
            outside = 2 * torch.minimum(lower, upper)
            tiny = torch.finfo(lower.dtype).tiny
            inside = (upper - lower).abs().clamp(min=tiny)
            log_odds = beta_quantile(outside.log(), inside.log(), df.detach() / 2, torch.full_like(df, 0.5))
            size = exp_within((df.log() - log_odds) / 2, df, 1000 / df, scale)
            standard = torch.where(lower < upper, -size, size) * (lower != upper)
        return self._place(attach(standard, _quantile_velocity, lower, upper, df))

    def _place(self, standard: Tensor) -> Tensor:
        _, loc, scale = self._wide()
        largest = torch.finfo(self.loc.dtype).max
        return location_scale(standard, loc, scale).clamp(-largest, largest).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        df, _, scale = self._wide()
        largest = torch.finfo(df.dtype).max  # of a draw that is the last number, with a scale below 1
        standard = standardize(value, self.loc, self.scale).clamp(-largest, largest)
        log_density = _log_density(standard, df) - scale.log()
        return narrow(log_density, value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail; differentiable in everything."""
        if self._validate_args:
            self._validate_sample(value)
        standard, df = torch.broadcast_tensors(standardize(value, self.loc, self.scale), self._wide()[0])
        with torch.no_grad():
            outside = log_betainc(df.log() - 2 * _log_size(standard), df / 2, torch.full_like(df, 0.5))[0].exp() / 2
            probability = torch.where(standard < 0, outside, 1 - outside)
        return narrow(attach(probability, _cdf_velocity, standard, df), value, self.loc)

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(y <= value)``, precise in both tails."""
        return self._log_tail(value, 1)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(y > value)``, precise in both tails."""
        return self._log_tail(value, -1)

    def _log_tail(self, value: Tensor, side: int) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        standard, df = torch.broadcast_tensors(side * standardize(value, self.loc, self.scale), self._wide()[0])
        with torch.no_grad():
            outside = log_betainc(df.log() - 2 * _log_size(standard), df / 2, torch.full_like(df, 0.5))[0] - math.log(2)
            log_tail = torch.where(standard < 0, outside, torch.log1p(-outside.exp()))
        return narrow(attach(log_tail, _log_cdf_velocity, standard, df), value, self.loc)

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        df, _, scale = self._wide()
        spread = (df + 1) / 2 * (torch.digamma((df + 1) / 2) - torch.digamma(df / 2))
        return (spread - _log_density(torch.zeros_like(df), df) + scale.log()).to(self.loc.dtype)


def _log_density(standard: Tensor, df: Tensor) -> Tensor:
    half = df / 2
    # log Γ(half + 1/2) - log Γ(half) - log(2·half)/2 without the cancellation
    top = half * torch.log1p(0.5 / half) - 0.5 + stirling_remainder(half + 0.5) - stirling_remainder(half)
    far = standard.abs() > 1e10 * df.sqrt()
    near_fall = torch.log1p((torch.where(far, 0.0, standard) / df.sqrt()) ** 2)
    fall = torch.where(far, 2 * torch.where(far, standard.abs(), 1.0).log() - df.log(), near_fall)
    return top - 0.5 * math.log(2 * math.pi) - (half + 0.5) * fall


def _log_size(standard: Tensor) -> Tensor:
    return standard.abs().clamp(min=torch.finfo(standard.dtype).tiny).log()


def _draw_velocities(standard: Tensor, df: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Of the draw before it is scaled; it stops moving where a derivative of the scaled one could overflow.

    That of the logarithm of a heavy-tailed draw is of the size of the logarithm, at most some hundreds, over df.
    """
    room = torch.finfo(df.dtype).max / (1 + 1000 / df.detach()) / (1 + scale.detach())
    moving = torch.where(standard.abs() <= room, standard, 0.0)
    return moving * log_student_velocity(_log_size(standard), df), torch.zeros_like(scale)


def _quantile_velocity(standard: Tensor, lower: Tensor, upper: Tensor, df: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    along_df = log_student_velocity(_log_size(standard), df)
    slope = torch.exp(-_log_density(standard, df))
    # It moves with the smaller tail, which alone is exact.
    return torch.where(lower < upper, slope, 0.0), torch.where(lower < upper, 0.0, -slope), standard * along_df


def _log_cdf_velocity(log_cdf: Tensor, standard: Tensor, df: Tensor) -> tuple[Tensor, Tensor]:
    along_df = log_student_velocity(_log_size(standard), df)
    slope = torch.exp(_log_density(standard, df) - log_cdf)
    return slope, -slope * standard * along_df


def _cdf_velocity(_: Tensor, standard: Tensor, df: Tensor) -> tuple[Tensor, Tensor]:
    along_df = log_student_velocity(_log_size(standard), df)
    density = torch.exp(_log_density(standard, df))
    return density, -density * standard * along_df
