"""The networks of the papers, from training examples ``[N, 1, 28, 28]`` in [0, 1] to a model with fresh weights."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

from reparam import vae
from reparam.vae import VAE, Conditional, Family

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


def binary_images(x: Tensor, encoder: nn.Module, decoder: nn.Module, family: Family, prior: nn.Module) -> VAE:
    """Networks between flat images and latents, with black and white pixels that start at the mean image."""
    return VAE(
        Conditional(nn.Sequential(nn.Flatten(), encoder), family),
        Conditional(nn.Sequential(nn.Flatten(), decoder, nn.Unflatten(1, PIXELS)), vae.Bernoulli(PIXELS).start_at(x)),
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
            vae.UniformOnSphere(latent_dim),
        )

    return model


def tomczak(vampprior: bool) -> Callable[[Tensor], VAE]:
    """Gated 784-300-300-40 and back; a standard prior, or 500 pseudo-inputs."""

    def model(x: Tensor) -> VAE:
        made = binary_images(
            x,
            vae.GatedMLP(784, 80, width=300),
            vae.GatedMLP(40, 784, width=300),
            vae.DiagonalNormal(),
            vae.StandardNormal(40),
        )
        if vampprior:
            made.prior = vae.VampPrior(made.encoder, 500, PIXELS)
            made.prior.start_at(x)
        return made

    return model


def binary_layer(hidden: tuple[int, ...] = ()) -> Callable[[Tensor], VAE]:
    """200 coins between linear maps, or between networks of leaky ReLUs."""

    def activation() -> nn.Module:
        return nn.LeakyReLU(0.3)

    return lambda x: binary_images(
        x,
        layers([784, *hidden, 200], activation),
        layers([200, *reversed(hidden), 784], activation),
        vae.BernoulliFamily(),
        vae.FairCoins(200),
    )
