"""Differentiable annealed importance sampling: a lower bound on log Z that gradients flow through."""

from collections.abc import Callable, Sequence

import torch
import torch.distributions as td
from torch import Tensor

from reparam import noise
from reparam.errors import SamplerError, whole_number
from reparam.estimators.base import draw
from reparam.samplers.kernels import positive, refuse_forward_mode

__all__ = ["annealed_bound"]

LogDensity = Callable[[Tensor], Tensor]


def annealed_bound(
    log_target: LogDensity,
    initial_law: td.Distribution,
    num_steps: int,
    *,
    step_size: Tensor | float,
    persistence: Tensor | float = 0.9,
    inverse_mass: Tensor | float = 1.0,
    temperatures: Tensor | None = None,
    sample_shape: Sequence[int] = (),
    generator: torch.Generator | None = None,
) -> Tensor:
    """Log weights ``log w`` with ``E[w] = Z = ∫ exp(log_target(z)) dz``, so that ``E[log w] <= log Z``; differentiable.

    A draw of ``initial_law``, q, is carried by leapfrog steps along ``q^(1 - β_k)·exp(log_target)^β_k`` to the target:

        z ← z + h/2·M⁻¹v;  v̂ = v + h·∇log f_k(z);  z ← z + h/2·M⁻¹v̂;  log w += log N(v̂; 0, M) - log N(v; 0, M);
        v ← γ v̂ + √(1 - γ²)·noise

    and ``log w = log_target(z_K) - log q(z_0) + Σ ..``. Nothing is accepted or rejected: all of it is a smooth map of
    noise, and the gradient of the bound flows to the parameters of the target and of q, to step sizes, persistence,
    masses and temperatures. The gap ``log Z - E[log w]`` falls as 1/K, K = ``num_steps``, once K steps are long enough
    to cross the target several times, and until what the discretisation adds in each step shows, which is of fourth
    order in h. The mean is an ELBO; ``logsumexp`` over ``sample_shape``, less the log of its size, an
    importance-weighted one. Costs K gradients of both log densities; the memory is that of all steps.

    Args:
        log_target: draws ``[*sample_shape, *batch, *event]`` to log densities ``[*sample_shape, *batch]``, not
            normalised; differentiable twice in the draws, where a gradient is wanted.
        initial_law: q, with ``rsample`` and ``log_prob``; its draws must be unconstrained, or stay where both densities
            are positive.
        num_steps: K, a whole number >= 1.
        step_size: h, positive: a number, or a tensor whose first dimension is K, one for each step; the rest broadcasts
            against draws, e.g. ``[K, *batch, *event]``.
        persistence: γ in [0, 1), how much momentum stays at each refreshment; a number.
        inverse_mass: M⁻¹, the squared scales of the coordinates; positive, broadcasts to the event.
        temperatures: β_1 .. β_K, in [0, 1]; evenly spaced up to 1 if None.
        sample_shape: how many for each element of the batch.
        generator: torch's default generator if None. The same state gives the same noise: common random numbers.

    Returns:
        shape ``[*sample_shape, *batch]``, in nats.

    Raises:
        SamplerError: an argument makes no sense; ``log_target`` returns another shape, or what is not differentiable.

    Example:
        >>> from reparam.distributions import Independent, Normal
        >>> q = Independent(Normal(torch.zeros(1000, 2), 1.0), 1)
        >>> log_target = lambda z: -(z - 1).square().sum(-1) / 2  # log Z = log 2π = 1.84
        >>> for num_steps in (1, 8, 64):
        ...     g = torch.Generator().manual_seed(0)
        ...     print(f"{annealed_bound(log_target, q, num_steps, step_size=0.5, generator=g).mean():.1f}")
        0.9
        1.5
        1.8

    Source: Zhang, Hsu, Li, Finn & Grosse, arXiv:2107.10211 (DAIS); Geffner & Domke, arXiv:2107.04150 (UHA).
    """
    whole_number("num_steps", num_steps, error=SamplerError)
    if not initial_law.has_rsample:
        raise SamplerError(f"{type(initial_law).__name__} has no rsample, so no gradient flows through its draws")
    z = draw(initial_law, sample_shape, generator, "rsample")
    steps = _for_each_step(positive("step_size", step_size).to(z), num_steps)
    mass = positive("inverse_mass", inverse_mass).to(z)
    keep = _persistence(persistence).to(z)
    betas = _temperatures(temperatures, num_steps).to(z)
    differentiable = torch.is_grad_enabled() and _wanted(log_target, initial_law, z, steps, mass, keep, betas)
    v = _momentum(z, mass, generator)
    log_weight = -initial_law.log_prob(z)
    for index in range(num_steps):
        step = steps[index]
        middle = z + step / 2 * mass * v
        kicked = v + step * _slope(log_target, initial_law, betas[index], middle, differentiable)
        z = middle + step / 2 * mass * kicked
        log_weight = log_weight + _event_sum(mass * (v.square() - kicked.square()) / 2, log_weight)
        if index + 1 < num_steps:  # the last momentum is integrated out, and no draw of it is needed
            v = keep * kicked + (1 - keep.square()).sqrt() * _momentum(z, mass, generator)
    return log_weight + _log_density(log_target, z, log_weight)


