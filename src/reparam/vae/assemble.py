"""From the plan of a model to the model."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn

from reparam.errors import UsageError, suggestion
from reparam.vae.architecture import Architecture
from reparam.vae.compatibility import check_parts
from reparam.vae.conditional import Conditional
from reparam.vae.model import VAE
from reparam.vae.parts import LIKELIHOODS, NETWORKS, POSTERIORS, PRIORS

__all__ = ["assemble"]

Part = TypeVar("Part")


def assemble(architecture: Architecture) -> VAE:
    """Build the model an architecture describes, with fresh weights from torch's global generator.

    Raises:
        UsageError: an unknown name; parts that do not go together.

    Example:
        >>> from reparam.vae import Architecture
        >>> plan = Architecture(event_shape=(1, 28, 28), likelihood="bernoulli", latent_dim=4, network="convolutional",
        ...                     width=8)
        >>> assemble(plan).reconstruct(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 1, 28, 28])
    """
    likelihood = _named(LIKELIHOODS, "likelihood", architecture.likelihood)
    posterior = _named(POSTERIORS, "posterior", architecture.posterior)
    network = _named(NETWORKS, "network", architecture.network)
    prior_part = _named(PRIORS, "prior", architecture.prior)
    check_parts(architecture)
    family, decoded = posterior.build(architecture), likelihood.build(architecture)
    view = nn.Identity() if likelihood.view is None else likelihood.view(architecture)
    shown = _shown(view, architecture.event_shape, architecture.num_features)
    encoder = Conditional(
        network.encoder(shown, family.num_outputs(architecture.latent_dim), architecture), family, view
    )
    prior = prior_part.build(architecture, encoder)
    view = nn.Identity() if posterior.view is None else posterior.view(architecture)
    shown = _shown(view, tuple(prior().event_shape), architecture.num_features)
    channels, *rest = architecture.event_shape
    decoder = network.decoder(shown, (decoded.num_outputs(channels), *rest), architecture)
    return VAE(encoder, Conditional(decoder, decoded, view), prior)


def _named(table: Mapping[str, Part], kind: str, name: str) -> Part:
    if name not in table:
        raise UsageError(f"unknown {kind} '{name}'; {suggestion(name, table)}")
    return table[name]


def _shown(view: nn.Module, shape: tuple[int, ...], num_features: int) -> tuple[int, ...]:
    """The shape of what a network is shown: the view of a value, with the features of a condition appended."""
    with torch.no_grad():
        first, *rest = view(torch.zeros(1, *shape)).shape[1:]
    return (first + num_features, *rest)
