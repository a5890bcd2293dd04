"""What estimators need to know of coins and classes: their parameters, finite and differentiable, and their draws.

Works for the laws of ``reparam.distributions`` and for torch's own. A probability of exactly 0 or 1 has infinite log
odds; here it counts as the number next to it, with derivative 0.
"""

from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import Law
from reparam.distributions.categorical import one_hot
from reparam.distributions.odds import has_probs
from reparam.distributions.precision import positive_range, widen
from reparam.estimators.base import elements

__all__ = [
    "as_draws",
    "is_coin",
    "is_one_hot",
    "log_odds",
    "log_weights",
    "made_with",
    "probabilities",
    "refusal_unless_classes",
    "refusal_unless_coin",
    "refusal_unless_vectors",
]


def is_coin(law: td.Distribution) -> bool:
    """Whether its elements are zeros and ones."""
    return isinstance(elements(law), td.Bernoulli)


def is_one_hot(law: td.Distribution) -> bool:
    """Whether its elements are vectors of zeros and a one."""
    return isinstance(elements(law), td.OneHotCategorical)


def refusal_unless_coin(law: td.Distribution) -> str:
    """Why an estimator for coins is not for this law; empty if it is."""
    return "" if is_coin(law) else "it is for Bernoulli laws only"


def refusal_unless_vectors(law: td.Distribution) -> str:
    """Why an estimator that moves draws between their values is not for this law; empty if it is."""
    if is_coin(law) or is_one_hot(law):
        return ""
    if isinstance(elements(law), td.Categorical):
        return "its draws are numbers of classes, with nothing in between; it is for OneHotCategorical and Bernoulli"
    return "it is for Bernoulli and OneHotCategorical laws only"


def refusal_unless_classes(law: td.Distribution) -> str:
    """Why an estimator for classes is not for this law; empty if it is."""
    known = is_one_hot(law) or isinstance(elements(law), td.Categorical)
    return "" if known else "it is for Categorical and OneHotCategorical laws only"


def log_odds(law: td.Distribution) -> Tensor:
    """``log p - log(1 - p)`` of coins, shape ``[*elements]``, in float32 at least."""
    name, parameter = _wide(law)
    if name == "logits":
        return parameter
    probs = torch.where(parameter < 1, parameter, 1 - torch.finfo(parameter.dtype).eps / 2)
    probs = _away_from_zero(probs)
    return probs.log() - torch.log1p(-probs)


def log_weights(law: td.Distribution) -> Tensor:
    """Log probabilities of classes up to a constant, shape ``[*elements, K]``, in float32 at least."""
    name, parameter = _wide(law)
    return parameter if name == "logits" else _away_from_zero(parameter).log()


def probabilities(law: td.Distribution) -> Tensor:
    """Of 1 for coins, ``[*elements]``, and of each class for classes, ``[*elements, K]``; in float32 at least."""
    name, parameter = _wide(law)
    if is_coin(law):
        return parameter if name == "probs" else torch.sigmoid(parameter)
    return parameter / parameter.sum(-1, keepdim=True) if name == "probs" else torch.softmax(parameter, -1)


def as_draws(law: td.Distribution, classes: Tensor) -> Tensor:
    """Classes ``[S, *elements]`` in the shape and dtype of the draws of a law of classes."""
    if not is_one_hot(law):
        return classes
    num_classes: int = law.event_shape[-1]
    return one_hot(classes, num_classes).to(elements(law).probs.dtype)  # type: ignore[attr-defined]


def made_with(law: td.Distribution) -> tuple[str, Tensor]:
    """``probs`` or ``logits``, whichever the law was made with (the other one is rounded), and the parameter itself.

    Example:
        >>> made_with(td.Bernoulli(logits=torch.tensor(2.0)))
        ('logits', tensor(2.))
    """
    single: Any = elements(law)
    if isinstance(single, Law):
        name = "probs" if has_probs(single) else "logits"
        return name, single._given[name]
    holder: Any = single._categorical if isinstance(single, td.OneHotCategorical) else single
    # torch computes the other one when asked for it, and then has both.
    given = getattr(holder, "_param", None)
    name = "logits" if "probs" not in vars(holder) or given is vars(holder).get("logits", holder) else "probs"
    return name, getattr(holder, name)


def _wide(law: td.Distribution) -> tuple[str, Tensor]:
    name, parameter = made_with(law)
    return name, widen(parameter)


def _away_from_zero(probs: Tensor) -> Tensor:
    smallest = positive_range(probs)[0]
    return torch.where(probs >= smallest, probs, smallest)
