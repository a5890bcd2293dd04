"""Laws of the latent variable before any data is seen, with nothing to learn."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from reparam.distributions import (
    Bernoulli,
    Beta,
    Dirichlet,
    Gamma,
    HypersphericalUniform,
    Independent,
    Normal,
    OneHotCategorical,
    VonMises,
)

__all__ = [
    "FixedPrior",
    "StandardNormal",
    "even_classes",
    "fair_coins",
    "uniform_angles",
    "uniform_direction",
    "uniform_interval",
    "uniform_simplex",
    "unit_gamma",
]


class FixedPrior(nn.Module):
    """A prior without anything to learn. Calling it gives the law, as every prior does.

    Args:
        make: from the parameters, by name, to a law with batch shape ``[]``.
        parameters: tensors, which move with the model from device to device.

    Example:
        >>> prior = FixedPrior(lambda rate: Independent(Gamma(torch.ones_like(rate), rate), 1), rate=torch.ones(3))
        >>> prior().event_shape
        torch.Size([3])
    """

    def __init__(self, make: Callable[..., Distribution], **parameters: Tensor) -> None:
        super().__init__()
        self.make, self.names = make, tuple(parameters)
        for name, value in parameters.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self) -> Distribution:
        """The law."""
        return self.make(**{name: getattr(self, name) for name in self.names})


class StandardNormal(FixedPrior):
    """The prior ``N(0, I)``.

    Args:
        latent_dim: number of latent dimensions ``D``, at least 1.

    Example:
        >>> prior = StandardNormal(3)
        >>> prior().log_prob(torch.zeros(3))           # -3/2 · log(2π) nats
        tensor(-2.7568)
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__(_normal, loc=torch.zeros(latent_dim), scale=torch.ones(latent_dim))


def unit_gamma(latent_dim: int) -> FixedPrior:
    """Gamma(1, 1) in each dimension: positive values of mean 1."""
    return FixedPrior(_gamma, concentration=torch.ones(latent_dim), rate=torch.ones(latent_dim))


def uniform_interval(latent_dim: int) -> FixedPrior:
    """Uniform between 0 and 1 in each dimension, as Beta(1, 1)."""
    return FixedPrior(_beta, concentration1=torch.ones(latent_dim), concentration0=torch.ones(latent_dim))


def uniform_simplex(latent_dim: int) -> FixedPrior:
    """Uniform over ``latent_dim + 1`` shares that sum to 1: Dirichlet(1, ..., 1)."""
    return FixedPrior(_dirichlet, concentration=torch.ones(latent_dim + 1))


def uniform_angles(latent_dim: int) -> FixedPrior:
    """Uniform on the circle in each dimension, in radians.

    As the von Mises law of a concentration that does not count in any dtype: unlike a uniform law on an interval, it
    has no ends between which rounding could put an angle outside.
    """
    loc = torch.zeros(latent_dim)
    return FixedPrior(_von_mises, loc=loc, concentration=torch.full_like(loc, 1e-20))


def uniform_direction(latent_dim: int) -> FixedPrior:
    """Uniform on the sphere of ``latent_dim`` degrees of freedom, in ``latent_dim + 1`` coordinates."""
    return FixedPrior(_hyperspherical_uniform, centre=torch.zeros(latent_dim + 1))


def fair_coins(latent_dim: int) -> FixedPrior:
    """0 or 1 with probability 1/2 in each dimension."""
    return FixedPrior(_bernoulli, logits=torch.zeros(latent_dim))


def even_classes(latent_dim: int, num_classes: int) -> FixedPrior:
    """One of ``num_classes`` in each dimension, all equally likely: event shape ``[latent_dim, num_classes]``."""
    return FixedPrior(_one_hot, logits=torch.zeros(latent_dim, num_classes))


# Functions with names, so that models can be copied and shown.


def _normal(loc: Tensor, scale: Tensor) -> Independent:
    return Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)


def _gamma(concentration: Tensor, rate: Tensor) -> Independent:
    return Independent(Gamma(concentration, rate, validate_args=False), 1, validate_args=False)


def _beta(concentration1: Tensor, concentration0: Tensor) -> Independent:
    return Independent(Beta(concentration1, concentration0, validate_args=False), 1, validate_args=False)


def _dirichlet(concentration: Tensor) -> Dirichlet:
    return Dirichlet(concentration, validate_args=False)


def _von_mises(loc: Tensor, concentration: Tensor) -> Independent:
    return Independent(VonMises(loc, concentration, validate_args=False), 1, validate_args=False)


def _hyperspherical_uniform(centre: Tensor) -> HypersphericalUniform:
    return HypersphericalUniform(len(centre), dtype=centre.dtype, device=centre.device, validate_args=False)


def _bernoulli(logits: Tensor) -> Independent:
    return Independent(Bernoulli(logits=logits, validate_args=False), 1, validate_args=False)


def _one_hot(logits: Tensor) -> Independent:
    return Independent(OneHotCategorical(logits=logits, validate_args=False), 1, validate_args=False)
