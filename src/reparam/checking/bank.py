"""Functions of the draws whose expectations are compared: bounded ones see everything, unbounded ones the tails."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from reparam import noise
from reparam.checking.oracle import Oracle

__all__ = ["cosines", "on_line", "smooth", "turned", "waves"]

Function = Callable[[Tensor], Tensor]


def on_line(oracle: Oracle, draws: Tensor) -> dict[str, Function]:
    """For a law on a line; ``z`` is the draw less its median, over its quartile distance."""
    if oracle.coordinate.kind == "circle":
        return {"cos y": torch.cos, "sin y": torch.sin, "cos 2y": lambda y: torch.cos(2 * y)}
    middle, width = _middle_and_width(draws)
    found: dict[str, Function] = {
        "tanh(z + 0.7)": smooth(draws),
        "cos 2z": lambda y: torch.cos(2 * (y - middle) / width),
        "y": lambda y: y,
        "y²": lambda y: y**2,
    }
    if oracle.coordinate.kind == "above":
        lower = oracle.coordinate.lower
        found["log y" if lower == 0 else f"log(y - {lower:g})"] = lambda y: (y - lower).log()
    return found


def smooth(draws: Tensor) -> Function:
    """``tanh(z + 0.7)``: bounded, monotone, changing where the draws are, and not symmetric where a law may be."""
    middle, width = _middle_and_width(draws)
    return lambda y: torch.tanh((y - middle) / width + 0.7)


def turned(draws: Tensor) -> Tensor:
    """``cos(y - 0.7)``: the same for angles."""
    return torch.cos(draws - 0.7)


def _middle_and_width(draws: Tensor) -> tuple[float, float]:
    ordered = draws[draws.isfinite()].sort().values
    low, middle, high = (float(ordered[int(share * (len(ordered) - 1))]) for share in (0.25, 0.5, 0.75))
    return middle, (high - low) or 1.0


def cosines(draws: Tensor, count: int, seed: int) -> Callable[[Tensor], Tensor]:
    """``cos(ω·z + b)`` of the flattened draw, for ``count`` random frequencies ω: ``[n, *event]`` to ``[n, count]``.

    ``z`` is the draw, standardised in each element. Every other ω looks at one element alone.
    """
    flat = draws.reshape(len(draws), -1)
    middle, width = flat.mean(0), flat.std(0).clamp(min=1e-300)
    frequencies, phases = waves(flat.shape[1], count, seed)

    def functions(y: Tensor) -> Tensor:
        return torch.cos((y.reshape(len(y), -1) - middle) / width @ frequencies.T + phases)

    return functions


def waves(size: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random frequencies ``[count, size]`` and phases ``[count]``."""
    generator = noise.generator(seed, "check", "waves")
    like = torch.zeros((), dtype=torch.float64)
    frequencies = 1.5 / math.sqrt(size) * noise.standard_normal((count, size), like=like, generator=generator)
    for index in range(1, count, 2):
        alone = torch.zeros(size, dtype=torch.float64)
        alone[index // 2 % size] = 1.0
        frequencies[index] = alone
    return frequencies, 2 * math.pi * noise.uniform((count,), like=like, generator=generator)
