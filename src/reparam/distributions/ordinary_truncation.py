"""Draws of a truncated normal law in float32 where nothing is extreme, by a few operations in float64.

With both ends within some standard deviations of the mode, or infinite, and a draw that is not next to an end, the tail
probabilities of the untruncated law, in float64, have more digits than float32 asks for. ``intervals`` is for the rest.
"""

import math
from functools import partial

import torch
from torch import Tensor

from reparam.distributions.precision import confine, indicator
from reparam.reparameterize import attach, location_scale
from reparam.special.elementwise import opaque

__all__ = ["OrdinaryDraws"]

_SQRT_HALF = math.sqrt(0.5)
_FARTHEST = 8.0  # where an end may begin, in standard deviations beyond the mode
_NARROWEST = 1e-2  # interval: the derivative in loc is a difference of the size of its square
_NEAREST = 3e-8  # distance of a draw from an end: two digits less than float32 has, of a float64
_HUGE = 1e100  # instead of infinity, whose derivative in the scale would be NaN
_NOTHING = 40.0  # beyond this many standard deviations there is no probability


class OrdinaryDraws:
    """Draws with these tail probabilities, all arguments of one shape; differentiable in the parameters, any order."""

    def __init__(self, lower: Tensor, upper: Tensor, loc: Tensor, scale: Tensor, low: Tensor, high: Tensor) -> None:
        self._low, self._high = low, high
        # Made wide once: the derivative in each is a difference of two, to be taken in float64.
        self._loc, self._scale = loc.double(), scale.double()
        self._alpha, self._beta = _standardized(self._loc, self._scale, low, high)
        self._levels = _levels(lower, upper)
        self._standard = _standard_quantile(*self._levels, self._alpha.detach(), self._beta.detach())

    def are_good(self) -> Tensor:
        """Which of them, and their derivatives, have all digits of float32."""
        alpha, beta = self._alpha.detach(), self._beta.detach()
        off_the_ends = torch.minimum(self._standard - alpha, beta - self._standard) > _NEAREST
        return off_the_ends & (torch.maximum(alpha, -beta) < _FARTHEST) & (beta - alpha > _NARROWEST)

    def drawn(self) -> Tensor:
        """The draws."""
        standard = attach(self._standard, partial(_velocity, *self._levels), self._alpha, self._beta)
        drawn = location_scale(standard, self._loc, self._scale)
        fixed, largest = drawn.detach(), torch.finfo(self._low.dtype).max
        least, most = self._low.detach().clamp(min=-largest), self._high.detach().clamp(max=largest)
        return (drawn + (fixed.clamp(least.double(), most.double()) - fixed)).to(self._low.dtype)


def _levels(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Both tail probabilities in float64, the larger from the smaller, which is the exact one."""
    smaller, right = torch.minimum(lower, upper).double(), indicator(lower - upper).double()
    rest = 1 - 2 * smaller
    return smaller + right * rest, smaller + (1 - right) * rest


def _standardized(loc: Tensor, scale: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Both ends in standard deviations; what is too far out, or infinite, is cut, and its derivative is 0."""
    ends = (confine(end.double(), -_HUGE, _HUGE) for end in (low, high))
    alpha, beta = (confine((end - loc) / scale, -_NOTHING, _NOTHING) for end in ends)
    return alpha, beta


@opaque
def _standard_quantile(lower: Tensor, upper: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    # All terms are positive: the smaller of both probabilities of the untruncated law has all its digits.
    low, high = alpha * _SQRT_HALF, beta * _SQRT_HALF
    below = upper * torch.erfc(-low) + lower * torch.erfc(-high)
    above = upper * torch.erfc(low) + lower * torch.erfc(high)
    size = torch.special.ndtri(torch.minimum(below, above) / 2)
    return torch.copysign(size, below - above)


def _velocity(lower: Tensor, upper: Tensor, standard: Tensor, alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """``∂ε/∂α`` and ``∂ε/∂β`` at a fixed probability: ``(1 - u)·φ(α)/φ(ε)`` and ``u·φ(β)/φ(ε)``."""
    by_alpha = upper * torch.exp((standard - alpha) * (standard + alpha) / 2)
    return by_alpha, lower * torch.exp((standard - beta) * (standard + beta) / 2)
