"""Variational autoencoders from parts that exchange laws: encoder, prior, decoder, and one formula.

Read ``conditional.py``, then ``objectives.py``.
"""

from reparam.vae.assemble import DEFAULT_WIDTH, assemble
from reparam.vae.conditional import Conditional, Family
from reparam.vae.flows import FlowFamily, FlowPrior
from reparam.vae.likelihoods import LIKELIHOODS, Bernoulli, DiscretizedLogistic, Gaussian
from reparam.vae.model import VAE
from reparam.vae.networks import MLP, ConvDecoder, ConvEncoder
from reparam.vae.objectives import (
    LatentVariableModel,
    Terms,
    elbo_terms,
    importance_log_weights,
    importance_weighted_bound,
)
from reparam.vae.posteriors import DiagonalNormal, soft_bound
from reparam.vae.priors import StandardNormal

__all__ = [
    "DEFAULT_WIDTH",
    "LIKELIHOODS",
    "MLP",
    "VAE",
    "Bernoulli",
    "Conditional",
    "ConvDecoder",
    "ConvEncoder",
    "DiagonalNormal",
    "DiscretizedLogistic",
    "Family",
    "FlowFamily",
    "FlowPrior",
    "Gaussian",
    "LatentVariableModel",
    "StandardNormal",
    "Terms",
    "assemble",
    "elbo_terms",
    "importance_log_weights",
    "importance_weighted_bound",
    "soft_bound",
]
