"""The projected normal law: directions of normal vectors."""

import math

import torch
from torch import Tensor
from torch.distributions import constraints

from reparam.distributions.base import Pathwise
from reparam.distributions.directions import length, normalize
from reparam.distributions.parameters import unit_vector
from reparam.distributions.precision import narrow, widen
from reparam.errors import ParameterError
from reparam.noise import Source
from reparam.special.quadrature import gauss_legendre

__all__ = ["ProjectedNormal"]

_DEPTH = 40.0  # in nats below the largest value: there an integral is cut
_RULES = {torch.float32: gauss_legendre(32), torch.float64: gauss_legendre(48)}


class ProjectedNormal(Pathwise):
    """The direction of a normal vector: ``x = z/|z|``, ``z ~ N(loc, I)``, on the unit sphere in d dimensions.

    Uniform at ``loc = 0``; the longer ``loc`` is, the closer draws lie to its direction. Its density is an integral
    over the length of z, computed to 1e-12 in every dimension.

    Args:
        loc: mean of z, finite; shape ``[*batch_shape, d]``, d >= 2.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: ``loc`` is NaN or infinite somewhere, an integer tensor, or has d < 2.

    Example:
        >>> law = ProjectedNormal(torch.tensor([0.0, 3.0]))
        >>> law.from_noise(torch.tensor([3.0, 1.0]))
        tensor([0.6000, 0.8000])

    Source: D. Hernandez-Stumpfhauser et al., "The general projected normal distribution of arbitrary dimension", 2017.
    """

    arg_constraints = {"loc": constraints.real_vector}  # noqa: RUF012
    support = unit_vector
    loc: Tensor

    def __init__(self, loc: Tensor, validate_args: bool | None = None) -> None:
        self._set(validate_args, "loc", loc=loc)
        if self.event_shape[0] < 2:
            raise ParameterError(f"ProjectedNormal: loc must have at least 2 elements; got {self.event_shape[0]}")

    @property
    def mean(self) -> Tensor:
        """``loc · √(2/π) ∫ exp(-|loc|² sin²φ / 2) cos^d φ dφ`` over (0, π/2), inside the ball."""
        loc, dim = widen(self.loc), self.event_shape[0]
        distance = length(loc)
        width = (math.sqrt(2 * _DEPTH) / torch.hypot(distance.detach(), loc.new_tensor(dim**0.5))).clamp(max=1)
        nodes, weights = _RULES[loc.dtype].along_first(distance)
        angle = nodes * width * (math.pi / 2)
        integrand = torch.exp(-0.5 * (distance * torch.sin(angle)) ** 2) * torch.cos(angle) ** dim
        integral = (weights * integrand).sum(0) * width * (math.pi / 2)
        return (loc * math.sqrt(2 / math.pi) * integral).to(self.loc.dtype)

    @property
    def mode(self) -> Tensor:
        """The direction of ``loc``."""
        return normalize(widen(self.loc)).to(self.loc.dtype)

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``x = (loc + ε)/|loc + ε|``; see :meth:`Pathwise.from_noise`. The noise is standard normal."""
        return normalize(widen(self.loc) + noise).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats with respect to the sphere's area; shape as broadcast.

        ``log ∫ r^(d-1) exp(-(r - w)²/2) dr - |loc - w x|²/2 - d log(2π)/2``, with ``w = loc·x``.
        """
        if self._validate_args:
            self._validate_sample(value)
        loc, dim = widen(self.loc), self.event_shape[0]
        direction = normalize(value.to(torch.promote_types(value.dtype, loc.dtype)))
        along = (loc * direction).sum(-1)
        across = (loc - along.unsqueeze(-1) * direction).square().sum(-1)
        log_density = _log_radial_integral(along, dim - 1) - across / 2 - dim / 2 * math.log(2 * math.pi)
        return narrow(log_density, value, self.loc)


def _log_radial_integral(w: Tensor, power: int) -> Tensor:
    """``log ∫ r^power exp(-(r - w)²/2) dr`` over r > 0: Gauss-Legendre around the largest value of the integrand."""
    with torch.no_grad():
        root = torch.hypot(w, torch.full_like(w, 2 * math.sqrt(power)))
        peak = torch.where(w > 0, (w + root) / 2, 2 * power / (root - w.clamp(max=0)))
        # On the left the curvature grows. On the right the parabola alone, or the power alone, bounds the width.
        left = torch.minimum(peak, math.sqrt(2 * _DEPTH) / (1 + power / peak**2).sqrt())
        excess = _DEPTH / power
        right = (peak * (excess + math.sqrt(excess**2 + 2 * excess))).clamp(max=math.sqrt(2 * _DEPTH))
    nodes, weights = _RULES[w.dtype].along_first(w)
    offset = nodes * (left + right) - left  # r - peak
    pull = power / peak - (w - w.detach())  # peak - w, with its derivative
    exponent = power * torch.log1p(offset / peak) - offset * (offset / 2 + pull)
    log_integral = (weights * exponent.exp()).sum(0).log() + (left + right).log()
    return log_integral + power * peak.log() - pull**2 / 2
