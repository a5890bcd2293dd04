"""The power spherical law: directions gathered around one, by way of the beta law."""

import math

import torch
from torch import Tensor
from torch.distributions import constraints, register_kl
from torch.nn.functional import logsigmoid

from reparam.distributions.base import Pathwise
from reparam.distributions.directions import coordinate_variance, half_squared_distance, log_area, normalize, split
from reparam.distributions.hyperspherical_uniform import HypersphericalUniform
from reparam.distributions.parameters import unit_vector
from reparam.distributions.precision import narrow
from reparam.errors import ParameterError
from reparam.noise import Source
from reparam.special import beta_quantile, log_betainc
from reparam.special.stirling import digamma_gap, lgamma_gap

__all__ = ["PowerSpherical"]


class PowerSpherical(Pathwise):
    """The power spherical law on the unit sphere in d dimensions: density ∝ ``(1 + μ·x)^κ``.

    ``t = (1 + μ·x)/2`` follows Beta(b + κ, b), ``b = (d-1)/2``. A draw slides from a direction uniform on the sphere
    towards μ, as in :class:`VonMisesFisher`, to the t with the same probability below it: smooth at every μ, and exact
    in both parameters.

    Only the direction of ``loc`` counts, also for derivatives: they lie in the tangent plane.

    Args:
        loc: μ, the mean direction, of length 1; shape ``[*batch_shape, d]``, d >= 2.
        concentration: κ, positive and finite; broadcasts against the batch shape of ``loc``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`VonMisesFisher`.

    Example:
        >>> law = PowerSpherical(torch.tensor([0.0, 0.6, 0.8]), torch.tensor(2.0))
        >>> law.mean  # μ·κ/(κ + d - 1)
        tensor([0.0000, 0.3000, 0.4000])

    Source: N. De Cao & W. Aziz, arXiv:2006.04437.
    """

    arg_constraints = {"loc": unit_vector, "concentration": constraints.positive}  # noqa: RUF012
    support = unit_vector
    loc: Tensor
    concentration: Tensor

    def __init__(self, loc: Tensor, concentration: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, "loc", loc=loc, concentration=concentration)
        if self.event_shape[0] < 2:
            raise ParameterError(f"PowerSpherical: loc must have at least 2 elements; got {self.event_shape[0]}")

    @property
    def mean(self) -> Tensor:
        """``μ·κ/(κ + d - 1)``, inside the ball."""
        loc, concentration = self._wide()
        length = concentration / (concentration + self.event_shape[0] - 1)
        return (length.unsqueeze(-1) * normalize(loc)).to(self.loc.dtype)

    @property
    def mode(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Of each coordinate."""
        loc, concentration = self._wide()
        a, b = self._shapes(concentration)
        total = a + b
        across = 2 * (a / total) / (total + 1)
        return coordinate_variance(normalize(loc), across * (2 * b / total), across).to(self.loc.dtype)

    def _shapes(self, concentration: Tensor) -> tuple[Tensor, Tensor]:
        """Of the beta law of t."""
        b = torch.full_like(concentration, (self.event_shape[0] - 1) / 2)
        return b + concentration, b

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``x = μ (2t - 1) + 2 e √(t (1-t))``; see :meth:`Pathwise.from_noise`. The noise is standard normal.

        Here e is the unit vector across μ that points to where the draw came from.
        """
        loc, concentration = self._wide()
        pole = normalize(loc)
        cosine, sine, tangent = split(normalize(noise.to(loc.dtype)), pole)
        near = cosine > 0
        half_tangent = torch.where(near, sine, 1 - cosine) / torch.where(near, 1 + cosine, sine)
        a, b = self._shapes(concentration)
        logit = beta_quantile(*log_betainc(-2 * half_tangent.log(), b, b), a, b).unsqueeze(-1)
        across = 2 * torch.exp((logsigmoid(logit) + logsigmoid(-logit)) / 2)
        return normalize(pole * torch.tanh(logit / 2) + tangent * across).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats with respect to the sphere's area; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        loc, concentration = self._wide()
        pole = normalize(loc)
        from_pole, from_antipole = half_squared_distance(value, pole), half_squared_distance(value, -pole)
        near = from_pole < 1
        log_t = torch.where(
            near, torch.log1p(-torch.where(near, from_pole, 0) / 2), torch.where(near, 1, from_antipole / 2).log()
        )
        log_density = concentration * log_t - self._log_mean_power(concentration) - log_area(self.event_shape[0])
        return narrow(log_density, value, self.loc)

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        return (log_area(self.event_shape[0]) - self._information()).to(self.loc.dtype)

    def _log_mean_power(self, concentration: Tensor) -> Tensor:
        """``log E[t^κ]`` under the uniform law: ``log B(b + κ, b) - log B(b, b)``."""
        a, b = self._shapes(concentration)
        half = (self.event_shape[0] - 1) / 2
        return math.lgamma(2 * half) - math.lgamma(half) - b * a.log() - lgamma_gap(a, b)

    def _information(self) -> Tensor:
        """``E[log p]`` less that of the uniform law."""
        _, concentration = self._wide()
        a, b = self._shapes(concentration)
        mean_log = -(torch.log1p(b / a) + digamma_gap(a, b))
        return concentration * mean_log - self._log_mean_power(concentration)


@register_kl(PowerSpherical, HypersphericalUniform)  # type: ignore[untyped-decorator]
def _kl_uniform(p: PowerSpherical, q: HypersphericalUniform) -> Tensor:
    shape = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    return p._information().expand(shape).to(p.loc.dtype)
