"""A variational autoencoder: encoder, prior and decoder, each a law."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from reparam.vae.conditional import Condition, Conditional, GivenConditional
from reparam.vae.objectives import elbo_terms
from reparam.vae.posteriors import central_value
from reparam.vae.terms import LatentVariableModel, Terms

__all__ = ["VAE", "GivenVAE", "in_parts"]


class _Decodes:
    """What follows from an encoder and a decoder."""

    def decode(
        self: LatentVariableModel, z: Tensor, *, observation_noise: bool, generator: torch.Generator | None = None
    ) -> Tensor:
        """Examples ``[B, *X]`` for latents ``[B, *Z]``: the decoder's mean, or a draw from the decoder's law."""
        law = self.decoder(z)
        values: Tensor = law.sample(generator=generator) if observation_noise else law.mean  # type: ignore[call-arg]
        return values

    def reconstruct(self: LatentVariableModel, x: Tensor) -> Tensor:
        """The decoder's mean at the centre of the posterior, ``[B, *X]``."""
        return self.decoder(central_value(self.encoder(x))).mean


class VAE(_Decodes, nn.Module):
    """Encoder ``q(z|x)``, decoder ``p(x|z)`` and prior ``p(z)``, in the units the model sees (scaled data).

    Deterministic unless a draw is asked for: :meth:`reconstruct` decodes the centre of the posterior to the decoder's
    mean.

    Args:
        encoder: from ``x`` to a law over ``z``.
        decoder: from ``z`` to a law over ``x``.
        prior: a module that gives the law of ``z`` when called.

    Example:
        >>> import reparam.vae as vae
        >>> model = vae.VAE(
        ...     vae.Conditional(torch.nn.Linear(3, 4), vae.DiagonalNormal()),
        ...     vae.Conditional(torch.nn.Linear(2, 3), vae.Gaussian((3,))),
        ...     vae.StandardNormal(2),
        ... )
        >>> model.reconstruct(torch.zeros(5, 3)).shape
        torch.Size([5, 3])
    """

    def __init__(self, encoder: Conditional, decoder: Conditional, prior: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Terms:
        """The terms of the evidence lower bound, see :class:`reparam.vae.Elbo`."""
        return elbo_terms(self, x, generator=generator)

    def given(self, condition: Condition | None) -> "Self | GivenVAE":
        """The model when the condition of each example is known, ``q(z|x, c)`` and ``p(x|z, c)``.

        With ``None`` the model itself. What comes out has ``encoder``, ``decoder`` and ``prior`` as this one has, so
        that objectives and evaluation see no difference.
        """
        return self if condition is None else GivenVAE(self, condition)


@dataclass(frozen=True)
class GivenVAE(_Decodes):
    """A :class:`VAE` with the condition of a batch filled in; made by :meth:`VAE.given`."""

    model: VAE
    condition: Condition

    @property
    def encoder(self) -> GivenConditional:
        """``q(z | x, c)``; the exposure is for the decoder alone."""
        return self.model.encoder.given(self.condition._replace(exposure=None))

    @property
    def decoder(self) -> GivenConditional:
        """``p(x | z, c)``; several draws for each row follow each other, as ``z_SBD.flatten(0, 1)`` has them."""
        return self.model.decoder.given(self.condition)

    def prior(self) -> Distribution:
        """``p(z)``: it knows nothing of the condition."""
        law: Distribution = self.model.prior()
        return law


Model = TypeVar("Model", bound=LatentVariableModel)


def in_parts(model: Model, x: Tensor, size: int) -> Iterator[tuple[Model, Tensor]]:
    """A batch in parts of at most ``size`` rows, each with the model for these rows: their part of a condition.

    Example:
        >>> import reparam.vae as vae
        >>> model = vae.VAE(
        ...     vae.Conditional(torch.nn.Linear(3 + 1, 4), vae.DiagonalNormal()),
        ...     vae.Conditional(torch.nn.Linear(2 + 1, 3), vae.Gaussian((3,))),
        ...     vae.StandardNormal(2),
        ... ).given(vae.Condition(torch.zeros(5, 1)))
        >>> [len(part.reconstruct(x)) for part, x in in_parts(model, torch.zeros(5, 3), 2)]
        [2, 2, 1]
    """
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        if isinstance(model, GivenVAE):
            yield replace(model, condition=model.condition.take(rows)), x[rows]
        else:
            yield model, x[rows]
