"""A second opinion on the log-likelihood of a few rows: annealed importance sampling.

Importance weighting draws from the encoder's posterior alone, and is low where that misses part of the true one: in
many dimensions by nats, and its own standard error does not show it. Annealing carries each draw towards the true
posterior before it is weighted. Both are lower bounds on average, so the higher one is nearer to the truth.

Shape letters: S chains, B rows, D latent, K steps.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from reparam.distributions import Chained, MixtureSameFamily
from reparam.errors import UsageError, whole_number
from reparam.evaluation.importance import effective_sample_size
from reparam.samplers import annealed_bound
from reparam.vae import LatentVariableModel, central_value, importance_weighted_bound

__all__ = ["Agreement", "Annealed", "agreement", "annealed_log_likelihood"]

# Step sizes that a pilot tries, in units of the scale of each latent under the law the chains start from.
STEP_SIZES = (0.1, 0.2, 0.4, 0.8)
PILOT_STEPS, PILOT_CHAINS = 25, 8

# Draws that tell the scale of the latents: to 5 %, which is more than a step size needs.
SCALE_DRAWS = 256


@dataclass(frozen=True)
class Annealed:
    """What annealing found, one number a row.

    Shapes: all ``[B]``, float64.

    Args:
        log_likelihood: ``log 1/S Σ_s w_s`` in nats, a lower bound on ``log p(x)`` on average.
        standard_error: over chains, ``std(w)/(mean(w)·√S)``. Too small where few chains carry the sum.
        effective_sample_size: of the weights, between 1 and S.
        step_size: that was used, in units of the scale of each latent.
    """

    log_likelihood: Tensor
    standard_error: Tensor
    effective_sample_size: Tensor
    step_size: Tensor


@torch.no_grad()
def annealed_log_likelihood(
    model: LatentVariableModel,
    start: Distribution,
    x: Tensor,
    *,
    num_steps: int,
    num_chains: int,
    generator: torch.Generator,
    step_size: float | None = None,
) -> Annealed:
    """``log p(x)`` of each row by chains from ``start`` to the true posterior: :func:`reparam.samplers.annealed_bound`.

    Latents are scaled by their spread under ``start``. Without ``step_size`` a pilot of 8 chains and at most 25 steps
    tries four sizes, and each row takes the one with the highest bound; its draws are not used again, so that the
    result is a lower bound all the same. Costs ``S·K`` gradients of the decoder a row, and at most 32·25 for the pilot.

    Shapes:
        x: ``[B, *X]``; start: batch shape ``[B]`` or ``[]``, event shape ``[*D]``.

    Args:
        model: its decoder and its prior make the target, ``p(x|z)·p(z)``.
        start: the law chains start from: ``model.encoder(x)``, or ``model.prior()`` where the encoder is in doubt.
        num_steps: K; the gap to the truth falls as 1/K.
        num_chains: S, at least 2, for a standard error.
        step_size: positive, in units of the scale of each latent.

    Raises:
        UsageError: latents are discrete or constrained, so that no chain of this kind moves them; ``start`` does not go
            with ``x``; a number makes no sense.

    Example:
        >>> from reparam import noise, vae
        >>> model = vae.assemble(
        ...     vae.Architecture(event_shape=(3,), likelihood="gaussian", latent_dim=2, network="residual-mlp", width=8)
        ... )
        >>> x = torch.zeros(4, 3)
        >>> found = annealed_log_likelihood(
        ...     model, model.encoder(x), x, num_steps=5, num_chains=4, generator=noise.generator(0)
        ... )
        >>> found.log_likelihood.shape
        torch.Size([4])

    Source: Neal 2001, arXiv:physics/9803008; Wu, Burda, Salakhutdinov & Grosse 2017, arXiv:1611.04273, for decoders.
    """
    prior = model.prior()
    _check(start, prior, x, num_steps, num_chains, step_size)

    def log_target(z: Tensor) -> Tensor:
        leading = z.shape[: z.dim() - len(prior.event_shape)]
        repeated = x.expand(*leading[:-1], *x.shape).flatten(0, len(leading) - 1)
        log_likelihood: Tensor = model.decoder(z.flatten(0, len(leading) - 1)).log_prob(repeated)
        return log_likelihood.reshape(leading) + prior.log_prob(z)

    rows = () if start.batch_shape else (len(x),)
    scale = start.sample((SCALE_DRAWS,), generator=generator).std(0)  # type: ignore[call-arg]
    inverse_mass = scale.square().clamp(min=torch.finfo(scale.dtype).tiny)

    def log_weights(shape: tuple[int, ...], steps: int, sizes: Tensor) -> Tensor:
        # Sizes [..., B], and 1 for each dimension of the event; the same at every step.
        size = sizes.reshape(*sizes.shape, *(1 for _ in prior.event_shape)).expand(
            steps, *sizes.shape, *(1 for _ in prior.event_shape)
        )
        found = annealed_bound(
            log_target,
            start,
            steps,
            step_size=size,
            inverse_mass=inverse_mass,
            sample_shape=(*shape, *rows),
            generator=generator,
        ).double()
        # A chain that left the numbers has weight 0: that makes the bound lower, and keeps it one.
        return torch.where(found.isfinite(), found, -torch.inf)

    if step_size is None:
        tried = torch.tensor(STEP_SIZES, dtype=torch.float64, device=x.device)
        pilot = log_weights(
            (len(STEP_SIZES), PILOT_CHAINS), min(num_steps, PILOT_STEPS), tried[:, None, None].expand(-1, 1, len(x))
        )
        sizes = tried[pilot.logsumexp(1).argmax(0)]
    else:
        sizes = torch.full((len(x),), float(step_size), dtype=torch.float64, device=x.device)
    log_weights_SB = log_weights((num_chains,), num_steps, sizes)
    return _summary(log_weights_SB, sizes)


def _summary(log_weights_SB: Tensor, step_size: Tensor) -> Annealed:
    num_chains = len(log_weights_SB)
    effective = effective_sample_size(log_weights_SB)
    return Annealed(
        log_likelihood=importance_weighted_bound(log_weights_SB),
        standard_error=((num_chains / effective - 1).clamp(min=0) / (num_chains - 1)).sqrt(),
        effective_sample_size=effective,
        step_size=step_size,
    )


@dataclass(frozen=True)
class Agreement:
    """Whether two estimates of the same rows say the same.

    Args:
        gap_nats: annealed less importance-weighted, mean over rows.
        standard_error_nats: of the gap, from the draws of both.
        num_rows: looked at.
    """

    gap_nats: float
    standard_error_nats: float
    num_rows: int

    @property
    def agree(self) -> bool:
        """Whether the gap is within three standard errors of 0."""
        return abs(self.gap_nats) <= 3 * self.standard_error_nats

    def sentence(self) -> str:
        """What it means."""
        gap = f"{abs(self.gap_nats):.2f} ± {self.standard_error_nats:.2f} nats"
        if self.agree:
            return f"annealing and importance weighting agree within errors on {self.num_rows} rows (gap {gap})"
        if self.gap_nats > 0:
            return (
                f"on {self.num_rows} rows the importance-weighted log-likelihood is {gap} below the annealed one: it "
                "is too low by at least that, and more samples or a better encoder would raise it"
            )
        return (
            f"on {self.num_rows} rows the annealed log-likelihood is {gap} below the importance-weighted one: the "
            "chains are too short to check it, and more steps are needed"
        )


def agreement(
    importance_weighted: Tensor, effective_sample_size: Tensor, num_samples: int, annealed: Annealed
) -> Agreement:
    """Hold what :func:`reparam.evaluation.log_likelihood` gave for some rows against what annealing gave for them.

    Shapes:
        importance_weighted, effective_sample_size: ``[B]``.

    Raises:
        UsageError: they are not of the same rows.

    Example:
        >>> one = torch.ones(3, dtype=torch.float64)
        >>> annealed = Annealed(-86 * one, 0.1 * one, 50 * one, 0.4 * one)
        >>> agreement(-88 * one, 100 * one, 500, annealed).agree
        False
    """
    if importance_weighted.shape != annealed.log_likelihood.shape or effective_sample_size.shape != (
        shape := importance_weighted.shape
    ):
        raise UsageError(
            f"both estimates must be of the same rows; got {tuple(importance_weighted.shape)} with effective sample "
            f"sizes {tuple(effective_sample_size.shape)}, and {tuple(annealed.log_likelihood.shape)}"
        )
    variance = (1 / effective_sample_size - 1 / num_samples).clamp(min=0) + annealed.standard_error.square()
    return Agreement(
        gap_nats=(annealed.log_likelihood - importance_weighted).mean().item(),
        standard_error_nats=variance.sum().sqrt().item() / shape[0],
        num_rows=shape[0],
    )


def _unconstrained(law: Distribution) -> bool:
    if isinstance(law, MixtureSameFamily):
        return _unconstrained(law.component_distribution)
    if isinstance(law, Chained):
        return _unconstrained(law.first) and _unconstrained(law.conditional(central_value(law.first)))
    return _innermost(law.support) in (constraints.real, constraints.real_vector)


def _innermost(support: constraints.Constraint | None) -> constraints.Constraint | None:
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support


def _check(
    start: Distribution, prior: Distribution, x: Tensor, num_steps: int, num_chains: int, step_size: float | None
) -> None:
    for name, law in (("start", start), ("prior", prior)):
        if not law.has_rsample or not _unconstrained(law):
            raise UsageError(
                f"annealing moves real, unconstrained latents along slopes of the density; the {name} is a law on "
                f"{_innermost(law.support)}. For such latents there is the importance-weighted estimate alone"
            )
    if start.batch_shape not in ((), (len(x),)) or start.event_shape != prior.event_shape:
        raise UsageError(
            f"start must have batch shape ({len(x)},) or () and event shape {tuple(prior.event_shape)}; got "
            f"{tuple(start.batch_shape)} and {tuple(start.event_shape)}"
        )
    whole_number("num_steps", num_steps)
    whole_number("num_chains", num_chains, least=2)
    if step_size is not None and not 0 < step_size < math.inf:
        raise UsageError(f"step_size must be positive; got {step_size!r}")
