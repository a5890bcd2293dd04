"""Laws of extremes: Weibull, Pareto, and the generalized Pareto law of what exceeds a threshold.

All three are functions of a standard exponential level ``t = -log(1 - u)``. With small shapes their tails leave every
dtype; a draw that would do so, or whose gradient would, is the largest finite number, with gradient 0.
"""

import math
from functools import partial

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import InverseCdf
from reparam.distributions.precision import (
    confine,
    exponential_level,
    indicator,
    minus_log,
    narrow,
    positive_range,
    standardize,
    tails,
    widen,
)
from reparam.distributions.quick import level, stop
from reparam.reparameterize import Velocity, attach, location_scale
from reparam.special import exprel, log1prel
from reparam.special.elementwise import opaque

__all__ = ["GeneralizedPareto", "Pareto", "Weibull"]

_EULER = 0.5772156649015329


class Weibull(InverseCdf, td.Weibull):
    """The Weibull law: ``y = scale·t^(1/concentration)``, t standard exponential; ``P(Y > y) = exp(-(y/scale)^k)``.

    torch's ``Weibull`` with exact tails, a density that does not overflow, and finite gradients: at concentration 0.01
    torch's draws contain inf. Draws below the smallest positive number of the dtype are that number.

    Args:
        scale: positive and finite; any shape.
        concentration: the shape k, positive and finite; broadcasts against ``scale``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Example:
        >>> law = Weibull(torch.tensor(2.0), torch.tensor([0.1, 0.01]))
        >>> law.from_noise(torch.tensor([0.5, 0.999], dtype=torch.float64))
        tensor([5.1202e-02, 3.4028e+38])
    """

    scale: Tensor
    concentration: Tensor

    def __init__(self, scale: Tensor | float, concentration: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, scale=scale, concentration=concentration)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._at(minus_log(upper, lower))

    def _quick_quantile(self, noise: Tensor) -> Tensor:
        scale, concentration = self._wide()
        return _stretched(scale, concentration, noise, True, *positive_range(self.scale))

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        return self._at(exponential_level(log_lower, log_upper))

    def _at(self, level: Tensor) -> Tensor:
        scale, concentration = self._wide()
        smallest, largest = positive_range(self.scale)
        log_level, fixed_scale, fixed = level.log(), scale.detach(), concentration.detach()
        log_standard, log_scale = log_level.detach() / fixed, fixed_scale.log()
        # log of the largest of ∂y/∂k = y·|log t|/k² and ∂y/∂scale = y/scale, over y
        log_speed = torch.maximum(log_standard.abs().clamp(min=1).log() - fixed.log(), -log_scale)
        log_draw = log_standard + log_scale
        below = indicator(math.log(torch.finfo(scale.dtype).max) - log_draw - log_speed.clamp(min=0))
        above = indicator(log_draw - math.log(smallest))
        # Beyond the dtype nothing is computed: 0 times an infinite derivative would be NaN.
        inside = below * above
        drawn = inside * scale * torch.exp(inside * log_level / concentration)
        return confine(drawn + (1 - below) * largest, smallest, largest)

    @property
    def mean(self) -> Tensor:
        """``scale·Γ(1 + 1/k)``."""
        scale, concentration = self._wide()
        return (scale * torch.lgamma(1 + 1 / concentration).exp()).to(self.scale.dtype)

    @property
    def mode(self) -> Tensor:
        """``scale·(1 - 1/k)^(1/k)``, and 0 for concentration k <= 1."""
        scale, concentration = self._wide()
        inner = concentration > 1
        safe = torch.where(inner, concentration, 2.0)
        return torch.where(inner, scale * torch.exp(torch.log1p(-1 / safe) / safe), 0.0).to(self.scale.dtype)

    @property
    def variance(self) -> Tensor:
        """``scale²·(Γ(1 + 2/k) - Γ(1 + 1/k)²)``."""
        scale, concentration = (value.double() for value in self._wide())  # the difference cancels for large k
        first = torch.lgamma(1 + 1 / concentration)
        second = torch.lgamma(1 + 2 / concentration)
        return ((scale * first.exp()) ** 2 * torch.expm1(second - 2 * first)).to(self.scale.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log(k/scale) + (k - 1)·log z - z^k``, ``z = y/scale``; -inf for y <= 0."""
        if self._validate_args:
            self._validate_sample(value)
        log_ratio, (scale, concentration) = self._log_ratio(value), self._wide()
        log_density = (
            concentration.log() - scale.log() + (concentration - 1) * log_ratio - torch.exp(concentration * log_ratio)
        )
        return narrow(torch.where(value > 0, log_density, -math.inf), value, self.scale)

    def cdf(self, value: Tensor) -> Tensor:
        """P(Y <= value), with relative precision in the lower tail; 0 for y <= 0."""
        if self._validate_args:
            self._validate_sample(value)
        level = torch.exp(widen(self.concentration) * self._log_ratio(value))
        return narrow(torch.where(value > 0, -torch.expm1(-level), 0.0), value, self.scale)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(Y > value) = -z^k``; 0 for y <= 0."""
        if self._validate_args:
            self._validate_sample(value)
        level = torch.exp(widen(self.concentration) * self._log_ratio(value))
        return narrow(torch.where(value > 0, -level, 0.0), value, self.scale)

    def _log_ratio(self, value: Tensor) -> Tensor:
        """``log(y/scale)``, and a harmless number for y <= 0."""
        return torch.where(value > 0, widen(value), 1.0).log() - widen(self.scale).log()

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``γ·(1 - 1/k) + log(scale/k) + 1``."""
        scale, concentration = self._wide()
        entropy = _EULER * (1 - 1 / concentration) + scale.log() - concentration.log() + 1
        return entropy.to(self.scale.dtype)


class Pareto(InverseCdf, td.Pareto):
    """The Pareto law: ``y = scale·exp(t/alpha)``, t standard exponential; ``P(Y > y) = (scale/y)^alpha``.

    torch's ``Pareto`` with exact tails and finite gradients: at alpha 0.1 torch's draws contain inf.

    Args:
        scale: the smallest value, positive and finite; any shape.
        alpha: the power of the tail, positive and finite; broadcasts against ``scale``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Example:
        >>> law = Pareto(torch.tensor(2.0), 0.1)
        >>> law.from_noise(torch.tensor([0.5, 0.99999], dtype=torch.float64))
        tensor([2.0480e+03, 3.4028e+38])
    """

    scale: Tensor
    alpha: Tensor

    def __init__(self, scale: Tensor | float, alpha: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, scale=scale, alpha=alpha)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._at(minus_log(upper, lower))

    def _quick_quantile(self, noise: Tensor) -> Tensor:
        scale, alpha = self._wide()
        return _stretched(scale, alpha, noise, False, 0.0, torch.finfo(self.scale.dtype).max)

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        return self._at(exponential_level(log_lower, log_upper))

    def _at(self, level: Tensor) -> Tensor:
        scale, alpha = self._wide()
        largest = torch.finfo(self.scale.dtype).max
        power, log_alpha, log_scale = level.detach() / alpha.detach(), alpha.detach().log(), scale.detach().log()
        # log of the largest of ∂y/∂alpha = y·t/alpha² and ∂y/∂scale = y/scale, over y
        log_speed = torch.maximum(power.clamp(min=1).log() - log_alpha, -log_scale)
        inside = indicator(math.log(torch.finfo(scale.dtype).max) - power - log_scale - log_speed.clamp(min=0))
        # Beyond the dtype nothing is computed: 0 times an infinite derivative would be NaN.
        drawn = inside * scale * torch.exp(inside * level / alpha)
        return confine(drawn + (1 - inside) * largest, 0.0, largest)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log(alpha/scale) - (alpha + 1)·log(y/scale)``; -inf for y < scale."""
        if self._validate_args:
            self._validate_sample(value)
        scale, alpha = self._wide()
        log_density = alpha.log() - scale.log() - (alpha + 1) * self._log_ratio(value)
        return narrow(torch.where(value >= self.scale, log_density, -math.inf), value, self.scale)

    def cdf(self, value: Tensor) -> Tensor:
        """P(Y <= value), with relative precision in the lower tail; 0 for y < scale."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(-torch.expm1(-widen(self.alpha) * self._log_ratio(value)), value, self.scale)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(Y > value) = -alpha·log(y/scale)``; 0 for y < scale."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(-widen(self.alpha) * self._log_ratio(value), value, self.scale)

    def _log_ratio(self, value: Tensor) -> Tensor:
        """``log(y/scale)``, precise next to ``scale`` and without overflow far out; 0 for y < scale."""
        value, scale = widen(value), widen(self.scale)
        near = value < 2 * scale
        excess = ((value - scale) / scale).clamp(min=0)
        far = torch.where(near, 1.0, value).log() - scale.log()
        return torch.where(near, torch.log1p(torch.where(near, excess, 0.0)), far)

    @property
    def variance(self) -> Tensor:
        """``scale²·alpha / ((alpha - 1)²·(alpha - 2))``, and inf for ``alpha <= 2``."""
        scale, alpha = self._wide()
        finite = alpha > 2
        safe = torch.where(finite, alpha, 3.0)
        variance = (scale / (safe - 1)) ** 2 * (safe / (safe - 2))
        return torch.where(finite, variance, math.inf).to(self.scale.dtype)


class GeneralizedPareto(InverseCdf, td.GeneralizedPareto):
    """The generalized Pareto law: ``y = loc + scale·(e^(c·t) - 1)/c``, t standard exponential, c the concentration.

    The law of excesses over a high threshold: a power tail for c > 0, exponential for c = 0, bounded for c < 0. It is
    smooth in c, and so are these draws and their gradient: the gradient in c of torch's is 0 near c = 0.

    Args:
        loc: the lower end, finite; any shape.
        scale: positive and finite; broadcasts against ``loc``.
        concentration: the shape c, finite, of either sign; broadcasts against ``loc``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Example:
        >>> concentration = torch.tensor(0.0, requires_grad=True)
        >>> y = GeneralizedPareto(0.0, 1.0, concentration).from_noise(torch.tensor(0.5))
        >>> y.backward(); y.detach(), concentration.grad  # t and t²/2, t = log 2
        (tensor(0.6931), tensor(0.2402))
    """

    loc: Tensor
    scale: Tensor
    concentration: Tensor

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        concentration: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self._set(validate_args, loc=loc, scale=scale, concentration=concentration)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._at(minus_log(upper, lower))

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        return self._at(exponential_level(log_lower, log_upper))

    def _at(self, level: Tensor) -> Tensor:
        loc, scale, concentration = self._wide()
        largest, end = torch.finfo(self.loc.dtype).max, self.support.upper_bound.detach()
        # The draw and its derivatives are below max(1, scale)·max(1, t)²·e^(c·t).
        bound = level * concentration.detach() + 2 * level.clamp(min=1).log() + scale.detach().clamp(min=1).log()
        inside = indicator(math.log(torch.finfo(loc.dtype).max) - bound)
        level = inside * level
        drawn = inside * location_scale(level * exprel(concentration * level), loc, scale) + (1 - inside) * largest
        drawn = confine(drawn, -largest, largest)
        # Rounding may lead past the upper end of a bounded law.
        inside_end: Tensor = drawn - (drawn.detach() - end).clamp(min=0)
        return inside_end

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``-log scale - (1 + c)·t``, t the exponential level of ``value``; -inf off the support.

        At the upper end of a bounded law, where the density is 0 or infinite, it is that of the number next to it.
        """
        if self._validate_args:
            self._validate_sample(value)
        level = self._level(value, floor=torch.finfo(widen(self.loc).dtype).eps / 2)
        log_density = -widen(self.scale).log() - (1 + widen(self.concentration)) * level
        return narrow(torch.where(self.support.check(value), log_density, -math.inf), value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(Y <= value), with relative precision in the lower tail; 0 below the support and 1 above."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(-torch.expm1(-self._level(value, floor=0.0)), value, self.loc)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(Y > value) = -t``, t the exponential level of ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(-self._level(value, floor=0.0), value, self.loc)

    def _level(self, value: Tensor, floor: float) -> Tensor:
        """``t = log(1 + c·z)/c``, ``z = (y - loc)/scale``, with ``1 + c·z`` at least ``floor``."""
        largest = torch.finfo(widen(self.loc).dtype).max
        standard = standardize(value, self.loc, self.scale).clamp(0, largest)
        product = (widen(self.concentration) * standard).clamp(floor - 1, largest)
        near = product.abs() < 0.5
        far = torch.log1p(torch.where(near, 1.0, product)) / torch.where(near, 1.0, widen(self.concentration))
        return torch.where(near, standard * log1prel(torch.where(near, product, 0.0)), far)

    @property
    def mean(self) -> Tensor:
        """``loc + scale/(1 - c)``, and inf for ``c >= 1``."""
        loc, scale, concentration = self._wide()
        finite = concentration < 1
        safe = torch.where(finite, concentration, 0.0)
        return torch.where(finite, location_scale(1 / (1 - safe), loc, scale), math.inf).to(self.loc.dtype)

    @property
    def variance(self) -> Tensor:
        """``scale²/((1 - c)²·(1 - 2c))``, and inf for ``c >= 1/2``."""
        _, scale, concentration = self._wide()
        finite = concentration < 0.5
        safe = torch.where(finite, concentration, 0.0)
        variance = (scale / (1 - safe)) ** 2 / (1 - 2 * safe)
        return torch.where(finite, variance, math.inf).to(self.loc.dtype)

    @property
    def mode(self) -> Tensor:
        """``loc``, and the upper end for ``c < -1``."""
        loc, scale, concentration = self._wide()
        rising = concentration < -1
        end = location_scale(-1 / torch.where(rising, concentration, -1.0), loc, scale)
        return torch.where(rising, end, loc).to(self.loc.dtype)


def _stretched(
    scale: Tensor, shape: Tensor, noise: Tensor, logarithmic: bool, smallest: float, largest: float
) -> Tensor:
    """``y = scale·e^p``, ``p = t/shape`` or ``log(t)/shape``, t the exponential level of the noise: in float32."""
    drawn, power = _raw_stretched(scale, shape, noise, logarithmic, smallest, largest)
    velocities = partial(_stretched_velocities, logarithmic, smallest, largest)
    return attach(drawn, velocities, scale, shape, noise, power)


@partial(opaque, depth=1)
def _raw_stretched(
    scale: Tensor, shape: Tensor, noise: Tensor, logarithmic: bool, smallest: float, largest: float
) -> tuple[Tensor, Tensor]:
    power = (level(noise).log_() if logarithmic else level(noise)).div_(shape)
    drawn = power.exp().mul_(scale)
    # How much larger than the draw the largest of ∂y/∂shape = -y·p/shape and ∂y/∂scale = y/scale is.
    reach = torch.maximum(power.abs().clamp_(min=1).div_(shape), scale.reciprocal()).clamp_(min=1).mul_(drawn)
    if len(reach) > 0 and not reach.amax() <= torch.finfo(reach.dtype).max:
        drawn.masked_fill_(reach.isinf(), largest)
    return drawn.clamp_(smallest, largest), power


def _stretched_velocities(
    logarithmic: bool, smallest: float, largest: float, drawn: Tensor, *parameters: Tensor
) -> tuple[Velocity, ...]:
    scale, shape, noise, power = parameters

    def along_noise() -> Tensor:
        lower, upper = tails(noise, scale)
        slope = upper * minus_log(upper, lower) if logarithmic else upper
        return indicator(drawn - smallest) * indicator(largest - drawn) * drawn / shape / slope

    if not torch.is_grad_enabled():
        return *_quick_stretched_velocities(drawn, scale, shape, power, smallest, largest), along_noise, None
    lower, upper = tails(noise, scale)
    time = minus_log(upper, lower)
    moving = indicator(drawn - smallest) * indicator(largest - drawn) * drawn
    return moving / scale, -moving / shape * ((time.log() if logarithmic else time) / shape), along_noise, None


@partial(opaque, depth=1)
def _quick_stretched_velocities(
    drawn: Tensor, scale: Tensor, shape: Tensor, power: Tensor, smallest: float, largest: float
) -> tuple[Tensor, Tensor]:
    along_scale, along_shape = drawn / scale, (power / shape).mul_(drawn).neg_()
    stop(drawn, smallest, largest, along_scale, along_shape)
    return along_scale, along_shape


@td.register_kl(Weibull, Weibull)  # type: ignore[untyped-decorator]
def _kl_weibull_weibull(p: Weibull, q: Weibull) -> Tensor:
    ratio = q.concentration / p.concentration
    log_ratio = p.scale.log() - q.scale.log()
    moment = torch.exp(q.concentration * log_ratio + torch.lgamma(1 + ratio))
    return q.concentration * -log_ratio + ratio * _EULER - ratio.log() - _EULER + moment - 1
