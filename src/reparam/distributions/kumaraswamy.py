"""The Kumaraswamy law: nearly a Beta, with a quantile in closed form."""

import math
from functools import partial

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import InverseCdf
from reparam.distributions.precision import confine, indicator, minus_log, narrow, positive_range, tails, widen
from reparam.distributions.quick import level, stop
from reparam.reparameterize import Velocity, attach
from reparam.special import log1mexp
from reparam.special.elementwise import opaque

__all__ = ["Kumaraswamy"]

_EULER = 0.5772156649015329
_STEEP = 5.0  # log of the largest quotient: at e^5, 1 - e^-q is 1


class Kumaraswamy(InverseCdf, td.Kumaraswamy):
    """The Kumaraswamy law on (0, 1): ``P(Y > y) = (1 - y^a)^b``, hence ``y = (1 - (1 - u)^(1/b))^(1/a)``.

    torch's ``Kumaraswamy`` computed in log space, so that draws stay inside (0, 1) and gradients finite for all
    parameters: at a = b = 1000 torch's gradient is -inf. A draw closer to 0 or 1 than the dtype can tell is the number
    next to it, with gradient 0.

    Args:
        concentration1: a, positive and finite; any shape.
        concentration0: b, positive and finite; broadcasts against ``concentration1``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Source: Kumaraswamy, "A generalized probability density function for double-bounded random processes", Journal of
    Hydrology 46 (1980).

    Example:
        >>> law = Kumaraswamy(torch.tensor([2.0, 0.01]), torch.tensor([3.0, 0.01]))
        >>> law.from_noise(torch.tensor([0.488, 0.9]))
        tensor([0.4472, 1.0000])
    """

    concentration1: Tensor
    concentration0: Tensor

    def __init__(
        self,
        concentration1: Tensor | float,
        concentration0: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self._set(validate_args, concentration1=concentration1, concentration0=concentration0)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        (a, b), (smallest, largest) = self._wide(), self._limits
        log_power = _log_power(b, lower, upper)
        log_draw = log_power.detach() / a.detach()
        # Next to 0 and 1 nothing is computed: 0 times an infinite derivative would be NaN.
        above, below = indicator(log_draw - math.log(smallest)), indicator(math.log(largest) - log_draw)
        return confine(above * torch.exp(above * below * log_power / a), smallest, largest)

    def _quick_quantile(self, noise: Tensor) -> Tensor:
        a, b = self._wide()
        drawn, log_power, slope = _raw_draw(a, b, noise, *self._limits)
        return attach(drawn, partial(_velocities, *self._limits), a, b, noise, log_power, slope)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log ab + (a - 1)·log y + (b - 1)·log(1 - y^a)``; -inf off [0, 1].

        At 0 and 1, where the density is 0 or infinite, it is that of the number of the dtype next to it.
        """
        if self._validate_args:
            self._validate_sample(value)
        a, b = self._wide()
        log_value = widen(value).clamp(*self._limits).log()
        log_density = a.log() + b.log() + (a - 1) * log_value + (b - 1) * log1mexp(a * log_value)
        return narrow(torch.where(self.support.check(value), log_density, -math.inf), value, self.concentration1)

    def cdf(self, value: Tensor) -> Tensor:
        """P(Y <= value), with relative precision in the lower tail; 0 below 0 and 1 above 1."""
        if self._validate_args:
            self._validate_sample(value)
        a, b = self._wide()
        inside = (value > 0) & (value < 1)
        log_value = torch.where(inside, widen(value), 0.5).log()
        probability = -torch.expm1(b * log1mexp(a * log_value))
        return narrow(torch.where(inside, probability, (value > 0).to(probability)), value, self.concentration1)

    @property
    def mean(self) -> Tensor:
        """``b·B(1 + 1/a, b)``, B the beta function."""
        return self._log_moment(1).exp().to(self.concentration1.dtype)

    @property
    def variance(self) -> Tensor:
        """``b·B(1 + 2/a, b) - mean²``."""
        first, second = self._log_moment(1), self._log_moment(2)
        return (torch.exp(2 * first) * torch.expm1(second - 2 * first)).to(self.concentration1.dtype)

    def _log_moment(self, order: int) -> Tensor:
        """``log E y^order`` in float64: a difference of large numbers where b is large."""
        a, b = (value.double() for value in self._wide())
        return torch.lgamma(1 + order / a) + torch.lgamma(1 + b) - torch.lgamma(1 + order / a + b)

    @property
    def mode(self) -> Tensor:
        """``((a - 1)/(ab - 1))^(1/a)``, or the end where the density is largest.

        NaN for a < 1 and b < 1, where it is infinite at both ends, and for the uniform law, a = b = 1.
        """
        a, b = self._wide()
        inner = (a > 1) & (b > 1)
        safe_a, safe_b = torch.where(inner, a, 2.0), torch.where(inner, b, 2.0)
        mode = torch.exp(torch.log((safe_a - 1) / (safe_a * safe_b - 1)) / safe_a)
        at_0, at_1 = (a <= 1) & (b >= 1), (a >= 1) & (b <= 1)
        ends = torch.where(at_0 == at_1, math.nan, at_1.to(a))
        return torch.where(inner, mode, ends).to(self.concentration1.dtype)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``1 - 1/b + (1 - 1/a)·(ψ(b + 1) + γ) - log ab``."""
        a, b = self._wide()
        entropy = 1 - 1 / b + (1 - 1 / a) * (torch.digamma(b + 1) + _EULER) - a.log() - b.log()
        return entropy.to(self.concentration1.dtype)

    @property
    def _limits(self) -> tuple[float, float]:
        """The smallest and largest draw."""
        return positive_range(self.concentration1)[0], 1 - torch.finfo(self.concentration1.dtype).eps / 2


def _log_power(b: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """``log(1 - e^-q)``, q = t/b with the exponential level t; where q would underflow, that is log q."""
    log_quotient, least = minus_log(upper, lower).log() - b.log(), math.log(torch.finfo(b.dtype).tiny)
    quotient = torch.exp(confine(log_quotient, least, _STEEP))
    return -minus_log(-torch.expm1(-quotient), torch.exp(-quotient)) - torch.relu(least - log_quotient)


@partial(opaque, depth=1)
def _raw_draw(a: Tensor, b: Tensor, noise: Tensor, smallest: float, largest: float) -> tuple[Tensor, Tensor, Tensor]:
    """The draw, ``log(1 - e^-q)``, and how that falls with log b, ``q·e^-q/(1 - e^-q)``: in float32."""
    time, least = level(noise), torch.finfo(a.dtype).tiny
    quotient = (time / b).clamp_(max=math.exp(_STEEP))
    tiny = quotient < least if len(quotient) > 0 and not quotient.amin() >= least else None
    odds = torch.expm1(quotient.clamp_(min=least)).reciprocal_()
    log_power = torch.log1p(odds).neg_()
    if tiny is not None:
        log_power = torch.where(tiny, time.log() - b.log(), log_power)
    drawn = (log_power / a).exp_().clamp_(smallest, largest)
    return drawn, log_power, odds.mul_(quotient)


def _velocities(smallest: float, largest: float, drawn: Tensor, *parameters: Tensor) -> tuple[Velocity, ...]:
    """``-y·log(1 - e^-q)/a²``, ``-y·q/(e^q - 1)/(ab)``, and with the noise ``y·q/(e^q - 1)/(a·t·(1 - u))``."""
    a, b, noise, log_power, slope = parameters

    def along_noise() -> Tensor:
        lower, upper = tails(noise, a)
        moving = indicator(drawn - smallest) * indicator(largest - drawn) * drawn
        return moving * slope / a / upper / minus_log(upper, lower)

    if not torch.is_grad_enabled():
        return *_quick_velocities(drawn, a, b, log_power, slope, smallest, largest), along_noise, None, None
    # From the start, for derivatives.
    log_power = _log_power(b, *tails(noise, a))
    slope = _slope(log_power)
    speed = indicator(drawn - smallest) * indicator(largest - drawn) * drawn / a
    return -speed * log_power / a, -speed * slope / b, along_noise, None, None


def _slope(log_power: Tensor) -> Tensor:
    """``q/(e^q - 1)`` of ``log(1 - e^-q)``; where that is 0 or near, 0."""
    safe = log_power.clamp(min=math.log(torch.finfo(log_power.dtype).tiny), max=-torch.finfo(log_power.dtype).tiny)
    power, rest = safe.exp(), -torch.expm1(safe)
    return minus_log(rest, power) * rest / power


@partial(opaque, depth=1)
def _quick_velocities(
    drawn: Tensor, a: Tensor, b: Tensor, log_power: Tensor, slope: Tensor, smallest: float, largest: float
) -> tuple[Tensor, Tensor]:
    speed = (drawn / a).neg_()
    along_a, along_b = (log_power / a).mul_(speed), (slope / b).mul_(speed)
    stop(drawn, smallest, largest, along_a, along_b)
    return along_a, along_b
