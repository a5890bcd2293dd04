"""The parts a model can be made of, by the names that settings and the command line give them.

One table for each kind of part. A part that is new gets a line here and its name among the choices of the setting.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from torch import nn

from reparam.errors import UsageError
from reparam.estimators import (
    DisArm,
    Enumerate,
    Estimator,
    GumbelSoftmax,
    LeaveOneOut,
    Rebar,
    ReinMax,
    ScoreFunction,
    StraightThrough,
)
from reparam.vae import likelihoods
from reparam.vae.architecture import Architecture
from reparam.vae.conditional import Conditional, Family
from reparam.vae.flows import FlowFamily, FlowPrior
from reparam.vae.networks import MLP, ConvDecoder, ConvEncoder, GatedMLP
from reparam.vae.posteriors import (
    BernoulliFamily,
    BetaFamily,
    CategoricalFamily,
    CosineAndSine,
    DiagonalNormal,
    DirichletFamily,
    FirstLevel,
    FullNormal,
    GammaFamily,
    LowRankNormal,
    PowerSphericalFamily,
    TwoLevelFamily,
    VonMisesFamily,
    VonMisesFisherFamily,
)
from reparam.vae.priors import (
    MixturePrior,
    StandardNormal,
    TwoLevelPrior,
    VampPrior,
    even_classes,
    fair_coins,
    uniform_angles,
    uniform_direction,
    uniform_interval,
    uniform_simplex,
    unit_gamma,
)

__all__ = [
    "ESTIMATORS",
    "LIKELIHOODS",
    "NETWORKS",
    "POSTERIORS",
    "PRIORS",
    "Likelihood",
    "Network",
    "Posterior",
    "Prior",
]

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
    """A family for ``q(z|x)``, and what :mod:`reparam.vae.compatibility` needs to know of it.

    Args:
        build: makes it.
        standard_prior: the law of the same kind that knows nothing.
        view: what the decoder is shown of ``z``; default: ``z``.
        values: what ``z`` is made of, in words; priors that are laws of ``"real numbers"`` need those.
        dimensions: whether they are independent, with a KL to the standard prior in closed form for each.
        draws: ``"mapped"`` from noise, ``"moved"`` with the parameters but made by a sampler, or ``"fixed"``: coins and
            classes, which need an estimator.
        density: of any value in one go; else only that of its own draws.
        estimator: name in :data:`ESTIMATORS` of the default one, for fixed draws.
    """

    build: Callable[[Architecture], Family]
    standard_prior: Callable[[Architecture], nn.Module]
    view: Callable[[Architecture], nn.Module] | None = None
    values: str = "real numbers"
    dimensions: Literal["independent", "dependent"] = "independent"
    draws: Literal["mapped", "moved", "fixed"] = "mapped"
    density: Literal["of any value", "of its draws"] = "of any value"
    estimator: str | None = None


class Prior(NamedTuple):
    """A law of ``z``.

    Args:
        build: makes it; it may look at the model's encoder (a VampPrior is made of posteriors).
        values: what ``z`` has to be made of, in words; ``None`` takes anything.
    """

    build: Callable[[Architecture, Conditional], nn.Module]
    values: str | None = None


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


def _standard_normal(a: Architecture) -> nn.Module:
    return StandardNormal(a.latent_dim)


def _upper_dim(a: Architecture) -> int:
    return -(-a.latent_dim // 2)


def _flow_sizes(a: Architecture) -> dict[str, Any]:
    return {"num_transforms": a.num_transforms, "hidden": (a.flow_width, a.flow_width)}


POSTERIORS: Mapping[str, Posterior] = {
    "diagonal-normal": Posterior(lambda a: DiagonalNormal(), _standard_normal),
    "full-normal": Posterior(lambda a: FullNormal(a.latent_dim), _standard_normal, dimensions="dependent"),
    "low-rank-normal": Posterior(
        lambda a: LowRankNormal(a.latent_dim, a.posterior_rank), _standard_normal, dimensions="dependent"
    ),
    "von-mises-fisher": Posterior(
        lambda a: VonMisesFisherFamily(a.latent_dim),
        lambda a: uniform_direction(a.latent_dim),
        values="directions",
        dimensions="dependent",
    ),
    "power-spherical": Posterior(
        lambda a: PowerSphericalFamily(a.latent_dim),
        lambda a: uniform_direction(a.latent_dim),
        values="directions",
        dimensions="dependent",
    ),
    "gamma": Posterior(lambda a: GammaFamily(), lambda a: unit_gamma(a.latent_dim), values="positive numbers"),
    "beta": Posterior(lambda a: BetaFamily(), lambda a: uniform_interval(a.latent_dim), values="shares"),
    "dirichlet": Posterior(
        lambda a: DirichletFamily(),
        lambda a: uniform_simplex(a.latent_dim),
        values="shares that sum to 1",
        dimensions="dependent",
        draws="moved",
    ),
    "von-mises": Posterior(
        lambda a: VonMisesFamily(),
        lambda a: uniform_angles(a.latent_dim),
        view=lambda a: CosineAndSine(),
        values="angles",
    ),
    "bernoulli": Posterior(
        lambda a: BernoulliFamily(),
        lambda a: fair_coins(a.latent_dim),
        values="coins",
        draws="fixed",
        estimator="disarm",
    ),
    "categorical": Posterior(
        lambda a: CategoricalFamily(a.num_classes),
        lambda a: even_classes(a.latent_dim, a.num_classes),
        values="classes",
        draws="fixed",
        estimator="leave-one-out",
    ),
    "iaf": Posterior(
        lambda a: FlowFamily(a.latent_dim, "iaf", **_flow_sizes(a)),
        _standard_normal,
        dimensions="dependent",
        density="of its draws",
    ),
    "spline-flow": Posterior(
        lambda a: FlowFamily(a.latent_dim, "spline", **_flow_sizes(a)),
        _standard_normal,
        dimensions="dependent",
    ),
    "two-level": Posterior(
        lambda a: TwoLevelFamily(a.latent_dim, _upper_dim(a)),
        lambda a: TwoLevelPrior(a.latent_dim, _upper_dim(a)),
        view=lambda a: FirstLevel(a.latent_dim),
        values="two levels",
        dimensions="dependent",
    ),
}


PRIORS: Mapping[str, Prior] = {
    "standard": Prior(lambda a, encoder: POSTERIORS[a.posterior].standard_prior(a)),
    "mixture": Prior(lambda a, encoder: MixturePrior(a.prior_components, a.latent_dim), "real numbers"),
    "vampprior": Prior(lambda a, encoder: VampPrior(encoder, a.prior_components, a.event_shape)),
    "realnvp": Prior(lambda a, encoder: FlowPrior(a.latent_dim, "realnvp", **_flow_sizes(a)), "real numbers"),
    "spline-flow": Prior(lambda a, encoder: FlowPrior(a.latent_dim, "spline", **_flow_sizes(a)), "real numbers"),
}


# Those that relax a draw do it at temperature 1/2.
ESTIMATORS: Mapping[str, Callable[[], Estimator]] = {
    "leave-one-out": lambda: ScoreFunction(LeaveOneOut()),
    "disarm": DisArm,
    "rebar": lambda: Rebar(0.5),
    "reinmax": ReinMax,
    "straight-through": StraightThrough,
    "gumbel-softmax": lambda: GumbelSoftmax(0.5),
    "enumerate": Enumerate,
}


def _convolutional_sizes(a: Architecture) -> dict[str, Any]:
    return {"width": a.width, "num_blocks": a.num_blocks, "dense_width": a.dense_width}


def _convolutional_encoder(shape: Shape, num_outputs: int, a: Architecture) -> nn.Module:
    if len(a.event_shape) != 3:
        others = " or ".join(name for name in NETWORKS if name != "convolutional")
        raise UsageError(
            f"convolutional networks are for images (channels, height, width), got examples of shape {a.event_shape}; "
            f"use {others}"
        )
    return ConvEncoder((shape[0], shape[1], shape[2]), num_outputs, **_convolutional_sizes(a))


def _convolutional_decoder(shape: Shape, out: Shape, a: Architecture) -> nn.Module:
    decoder = ConvDecoder(math.prod(shape), (out[0], out[1], out[2]), **_convolutional_sizes(a))
    return nn.Sequential(nn.Flatten(), decoder)


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
