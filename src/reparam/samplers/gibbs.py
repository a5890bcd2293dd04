"""Gibbs sampling: one block after the other, from its law given all others."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from reparam.errors import SamplerError
from reparam.estimators.base import draw, elements, wants_gradient
from reparam.samplers.kernels import Info, Kernel, State

__all__ = ["Gibbs"]

Conditional = Callable[[Mapping[str, Tensor]], td.Distribution]


class Gibbs(Kernel):
    """A systematic scan over blocks: each is drawn from its conditional law given the newest value of the others.

    The position is a dictionary of blocks, ``{name: [chains, *event]}``. Every step is accepted.

    Where every conditional has an ``rsample``, a sweep is a smooth map of its noise: in gradient mode gradients flow to
    the parameters of the conditionals and to the start. A block without one (a discrete law, say) whose law wants a
    gradient is refused then.

    Args:
        conditionals: for each block, in the order of the scan, a function of the whole position that returns the law of
            that block: batch and event shape together ``[chains, *event]``, one independent law for each chain.

    Raises:
        SamplerError: that is no such mapping.

    Example:
        >>> from reparam.distributions import Normal
        >>> from reparam.samplers import run
        >>> kernel = Gibbs({"x": lambda at: Normal(0.9 * at["y"], 0.19**0.5),
        ...                 "y": lambda at: Normal(0.9 * at["x"], 0.19**0.5)})
        >>> start = {"x": torch.zeros(500), "y": torch.zeros(500)}
        >>> chains = run(kernel, start, 50, num_discarded=50, generator=torch.Generator().manual_seed(0))
        >>> chains.draws["x"].shape, (chains.draws["x"] * chains.draws["y"]).mean().round(decimals=1)
        (torch.Size([50, 500]), tensor(0.9000))

    Source: Geman & Geman, IEEE Trans. PAMI 6 (1984) 721-741.
    """

    def __init__(self, conditionals: Mapping[str, Conditional]) -> None:
        if not isinstance(conditionals, Mapping) or not conditionals or not all(map(callable, conditionals.values())):
            raise SamplerError("conditionals must be a dictionary of functions from the position to the law of a block")
        self.conditionals = dict(conditionals)

    def init(self, position: Mapping[str, Tensor]) -> State:
        """See :meth:`Kernel.init`; ``log_density`` is 0, as no conditional says what it is."""
        if not isinstance(position, Mapping) or set(position) != set(self.conditionals):
            got = sorted(position) if isinstance(position, Mapping) else type(position).__name__
            raise SamplerError(f"a position must have the blocks {sorted(self.conditionals)}; got {got}")
        sizes = {name: tuple(block.shape[:1]) for name, block in position.items()}
        if len(set(sizes.values())) > 1 or () in sizes.values():
            raise SamplerError(f"all blocks must have the same number of chains in front; got {sizes}")
        first = next(iter(position.values()))
        return State(dict(position), first.new_zeros(len(first), dtype=torch.float64), first.new_zeros(0))

    def step(self, state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        """One sweep over all blocks."""
        position = dict(state.position)
        for name in self.conditionals:
            position[name] = self._drawn(name, position, generator)
        every = torch.ones_like(state.log_density, dtype=torch.bool)
        return State(position, state.log_density, state.slope), Info(torch.ones_like(state.log_density), every, ~every)

    def wanting(self, position: Mapping[str, Tensor]) -> str:
        """See :meth:`Kernel.wanting`: looks at the laws of the first sweep, without drawing."""
        found = [f"block {name!r} of the position" for name, block in position.items() if wants_gradient(block)]
        with torch.enable_grad():
            for name in self.conditionals if not found else ():
                if _wants_gradient(self._law(name, position)):
                    found.append(f"the law of block {name!r}")
        return ", ".join(found)

    def _law(self, name: str, position: Mapping[str, Tensor]) -> td.Distribution:
        law, block = self.conditionals[name](position), position[name]
        if not isinstance(law, td.Distribution):
            raise SamplerError(f"the conditional of block {name!r} must return a distribution; got {law!r}")
        if law.batch_shape + law.event_shape != block.shape or law.batch_shape[:1] != block.shape[:1]:
            raise SamplerError(
                f"the conditional of block {name!r} must return a law whose draws have the shape of the block, "
                f"{tuple(block.shape)}, with the chains as a batch; got batch shape {tuple(law.batch_shape)} and event "
                f"shape {tuple(law.event_shape)}"
            )
        return law

    def _drawn(self, name: str, position: Mapping[str, Tensor], generator: torch.Generator | None) -> Tensor:
        law = self._law(name, position)
        if torch.is_grad_enabled() and _wants_gradient(law):
            if not law.has_rsample:
                raise SamplerError(
                    f"block {name!r} has no gradient: {type(elements(law)).__name__} has no rsample, its draws jump "
                    "when a parameter moves, and its law wants one. Where the draws alone are wanted, say so with "
                    "torch.no_grad()"
                )
            drawn: Tensor = draw(law, (), generator, "rsample")
        else:
            with torch.no_grad():
                drawn = draw(law, (), generator)
        return drawn.to(position[name].dtype)


def _wants_gradient(law: td.Distribution) -> bool:
    """Whether a parameter of the law has a gradient behind it."""
    return any(wants_gradient(tensor) for tensor in _tensors(law))


def _tensors(value: Any) -> list[Tensor]:
    """The tensors that a law holds, also those of the laws it is made of."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, td.Distribution | td.Transform):
        return [tensor for part in vars(value).values() for tensor in _tensors(part)]
    if isinstance(value, Mapping):
        return [tensor for part in value.values() for tensor in _tensors(part)]
    if isinstance(value, list | tuple):
        return [tensor for part in value for tensor in _tensors(part)]
    return []