def _log_density(log_target: LogDensity, z: Tensor, like: Tensor) -> Tensor:
    value = log_target(z)
    if not isinstance(value, Tensor) or value.shape != like.shape:
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise SamplerError(
            f"log_target must return one log density for each draw: for draws {tuple(z.shape)} it should return "
            f"{tuple(like.shape)}; got {got}"
        )
    return value


def _slope(
    log_target: LogDensity, initial_law: td.Distribution, beta: Tensor, z: Tensor, differentiable: bool
) -> Tensor:
    """``∇[(1 - β) log q + β log_target]``, with the graph behind it if ``differentiable``."""
    with torch.enable_grad():
        refuse_forward_mode(z)
        place = z if differentiable and z.requires_grad else z.detach().requires_grad_()
        log_initial = initial_law.log_prob(place)
        log_bridge = (1 - beta) * log_initial + beta * _log_density(log_target, place, log_initial)
        (slope,) = torch.autograd.grad(log_bridge.sum(), place, create_graph=differentiable)
    return slope


def _wanted(log_target: LogDensity, initial_law: td.Distribution, z: Tensor, *others: Tensor) -> bool:
    """Whether anything wants a gradient: draws and settings show it, or else the log density does."""
    if any(tensor.requires_grad for tensor in (z, *others)):
        return True
    return bool(initial_law.log_prob(z).requires_grad or log_target(z).requires_grad)


def _momentum(z: Tensor, inverse_mass: Tensor, generator: torch.Generator | None) -> Tensor:
    return noise.standard_normal(z.shape, like=z, generator=generator).to(z.dtype) / inverse_mass.sqrt()


def _event_sum(values: Tensor, like: Tensor) -> Tensor:
    return values.sum(tuple(range(like.dim(), values.dim()))) if values.dim() > like.dim() else values


def _for_each_step(step_size: Tensor, num_steps: int) -> Tensor:
    if step_size.dim() == 0:
        return step_size.expand(num_steps)
    if step_size.shape[0] != num_steps:
        raise SamplerError(
            f"step_size must be one number, or have one row for each of the {num_steps} steps; got shape "
            f"{tuple(step_size.shape)}"
        )
    return step_size


def _persistence(value: Tensor | float) -> Tensor:
    tensor = torch.as_tensor(value, dtype=torch.float64) if not isinstance(value, Tensor) else value
    if tensor.dim() or not 0 <= float(tensor.detach()) < 1:
        raise SamplerError(f"persistence must be one number in [0, 1); got {value!r}")
    return tensor


def _temperatures(value: Tensor | None, num_steps: int) -> Tensor:
    if value is None:
        return torch.arange(1, num_steps + 1, dtype=torch.float64) / num_steps
    if value.shape != (num_steps,) or not bool(((value >= 0) & (value <= 1)).all()):
        raise SamplerError(f"temperatures must be {num_steps} numbers in [0, 1]; got {value!r}")
    return value
