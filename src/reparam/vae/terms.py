"""The parts of every bound: what a draw explains, what it costs, and how much it weighs.

Shape letters: S draws, B batch, D latent, X data.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence

from reparam.distributions import rsample_with_log_prob
from reparam.errors import UsageError

__all__ = [
    "LatentVariableModel",
    "Terms",
    "closed_rate",
    "draw",
    "draw_with_log_prob",
    "importance_log_weights",
    "importance_weighted_bound",
    "log_likelihood_of",
    "rate_per_dimension",
]


class LatentVariableModel(Protocol):
    """Three objects that exchange laws; :class:`reparam.vae.VAE` is one."""

    def encoder(self, x: Tensor, /) -> Distribution: ...

    def decoder(self, z: Tensor, /) -> Distribution: ...

    def prior(self) -> Distribution: ...


@dataclass(frozen=True)
class Terms:
    """A bound, its two parts, and what is minimised.

    Shapes: ``[B]``, in nats, but for ``loss``, which is ``[]``.

    Args:
        distortion: ``-E_q[log p(x|z)]``, by as many draws as the objective makes.
        rate: ``KL(q(z|x) || p(z))``, in closed form where there is one, else by the same draws.
        bound: on ``log p(x)``: ``-(distortion + rate)``, or the importance-weighted one. Never weighted.
        loss: mean over examples; its gradient is the objective's.
    """

    distortion: Tensor
    rate: Tensor
    bound: Tensor
    loss: Tensor

    @property
    def elbo(self) -> Tensor:
        """``-(distortion + rate)``, ``[B]``; with an importance-weighted objective it is not what is maximised."""
        return -(self.distortion + self.rate)


def closed_rate(posterior: Distribution, prior: Distribution) -> Tensor | None:
    """``KL(q(z|x) || p(z))`` of each example, ``[B]``, in nats; ``None`` where there is no closed form."""
    try:
        # torch's KL of coins does not broadcast.
        return kl_divergence(posterior, prior.expand(posterior.batch_shape))
    except NotImplementedError:
        return None


def rate_per_dimension(posterior: Distribution, prior: Distribution) -> Tensor:
    """What each latent dimension adds to the rate, ``[B, D]``, in nats.

    Raises:
        UsageError: the dimensions of one of the two depend on each other, or there is no closed form.
    """
    if isinstance(posterior, Independent) and isinstance(prior, Independent):
        each = closed_rate(posterior.base_dist, prior.base_dist)
        if each is not None and each.dim() == 2:
            return each
    raise UsageError(
        f"a rate for each dimension needs a posterior and a prior of independent dimensions with a KL in closed form, "
        f"got {type(posterior).__name__} and {type(prior).__name__}"
    )


def draw(posterior: Distribution, num_samples: int, **randomness: Any) -> Tensor:
    """``[S, B, *Z]``, differentiable where draws can move; ``generator=`` or ``noise=`` says where they come from."""
    z: Tensor = (posterior.rsample if posterior.has_rsample else posterior.sample)((num_samples,), **randomness)
    return z


def draw_with_log_prob(posterior: Distribution, num_samples: int, **randomness: Any) -> tuple[Tensor, Tensor]:
    """``[S, B, *Z]`` as :func:`draw` gives them, and their log density, ``[S, B]``, in nats: all in one go."""
    if posterior.has_rsample:
        return rsample_with_log_prob(posterior, (num_samples,), **randomness)
    z_SBD = draw(posterior, num_samples, **randomness)
    return z_SBD, posterior.log_prob(z_SBD)


def log_likelihood_of(model: LatentVariableModel, x: Tensor, z_SBD: Tensor, observed: Tensor | None = None) -> Tensor:
    """``log p(x | z_s)``, ``[S, B]``, in nats.

    Args:
        x: ``[B, *X]``.
        observed: ``[B, *X]``, ``True`` where a value counts: the likelihood of those values alone, which is what
            missing ones need (Mattei & Frellsen 2019, arXiv:1812.02633).
    """
    num_samples = len(z_SBD)
    law = model.decoder(z_SBD.flatten(0, 1))
    if observed is None:
        log_prob: Tensor = law.log_prob(_repeated(x, num_samples))
        return log_prob.reshape(num_samples, -1)
    if not isinstance(law, Independent):
        raise UsageError(f"missing values need a likelihood of independent values, got {type(law).__name__}")
    filled = torch.where(observed, x, law.base_dist.mean[: len(x)].detach())
    each = law.base_dist.log_prob(_repeated(filled, num_samples)).unflatten(0, (num_samples, -1))
    return torch.where(observed, each, 0.0).flatten(2).sum(2)


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
    z_SBD, log_q_SB = draw_with_log_prob(posterior, num_samples, generator=generator)
    return log_likelihood_of(model, x, z_SBD) + (model.prior().log_prob(z_SBD) - log_q_SB)


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """``log 1/S Σ_s w_s``: a lower bound on ``log p(x)`` that tightens with ``S``; with S = 1, an ELBO sample.

    Shapes:
        log_weights: ``[S, B]``; the result is ``[B]``, in nats.

    Example:
        >>> importance_weighted_bound(torch.zeros(10, 2))
        tensor([0., 0.])
    """
    return log_weights.logsumexp(0) - math.log(log_weights.shape[0])


def _repeated(x: Tensor, num_samples: int) -> Tensor:
    return x.expand(num_samples, *x.shape).flatten(0, 1)
