"""The probability of a value with its derivative, also where it is 0: there ``exp(log_prob)`` would be 0 times inf.

A law that was made with probabilities may have values that never come, and their probabilities move with the
parameters all the same: that of 1 for ``Bernoulli(probs=0.0)`` at rate 1.
"""

import math
from functools import singledispatch

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions import Binomial
from reparam.estimators.discrete import made_with

__all__ = ["probability"]


@singledispatch
def probability(law: td.Distribution, values: Tensor) -> Tensor:
    """The probability of each of ``values``, ``[*any, *batch, *event]``, with its gradient: ``[*any, *batch]``.

    Example:
        >>> probs = torch.tensor(0.0, requires_grad=True)
        >>> torch.autograd.grad(probability(td.Bernoulli(probs), torch.tensor(1.0)), probs)[0]
        tensor(1.)
    """
    return _by_logarithm(law, values)


@probability.register
def _bernoulli(law: td.Bernoulli, values: Tensor) -> Tensor:
    name, probs = made_with(law)
    if name == "logits":
        return _by_logarithm(law, values)
    return torch.where(values == 1, probs, 1 - probs)


@probability.register
def _binomial(law: td.Binomial, values: Tensor) -> Tensor:
    name, probs = made_with(law)
    if name == "logits":
        return _by_logarithm(law, values)
    count = law.total_count
    certain = (probs < torch.finfo(probs.dtype).tiny) | (probs == 1)
    inside = Binomial(count, torch.where(certain, 0.5, probs), validate_args=False).log_prob(values).exp()
    # Where all trials end alike, only the probabilities of one that does not, and of none, move: the powers see to it.
    total, some = count.double(), values.double()
    log_ways = torch.lgamma(total + 1) - torch.lgamma(some + 1) - torch.lgamma(total - some + 1)
    largest = math.sqrt(torch.finfo(probs.dtype).max)  # of what is multiplied by 0
    ways = log_ways.exp().round().clamp(max=largest).to(probs.dtype)
    return torch.where(certain, ways * probs**values * (1 - probs) ** (count - values), inside)


@probability.register
def _categorical(law: td.Categorical, values: Tensor) -> Tensor:
    classes, probs = torch.broadcast_tensors(values.long().unsqueeze(-1), law.probs)
    chosen: Tensor = probs.gather(-1, classes[..., :1]).squeeze(-1)
    return chosen


@probability.register
def _one_hot_categorical(law: td.OneHotCategorical, values: Tensor) -> Tensor:
    chosen: Tensor = (law.probs * values).sum(-1)
    return chosen


def _by_logarithm(law: td.Distribution, values: Tensor) -> Tensor:
    probabilities: Tensor = law.log_prob(values).exp()
    return probabilities
