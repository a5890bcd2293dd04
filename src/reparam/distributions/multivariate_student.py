"""Student's law in several dimensions: a normal vector, stretched by one random number."""

import math

import torch
from torch import Tensor
from torch.distributions import constraints

from reparam.distributions.base import Implicit
from reparam.distributions.gamma import LogGamma
from reparam.distributions.parameters import same_size
from reparam.distributions.precision import exp_within, narrow, widen
from reparam.distributions.triangular import half_log_det, solve, squared_length
from reparam.noise import standard_normal
from reparam.reparameterize import affine
from reparam.special.stirling import digamma_gap, lgamma_gap

__all__ = ["MultivariateStudentT"]


class MultivariateStudentT(Implicit):
    """Student's t in d dimensions: ``y = μ + L·ε/√g``, ``ε ~ N(0, I)``, ``g ~ Gamma(df/2, df/2)``.

    Density ``∝ (1 + |L⁻¹·(y - μ)|²/df)^(-(df + d)/2)``. g is drawn by its logarithm, so no ``df`` is too small; what
    would overflow is the largest number of the dtype, and does not move.

    Args:
        df: degrees of freedom, positive and finite; any shape.
        loc: μ, finite, shape ``[*batch_shape, d]``.
        scale_tril: L, lower triangular with a positive diagonal, ``[*batch_shape, d, d]``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: a parameter is not what it must be, or they do not go together.

    Example:
        >>> law = MultivariateStudentT(torch.tensor(4.0), torch.zeros(2), torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
        >>> law.variance  # df/(df - 2) times that of the normal law
        tensor([ 2., 50.])
    """

    arg_constraints = {  # noqa: RUF012
        "df": constraints.positive,
        "loc": constraints.real_vector,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    df: Tensor
    loc: Tensor
    scale_tril: Tensor
    _shared = ("_unbroadcasted_scale_tril",)

    def __init__(self, df: Tensor | float, loc: Tensor, scale_tril: Tensor, validate_args: bool | None = None) -> None:
        self._set(validate_args, shaped_like="loc", df=df, loc=loc, scale_tril=scale_tril)
        same_size(self, loc=-1, scale_tril=-1)
        self._unbroadcasted_scale_tril = widen(scale_tril)

    @property
    def mean(self) -> Tensor:
        """``loc``; NaN where ``df <= 1``."""
        return torch.where(self.df.unsqueeze(-1) > 1, self.loc, torch.nan)

    @property
    def mode(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The diagonal of ``L·Lᵀ``, times ``df/(df - 2)``; infinite where ``df <= 2``, NaN where ``df <= 1``."""
        df = widen(self.df).unsqueeze(-1)
        factor = torch.where(df > 2, df / torch.where(df > 2, df - 2, 1.0), torch.inf)
        variance = squared_length(self._unbroadcasted_scale_tril) * torch.where(df > 1, factor, torch.nan)
        return variance.to(self.loc.dtype).expand(self.loc.shape)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        normal = standard_normal(sample_shape + self.noise_shape, like=self.loc, generator=generator)
        half = widen(self.df) / 2
        log_g = LogGamma(half, half, validate_args=False).rsample(sample_shape, generator=generator)
        largest = torch.finfo(self.loc.dtype).max
        # A product of normals with a row of L makes it larger by this at most. There the factor ends, so that no sum is
        # inf - inf, and it stops moving before, so that no gradient overflows.
        lengths = squared_length(self._unbroadcasted_scale_tril.detach()).sqrt()
        rows = 1000 * self.event_shape[0] * lengths.amax(-1).clamp(min=1)
        factor = exp_within(-0.5 * log_g, half, 1000 / half, rows).minimum(largest / (1 + rows))
        drawn = affine(normal * factor.unsqueeze(-1), widen(self.loc), self._unbroadcasted_scale_tril)
        return drawn.clamp(-largest, largest).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        df = widen(self.df)
        standard = solve(self._unbroadcasted_scale_tril, value - widen(self.loc)) / df.sqrt().unsqueeze(-1)
        # log(1 + |x|²), of x divided by its largest element where that is above 1: the square may overflow.
        largest = standard.detach().abs().amax(-1).clamp(min=1)
        square = squared_length(standard / largest.unsqueeze(-1))
        log_tail = 2 * largest.log() + torch.log1p(square + (largest**-2 - 1))
        half, step = df / 2, torch.full_like(df, self.event_shape[0] / 2)
        log_scale = half_log_det(self._unbroadcasted_scale_tril)
        log_density = lgamma_gap(half, step) - step * math.log(2 * math.pi) - log_scale
        return narrow(log_density - (half + step) * log_tail, value, self.loc)

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        half = widen(self.df) / 2
        step = torch.full_like(half, self.event_shape[0] / 2)
        mean_log_tail = digamma_gap(half, step) + torch.log1p(step / half)
        nats = (half + step) * mean_log_tail - lgamma_gap(half, step) + step * math.log(2 * math.pi)
        return (nats + half_log_det(self._unbroadcasted_scale_tril)).to(self.loc.dtype).expand(self.batch_shape)
