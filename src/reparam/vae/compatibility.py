"""Which parts go together: combinations that make no sense are refused before anything is built, with a way out."""

from reparam.errors import UsageError
from reparam.estimators import Enumerate
from reparam.vae.architecture import Architecture
from reparam.vae.parts import POSTERIORS, PRIORS

__all__ = ["check_objective", "check_parts"]


def check_parts(architecture: Architecture) -> None:
    """Whether posterior and prior are laws of the same thing, and have what the other one needs.

    Raises:
        UsageError: they are not; says why, and what to use instead.

    Example:
        >>> check_parts(Architecture(event_shape=(5,), likelihood="gaussian", latent_dim=2, width=8,
        ...                          network="residual-mlp", posterior="gamma", prior="mixture"))
        Traceback (most recent call last):
        reparam.errors.UsageError: the mixture prior is a law of real numbers, and the gamma posterior one of positive \
numbers; use prior standard or vampprior, or posterior diagonal-normal
    """
    posterior, prior = POSTERIORS[architecture.posterior], PRIORS[architecture.prior]
    name = architecture.posterior
    if prior.values not in (None, posterior.values):
        others = "standard or vampprior" if _can_be_a_mixture(name) else "standard"
        raise UsageError(
            f"the {architecture.prior} prior is a law of {prior.values}, and the {name} posterior one of "
            f"{posterior.values}; use prior {others}, or posterior diagonal-normal"
        )
    if architecture.prior != "vampprior":
        return
    if not _can_be_a_mixture(name):
        why = {
            "fixed": "their KL to a mixture has no closed form, which discrete latents need; use prior standard",
            "of its draws": "that takes a pass of each network for every dimension; use posterior spline-flow, or "
            "prior realnvp",
            "two levels": "its upper level has a prior of its own; use prior standard",
        }
        reason = why.get(posterior.draws) or why.get(posterior.density) or why[posterior.values]
        raise UsageError(f"a VampPrior asks {name} posteriors for the density of other values, and {reason}")
    if architecture.num_features or architecture.exposure:
        raise UsageError(
            "a VampPrior encodes pseudo-inputs, for which no condition is known; use prior mixture or realnvp, or "
            "leave the condition out"
        )


def check_objective(
    architecture: Architecture,
    *,
    objective: str = "elbo",
    free_bits: float = 0.0,
    draw_noise: str = "iid",
    draws: int | None = None,
    estimator: str | None = None,
) -> None:
    """Whether an objective, by the names that settings have, can be had with these parts.

    Args:
        objective: ``"elbo"``, ``"iwae"``, ``"dreg"`` or ``"stl"``.
        free_bits: in nats; draw_noise: ``"iid"``, ``"antithetic"`` or ``"sobol"``; draws: for each example.
        estimator: name in :data:`reparam.vae.ESTIMATORS`; ``None`` is the posterior's own.

    Raises:
        UsageError: it cannot; says why, and what to use instead.

    Example:
        >>> coins = Architecture(event_shape=(5,), likelihood="gaussian", latent_dim=2, width=8, network="residual-mlp",
        ...                      posterior="bernoulli")
        >>> check_objective(coins, objective="iwae")
        Traceback (most recent call last):
        reparam.errors.UsageError: objective iwae moves the draws of the posterior, and coins cannot move; use elbo
    """
    posterior, prior = architecture.posterior, architecture.prior
    part = POSTERIORS[posterior]
    if part.draws == "fixed":
        if objective != "elbo":
            raise UsageError(
                f"objective {objective} moves the draws of the posterior, and {part.values} cannot move; use elbo"
            )
        if draw_noise != "iid":
            raise UsageError(
                f"draw_noise {draw_noise} spreads the noise that draws are made of, and {part.values} are not made of "
                "noise here; use draw_noise iid (with the estimator disarm, coins come in antithetic pairs)"
            )
        _check_estimator(architecture, estimator, draws)
    elif estimator is not None:
        raise UsageError(
            f"estimator {estimator} is for draws that cannot move, and those of the {posterior} posterior do; leave it "
            "out, or use posterior bernoulli or categorical"
        )
    if part.draws == "moved" and draw_noise != "iid":
        raise UsageError(
            f"draw_noise {draw_noise} needs draws that are a map of noise, and those of the {posterior} posterior are "
            "not; use draw_noise iid"
        )
    if part.density == "of its draws" and objective in ("stl", "dreg"):
        raise UsageError(
            f"objective {objective} needs the posterior's density of values held fixed, which takes the {posterior} "
            "posterior a pass of each network for every dimension; use objective elbo or iwae, or posterior spline-flow"
        )
    if free_bits and (part.dimensions == "dependent" or prior != "standard"):
        dependent = f"{posterior} posterior" if part.dimensions == "dependent" else f"{prior} prior"
        raise UsageError(
            f"free_bits needs a rate for each latent dimension, and in the {dependent} they depend on each other; use "
            "free_bits 0, or posterior diagonal-normal with prior standard"
        )


def _can_be_a_mixture(posterior: str) -> bool:
    """Whether a VampPrior can be made of such posteriors."""
    part = POSTERIORS[posterior]
    return part.draws != "fixed" and part.density == "of any value" and part.values != "two levels"


def _check_estimator(architecture: Architecture, estimator: str | None, draws: int | None) -> None:
    coins = architecture.posterior == "bernoulli"
    if estimator == "disarm" and not coins:
        raise UsageError("estimator disarm is for coins; use leave-one-out or rebar, or posterior bernoulli")
    if estimator == "leave-one-out" and draws == 1:
        raise UsageError("estimator leave-one-out compares draws with each other: draws must be at least 2, got 1")
    if estimator == "enumerate":
        count, limit = (2 if coins else architecture.num_classes) ** architecture.latent_dim, Enumerate().limit
        if count > limit:
            raise UsageError(
                f"estimator enumerate decodes every value of the latents, {count:.3g} here, and {limit} are the most; "
                f"use estimator {'disarm' if coins else 'leave-one-out'}, or a smaller latent_dim"
            )
