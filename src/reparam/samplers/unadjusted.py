"""Kernels without accept/reject: smooth maps of their noise, so that gradients flow through the chain."""

import torch
from torch import Tensor

from reparam.errors import SamplerError, whole_number
from reparam.samplers.kernels import (
    Info,
    LogDensity,
    State,
    TunedKernel,
    draw_momentum,
    leapfrog,
    require_finite,
)

__all__ = ["UnadjustedHmc", "UnadjustedLangevin"]


class UnadjustedHmc(TunedKernel):
    """:class:`Hmc` without accept/reject: a smooth map of its noise, with gradients, and biased by the step size.

    Each step draws a momentum and makes ``num_steps`` leapfrog steps. In gradient mode the draws are differentiable in
    the parameters of the log density, the step size, the inverse mass and the start; the graph of all steps is kept.
    For a normal target of scale σ the stationary scale is ``σ/√(1 - h²/(4σ²))``, whatever ``num_steps``.

    Args and errors as for :class:`Hmc`. A step to a position or log density that is not finite raises SamplerError.

    Example:
        >>> scale = torch.tensor(2.0, requires_grad=True)
        >>> kernel = UnadjustedHmc(lambda x: -(x / scale).square().sum(-1) / 2, step_size=0.5, num_steps=3)
        >>> state, _ = kernel.step(kernel.init(torch.ones(4, 2)), torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(state.position.sum(), scale)[0].shape
        torch.Size([])
    """

    def __init__(
        self,
        logdensity_fn: LogDensity,
        step_size: Tensor | float,
        num_steps: int,
        inverse_mass: Tensor | float = 1.0,
    ) -> None:
        super().__init__(logdensity_fn, step_size, inverse_mass)
        self.num_steps = whole_number("num_steps", num_steps, error=SamplerError)

    def init(self, position: Tensor) -> State:
        """See :meth:`Kernel.init`."""
        self.start(position)
        state = State(position, *self.with_slope(position, torch.is_grad_enabled() and bool(self.wanting(position))))
        require_finite(state)
        return state

    def step(self, state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        """See :meth:`Kernel.step`."""
        differentiable = torch.is_grad_enabled() and bool(self.wanting(state.position))
        momentum = draw_momentum(state.position, self.inverse_mass.to(state.position), generator)
        new, _ = leapfrog(self, state, momentum, self.num_steps, differentiable)
        good = new.log_density.isfinite()
        if not bool(good.all()):
            chain = int((~good).nonzero()[0])
            raise SamplerError(
                f"chain {chain} left the support or the numbers: step_size is too large for logdensity_fn"
            )
        every = torch.ones_like(new.log_density, dtype=torch.bool)
        return new, Info(torch.ones_like(new.log_density), every, ~every)


class UnadjustedLangevin(UnadjustedHmc):
    """Unadjusted Langevin: ``y = x + h²/2·M⁻¹∇log p(x) + h·M^(-1/2)·ε``; :class:`Mala` without accept/reject.

    One leapfrog step of :class:`UnadjustedHmc`, which see. Args and errors as for :class:`Mala`.

    Example:
        >>> loc = torch.tensor(2.0, requires_grad=True)
        >>> kernel = UnadjustedLangevin(lambda x: -(x - loc).square().sum(-1) / 2, step_size=0.5)
        >>> state, _ = kernel.step(kernel.init(torch.zeros(4, 2)), torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(state.position.mean(), loc)[0]  # h²/2
        tensor(0.1250)

    Source: Roberts & Tweedie, Bernoulli 2 (1996) 341-363.
    """

    def __init__(
        self, logdensity_fn: LogDensity, step_size: Tensor | float, inverse_mass: Tensor | float = 1.0
    ) -> None:
        super().__init__(logdensity_fn, step_size, 1, inverse_mass)
