"""The generalized normal law: Laplace, normal and uniform in one family, by the power in the exponent."""

import math

import torch
from torch import Tensor
from torch.distributions import constraints

from reparam import noise
from reparam.distributions.base import Implicit
from reparam.distributions.gamma import draw_log_standard
from reparam.distributions.precision import exp_within, narrow, standardize
from reparam.reparameterize import attach, location_scale
from reparam.special import log_gamma_quantile, log_gamma_tails, log_gamma_velocity

__all__ = ["GeneralizedNormal"]


class GeneralizedNormal(Implicit):
    """The generalized normal law: density ``exp(-|ε|^power) / (2 scale Γ(1 + 1/power))``, ``ε = (y - loc) / scale``.

    Laplace at power 1, normal with standard deviation ``scale/√2`` at 2, and the uniform law on ``loc ± scale`` as the
    power grows; also called exponential power or Subbotin's law. ``|ε|^power`` follows Gamma(1/power, 1), whose exact
    velocity moves the draw with the power. A draw that would overflow is the largest number of its dtype.

    Args:
        loc: the centre, finite; any shape.
        scale: positive and finite; broadcasts.
        power: positive and finite; broadcasts.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: a parameter outside its range, or an integer tensor; or shapes, dtypes or devices do not go
        together.

    Example:
        >>> law = GeneralizedNormal(torch.tensor(1.0), 2.0, torch.tensor([1.0, 2.0, 1e6]))
        >>> law.variance
        tensor([8.0000, 2.0000, 1.3333])
    """

    arg_constraints = {  # noqa: RUF012
        "loc": constraints.real,
        "scale": constraints.positive,
        "power": constraints.positive,
    }
    support = constraints.real
    loc: Tensor
    scale: Tensor
    power: Tensor

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        power: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self._set(validate_args, loc=loc, scale=scale, power=power)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        _, scale, power = self._wide()
        power = power.expand(self._extended_shape(sample_shape))
        fixed = power.detach()
        log_x = draw_log_standard(1 / fixed, generator)
        sign = 2 * noise.bernoulli(torch.full_like(fixed, 0.5), generator=generator) - 1
        log_size = attach(log_x / fixed, _log_velocities, power)
        return self._located(sign * exp_within(log_size, power, 1000 / power, scale))

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        power = self._wide()[2].double()
        smaller, power = torch.broadcast_tensors(torch.minimum(lower, upper).double(), power)
        twice = 2 * smaller.detach()
        log_x = log_gamma_quantile(1 / power.detach(), torch.log1p(-twice), twice.log())
        size = exp_within(log_x / power.detach(), power)
        standard = torch.where(lower < upper, -size, size)
        return self._located(attach(standard, _quantile_partials, lower.double().expand(power.shape), power))

    def _located(self, standard: Tensor) -> Tensor:
        loc, scale, _ = self._wide()
        largest = torch.finfo(loc.dtype).max
        return location_scale(standard, loc, scale).clamp(-largest, largest).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        _, scale, power = self._wide()
        log_density = _log_density(standardize(value, self.loc, self.scale), power) - scale.log()
        return narrow(log_density, value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail; differentiable in value and parameters."""
        if self._validate_args:
            self._validate_sample(value)
        standard, power = torch.broadcast_tensors(standardize(value, self.loc, self.scale), self._wide()[2])
        wide, exact = standard.detach().double(), power.detach().double()
        below, above = log_gamma_tails(exact * _nonzero(wide).abs().log(), 1 / exact)
        tail = torch.where(wide < 0, above.exp(), 1 + torch.where(wide == 0, 0.0, below.exp())) / 2
        return narrow(attach(tail.to(standard.dtype), _cdf_partials, standard, power), value, self.loc)

    @property
    def mean(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """``scale² Γ(3/power) / Γ(1/power)``."""
        _, scale, power = self._wide()
        # Γ(3a) / Γ(a) without the poles at a = 0, where it is 1/3.
        ratio = torch.exp(torch.lgamma(1 + 3 / power) - torch.lgamma(1 + 1 / power)) / 3
        return (scale**2 * ratio).to(self.loc.dtype)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``1/power + log(2 scale Γ(1 + 1/power))``."""
        _, scale, power = self._wide()
        return (1 / power + math.log(2) + scale.log() + torch.lgamma(1 + 1 / power)).to(self.loc.dtype)


def _velocities(standard: Tensor, power: Tensor) -> tuple[Tensor]:
    """``∂ε/∂power`` at a fixed level: log x = power · log|ε| moves with a = 1/power."""
    largest = torch.finfo(standard.dtype).max
    moving = (standard.abs() < largest / 2) & (standard != 0)  # what overflows does not move
    inside = torch.where(moving, standard, 1.0)
    speed = inside * _log_velocities(inside.abs().log(), power)[0]
    return (torch.where(moving, speed, 0.0).clamp(-largest, largest),)


def _log_velocities(log_size: Tensor, power: Tensor) -> tuple[Tensor]:
    return (-(log_gamma_velocity(power * log_size, 1 / power) / power**2 + log_size) / power,)


def _quantile_partials(standard: Tensor, lower: Tensor, power: Tensor) -> tuple[Tensor, Tensor]:
    return torch.exp(-_log_density(standard, power)), *_velocities(standard, power)


def _cdf_partials(value: Tensor, standard: Tensor, power: Tensor) -> tuple[Tensor, Tensor]:
    density = _log_density(standard, power).exp()
    return density, -density * _velocities(standard, power)[0]


def _log_density(standard: Tensor, power: Tensor) -> Tensor:
    exponent = torch.where(standard == 0, 0.0, _nonzero(standard).abs() ** power)
    return -exponent - math.log(2) - torch.lgamma(1 + 1 / power)


def _nonzero(standard: Tensor) -> Tensor:
    return torch.where(standard == 0, 1.0, standard)
