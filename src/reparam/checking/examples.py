"""One example of each public law, for ``reparam check`` without an argument: a new law adds a line."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.distributions as td

from reparam.distributions import Bernoulli, DiscretizedLogistic, Logistic, Normal

__all__ = ["EXAMPLES", "Example"]


class Example(NamedTuple):
    """A law at asymmetric parameters: a function and what it is called with (numbers and nested lists)."""

    name: str
    make: Callable[..., td.Distribution]
    parameters: dict[str, Any]

    def tensors(self) -> dict[str, torch.Tensor]:
        """The parameters in float64."""
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in self.parameters.items()}


EXAMPLES = (
    Example("Bernoulli", Bernoulli, {"probs": 0.3}),
    Example("Bernoulli(logits)", lambda logits: Bernoulli(logits=logits), {"logits": -2.0}),
    Example(
        "DiscretizedLogistic",
        lambda loc, scale: DiscretizedLogistic(loc, scale, levels=16),
        {"loc": 0.35, "scale": 0.15},
    ),
    Example("Logistic", Logistic, {"loc": 0.7, "scale": 1.3}),
    Example("Normal", Normal, {"loc": 0.7, "scale": 1.3}),
)
