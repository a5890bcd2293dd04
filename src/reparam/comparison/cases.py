"""The laws and losses that `reparam compare` shows: each law once, each loss once, four by four."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.distributions as td
from torch import Tensor

from reparam import distributions as law
from reparam.estimators.base import Function

__all__ = ["LAWS", "LOSSES", "LossCase"]


@dataclass(frozen=True)
class LossCase:
    """A loss, and how it is written."""

    name: str
    formula: str
    function: Function


def _network(y: Tensor) -> Tensor:
    """A fixed network of one hidden layer of eight: smooth, not monotone."""
    number = torch.arange(1.0, 9.0, dtype=y.dtype, device=y.device)
    hidden = torch.tanh(y.unsqueeze(-1) * torch.sin(number) * 1.5 + torch.cos(2 * number))
    return (hidden * torch.cos(3 * number)).sum(-1)


LOSSES = (
    LossCase("linear", "2y", lambda y: 2 * y),
    LossCase("quadratic", "(y - 0.45)²", lambda y: (y - 0.45) ** 2),
    LossCase("cosine", "cos y", torch.cos),
    LossCase("network", "a small network", _network),
)

LAWS: dict[str, Callable[[], td.Distribution]] = {
    "normal": lambda: law.Normal(0.7, 1.3),
    "gamma": lambda: law.Gamma(1.6, 1.3),
    "bernoulli": lambda: law.Bernoulli(logits=math.log(0.7 / 0.3)),
    "mixture": lambda: law.MixtureSameFamily(
        law.Categorical(logits=torch.tensor([0.0, 0.5])),
        law.Normal(torch.tensor([-2.5, 3.0]), torch.tensor([0.5, 0.8])),
    ),
}
