"""Running chains: many steps of a kernel, and a warm-up that tunes it."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.errors import SamplerError, whole_number
from reparam.samplers.kernels import Info, Kernel, State, TunedKernel, refuse_dropped_gradient

__all__ = ["Adapted", "Chains", "adapt", "run"]

_SHRINKAGE = 0.2  # γ; four times that of the source, whose swings with many chains would be larger than the noise


class Chains(NamedTuple):
    """What :func:`run` returns."""

    draws: Any  # [num_draws, chains, *event]; of Gibbs one for each block, by name
    acceptance_rate: Tensor  # [chains]: mean probability of acceptance, 1 where nothing is rejected
    num_divergences: Tensor  # [chains], int64
    state: State  # the last: to go on, run(kernel, chains.state.position, ...)


def run(
    kernel: Kernel,
    positions: Any,
    num_draws: int,
    *,
    num_discarded: int = 0,
    generator: torch.Generator | None = None,
    differentiable: bool = False,
) -> Chains:
    """Draws of all chains: ``num_discarded`` steps that are forgotten, then ``num_draws`` that are kept.

    Whether a gradient is wanted is said, and never decided in silence. Without ``differentiable`` the draws have none;
    where something wants one (the start, the step size, a parameter of the log density), the call is refused, except
    under ``torch.no_grad()``. With it, a kernel that has an accept/reject step is refused.

    Args:
        kernel: such as ``Hmc(logdensity_fn, ...)``.
        positions: where the chains start, ``[chains, *event]``.
        num_draws: T, draws kept of each chain.
        num_discarded: steps before those.
        generator: torch's default generator if None.
        differentiable: whether the gradient flows through the chain. The memory is that of all steps.

    Raises:
        SamplerError: as said; a number is none; a chain starts where the density is 0.

    Example:
        >>> from reparam.samplers import Hmc
        >>> kernel = Hmc(lambda x: -x.square().sum(-1) / 2, step_size=0.9, num_steps=3)
        >>> chains = run(kernel, torch.zeros(50, 2), 100, num_discarded=10, generator=torch.Generator().manual_seed(0))
        >>> chains.draws.shape, chains.draws.std((0, 1)).round(decimals=1)
        (torch.Size([100, 50, 2]), tensor([1., 1.]))
    """
    whole_number("num_draws", num_draws, error=SamplerError)
    if num_discarded:
        whole_number("num_discarded", num_discarded, error=SamplerError)
    if differentiable and kernel.no_gradient:
        raise SamplerError(f"{type(kernel).__name__} has no gradient: {kernel.no_gradient}")
    if not differentiable and torch.is_grad_enabled() and (what := kernel.wanting(positions)):
        instead = kernel.no_gradient or "differentiable=True lets it through"
        raise SamplerError(
            f"a gradient is wanted by {what}, and differentiable=False would drop it: {instead}. Where the draws "
            "alone are wanted, say so with torch.no_grad()"
        )
    with torch.set_grad_enabled(differentiable and torch.is_grad_enabled()):
        state = kernel.init(positions)
        for _ in range(num_discarded):
            state, _ = kernel.step(state, generator)
        kept, infos = [], []
        for _ in range(num_draws):
            state, info = kernel.step(state, generator)
            kept.append(state.position)
            infos.append(info)
        return _collected(kept, infos, state)


def _collected(kept: list[Any], infos: list[Info], state: State) -> Chains:
    acceptance = torch.stack([info.acceptance for info in infos]).mean(0)
    divergences = torch.stack([info.diverged for info in infos]).sum(0)
    if isinstance(kept[0], Tensor):
        return Chains(torch.stack(kept), acceptance, divergences, state)
    draws = {name: torch.stack([position[name] for position in kept]) for name in kept[0]}
    return Chains(draws, acceptance, divergences, state)


class Adapted(NamedTuple):
    """What :func:`adapt` returns."""

    kernel: Any  # the kernel with the step size and mass that were found, both fixed from now on
    positions: Tensor  # where the chains are, to start from
    acceptance_rate: Tensor  # mean over chains and the last tenth of the steps


def adapt(
    kernel: TunedKernel,
    positions: Tensor,
    num_steps: int = 500,
    *,
    target_acceptance: float | None = None,
    generator: torch.Generator | None = None,
) -> Adapted:
    """A warm-up that tunes step size and a diagonal mass matrix, which are fixed afterwards; the draws are forgotten.

    The step size by dual averaging of the acceptance rate, the mean over chains. The inverse mass from the variances of
    the positions of all chains, in windows that double, between the first
    and the last seventh of the steps. Chains that learned together are dependent through what they learned, a little.

    Args:
        kernel: one with accept/reject; its step size and mass are where to start. One step size for all chains.
        positions: ``[chains, *event]``.
        num_steps: of the warm-up, at least 20.
        target_acceptance: in (0, 1); the kernel's own if None (Hmc 0.8, Mala 0.574, RandomWalk 0.3).
        generator: torch's default generator if None.

    Raises:
        SamplerError: the kernel has no acceptance to aim at; a number makes no sense.

    Example:
        >>> from reparam.samplers import Hmc
        >>> scales = torch.tensor([1.0, 100.0])
        >>> kernel = Hmc(lambda x: -(x / scales).square().sum(-1) / 2, step_size=0.1, num_steps=4)
        >>> found = adapt(kernel, torch.randn(20, 2), generator=torch.Generator().manual_seed(0))
        >>> found.kernel.inverse_mass.sqrt() > 10
        tensor([False,  True])

    Source: Hoffman & Gelman, arXiv:1111.4246, section 3.2; the windows are those of Stan's manual, roughly.
    """
    whole_number("num_steps", num_steps, error=SamplerError)
    target = kernel.target_acceptance if target_acceptance is None else target_acceptance
    if target is None:
        raise SamplerError(f"{type(kernel).__name__} accepts every step, so that no acceptance rate tunes it")
    if not 0 < target < 1 or num_steps < 20:
        raise SamplerError(f"target_acceptance must be in (0, 1) and num_steps >= 20; got {target!r} and {num_steps}")
    refuse_dropped_gradient(kernel, positions)
    with torch.no_grad():
        state, step = kernel.init(positions), _DualAveraging(kernel.step_size.mean().item(), target)
        mass, ends, rates = kernel.inverse_mass.to(state.position), _window_ends(num_steps), []
        window: list[Tensor] = []
        for index in range(num_steps):
            kernel = kernel.tuned(state.position.new_tensor(step.current), mass)
            state, info = kernel.step(state, generator)
            rates.append(info.acceptance.mean())
            step.update(float(rates[-1]))
            if ends[0] <= index < ends[-1]:
                window.append(state.position)
            if index + 1 in ends[1:]:
                mass, window = _variances(torch.cat(window)), []
                step = _DualAveraging(step.averaged, target)
        last = torch.stack(rates[-max(1, num_steps // 10) :]).mean()
        return Adapted(kernel.tuned(state.position.new_tensor(step.averaged), mass), state.position, last)


class _DualAveraging:
    """Nesterov's dual averaging of the logarithm of the step size."""

    def __init__(self, start: float, target: float) -> None:
        self._centre, self._target = math.log(10 * start), target
        self._count, self._off, self._mean = 0, 0.0, math.log(start)
        self.current = start

    @property
    def averaged(self) -> float:
        return math.exp(self._mean)

    def update(self, acceptance: float) -> None:
        self._count += 1
        weight = 1 / (self._count + 10)
        self._off = (1 - weight) * self._off + weight * (self._target - acceptance)
        logarithm = self._centre - math.sqrt(self._count) / _SHRINKAGE * self._off
        forget = self._count**-0.75
        self._mean = forget * logarithm + (1 - forget) * self._mean
        self.current = math.exp(min(max(logarithm, -60.0), 60.0))


def _window_ends(num_steps: int) -> list[int]:
    """Where the mass starts to be learned, and where each window ends."""
    first, last = num_steps // 7, num_steps - max(5, num_steps // 7)
    ends, size = [first], max(5, num_steps // 20)
    while ends[-1] + 3 * size < last:  # room for this window, and one of twice its size
        ends.append(ends[-1] + size)
        size *= 2
    return [*ends, last]


def _variances(positions: Tensor) -> Tensor:
    """Of each coordinate over all rows, drawn a little towards one scale, the geometric mean, where rows are few."""
    count = len(positions)
    variance = positions.var(0).clamp(min=torch.finfo(positions.dtype).tiny)
    centre = variance.log().mean()
    return torch.exp((count * variance.log() + 5 * centre) / (count + 5))
