"""How the draws of one example are spread: independently, in mirrored pairs, or evenly."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from reparam import noise
from reparam.errors import UsageError, whole_number
from reparam.noise import Antithetic, Sobol

__all__ = ["NoiseKind", "check_spread", "randomness_of"]

NoiseKind = Literal["iid", "antithetic", "sobol"]


@dataclass(frozen=True)
class _SobolByExample:
    """Sobol noise for any number of examples: a sequence has too few dimensions for many of them at once.

    Examples share no draw, so that blocks of them may have sequences of their own.
    """

    seed: int

    def standard_normal(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`reparam.noise.Source`."""
        return self._joined(shape, lambda source, block: source.standard_normal(sample_shape, block, like=like))

    def uniform(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`reparam.noise.Source`."""
        return self._joined(shape, lambda source, block: source.uniform(sample_shape, block, like=like))

    def _joined(self, shape: torch.Size, drawn: Callable[[Sobol, torch.Size], Tensor]) -> Tensor:
        num_examples, *one = shape
        at_once = max(Sobol.most_dimensions // max(math.prod(one), 1), 1)
        made = noise.generator(self.seed, "examples")
        parts = [
            drawn(Sobol(noise.seed_from(made)), torch.Size([min(at_once, num_examples - first), *one]))
            for first in range(0, num_examples, at_once)
        ]
        return torch.cat(parts, dim=1)


def randomness_of(kind: NoiseKind, generator: torch.Generator | None) -> dict[str, Any]:
    """What ``rsample`` is given to draw ``S`` times for each example of a batch: ``generator=`` or ``noise=``."""
    if kind == "iid":
        return {"generator": generator}
    # A source has no state of its own: it starts from one number of the step's generator.
    seed = noise.seed_from(generator)
    return {"noise": Antithetic(seed) if kind == "antithetic" else _SobolByExample(seed)}


def check_spread(kind: str, num_samples: int) -> None:
    """Whether that many draws can be spread in this way.

    Raises:
        UsageError: they cannot.
    """
    if kind not in get_args(NoiseKind):
        raise UsageError(f"noise must be one of {', '.join(get_args(NoiseKind))}, got {kind!r}")
    whole_number("num_samples", num_samples)
    if kind != "iid" and num_samples < 2:
        raise UsageError(f"{kind} noise spreads several draws of an example, got num_samples={num_samples}")
