"""Everything that `reparam compare` shows: comparisons for each law and loss, direct draws, and the chain rule."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch.distributions as td

from reparam.comparison.chain import ChainRule, chain_rule
from reparam.comparison.comparing import Comparison, compare
from reparam.estimators.base import Function

__all__ = ["Overview", "overview"]


@dataclass(frozen=True)
class Overview:
    """What was measured.

    Args:
        grid: law to loss to comparison; every law has the same losses.
        formulas: loss to how it is written.
        chain: the gradient of a network's weights, by the way it takes.
    """

    grid: Mapping[str, Mapping[str, Comparison]]
    formulas: Mapping[str, str]
    chain: ChainRule

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        for comparisons in self.grid.values():
            for loss, comparison in comparisons.items():
                first, *rest = str(comparison).splitlines()
                yield f"{first}, f(y) = {self.formulas[loss]}"
                yield from rest
                yield ""
        yield "The chain rule: dL/dw of a network that gives loc(x) and scale(x) is the sum of both ways"
        yield str(self.chain)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "laws": {
                law: {loss: comparison.to_dict() for loss, comparison in comparisons.items()}
                for law, comparisons in self.grid.items()
            },
            "losses": dict(self.formulas),
            "chain_rule": self.chain.to_dict(),
        }


def overview(
    laws: Mapping[str, Callable[[], td.Distribution]],
    losses: Mapping[str, tuple[str, Function]],
    *,
    samples: int,
    repeats: int,
    seed: int,
    watch: Callable[[str], None] = lambda _: None,
) -> Overview:
    """Measure every law with every loss.

    Args:
        laws: name to a function that makes the law.
        losses: name to formula and function.
        samples: of one estimate.
        repeats: how many estimates each.
        seed: repeats everything but the times.
        watch: told what is measured next.
    """
    grid: dict[str, dict[str, Comparison]] = {}
    for law, make in laws.items():
        grid[law] = {}
        for loss, (_, function) in losses.items():
            watch(f"{law}, {loss}")
            grid[law][loss] = compare(function, make(), samples=samples, repeats=repeats, seed=seed)
    return Overview(grid, {loss: formula for loss, (formula, _) in losses.items()}, chain_rule(seed))
