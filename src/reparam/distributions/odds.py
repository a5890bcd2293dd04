"""A probability given as itself or as its log odds: each is exact where the other is not, so neither is converted."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.distributions.base import Law
from reparam.distributions.precision import widen
from reparam.errors import ParameterError

__all__ = ["has_probs", "log_likelihood", "log_odds", "log_weights", "odds_against", "probs_or_logits"]


def probs_or_logits(law: Law, probs: Any, logits: Any) -> dict[str, Any]:
    """The one of the two that is given, under its name.

    Raises:
        ParameterError: both or none of the two are given.
    """
    given = {name: value for name, value in (("probs", probs), ("logits", logits)) if value is not None}
    if len(given) != 1:
        raise ParameterError(f"{type(law).__name__}: give probs= or logits=; got {'both' if given else 'neither'}")
    return given


def has_probs(law: Law) -> bool:
    """Whether the law was made with ``probs`` (else with ``logits``)."""
    return "probs" in law._given


def log_likelihood(law: Any, successes: Tensor, failures: Tensor) -> Tensor:
    """``s·log p + f·log(1 - p)``, in the dtype of the counts."""
    if has_probs(law):
        probs = law.probs.to(successes.dtype)
        # A count of 0 must not bring in the logarithm of 0, nor its infinite derivative: it gets a harmless argument.
        one = successes * torch.log(torch.where((successes == 0) & (probs == 0), 1.0, probs))
        zero = failures * torch.log1p(-torch.where((failures == 0) & (probs == 1), 0.0, probs))
        return one + zero
    logits = law.logits.to(successes.dtype)
    return successes * logsigmoid(logits) + failures * logsigmoid(-logits)


def log_odds(law: Any) -> Tensor:
    """``log p - log(1 - p)``, in float32 at least; infinite for p = 0 and p = 1."""
    if has_probs(law):
        probs = widen(law.probs)
        return probs.log() - torch.log1p(-probs)
    return widen(law.logits)


def odds_against(law: Any) -> Tensor:
    """``(1 - p)/p``, in float32 at least."""
    if has_probs(law):
        probs = widen(law.probs)
        return (1 - probs) / probs
    return torch.exp(-widen(law.logits))


def log_weights(law: Law) -> Tensor:
    """Logarithms of the probabilities of K classes, up to a constant, in float32 at least."""
    return widen(law._given["probs"]).log() if has_probs(law) else widen(law._given["logits"])
