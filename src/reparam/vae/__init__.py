"""Variational autoencoders from parts that exchange laws: encoder, prior, decoder, and one formula.

Read ``conditional.py``, then ``terms.py`` and ``objectives.py``.
"""

from reparam.vae.architecture import Architecture
from reparam.vae.assemble import assemble
from reparam.vae.conditional import Condition, Conditional, Family
from reparam.vae.likelihoods import Bernoulli, DiscretizedLogistic, Gaussian
from reparam.vae.model import VAE, GivenVAE, in_parts
from reparam.vae.networks import MLP, ConvDecoder, ConvEncoder, GatedMLP
from reparam.vae.objectives import Elbo, ImportanceWeighted, Objective, elbo_terms
from reparam.vae.parts import LIKELIHOODS, NETWORKS, POSTERIORS, PRIORS
from reparam.vae.posteriors import DiagonalNormal, central_value, moments, soft_bound
from reparam.vae.priors import StandardNormal
from reparam.vae.terms import (
    LatentVariableModel,
    Terms,
    closed_rate,
    importance_log_weights,
    importance_weighted_bound,
    rate_per_dimension,
)

__all__ = [
    "LIKELIHOODS",
    "MLP",
    "NETWORKS",
    "POSTERIORS",
    "PRIORS",
    "VAE",
    "Architecture",
    "Bernoulli",
    "Condition",
    "Conditional",
    "ConvDecoder",
    "ConvEncoder",
    "DiagonalNormal",
    "DiscretizedLogistic",
    "Elbo",
    "Family",
    "GatedMLP",
    "Gaussian",
    "GivenVAE",
    "ImportanceWeighted",
    "LatentVariableModel",
    "Objective",
    "StandardNormal",
    "Terms",
    "assemble",
    "central_value",
    "closed_rate",
    "elbo_terms",
    "importance_log_weights",
    "importance_weighted_bound",
    "in_parts",
    "moments",
    "rate_per_dimension",
    "soft_bound",
]
