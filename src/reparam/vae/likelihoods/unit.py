"""Families for values between 0 and 1: black and white, or anything in between."""

from typing import Any, Self

import torch
from torch import Tensor, nn

from reparam import distributions
from reparam.distributions import Independent

__all__ = ["Bernoulli", "ContinuousBernoulli"]


class Bernoulli(nn.Module):
    """Black or white: each value is 1 with probability ``sigmoid(output + offset)``, else 0.

    Args:
        event_shape: shape of one example.

    Example:
        >>> law = Bernoulli((2,)).start_at(torch.tensor([[0.0, 1.0], [1.0, 1.0]]))(torch.zeros(5, 2))
        >>> law.mean[0].detach()
        tensor([0.5000, 0.9990])
    """

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(event_shape))

    def num_outputs(self, num_values: int) -> int:
        """One logit a value."""
        return num_values

    def start_at(self, x: Tensor, **_: Any) -> Self:
        """Start at the mean of ``x`` (``[N, *X]`` in [0, 1]), kept within [0.001, 0.999]."""
        self.offset.data.copy_(torch.logit(x.mean(0), eps=1e-3))
        return self

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these logits."""
        law = distributions.Bernoulli(logits=outputs + self.offset, validate_args=False)
        return Independent(law, self.offset.dim(), validate_args=False)


class ContinuousBernoulli(nn.Module):
    """A real value in [0, 1]: density proportional to ``e^(l·y)``, with ``l = output + offset``.

    What the cross-entropy of grey levels becomes when it is made a density: it integrates to 1. Its width is no
    parameter of its own, but follows from the mean: widest (uniform) at a mean of 1/2, narrow at the ends. A density,
    not a probability of levels: its nats do not compare with bits per dimension.

    Source: Loaiza-Ganem & Cunningham 2019, arXiv:1907.06845.

    Args:
        event_shape: shape of one example.

    Example:
        >>> law = ContinuousBernoulli((2,)).start_at(torch.tensor([[0.1, 0.8], [0.3, 1.0]]))(torch.zeros(5, 2))
        >>> law.mean[0].detach()
        tensor([0.2000, 0.9000])
    """

    smallest_mean = 0.01

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(event_shape))

    def num_outputs(self, num_values: int) -> int:
        """One slope of the log density a value."""
        return num_values

    def start_at(self, x: Tensor, **_: Any) -> Self:
        """Start at the mean of ``x`` (``[N, *X]`` in [0, 1]), kept within [0.01, 0.99]."""
        mean = x.double().mean(0).clamp(self.smallest_mean, 1 - self.smallest_mean)
        # A law of this mean has a logit of at most 1/mean or 1/(1 - mean) in size; the mean rises with the logit.
        low, high = -1 / mean, 1 / (1 - mean)
        for _step in range(60):
            middle = (low + high) / 2
            below = distributions.ContinuousBernoulli(logits=middle, validate_args=False).mean < mean
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        self.offset.data.copy_(low)
        return self

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these logits."""
        law = distributions.ContinuousBernoulli(logits=outputs + self.offset, validate_args=False)
        return Independent(law, self.offset.dim(), validate_args=False)
