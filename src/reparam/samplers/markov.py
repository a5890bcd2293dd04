"""Markov kernels: each step leaves the target where it is, or nearly so; all chains go at once.

A *kernel* has ``init(position) -> State`` and ``step(state, generator) -> (State, Info)``. Positions are ``[chains,
*event]``, and ``logdensity_fn`` maps them to ``[chains]``: the log of the target density, up to a constant.

*Gradients.* Kernels with an accept/reject step (:class:`RandomWalk`, :class:`Mala`, :class:`Hmc`) have none: which
proposal is kept jumps with the parameters, and the path through the kept ones is not the gradient of any expectation.
They refuse when, in gradient mode, something wants one. The unadjusted ones (:class:`UnadjustedLangevin`,
:class:`UnadjustedHmc`) are smooth maps of their noise: gradients flow to the parameters of the log density, the step
size and the start, in gradient mode. Their price is a bias of the draws that vanishes with the step size.
"""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from reparam import noise
from reparam.errors import SamplerError, whole_number
from reparam.samplers.kernels import (
    Info,
    LogDensity,
    State,
    TunedKernel,
    draw_momentum,
    kinetic_energy,
    leapfrog,
    refuse_dropped_gradient,
    require_finite,
    where_chain,
)

__all__ = ["Hmc", "Mala", "RandomWalk"]

_DIVERGED = 1000.0  # nats of energy gained in one trajectory

_JUMPS = (
    "its accept/reject step jumps when a parameter moves, so that no gradient flows through a chain. "
    "UnadjustedLangevin, UnadjustedHmc and annealed_bound have one"
)


class _Metropolis(TunedKernel):
    """Proposals that are accepted or not: what such kernels share."""

    no_gradient = _JUMPS
    needs_slope: ClassVar[bool] = True

    def init(self, position: Tensor) -> State:
        """See :meth:`Kernel.init`."""
        self.start(position)
        refuse_dropped_gradient(self, position)
        with torch.no_grad():
            position = position.detach()
            state = State(position, *self._evaluate(position))
        require_finite(state)
        return state

    def _evaluate(self, position: Tensor) -> tuple[Tensor, Tensor]:
        if self.needs_slope:
            return self.with_slope(position, differentiable=False)
        return self.log_density(position).detach(), position.new_zeros(0)

    def step(self, state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        """See :meth:`Kernel.step`."""
        with torch.no_grad():
            proposed, log_ratio = self._propose(state, generator)
            log_ratio = torch.where(log_ratio.isnan(), -torch.inf, log_ratio)
            uniform = noise.uniform(log_ratio.shape, like=log_ratio, generator=generator)
            accepted = uniform.log() < log_ratio
            new = State(*(where_chain(accepted, after, before) for after, before in zip(proposed, state, strict=True)))
            return new, Info(log_ratio.clamp(max=0).exp(), accepted, self._diverged(log_ratio))

    @abstractmethod
    def _propose(self, state: State, generator: torch.Generator | None) -> tuple[State, Tensor]:
        """Where to, and the log of the acceptance ratio ``[chains]``."""

    @abstractmethod
    def _diverged(self, log_ratio: Tensor) -> Tensor:
        """Whether such a ratio is a failure of the integrator and not a proposal like others."""


class RandomWalk(_Metropolis):
    """Metropolis-Hastings with a normal step: ``y = x + h·√inverse_mass·ε``, accepted by ``p(y)/p(x)``.

    Needs no gradient of the log density. Args and errors as for :class:`TunedKernel`.

    Example:
        >>> kernel = RandomWalk(lambda x: -x.square().sum(-1) / 2, step_size=1.0)
        >>> state, info = kernel.step(kernel.init(torch.zeros(4, 2)), torch.Generator().manual_seed(0))
        >>> state.position.shape, info.accepted.shape
        (torch.Size([4, 2]), torch.Size([4]))

    Source: Metropolis et al., J. Chem. Phys. 21 (1953) 1087-1092.
    """

    target_acceptance = 0.3
    needs_slope = False

    def _propose(self, state: State, generator: torch.Generator | None) -> tuple[State, Tensor]:
        x = state.position
        move = draw_momentum(x, self.inverse_mass.to(x).reciprocal(), generator)
        y = x + self.event_step(x) * move
        proposed = State(y, *self._evaluate(y))
        return proposed, proposed.log_density - state.log_density

    def _diverged(self, log_ratio: Tensor) -> Tensor:
        return torch.zeros_like(log_ratio, dtype=torch.bool)


class Hmc(_Metropolis):
    """Hamiltonian Monte Carlo: a fresh momentum, ``num_steps`` leapfrog steps, and acceptance by the energy.

    The event is best unconstrained: a log density that is -inf on one side of an edge is right, but rejects often.

    Args:
        logdensity_fn: as for :class:`TunedKernel`; differentiable in the position.
        step_size: as there.
        num_steps: leapfrog steps a trajectory, each one gradient.
        inverse_mass: as there.

    Raises:
        SamplerError: one of them makes no sense.

    Example:
        >>> kernel = Hmc(lambda x: -x.square().sum(-1) / 2, step_size=0.5, num_steps=3)
        >>> state, info = kernel.step(kernel.init(torch.zeros(4, 2)), torch.Generator().manual_seed(0))
        >>> bool((info.acceptance > 0.8).all())
        True

    Source: Neal, arXiv:1206.1901; Duane et al., Phys. Lett. B 195 (1987) 216-222.
    """

    target_acceptance = 0.8

    def __init__(
        self,
        logdensity_fn: LogDensity,
        step_size: Tensor | float,
        num_steps: int,
        inverse_mass: Tensor | float = 1.0,
    ) -> None:
        super().__init__(logdensity_fn, step_size, inverse_mass)
        self.num_steps = whole_number("num_steps", num_steps, error=SamplerError)

    def _propose(self, state: State, generator: torch.Generator | None) -> tuple[State, Tensor]:
        inverse_mass = self.inverse_mass.to(state.position)
        momentum = draw_momentum(state.position, inverse_mass, generator)
        proposed, after = leapfrog(self, state, momentum, self.num_steps, differentiable=False)
        gained = kinetic_energy(after, inverse_mass) - kinetic_energy(momentum, inverse_mass)
        return proposed, proposed.log_density - state.log_density - gained

    def _diverged(self, log_ratio: Tensor) -> Tensor:
        return ~(log_ratio > -_DIVERGED)


class Mala(Hmc):
    """The Metropolis-adjusted Langevin algorithm: ``y = x + h²/2·M⁻¹∇log p(x) + h·M^(-1/2)·ε``, accepted or not.

    That is one leapfrog step with ε the momentum; the change of kinetic energy is the correction for the proposal,
    ``log q(x|y) - log q(y|x)``. Args and errors as for :class:`TunedKernel`; the log density must be differentiable.

    Example:
        >>> kernel = Mala(lambda x: -x.square().sum(-1) / 2, step_size=0.5)
        >>> state, info = kernel.step(kernel.init(torch.zeros(4, 2)), torch.Generator().manual_seed(0))
        >>> bool((info.acceptance > 0.8).all())
        True

    Source: Roberts & Tweedie, Bernoulli 2 (1996) 341-363.
    """

    target_acceptance = 0.574

    def __init__(
        self, logdensity_fn: LogDensity, step_size: Tensor | float, inverse_mass: Tensor | float = 1.0
    ) -> None:
        super().__init__(logdensity_fn, step_size, 1, inverse_mass)
