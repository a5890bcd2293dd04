"""A variational autoencoder: encoder, prior and decoder, each a law."""

import torch
from torch import Tensor, nn

from reparam.vae.conditional import Conditional
from reparam.vae.objectives import Terms, elbo_terms

__all__ = ["VAE"]


class VAE(nn.Module):
    """Encoder ``q(z|x)``, decoder ``p(x|z)`` and prior ``p(z)``, in the units the model sees (scaled data).

    Deterministic unless a draw is asked for: :meth:`reconstruct` decodes the posterior's mean to the decoder's mean.

    Args:
        encoder: from ``x`` to a law over ``z`` of event shape ``[D]``.
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
        """The terms of the bound, see :func:`reparam.vae.elbo_terms`."""
        return elbo_terms(self, x, generator=generator)

    def decode(self, z: Tensor, *, observation_noise: bool, generator: torch.Generator | None = None) -> Tensor:
        """Examples ``[B, *X]`` for latents ``[B, D]``: the decoder's mean, or a draw from the decoder's law."""
        law = self.decoder(z)
        values: Tensor = law.sample(generator=generator) if observation_noise else law.mean
        return values

    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoder's mean at the posterior's mean, ``[B, *X]``."""
        return self.decode(self.encoder(x).mean, observation_noise=False)
