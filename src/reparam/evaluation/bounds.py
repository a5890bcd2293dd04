"""How good a model is, in nats, with error bars: the bound, its two parts, and the importance-weighted log-likelihood.

Each example is encoded once; its draws are decoded in large batches. Numbers are means over examples of sums over
dimensions. Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519.

Shape letters: S draws, N examples, B batch, D latent, X data.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from reparam import noise
from reparam.errors import UsageError
from reparam.evaluation.importance import Precision, effective_sample_size, fast_log_weights
from reparam.vae import (
    VAE,
    Condition,
    LatentVariableModel,
    closed_rate,
    draw_with_log_prob,
    importance_weighted_bound,
    moments,
    rate_per_dimension,
)

__all__ = ["Bounds", "bounds", "log_likelihood"]

# Burda et al. 2016: a unit is active if its posterior mean varies over the data, Cov_x(E_q[z_d | x]) > 0.01, where the
# prior has variance 1.
ACTIVE_VARIANCE = 0.01


@dataclass(frozen=True)
class Bounds:
    """Numbers of one split, all in nats unless said otherwise.

    Args:
        num_examples: rows looked at.
        distortion_nats, rate_nats: the two parts of the bound, with the KL in closed form where there is one.
        elbo_nats: ``-(distortion + rate)``, the lower bound on ``log p(x)`` training aims at.
        log_likelihood_nats: importance-weighted bound with ``num_samples`` draws; ``standard_error_nats`` is that
            of the mean over examples.
        effective_sample_size: of the importance weights, mean over examples, between 1 and ``num_samples``.
        kl_per_dimension_nats: ``[D]``, mean over examples; adds up to the rate. ``None`` where latent dimensions depend
            on each other.
        activity: ``[D]``, variance of the posterior mean over the examples, as a share of the prior's variance: 0 for
            what is not used. A class of several numbers is one dimension.
        active_units: dimensions with an activity above 0.01.
        latent_loc, latent_scale: of the posteriors, ``[N, D]``, or more where a class has several numbers.
    """

    num_examples: int
    distortion_nats: float
    rate_nats: float
    elbo_nats: float
    log_likelihood_nats: float
    standard_error_nats: float
    num_samples: int
    effective_sample_size: float
    kl_per_dimension_nats: list[float] | None
    activity: list[float]
    active_units: int
    latent_loc: Tensor
    latent_scale: Tensor

    def to_json(self) -> dict[str, Any]:
        """The numbers, without the latents."""
        return {name: value for name, value in self.__dict__.items() if not isinstance(value, Tensor)}


@torch.no_grad()
def log_likelihood(
    model: LatentVariableModel,
    x: Tensor,
    *,
    num_samples: int,
    generator: torch.Generator,
    precision: Precision = "float32",
    draws_at_once: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Importance-weighted ``log p(x)`` of each example, and the effective sample size of its weights.

    Shapes:
        x: ``[B, *X]``; both results ``[B]``, float64.

    Args:
        num_samples: draws ``S`` an example.
        precision: of the decoder's network; densities and sums are float32 at least.
        draws_at_once: decoded in one batch; decides memory and speed. Default: as many as keep the values of a batch in
            the caches of a processor.
    """
    log_weights_SB = fast_log_weights(
        model, x, num_samples, generator=generator, precision=precision, draws_at_once=draws_at_once
    )
    return importance_weighted_bound(log_weights_SB), effective_sample_size(log_weights_SB)


@torch.no_grad()
def bounds(
    model: VAE,
    batches: Iterable[tuple[Tensor, Condition | None]],
    *,
    num_samples: int,
    seed: int,
    precision: Precision = "float32",
    watch: Callable[[int], None] | None = None,
) -> Bounds:
    """Evaluate a model on batches ``[B, *X]`` of examples as it sees them, each with its condition if there is one.

    Args:
        model: encoder, decoder and prior.
        num_samples: importance samples an example.
        seed: decides the draws.
        precision: of the decoder's network in the log-likelihood, as there.
        watch: is told how many examples are done.
    """
    columns: dict[str, list[Tensor]] = {}
    done, was_training = 0, model.training
    model.eval()
    for index, (x, condition) in enumerate(batches):
        given: LatentVariableModel = model.given(condition)
        generator = noise.generator(seed, "evaluation", index, device=x.device)
        posterior = given.encoder(x)
        z, rate = _draw_with_rate(posterior, given.prior(), generator)
        loc, scale = moments(posterior)
        log_p, effective = log_likelihood(given, x, num_samples=num_samples, generator=generator, precision=precision)
        found = {
            "distortion": -given.decoder(z).log_prob(x),
            "rate": rate,
            "log_p": log_p,
            "effective": effective,
            "loc": loc.flatten(1),
            "scale": scale.flatten(1),
        }
        for name, values in found.items():
            columns.setdefault(name, []).append(values.double().cpu())
        done += len(x)
        if watch is not None:
            watch(done)
    spread = moments(model.prior())[1].double().cpu()
    model.train(was_training)
    return _summary({name: torch.cat(values) for name, values in columns.items()}, num_samples, spread)


def _draw_with_rate(posterior: Distribution, prior: Distribution, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A draw of each posterior, ``[B, *Z]``, and its rate: of each dimension, ``[B, D]``, or whole, ``[B]``."""
    (z,), (log_q,) = draw_with_log_prob(posterior, 1, generator=generator)
    closed = closed_rate(posterior, prior)
    if closed is None:
        return z, log_q - prior.log_prob(z)
    try:
        return z, rate_per_dimension(posterior, prior)
    except UsageError:
        return z, closed


def _summary(columns: dict[str, Tensor], num_samples: int, prior_scale: Tensor) -> Bounds:
    log_p, loc, rates = columns["log_p"], columns["loc"], columns["rate"]
    per_dimension = rates.mean(0).tolist() if rates.dim() == 2 else None
    units = len(prior_scale)  # the first dimension of an event of any shape
    moved = loc.var(0, correction=0).reshape(units, -1).sum(1)
    activity = moved / prior_scale.square().reshape(units, -1).sum(1).clamp(min=1e-24)
    distortion, rate = columns["distortion"].mean().item(), rates.sum().item() / len(rates)
    return Bounds(
        num_examples=len(log_p),
        distortion_nats=distortion,
        rate_nats=rate,
        elbo_nats=-(distortion + rate),
        log_likelihood_nats=log_p.mean().item(),
        standard_error_nats=log_p.std().item() / math.sqrt(len(log_p)) if len(log_p) > 1 else math.inf,
        num_samples=num_samples,
        effective_sample_size=columns["effective"].mean().item(),
        kl_per_dimension_nats=per_dimension,
        activity=activity.tolist(),
        active_units=int((activity > ACTIVE_VARIANCE).sum()),
        latent_loc=loc.float(),
        latent_scale=columns["scale"].float(),
    )
