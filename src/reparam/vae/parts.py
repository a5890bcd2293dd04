"""The parts a model can be made of, by the names that settings and the command line give them.

One table for each kind of part. A part that is new gets a line here and its name among the choices of the setting.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import nn

from reparam.vae import likelihoods
from reparam.vae.architecture import Architecture
from reparam.vae.conditional import Conditional, Family
from reparam.vae.networks import MLP, ConvDecoder, ConvEncoder, GatedMLP
from reparam.vae.posteriors import DiagonalNormal
from reparam.vae.priors import StandardNormal

__all__ = ["LIKELIHOODS", "NETWORKS", "POSTERIORS", "PRIORS", "Likelihood", "Network", "Posterior"]

Shape = tuple[int, ...]


class Likelihood(NamedTuple):
    """A family for ``p(x|z)``.

    Args:
        kind: its class.
        build: makes it.
        view: what the encoder is shown of ``x``; default: ``x``.
    """

    kind: type[nn.Module]
    build: Callable[[Architecture], Family]
    view: Callable[[Architecture], nn.Module] | None = None


class Posterior(NamedTuple):
    """A family for ``q(z|x)``.

    Args:
        build: makes it.
        standard_prior: the law of the same kind that knows nothing.
        view: what the decoder is shown of ``z``; default: ``z``.
    """

    build: Callable[[Architecture], Family]
    standard_prior: Callable[[Architecture], nn.Module]
    view: Callable[[Architecture], nn.Module] | None = None


class Network(NamedTuple):
    """An encoder and a decoder network.

    Args:
        encoder: from the shape of what it is shown and the number of outputs.
        decoder: from the shape of what it is shown and the shape of its outputs.
    """

    encoder: Callable[[Shape, int, Architecture], nn.Module]
    decoder: Callable[[Shape, Shape, Architecture], nn.Module]


def _with_levels(kind: Callable[[Shape, int], Family]) -> Callable[[Architecture], Family]:
    return lambda a: kind(a.event_shape, a.levels or 256)


def _mixture(a: Architecture) -> likelihoods.DiscretizedLogisticMixture:
    return likelihoods.DiscretizedLogisticMixture(a.event_shape, a.levels or 256, a.likelihood_components)


def _simple(kind: Callable[[Shape], Family], view: Callable[[Shape], nn.Module] | None = None) -> Likelihood:
    return Likelihood(
        kind,  # type: ignore[arg-type]
        lambda a: kind(a.event_shape),
        None if view is None else lambda a: view(a.event_shape),
    )


LIKELIHOODS: Mapping[str, Likelihood] = {
    "bernoulli": _simple(likelihoods.Bernoulli),
    "categorical": Likelihood(likelihoods.Categorical, _with_levels(likelihoods.Categorical)),
    "continuous-bernoulli": _simple(likelihoods.ContinuousBernoulli),
    "discretized-logistic": Likelihood(likelihoods.DiscretizedLogistic, _with_levels(likelihoods.DiscretizedLogistic)),
    "discretized-logistic-mixture": Likelihood(likelihoods.DiscretizedLogisticMixture, _mixture),
    "gaussian": _simple(likelihoods.Gaussian),
    "laplace": _simple(likelihoods.Laplace),
    "negative-binomial": _simple(likelihoods.NegativeBinomial, likelihoods.LogCounts),
    "poisson": _simple(likelihoods.Poisson, likelihoods.LogCounts),
    "student-t": _simple(likelihoods.StudentT),
    "zero-inflated-negative-binomial": _simple(likelihoods.ZeroInflatedNegativeBinomial, likelihoods.LogCounts),
    "zero-inflated-poisson": _simple(likelihoods.ZeroInflatedPoisson, likelihoods.LogCounts),
}


POSTERIORS: Mapping[str, Posterior] = {
    "diagonal-normal": Posterior(lambda a: DiagonalNormal(), lambda a: StandardNormal(a.latent_dim)),
}


# A prior may look at the model's encoder (a VampPrior is made of posteriors).
PRIORS: Mapping[str, Callable[[Architecture, Conditional], nn.Module]] = {
    "standard": lambda a, encoder: POSTERIORS[a.posterior].standard_prior(a),
}


def _convolutional_encoder(shape: Shape, num_outputs: int, a: Architecture) -> nn.Module:
    return ConvEncoder((shape[0], shape[1], shape[2]), num_outputs, width=a.width, num_blocks=a.num_blocks)


def _convolutional_decoder(shape: Shape, out: Shape, a: Architecture) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), ConvDecoder(math.prod(shape), (out[0], out[1], out[2]), width=a.width, num_blocks=a.num_blocks)
    )


def _vectors(kind: type[MLP] | type[GatedMLP]) -> Network:
    def encoder(shape: Shape, num_outputs: int, a: Architecture) -> nn.Module:
        network = kind(math.prod(shape), num_outputs, width=a.width, num_blocks=a.num_blocks, zero_head=True)
        return nn.Sequential(nn.Flatten(), network)

    def decoder(shape: Shape, out: Shape, a: Architecture) -> nn.Module:
        network = kind(math.prod(shape), math.prod(out), width=a.width, num_blocks=a.num_blocks)
        return nn.Sequential(nn.Flatten(), network, nn.Unflatten(1, out))

    return Network(encoder, decoder)


NETWORKS: Mapping[str, Network] = {
    "convolutional": Network(_convolutional_encoder, _convolutional_decoder),
    "residual-mlp": _vectors(MLP),
    "gated-mlp": _vectors(GatedMLP),
}
