"""The quantile of the gamma law on the log scale, from the logarithms of both tails."""

import math

import torch
from torch import Tensor

from reparam.reparameterize import attach
from reparam.special import gamma_integrals
from reparam.special.digamma import raw_log_minus_digamma
from reparam.special.elementwise import opaque
from reparam.special.gamma import log_gamma_density, log_gamma_velocity, log_mills
from reparam.special.gamma_integrals import log_gamma_over, on_lower_side

__all__ = ["log_gamma_quantile"]

_ITERATIONS = 6


def log_gamma_quantile(concentration: Tensor, log_lower: Tensor, log_upper: Tensor) -> Tensor:
    """The y with ``log P(a, e^y) = log_lower`` and ``log Q(a, e^y) = log_upper``; the smaller of both says it exactly.

    In float64. Differentiable to any order: in ``a``, and in whichever of the two levels is the smaller.

    Args:
        concentration: a, positive; any shape.
        log_lower: logarithm of the probability below, negative; broadcasts.
        log_upper: logarithm of the probability above, ``log(1 - e^log_lower)``; broadcasts.

    Example:
        >>> lower, upper = torch.tensor([-1000.0, 0.0]), torch.tensor([0.0, -700.0])
        >>> log_gamma_quantile(torch.tensor(1e-3), lower, upper)
        tensor([-1.0000e+06,  6.5317e+00], dtype=torch.float64)
    """
    inputs = torch.broadcast_tensors(concentration.double(), log_lower.double(), log_upper.double())
    raw = _raw_log_gamma_quantile(*(tensor.detach() for tensor in inputs))
    return attach(raw, _partials, *inputs)


def _partials(value: Tensor, a: Tensor, log_lower: Tensor, log_upper: Tensor) -> tuple[Tensor, ...]:
    on_lower, mills = on_lower_side(value, a), log_mills(value, a)
    density = log_gamma_density(value - a.log(), a)
    below = torch.where(on_lower, mills, log_lower - density).exp()
    above = torch.where(on_lower, log_upper - density, mills).exp()
    small_below = log_lower < log_upper
    velocity = log_gamma_velocity(value, a)
    return velocity, torch.where(small_below, below, 0.0), torch.where(small_below, 0.0, -above)


@opaque
def _raw_log_gamma_quantile(a: Tensor, log_lower: Tensor, log_upper: Tensor) -> Tensor:
    """Newton's method, on log P as a function of log x or on log Q as a function of x.

    Both are nearly straight and bent one way only, so that from the first step on the iteration stays on one side of
    the root, wherever it starts.
    """
    log_lower, log_upper = (level.clamp(min=-1e200) for level in (log_lower, log_upper))  # level 0: very far out
    floor = (log_lower / a + log_gamma_over(a)).clamp(min=-1e200)  # for P <= x^a / Γ(a + 1)
    turning = (a.log() - raw_log_minus_digamma(a)).clamp(min=0.0)
    below = log_lower < gamma_integrals.log_tails(turning, a)[0]
    start = torch.where(below, floor, turning)
    y = torch.maximum(torch.where(a < 1, start, _wilson_hilferty(a, log_lower, log_upper)), floor)
    for _ in range(_ITERATIONS):
        lower, upper, mills = gamma_integrals.log_tails(y, a)
        density, on_lower = gamma_integrals.log_density(y - a.log(), a), on_lower_side(y, a)
        lower_hazard = torch.where(on_lower, -mills, density - lower).exp()
        upper_hazard = torch.where(on_lower, density - upper, -mills).exp()
        along_y = y + (log_lower - lower) / lower_hazard
        along_x = y + torch.log1p(((upper - log_upper) / upper_hazard).clamp(min=-0.999))
        y = torch.maximum(torch.where(below, along_y, along_x), floor)
    return y


def _wilson_hilferty(a: Tensor, log_lower: Tensor, log_upper: Tensor) -> Tensor:
    """A normal approximation for the cube root of x (Wilson & Hilferty 1931)."""
    smaller = torch.minimum(log_lower, log_upper)
    far = -torch.sqrt((-2 * smaller - torch.log(-4 * math.pi * smaller.clamp(max=-30.0))).clamp(min=0.0))
    z = torch.where(smaller < -30, far, torch.special.ndtri(smaller.exp()))
    z = torch.where(log_lower < log_upper, z, -z)
    root = (1 - 1 / (9 * a) + z / (3 * a.sqrt())).clamp(min=1e-3)
    return a.log() + 3 * root.log()
