"""Variational autoencoders from parts that exchange laws: encoder, prior, decoder, and one formula.

Read ``conditional.py``, then ``terms.py`` and ``objectives.py``.
"""

from reparam.vae.architecture import Architecture
from reparam.vae.assemble import assemble
from reparam.vae.compatibility import check_objective, check_parts
from reparam.vae.conditional import Condition, Conditional, Family
from reparam.vae.flows import FlowFamily, FlowPrior
from reparam.vae.likelihoods import Bernoulli, DiscretizedLogistic, Gaussian
from reparam.vae.model import VAE
from reparam.vae.networks import MLP, ConvDecoder, ConvEncoder, GatedMLP
from reparam.vae.objectives import Elbo, ImportanceWeighted, Objective, elbo_terms
from reparam.vae.parts import ESTIMATORS, LIKELIHOODS, NETWORKS, POSTERIORS, PRIORS
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
    central_value,
    moments,
    soft_bound,
)
from reparam.vae.priors import (
    FixedPrior,
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
from reparam.vae.terms import (
    LatentVariableModel,
    Terms,
    closed_rate,
    draw_with_log_prob,
    importance_log_weights,
    importance_weighted_bound,
    log_likelihood_of,
    rate_per_dimension,
)

__all__ = [
    "ESTIMATORS",
    "LIKELIHOODS",
    "MLP",
    "NETWORKS",
    "POSTERIORS",
    "PRIORS",
    "VAE",
    "Architecture",
    "Bernoulli",
    "BernoulliFamily",
    "BetaFamily",
    "CategoricalFamily",
    "Condition",
    "Conditional",
    "ConvDecoder",
    "ConvEncoder",
    "CosineAndSine",
    "DiagonalNormal",
    "DirichletFamily",
    "DiscretizedLogistic",
    "Elbo",
    "Family",
    "FirstLevel",
    "FixedPrior",
    "FlowFamily",
    "FlowPrior",
    "FullNormal",
    "GammaFamily",
    "GatedMLP",
    "Gaussian",
    "ImportanceWeighted",
    "LatentVariableModel",
    "LowRankNormal",
    "MixturePrior",
    "Objective",
    "PowerSphericalFamily",
    "StandardNormal",
    "Terms",
    "TwoLevelFamily",
    "TwoLevelPrior",
    "VampPrior",
    "VonMisesFamily",
    "VonMisesFisherFamily",
    "assemble",
    "central_value",
    "check_objective",
    "check_parts",
    "closed_rate",
    "draw_with_log_prob",
    "elbo_terms",
    "even_classes",
    "fair_coins",
    "importance_log_weights",
    "importance_weighted_bound",
    "log_likelihood_of",
    "moments",
    "rate_per_dimension",
    "soft_bound",
    "uniform_angles",
    "uniform_direction",
    "uniform_interval",
    "uniform_simplex",
    "unit_gamma",
]
