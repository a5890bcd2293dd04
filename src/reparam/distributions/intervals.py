"""The part of a law between two ends: how much of it is there, and its quantiles, however far out the interval lies.

Everything is float64: where ``log Q`` is -5e7, as at 1e4 standard deviations, a float32 is off by a factor of e².
"""

import math

import torch
from torch import Tensor

from reparam.distributions.base import Law
from reparam.distributions.location_scale import Normal
from reparam.distributions.precision import standardize
from reparam.reparameterize import location_scale
from reparam.special import cumulative_hazard, excess_moments, log1mexp, log_ndtr, normal_excess

__all__ = ["Interval", "NormalInterval", "interval"]

_SQRT_HALF = math.sqrt(0.5)


def interval(law: Law, low: Tensor, high: Tensor) -> "Interval | NormalInterval":
    """The part of ``law`` between ``low`` and ``high``, all in float64; either end may be infinite."""
    if isinstance(law, Normal):
        return NormalInterval(law, low, high)
    return Interval(law, low, high)


class Interval:
    """By the logarithms of both tails, at both ends.

    A quantile has both of its tails as weighted means of those at the ends, so nothing cancels. It is as precise as the
    law's ``log_cdf``, ``log_survival_function`` and ``_log_quantile``.
    """

    def __init__(self, law: Law, low: Tensor, high: Tensor) -> None:
        self._law = law
        self._below_low, self._above_low = _log_tails(law, low)
        self._below_high, self._above_high = _log_tails(law, high)

    def log_mass(self) -> Tensor:
        """``log P(low <= Y <= high)``."""
        lower_side = self._below_high < self._above_low
        larger = torch.where(lower_side, self._below_high, self._above_low)
        difference = torch.where(lower_side, self._below_low, self._above_high) - larger
        cut = difference > -math.inf
        return larger + torch.where(cut, log1mexp(torch.where(cut, difference, -1.0)), 0.0)

    def quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        """The point with ``lower`` of the probability of the interval below it, and ``upper`` above."""
        below = self._below_high + torch.log(lower + upper * torch.exp(self._below_low - self._below_high))
        above = self._above_low + torch.log(upper + lower * torch.exp(self._above_high - self._above_low))
        return self._law._log_quantile(below, above)


def _log_tails(law: Law, end: Tensor) -> tuple[Tensor, Tensor]:
    """``(log P(Y <= end), log P(Y > end))``; off the support ``(-inf, 0)`` or ``(0, -inf)``, without derivative."""
    with torch.no_grad():
        half = torch.full_like(end, 0.5)
        median = law._quantile(half, half)
        nothing_below = (end == -math.inf) | (law.log_cdf(end) == -math.inf)
        nothing_above = (end == math.inf) | (law.log_survival_function(end) == -math.inf)
    safe = torch.where(nothing_below | nothing_above, median, end)
    log_lower, log_upper = law.log_cdf(safe), law.log_survival_function(safe)
    log_lower = torch.where(nothing_below, -math.inf, torch.where(nothing_above, 0.0, log_lower))
    return log_lower, torch.where(nothing_above, -math.inf, torch.where(nothing_below, 0.0, log_upper))


class NormalInterval:
    """Of a normal law: by the excess over the end that is nearer to the mode, unless the mode lies well inside.

    Then draws keep their distance from that end to all digits, and the derivative in ``loc``, which at 1e4 standard
    deviations is 1e-8, is not a difference of numbers near 1.
    """

    def __init__(self, law: Normal, low: Tensor, high: Tensor) -> None:
        self._law = law
        bounded_below, bounded_above = low.isfinite(), high.isfinite()
        # An infinite end gets a harmless place, so that its derivative is not NaN.
        low, high = (
            torch.where(bounded_below, low, law.loc.detach()),
            torch.where(bounded_above, high, law.loc.detach()),
        )
        alpha, beta = standardize(low, law.loc, law.scale), standardize(high, law.loc, law.scale)
        self._below = torch.where(bounded_below, torch.special.erfc(-alpha * _SQRT_HALF) / 2, 0.0)
        self._above = torch.where(bounded_above, torch.special.erfc(beta * _SQRT_HALF) / 2, 0.0)
        self._alpha, self._beta = alpha, beta

        # Seen from the end that is nearer to the mode, the interval lies to the right.
        mirrored = torch.where(bounded_below & bounded_above, alpha + beta < 0, bounded_above)
        edge = torch.where(mirrored, -beta, alpha)
        self.tail = (bounded_below | bounded_above) & (edge >= -1)
        self._edge = torch.where(self.tail, edge, 0.0)
        self._bounded = bounded_below & bounded_above
        self._width = torch.where(self._bounded, (high - low) / law.scale, 1.0)
        self._mirrored, self._anchor = mirrored, torch.where(mirrored, high, low)

    def log_mass(self) -> Tensor:
        """``log P(low <= Y <= high)``."""
        removed = torch.where(self._bounded, torch.log(-torch.expm1(-self._hazard())), 0.0)
        centre = torch.log1p(-torch.where(self.tail, 0.5, self._below + self._above))
        return torch.where(self.tail, log_ndtr(-self._edge) + removed, centre)

    def quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        """The point with ``lower`` of the probability of the interval below it, and ``upper`` above."""
        inner, outer = torch.where(self._mirrored, upper, lower), torch.where(self._mirrored, lower, upper)
        hazard = self._hazard()
        inside = torch.where(self._bounded, -torch.expm1(-hazard), 1.0)
        beyond = torch.where(self._bounded, torch.exp(-hazard), 0.0)
        near = inner * inside < 0.5
        close = -torch.log1p(-torch.where(near, inner * inside, 0.0))
        level = torch.where(near, close, -torch.log(torch.where(near, 1.0, outer + inner * beyond)))
        tail = self._place(normal_excess(self._edge, level))
        # With the mode well inside, the tails of the whole law have all their digits.
        above_low, below_high = 1 - self._below, 1 - self._above
        below = torch.where(self.tail, 0.5, lower * below_high + upper * self._below)
        above = torch.where(self.tail, 0.5, upper * above_low + lower * self._above)
        return torch.where(self.tail, tail, self._law._quantile(below, above))

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance."""
        width = torch.where(self._bounded, self._width, math.inf)
        tail_mean, tail_variance = excess_moments(self._edge, width)
        mass = 1 - torch.where(self.tail, 0.5, self._below + self._above)
        at_low, at_high = _density(self._alpha, self._below), _density(self._beta, self._above)
        shift = (at_low - at_high) / mass
        variance = 1 + (self._alpha * at_low - self._beta * at_high) / mass - shift**2
        centre = location_scale(shift, self._law.loc, self._law.scale)
        mean = torch.where(self.tail, self._place(tail_mean), centre)
        return mean, self._law.scale**2 * torch.where(self.tail, tail_variance, variance)

    def _hazard(self) -> Tensor:
        return cumulative_hazard(self._edge, self._width)

    def _place(self, excess: Tensor) -> Tensor:
        return location_scale(torch.where(self._mirrored, -excess, excess), self._anchor, self._law.scale)


def _density(standard: Tensor, tail: Tensor) -> Tensor:
    """φ at an end, and 0 at an infinite one, where nothing is cut off."""
    return torch.where(tail > 0, torch.exp(-(standard**2) / 2) / math.sqrt(2 * math.pi), 0.0)
