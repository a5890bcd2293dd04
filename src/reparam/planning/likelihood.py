"""Which law a value follows given the latents: chosen from the data, or checked against it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast

from reparam.data.schema import Schema
from reparam.errors import UsageError
from reparam.training.settings import Settings
from reparam.vae import LIKELIHOODS, VAE, CountFamily

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
    if wanted is None:
        binarized = binarize in ("dynamic", "static") or schema.binary
        wanted = "bernoulli" if binarized else "discretized-logistic" if graded else "gaussian"
    _check_options(wanted, settings)
    if wanted == "bernoulli":
        return _bernoulli(schema, binarize)
    return wanted, "none", _reason(wanted, schema)


def own_likelihood(schema: Schema, settings: Settings, model: VAE) -> tuple[str, Binarize, str]:
    """The law that a model of the user's own decodes to, as :func:`choose_likelihood` gives it.

    Raises:
        UsageError: it is no likelihood of the data, or not the one that the settings ask for.
    """
    family = model.decoder.family
    known = [name for name, part in LIKELIHOODS.items() if isinstance(family, part.kind)]
    name = known[0] if known else type(family).__name__
    if settings.likelihood not in (None, name):
        raise UsageError(
            f"the model's decoder has the likelihood {name}, but likelihood={settings.likelihood!r} was set"
        )
    if known:
        return choose_likelihood(schema, replace(settings, likelihood=name))
    if settings.library_size and not isinstance(family, CountFamily):
        raise UsageError(f"library_size needs a likelihood of counts, a reparam.vae.CountFamily; the model's is {name}")
    return name, cast(Binarize, settings.binarize or "none"), f"the model's own, {name}"


def _check_options(likelihood: str, settings: Settings) -> None:
    if settings.library_size and not issubclass(LIKELIHOODS[likelihood].kind, CountFamily):
        raise UsageError(
            f"library_size is for likelihoods of counts, and this one is {likelihood}. Leave it out, or use "
            "--likelihood negative-binomial"
        )
    if settings.likelihood_components is not None and likelihood != "discretized-logistic-mixture":
        raise UsageError(
            f"likelihood_components is for mixtures, and the likelihood is {likelihood}. Leave it out, or use "
            "--likelihood discretized-logistic-mixture"
        )


def _bernoulli(schema: Schema, binarize: Binarize | None) -> tuple[str, Binarize, str]:
    if schema.levels is None:
        raise UsageError(
            "--likelihood bernoulli needs values that are 0 or 1, or grey levels with --binarize; these are real "
            "values. Use --likelihood gaussian"
        )
    if schema.binary:
        return "bernoulli", "none", "Bernoulli, as all values are 0 or 1"
    if binarize == "none":
        raise UsageError(
            "--likelihood bernoulli with --binarize none scores grey levels as if they were outcomes, which is no "
            "likelihood. Use --binarize dynamic (or static), or --likelihood discretized-logistic"
        )
    how = binarize or "dynamic"
    return "bernoulli", how, f"Bernoulli, grey levels binarised {_HOW[how]}"


def _reason(likelihood: str, schema: Schema) -> str:
    """What is said of a likelihood.

    Raises:
        UsageError: it is none of this kind of data.
    """
    levels, sentence = schema.levels, _SENTENCES[likelihood]
    if likelihood in _OF_LEVELS:
        if levels is None:
            raise UsageError(
                f"--likelihood {likelihood} needs whole levels; these are real values. Use --likelihood gaussian"
            )
        return sentence.format(levels=levels)
    if levels is None:
        return sentence
    if issubclass(LIKELIHOODS[likelihood].kind, CountFamily):
        kind = "0 or 1" if schema.binary else f"levels from 0 to {levels - 1}"
        instead = "bernoulli" if schema.binary else "discretized-logistic"
        raise UsageError(
            f"--likelihood {likelihood} needs counts that may be any whole number; these are {kind}. Use --likelihood "
            f"{instead}, or give counts in images as floats"
        )
    return f"{sentence}; the data has levels, so this is a density and not comparable to bits per dimension"


_HOW: Mapping[str, str] = {"dynamic": "anew each time they are seen", "static": "once"}
_OF_LEVELS = ("discretized-logistic", "discretized-logistic-mixture", "categorical")
_SENTENCES: Mapping[str, str] = {
    "categorical": "categorical over {levels} levels, each with a probability of its own",
    "continuous-bernoulli": "continuous Bernoulli, for values between 0 and 1",
    "discretized-logistic": "discretised logistic over {levels} levels (--likelihood or --binarize to change)",
    "discretized-logistic-mixture": "mixture of discretised logistic laws over {levels} levels",
    "gaussian": "Gaussian with a calibrated scale for each value",
    "laplace": "Laplace with a calibrated scale for each value, for tails as e^-|x|",
    "negative-binomial": "negative binomial, counts that vary more than Poisson ones, by as much as each value does",
    "poisson": "Poisson, counts whose variance is their mean (negative-binomial if they vary more)",
    "student-t": "Student's t with a calibrated scale and tail for each value, for outliers",
    "zero-inflated-negative-binomial": "negative binomial, with zeros besides that have a reason of their own",
    "zero-inflated-poisson": "Poisson, with zeros besides that have a reason of their own",
}
