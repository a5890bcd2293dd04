"""Which law a value follows given the latents: chosen from the data, or checked against it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast

from reparam.data.schema import Schema
from reparam.errors import UsageError
from reparam.training.settings import Settings
from reparam.vae import LIKELIHOODS, VAE

__all__ = ["Binarize", "choose_likelihood", "own_likelihood"]

Binarize = Literal["dynamic", "static", "none"]


def choose_likelihood(schema: Schema, settings: Settings) -> tuple[str, Binarize, str]:
    """The law of a value given the latents, how values are binarised, and why.

    Raises:
        UsageError: a combination that is no likelihood of the data, with the ones that are.
    """
    wanted, binarize = settings.likelihood, cast(Binarize | None, settings.binarize)
    graded = schema.levels is not None and not schema.binary
    if binarize in ("dynamic", "static"):
        if not graded:
            kind = "black and white already" if schema.binary else "real values, which are no probabilities"
            raise UsageError(f"--binarize {binarize} needs grey levels; these are {kind}. Leave --binarize out")
        if wanted not in (None, "bernoulli"):
            raise UsageError(
                f"--binarize {binarize} makes values 0 or 1, which needs --likelihood bernoulli, got '{wanted}'"
            )
        return "bernoulli", binarize, f"Bernoulli, grey levels binarised {_HOW[binarize]}"
    if wanted == "bernoulli" or (wanted is None and schema.binary):
        if schema.levels is None:
            raise UsageError(
                "--likelihood bernoulli needs values that are 0 or 1, or grey levels with --binarize; these are real "
                "values. Use --likelihood gaussian"
            )
        if graded and binarize == "none":
            raise UsageError(
                "--likelihood bernoulli with --binarize none scores grey levels as if they were outcomes, which is no "
                "likelihood. Use --binarize dynamic (or static), or --likelihood discretized-logistic"
            )
        if graded:
            return "bernoulli", "dynamic", f"Bernoulli, grey levels binarised {_HOW['dynamic']}"
        return "bernoulli", "none", "Bernoulli, as all values are 0 or 1"
    if wanted == "discretized-logistic" or (wanted is None and graded):
        if schema.levels is None:
            raise UsageError(
                "--likelihood discretized-logistic needs whole levels; these are real values. Use --likelihood gaussian"
            )
        return (
            "discretized-logistic",
            "none",
            f"discretised logistic over {schema.levels} levels (--likelihood or --binarize to change)",
        )
    reason = "Gaussian with a calibrated scale for each value"
    if schema.levels is not None:
        reason += "; the data has levels, so this is a density and not comparable to bits per dimension"
    return "gaussian", "none", reason


def own_likelihood(schema: Schema, settings: Settings, model: VAE) -> tuple[str, Binarize, str]:
    family = model.decoder.family
    known = [name for name, part in LIKELIHOODS.items() if isinstance(family, part.kind)]
    name = known[0] if known else type(family).__name__
    if settings.likelihood not in (None, name):
        raise UsageError(
            f"the model's decoder has the likelihood {name}, but likelihood={settings.likelihood!r} was set"
        )
    if known:
        return choose_likelihood(schema, replace(settings, likelihood=name))
    return name, cast(Binarize, settings.binarize or "none"), f"the model's own, {name}"


_HOW: Mapping[str, str] = {"dynamic": "anew each time they are seen", "static": "once"}
