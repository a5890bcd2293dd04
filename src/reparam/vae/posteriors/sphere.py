"""Families for directions: latents on the unit sphere, where no place is special."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from reparam.distributions import PowerSpherical, VonMisesFisher
from reparam.distributions.directions import length
from reparam.errors import ParameterError, whole_number
from reparam.vae.limits import soft_bound

__all__ = ["PowerSphericalFamily", "VonMisesFisherFamily"]


class _Directions(nn.Module, ABC):
    """A mean direction μ and a concentration κ.

    μ is the direction of the outputs, to which the first unit vector is added, so that outputs of 0 have one. ``log κ``
    is softly bounded to ±10 around ``log((D + 1)/10)``, where the law is nearly uniform and yet knows where μ is: the
    mean of a draw is about ``μ/10``.
    """

    first: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        size = whole_number(f"{type(self).__name__}: latent_dim", latent_dim, error=ParameterError) + 1
        self.register_buffer("first", torch.eye(size)[0], persistent=False)

    def num_outputs(self, num_values: int) -> int:
        """The direction, one number more than degrees of freedom, and the concentration."""
        return num_values + 2

    def forward(self, outputs: Tensor) -> Distribution:
        """The law with these parameters."""
        size = len(self.first)
        raw, raw_log_concentration = outputs.split([size, 1], dim=1)
        concentration = size / 10 * soft_bound(raw_log_concentration.squeeze(1), -10.0, 10.0).exp()
        return self._law(_direction(raw, self.first.to(raw)), concentration)

    @abstractmethod
    def _law(self, loc: Tensor, concentration: Tensor) -> Distribution: ...


class VonMisesFisherFamily(_Directions):
    """Von Mises-Fisher laws on the sphere of ``D`` degrees of freedom, in ``D + 1`` coordinates.

    Outputs of 0 are within ``(D + 1)/200`` nats of the uniform law.

    Shapes:
        outputs: ``[B, D + 2]``: the direction, and the raw log-concentration; the law has event shape ``[D + 1]``.

    Args:
        latent_dim: degrees of freedom ``D``, at least 1: 1 is a circle.

    Source: Davidson et al. 2018, arXiv:1804.00891.

    Example:
        >>> family = VonMisesFisherFamily(2)
        >>> law = family(torch.zeros(4, family.num_outputs(2)))
        >>> law.event_shape, law.loc[0], law.concentration[0]
        (torch.Size([3]), tensor([1., 0., 0.]), tensor(0.3000))
    """

    def _law(self, loc: Tensor, concentration: Tensor) -> VonMisesFisher:
        return VonMisesFisher(loc, concentration, validate_args=False)


class PowerSphericalFamily(_Directions):
    """Power spherical laws on the sphere of ``D`` degrees of freedom, in ``D + 1`` coordinates: cheaper to draw.

    Shapes and arguments are those of :class:`VonMisesFisherFamily`.

    Source: De Cao & Aziz 2020, arXiv:2006.04437.

    Example:
        >>> family = PowerSphericalFamily(2)
        >>> family(torch.zeros(4, family.num_outputs(2))).event_shape
        torch.Size([3])
    """

    def _law(self, loc: Tensor, concentration: Tensor) -> PowerSpherical:
        return PowerSpherical(loc, concentration, validate_args=False)


def _direction(raw: Tensor, first: Tensor) -> Tensor:
    """The direction of ``raw + first``; where that is 0, which no network hits but by design, ``first``."""
    moved = raw + first
    size = length(moved)
    # Nearer to 0 than rounding lets it come, the direction would turn infinitely fast.
    known = size > torch.finfo(raw.dtype).eps
    return torch.where(known, moved, first) / torch.where(known, size, 1.0)
