"""The networks of the papers, from training examples ``[N, 1, 28, 28]`` in [0, 1] to a model with fresh weights."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from reparam import vae
from reparam.distributions import Bernoulli, Independent
from reparam.vae import VAE, Conditional, Family
from reproductions.relax import WithControl

Activation = Callable[[], nn.Module]

PIXELS = (1, 28, 28)


def layers(sizes: list[int], activation: Activation) -> nn.Sequential:
    """Linear layers with an activation between them; Glorot's weights, biases 0."""
    made: list[nn.Module] = []
    for before, after in pairwise(sizes):
        linear = nn.Linear(before, after)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        made += [linear, activation()]
    return nn.Sequential(*made[:-1])


def binary_images(
    x: Tensor,
    encoder: nn.Module,
    decoder: nn.Module,
    family: Family,
    prior: nn.Module,
    *,
    seen: nn.Module | None = None,
    decoded: nn.Module | None = None,
) -> VAE:
    """Networks between flat images and latents, with black and white pixels that start at the mean image.

    Args:
        seen: what the encoder is shown of an image; decoded: what the decoder is shown of the latents.
    """
    return VAE(
        Conditional(nn.Sequential(nn.Flatten(), encoder), family, seen),
        Conditional(nn.Sequential(decoder, nn.Unflatten(1, PIXELS)), vae.Bernoulli(PIXELS).start_at(x), decoded),
        prior,
    )


def burda_one_layer(x: Tensor) -> VAE:
    """784-200-200-50 and back, tanh."""
    return binary_images(
        x,
        layers([784, 200, 200, 100], nn.Tanh),
        layers([50, 200, 200, 784], nn.Tanh),
        vae.DiagonalNormal(),
        vae.StandardNormal(50),
    )


def burda_two_layers(x: Tensor) -> VAE:
    """784-200-200-100-100-100-50 and back, tanh, with latents of 100 and of 50 dimensions."""
    return binary_images(
        x,
        layers([784, 200, 200, 2 * 100], nn.Tanh),
        layers([100, 200, 200, 784], nn.Tanh),
        vae.TwoLevelFamily(100, 50, layers([100, 100, 100, 2 * 50], nn.Tanh)),
        vae.TwoLevelPrior(100, 50, layers([50, 100, 100, 2 * 100], nn.Tanh)),
        decoded=vae.FirstLevel(100),
    )


def davidson_normal(latent_dim: int) -> Callable[[Tensor], VAE]:
    """784-256-128 and back, ReLU, with a diagonal Normal posterior."""
    return lambda x: binary_images(
        x,
        layers([784, 256, 128, 2 * latent_dim], nn.ReLU),
        layers([latent_dim, 128, 256, 784], nn.ReLU),
        vae.DiagonalNormal(),
        vae.StandardNormal(latent_dim),
    )


def davidson_sphere(latent_dim: int) -> Callable[[Tensor], VAE]:
    """The same networks with a von Mises-Fisher posterior on the sphere of as many degrees of freedom."""

    def model(x: Tensor) -> VAE:
        family = vae.VonMisesFisherFamily(latent_dim)
        return binary_images(
            x,
            layers([784, 256, 128, family.num_outputs(latent_dim)], nn.ReLU),
            layers([latent_dim + 1, 128, 256, 784], nn.ReLU),
            family,
            vae.uniform_direction(latent_dim),
        )

    return model


def tomczak_standard(x: Tensor) -> VAE:
    """Gated 784-300-300-40 and back, with a standard Normal prior."""
    return binary_images(
        x,
        vae.GatedMLP(784, 2 * 40, width=300),
        vae.GatedMLP(40, 784, width=300),
        vae.DiagonalNormal(),
        vae.StandardNormal(40),
    )


def tomczak_vampprior(x: Tensor) -> VAE:
    """The same with a prior of 500 pseudo-inputs."""
    made = tomczak_standard(x)
    prior = vae.VampPrior(made.encoder, 500, PIXELS)
    prior.start_at(x)
    return VAE(made.encoder, made.decoder, prior)


def binary_layer(hidden: tuple[int, ...] = ()) -> Callable[[Tensor], VAE]:
    """200 coins between linear maps, or between networks of leaky ReLUs, with a prior of coins that is learned."""

    def activation() -> nn.Module:
        return nn.LeakyReLU(0.3)

    return lambda x: binary_images(
        x,
        layers([784, *hidden, 200], activation),
        layers([200, *reversed(hidden), 784], activation),
        vae.BernoulliFamily(),
        Coins(200),
        seen=Centred(x),
    )


def controlled_binary_layer(hidden: tuple[int, ...] = ()) -> Callable[[Tensor], VAE]:
    """The same with RELAX's control network beside them."""
    return lambda x: WithControl(binary_layer(hidden)(x), 200)


class Coins(nn.Module):
    """A prior of independent coins whose odds are learned; they start fair."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(latent_dim))

    def forward(self) -> Independent:
        """The law, with event shape ``[latent_dim]``."""
        return Independent(Bernoulli(logits=self.logits, validate_args=False), 1, validate_args=False)


class Centred(nn.Module):
    """Images less the mean image."""

    mean: Tensor

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", x.mean(0))

    def forward(self, x: Tensor) -> Tensor:
        """``x - mean``."""
        return x - self.mean
