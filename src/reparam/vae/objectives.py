"""The bound a VAE is trained on, term by term.

For an encoder ``q(z|x)``, a prior ``p(z)`` and a decoder ``p(x|z)``::

    log p(x)  >=  E_q[log p(x|z)]  -  KL(q(z|x) || p(z))  =  -(distortion + rate)            (ELBO)
    log p(x)  >=  log 1/S Σ_s p(x|z_s) p(z_s) / q(z_s|x),   z_s ~ q(z|x)                     (importance weighted)

Kingma & Welling 2014, arXiv:1312.6114, eq. 3; Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, eq. 8. Every term
stays per example, in nats, summed over dimensions; the mean over examples is taken at the very end, by whoever reports.

Shape letters: S draws, B batch, D latent, X data.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

__all__ = [
    "LatentVariableModel",
    "Terms",
    "elbo_terms",
    "importance_log_weights",
    "importance_weighted_bound",
]


class LatentVariableModel(Protocol):
    """Three objects that exchange laws; :class:`reparam.vae.VAE` is one."""

    def encoder(self, x: Tensor, /) -> Distribution: ...

    def decoder(self, z: Tensor, /) -> Distribution: ...

    def prior(self) -> Distribution: ...


@dataclass(frozen=True)
class Terms:
    """The two terms of the bound, one number an example.

    Shapes: all ``[B]``, in nats.

    Args:
        distortion: ``-E_q[log p(x|z)]``, by one draw.
        rate: ``KL(q(z|x) || p(z))``.
    """

    distortion: Tensor
    rate: Tensor

    @property
    def elbo(self) -> Tensor:
        """The bound itself, ``[B]``: never weighted."""
        return -(self.distortion + self.rate)

    def loss(self, beta: float = 1.0) -> Tensor:
        """What is minimised, ``[]``: mean over examples of ``distortion + beta · rate``."""
        return (self.distortion + beta * self.rate).mean()


def elbo_terms(model: LatentVariableModel, x: Tensor, *, generator: torch.Generator | None = None) -> Terms:
    """Distortion and rate of each example, with one differentiable draw from the posterior.

    Shapes:
        x: ``[B, *X]``; the terms are ``[B]``.

    Args:
        model: encoder, prior and decoder.
        x: examples as the model sees them (scaled).
        generator: where the draw comes from.

    Example:
        >>> import reparam.vae as vae
        >>> model = vae.VAE(
        ...     vae.Conditional(torch.nn.Linear(3, 4), vae.DiagonalNormal()),
        ...     vae.Conditional(torch.nn.Linear(2, 3), vae.Gaussian((3,))),
        ...     vae.StandardNormal(2),
        ... )
        >>> terms = elbo_terms(model, torch.zeros(5, 3))
        >>> terms.rate.shape, bool((terms.rate >= 0).all())
        (torch.Size([5]), True)
    """
    posterior = model.encoder(x)
    z = posterior.rsample(generator=generator)  # type: ignore[call-arg]
    return Terms(distortion=-model.decoder(z).log_prob(x), rate=kl_divergence(posterior, model.prior()))


def importance_log_weights(
    model: LatentVariableModel,
    posterior: Distribution,
    x: Tensor,
    num_samples: int,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """``log p(x|z_s) + log p(z_s) - log q(z_s|x)`` for ``S`` draws of an example that is encoded once.

    Shapes:
        x: ``[B, *X]``, posterior: batch shape ``[B]``; the result is ``[S, B]``, in nats.
    """
    z_SBD = posterior.rsample((num_samples,), generator=generator)  # type: ignore[call-arg]
    x_SBX = x.expand(num_samples, *x.shape)
    log_likelihood: Tensor = model.decoder(z_SBD.flatten(0, 1)).log_prob(x_SBX.flatten(0, 1))
    log_ratio: Tensor = model.prior().log_prob(z_SBD) - posterior.log_prob(z_SBD)
    return log_likelihood.reshape(num_samples, -1) + log_ratio


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """``log 1/S Σ_s w_s``: a lower bound on ``log p(x)`` that tightens with ``S``; with S = 1, an ELBO sample.

    Shapes:
        log_weights: ``[S, B]``; the result is ``[B]``, in nats.

    Example:
        >>> importance_weighted_bound(torch.zeros(10, 2))
        tensor([0., 0.])
    """
    return log_weights.logsumexp(0) - math.log(log_weights.shape[0])
