"""The von Mises law: on the circle what the normal law is on the line."""

import math

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import InverseCdf
from reparam.distributions.polar_angle import PolarAngle
from reparam.distributions.precision import narrow
from reparam.reparameterize import attach
from reparam.special import bessel_ratio, bessel_ratio_complement, log_normalized_ive

__all__ = ["VonMises"]


class VonMises(InverseCdf, td.VonMises):
    """The von Mises law on the circle: density ``exp(κ cos(y - μ)) / 2π I_0(κ)``, angles in radians.

    torch's ``VonMises`` with ``rsample``: a draw is ``μ + δ``, brought to [-π, π), where the deviation δ in (-π, π) is
    the quantile of a uniform number. So ``∂y/∂μ = 1``, and ``∂y/∂κ = -(∂F/∂κ)/p`` by quadrature: to 1e-10 in float64
    and 1e-5 in float32, at every κ. CDF and quantile start opposite the mode, at ``μ - π``.

    Args:
        loc: μ, the mean direction, finite; angles are taken modulo 2π; any shape.
        concentration: κ, positive and finite, about 1/variance where large; broadcasts against ``loc``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: a parameter is NaN, infinite, an integer tensor, a concentration <= 0; or shapes, dtypes or
            devices do not go together.

    Example:
        >>> law = VonMises(torch.tensor(3.0), torch.tensor(100.0))
        >>> law.from_noise(torch.tensor([0.01, 0.5, 0.99]))  # past π the angles go on from -π
        tensor([ 2.7665,  3.0000, -3.0497])
    """

    def __init__(self, loc: Tensor | float, concentration: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, concentration=concentration)

    @property
    def variance(self) -> Tensor:
        """The circular variance ``1 - E[cos(y - loc)]``, in (0, 1)."""
        return bessel_ratio_complement(0.0, self.concentration)

    @property
    def stddev(self) -> Tensor:
        """The root of :attr:`variance`."""
        return self.variance.sqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``-2κ sin²((value - μ)/2) - log(2π I_0(κ) exp(-κ))``; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        loc, concentration = self._wide()
        from_mode = -2 * concentration * torch.sin((value - loc) / 2) ** 2
        log_density = from_mode - log_normalized_ive(0.0, concentration) - math.log(2 * math.pi)
        return narrow(log_density, value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of the arc from ``μ - π`` on to ``value``, with relative precision where it is small."""
        if self._validate_args:
            self._validate_sample(value)
        loc, concentration = self._wide()
        deviation, concentration = torch.broadcast_tensors(_wrap(value - loc), concentration)
        concentration = concentration.to(deviation.dtype)
        nearer, farther = PolarAngle(concentration, 0).tails(_angle(deviation))
        return narrow(torch.where(deviation < 0, farther / 2, 0.5 + nearer / 2), value, self.loc)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        loc, concentration = self._wide()
        law = PolarAngle(concentration.detach(), 0)
        inside = (upper - lower).abs().clamp(min=torch.finfo(lower.dtype).tiny)
        angle = law.quantile(inside, 2 * torch.minimum(lower, upper))
        deviation = attach(torch.where(lower < upper, -angle, angle), _deviation_velocities, concentration, lower)
        return _wrap(loc + deviation)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``log(2π I_0(κ)) - κ I_1(κ)/I_0(κ)``."""
        _, concentration = self._wide()
        spread = concentration * bessel_ratio_complement(0.0, concentration)
        entropy = math.log(2 * math.pi) + log_normalized_ive(0.0, concentration) + spread
        return entropy.to(self.loc.dtype)


def _deviation_velocities(deviation: Tensor, concentration: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
    """How δ moves with κ, and with the probability below it."""
    law, angle = PolarAngle(concentration, 0), _angle(deviation)
    velocity = law.velocity(angle)
    # Half of the density of the angle is on either side.
    return torch.where(deviation < 0, -velocity, velocity), 2 * torch.exp(-law.log_density(angle))


def _angle(deviation: Tensor) -> Tensor:
    """``|δ|``, positive, with a derivative at 0 too."""
    sign = torch.where(deviation < 0, -1.0, 1.0).to(deviation.dtype)
    return sign * deviation + torch.finfo(deviation.dtype).tiny


def _wrap(angle: Tensor) -> Tensor:
    """In [-π, π), up to rounding; bit for bit the same where it is there already."""
    inside = (angle >= -math.pi) & (angle < math.pi)
    return torch.where(inside, angle, torch.remainder(angle + math.pi, 2 * math.pi) - math.pi)


@td.register_kl(VonMises, VonMises)  # type: ignore[untyped-decorator]
def _kl_von_mises(p: VonMises, q: VonMises) -> Tensor:
    """``E_p[log p - log q]``, with ``E_p[cos(y - μ_q)] = A(κ_p) cos(μ_p - μ_q)``."""
    (loc_p, kappa_p), (loc_q, kappa_q) = p._wide(), q._wide()
    ratio, complement = bessel_ratio(0.0, kappa_p), bessel_ratio_complement(0.0, kappa_p)
    to_q = complement + 2 * ratio * torch.sin((loc_p - loc_q) / 2) ** 2
    totals = log_normalized_ive(0.0, kappa_q) - log_normalized_ive(0.0, kappa_p)
    return (kappa_q * to_q - kappa_p * complement + totals).to(p.loc.dtype)
