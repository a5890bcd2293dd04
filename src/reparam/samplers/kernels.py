"""What a Markov kernel is, and what kernels with a log density share: checks, momentum, leapfrog steps."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from reparam import noise
from reparam.errors import SamplerError
from reparam.estimators.base import wants_gradient

__all__ = [
    "Info",
    "Kernel",
    "LogDensity",
    "State",
    "TunedKernel",
    "all_finite",
    "draw_momentum",
    "kinetic_energy",
    "leapfrog",
    "positive",
    "refuse_dropped_gradient",
    "refuse_forward_mode",
    "require_finite",
    "where_chain",
]

LogDensity = Callable[[Tensor], Tensor]


class State(NamedTuple):
    """Where the chains are."""

    position: Any  # [chains, *event]; Gibbs: one of these for each block, by name
    log_density: Tensor  # [chains]
    slope: Tensor  # the gradient of the log density, [chains, *event]; empty where the kernel needs none


class Info(NamedTuple):
    """What happened in a step, for each chain."""

    acceptance: Tensor  # the probability with which the proposal was accepted
    accepted: Tensor  # whether it was
    diverged: Tensor  # whether the energy went up without bound, or was not a number


class Kernel(ABC):
    """One step of a Markov chain."""

    no_gradient: ClassVar[str] = ""  # why its draws carry no gradient; empty if they do

    @abstractmethod
    def init(self, position: Any) -> State:
        """The state of chains that start at ``position``, ``[chains, *event]``.

        Raises:
            SamplerError: a chain starts where the log density is not finite; or, in gradient mode, something wants a
                gradient, and the kernel has none.
        """

    @abstractmethod
    def step(self, state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        """One step of all chains."""

    @abstractmethod
    def wanting(self, position: Any) -> str:
        """What wants a gradient of a chain that starts there, in words; empty if nothing does."""


def refuse_forward_mode(position: Tensor) -> None:
    """A slope is taken in reverse mode, at a place of its own, and would lose the tangent of the position.

    Raises:
        NotImplementedError: the position has one.
    """
    if wants_gradient(position) and not position.requires_grad:
        raise NotImplementedError("no forward mode through slopes of a log density; use reverse mode")


class TunedKernel(Kernel):
    """A kernel with a log density, a step size and a diagonal mass matrix.

    Args:
        logdensity_fn: positions ``[chains, *event]`` to log densities ``[chains]``. -inf and NaN are never accepted.
        step_size: positive; one number, or one for each chain.
        inverse_mass: positive, broadcasts to the event: the squared scale of each coordinate, best the variances of
            the target.

    Raises:
        SamplerError: one of them makes no sense.
    """

    target_acceptance: ClassVar[float | None] = None  # what ``adapt`` aims at

    def __init__(
        self, logdensity_fn: LogDensity, step_size: Tensor | float, inverse_mass: Tensor | float = 1.0
    ) -> None:
        if not callable(logdensity_fn):
            raise SamplerError(f"logdensity_fn must be a function of positions; got {logdensity_fn!r}")
        self.logdensity_fn = logdensity_fn
        self.step_size, self.inverse_mass = positive("step_size", step_size), positive("inverse_mass", inverse_mass)

    def tuned(self, step_size: Tensor, inverse_mass: Tensor) -> Self:
        """The same kernel with another step size and mass."""
        new = copy.copy(self)
        new.step_size, new.inverse_mass = positive("step_size", step_size), positive("inverse_mass", inverse_mass)
        return new

    def wanting(self, position: Tensor) -> str:
        """See :meth:`Kernel.wanting`."""
        named = {"the position": position, "step_size": self.step_size, "inverse_mass": self.inverse_mass}
        found = [name for name, tensor in named.items() if wants_gradient(tensor)]
        if not found:
            with torch.enable_grad():
                moves = wants_gradient(self.logdensity_fn(position.detach()))
                found = ["a parameter of logdensity_fn"] if moves else []
        return ", ".join(found)

    def log_density(self, position: Tensor) -> Tensor:
        """``[chains]``; -inf where it is NaN.

        Raises:
            SamplerError: it has another shape.
        """
        value = self.logdensity_fn(position)
        if not isinstance(value, Tensor) or value.shape != position.shape[:1]:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise SamplerError(
                f"logdensity_fn must sum out the event and keep the chains: for positions {tuple(position.shape)} it "
                f"should return {tuple(position.shape[:1])}; got {got}"
            )
        return torch.where(value.isnan(), -torch.inf, value)

    def with_slope(self, position: Tensor, differentiable: bool) -> tuple[Tensor, Tensor]:
        """Log density and its gradient; with ``differentiable``, both with the graph behind them."""
        with torch.enable_grad():
            refuse_forward_mode(position)
            kept = differentiable and position.requires_grad
            place = position if kept else position.detach().requires_grad_()
            value = self.log_density(place)
            if not value.requires_grad:
                raise SamplerError(
                    f"logdensity_fn cannot be differentiated in the position, which {type(self).__name__} needs; "
                    "RandomWalk does not"
                )
            (slope,) = torch.autograd.grad(value.sum(), place, create_graph=differentiable)
        return (value, slope) if differentiable else (value.detach(), slope)

    def event_step(self, position: Tensor) -> Tensor:
        """The step size, to broadcast against positions."""
        step = self.step_size.to(position)
        return step.reshape(-1, *(1 for _ in position.shape[1:])) if step.dim() else step

    def start(self, position: Tensor) -> None:
        """Look at a starting position.

        Raises:
            SamplerError: it is none.
        """
        if not isinstance(position, Tensor) or not position.is_floating_point() or position.dim() == 0:
            raise SamplerError(
                f"a position must be a floating-point tensor of shape [chains, *event]; got {position!r}"
            )
        if self.step_size.dim() > 1 or (self.step_size.dim() and self.step_size.shape != position.shape[:1]):
            raise SamplerError(
                f"step_size must be one number or one for each of the {len(position)} chains; got shape "
                f"{tuple(self.step_size.shape)}"
            )


def refuse_dropped_gradient(kernel: Kernel, position: Any) -> None:
    """Raise SamplerError where, in gradient mode, something wants a gradient that the kernel has not."""
    if kernel.no_gradient and torch.is_grad_enabled() and (what := kernel.wanting(position)):
        raise SamplerError(
            f"{type(kernel).__name__} has no gradient, and one is wanted by {what}: {kernel.no_gradient}. Where the "
            "draws alone are wanted, say so with torch.no_grad()"
        )


def leapfrog(
    kernel: TunedKernel, state: State, momentum: Tensor, num_steps: int, differentiable: bool
) -> tuple[State, Tensor]:
    """Half a step of momentum, steps of position and momentum in turn, half a step of momentum; volume-preserving.

    A chain that leaves the range of the numbers stays where it was, with log density -inf.
    """
    position, log_density, slope = state
    step, inverse_mass = kernel.event_step(position), kernel.inverse_mass.to(position)
    lost = torch.zeros_like(log_density, dtype=torch.bool)
    momentum = momentum + step / 2 * slope
    for index in range(num_steps):
        moved = position + step * inverse_mass * momentum
        lost = lost | ~all_finite(moved)
        position = where_chain(~lost, moved, position)
        log_density, slope = kernel.with_slope(position, differentiable)
        momentum = momentum + (step if index + 1 < num_steps else step / 2) * slope
    return State(position, torch.where(lost, -torch.inf, log_density), slope), momentum


def draw_momentum(position: Tensor, inverse_mass: Tensor, generator: torch.Generator | None) -> Tensor:
    drawn = noise.standard_normal(position.shape, like=position, generator=generator).to(position.dtype)
    return drawn / inverse_mass.sqrt()


def kinetic_energy(momentum: Tensor, inverse_mass: Tensor) -> Tensor:
    return (
        (inverse_mass * momentum.square()).flatten(1).sum(1) / 2
        if momentum.dim() > 1
        else inverse_mass * momentum**2 / 2
    )


def all_finite(position: Tensor) -> Tensor:
    return position.isfinite().reshape(len(position), -1).all(1)


def where_chain(chosen: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """By chain; tensors without chains (no slope) stay."""
    if yes.shape[:1] != chosen.shape:
        return no
    return torch.where(chosen.reshape(-1, *(1 for _ in yes.shape[1:])), yes, no)


def require_finite(state: State) -> None:
    bad = ~state.log_density.isfinite()
    if bool(bad.any()):
        chain = int(bad.nonzero()[0])
        raise SamplerError(
            f"the log density is {state.log_density[chain].item()} where chain {chain} starts; start where it is finite"
        )


def positive(name: str, value: Tensor | float) -> Tensor:
    tensor = value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)
    tensor = tensor if tensor.is_floating_point() else tensor.double()
    if not bool(((tensor > 0) & tensor.isfinite()).all()):
        raise SamplerError(f"{name} must be positive and finite; got {value!r}")
    return tensor
