"""Laws on the positive numbers that come from a normal, a Cauchy or a uniform draw.

Draws are numbers the dtype has: one that would overflow is the largest of the dtype and one that would underflow the
smallest normal one (in float16 the smallest there is), both with gradient 0. So ``log`` of a draw is finite.
"""

import math

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import InverseCdf, Pathwise
from reparam.distributions.location_scale import Normal
from reparam.distributions.precision import (
    confine,
    exponential_level,
    indicator,
    minus_log,
    narrow,
    positive_range,
    widen,
)
from reparam.noise import Source
from reparam.special import log1mexp

__all__ = ["Exponential", "HalfCauchy", "HalfNormal", "LogNormal"]


class LogNormal(Pathwise, td.LogNormal):
    """The law of ``y = exp(μ + σ·ε)``, ``ε ~ N(0, 1)``.

    torch's ``LogNormal`` with noise apart from the map, the tails of our :class:`Normal`, and draws that do not
    overflow (see the top of this module).

    Args:
        loc: mean of log y, finite; any shape.
        scale: standard deviation of log y, positive and finite; broadcasts against ``loc``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Example:
        >>> law = LogNormal(torch.tensor([0.0, 200.0]), torch.tensor(1.0))
        >>> law.from_noise(torch.tensor([1.0, 0.0])).isfinite()
        tensor([True, True])
    """

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        validating, (loc, scale) = self._checked(validate_args, loc=loc, scale=scale)
        super().__init__(loc, scale, validate_args=False)
        self._validate_args = validating

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = exp(μ + σ·ε)``; see :meth:`Pathwise.from_noise`. The noise is standard normal."""
        return confine(self._normal.from_noise(noise), *self._log_range).exp().to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, that of N(μ, σ²) at log y, less log y; -inf for y <= 0."""
        if self._validate_args:
            self._validate_sample(value)
        log_value = torch.where(value > 0, widen(value), 1.0).log()
        log_density = self._normal.log_prob(log_value) - log_value
        return narrow(torch.where(value > 0, log_density, -torch.inf), value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail; 0 for y <= 0."""
        if self._validate_args:
            self._validate_sample(value)
        probability = self._normal.cdf(torch.where(value > 0, widen(value), 1.0).log())
        return narrow(torch.where(value > 0, probability, 0.0), value, self.loc)

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(y <= value)``, precise in both tails; -inf for y <= 0."""
        log_value = torch.where(value > 0, widen(value), 1.0).log()
        return narrow(torch.where(value > 0, self._normal.log_cdf(log_value), -torch.inf), value, self.loc)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(y > value)``, precise in both tails; 0 for y <= 0."""
        log_value = torch.where(value > 0, widen(value), 1.0).log()
        return narrow(torch.where(value > 0, self._normal.log_survival_function(log_value), 0.0), value, self.loc)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        inside = confine(self._normal._quantile(lower, upper), *self._log_range)
        return torch.where(lower == 0, 0.0, torch.where(upper == 0, torch.inf, inside.exp()))

    @property
    def _normal(self) -> Normal:
        """The law of log y, in float32 at least."""
        loc, scale = self._wide()
        return Normal(loc, scale, validate_args=False)

    @property
    def _log_range(self) -> tuple[float, float]:
        """What may be exponentiated: a step inside the range, above with room for the derivative in σ, ``y·ε``."""
        smallest, largest = positive_range(self.loc)
        step = torch.finfo(torch.promote_types(self.loc.dtype, torch.float32)).eps
        return math.log(smallest) * (1 - step), math.log(largest / 16)


class HalfNormal(Pathwise, td.HalfNormal):
    """The law of ``y = σ·|ε|``, ``ε ~ N(0, 1)``.

    torch's ``HalfNormal`` with noise apart from the map, and with a CDF and quantile that keep their digits near 0 (and
    the quantile in the upper tail too). Both draws of an antithetic pair are the same here: use ``Sobol``.

    Args:
        scale: standard deviation of the normal law, positive and finite; any shape.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Example:
        >>> HalfNormal(torch.tensor(2.0)).from_noise(torch.tensor([-1.5, 0.5]))
        tensor([3., 1.])
    """

    def __init__(self, scale: Tensor | float, validate_args: bool | None = None) -> None:
        validating, (scale,) = self._checked(validate_args, scale=scale)
        super().__init__(scale, validate_args=False)
        self._validate_args = validating

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.scale)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = σ·|ε|``; see :meth:`Pathwise.from_noise`. The noise is standard normal."""
        drawn = widen(self.scale) * noise.abs()
        return confine(drawn, *positive_range(self.scale)).to(self.scale.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log(2/π)/2 - log σ - (value/σ)²/2``; -inf below 0."""
        if self._validate_args:
            self._validate_sample(value)
        scale = widen(self.scale)
        log_density = 0.5 * math.log(2 / math.pi) - scale.log() - 0.5 * (value / scale) ** 2
        return narrow(torch.where(value >= 0, log_density, -torch.inf), value, self.scale)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision near 0; 0 below 0."""
        if self._validate_args:
            self._validate_sample(value)
        probability = torch.erf(value.clamp(min=0) / widen(self.scale) * math.sqrt(0.5))
        return narrow(probability, value, self.scale)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        left = lower < upper
        near = math.sqrt(2) * torch.erfinv(torch.where(left, lower, 0.5))
        far = -torch.special.ndtri(0.5 * torch.where(left, 0.5, upper))
        inside = confine(widen(self.scale) * torch.where(left, near, far), *positive_range(self.scale))
        return torch.where(lower == 0, 0.0, torch.where(upper == 0, torch.inf, inside))


class HalfCauchy(InverseCdf, td.HalfCauchy):
    """The law of the size of a Cauchy draw: ``y = σ·tan(πu/2)``, ``u`` uniform; its mean is infinite.

    torch's ``HalfCauchy`` with noise apart from the map, a CDF and quantile that keep their digits near 0 (and the
    quantile in the upper tail too), and a density that stays finite where the square of a float32 overflows.

    Args:
        scale: the median, positive and finite; any shape.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Example:
        >>> HalfCauchy(torch.tensor(3.0)).from_noise(torch.tensor([1e-20, 0.5]))
        tensor([4.7124e-20, 3.0000e+00])
    """

    def __init__(self, scale: Tensor | float, validate_args: bool | None = None) -> None:
        validating, (scale,) = self._checked(validate_args, scale=scale)
        super().__init__(scale, validate_args=False)
        self._validate_args = validating

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log(2σ/π) - log(σ² + value²)``; -inf below 0."""
        if self._validate_args:
            self._validate_sample(value)
        scale = widen(self.scale)
        log_density = math.log(2 / math.pi) + scale.log() - 2 * torch.hypot(scale, widen(value)).log()
        return narrow(torch.where(value >= 0, log_density, -torch.inf), value, self.scale)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision near 0; 0 below 0."""
        if self._validate_args:
            self._validate_sample(value)
        probability = torch.atan2(widen(value).clamp(min=0), widen(self.scale)) * (2 / math.pi)
        return narrow(probability, value, self.scale)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        # The cosine of one tail is the sine of the other: no digit is lost at either end.
        standard = torch.sin((math.pi / 2) * lower) / torch.sin((math.pi / 2) * upper)
        return confine(widen(self.scale) * standard, *positive_range(self.scale))


class Exponential(InverseCdf, td.Exponential):
    """The exponential law: density ``λ·exp(-λy)``; ``y = -log(1 - u)/λ``, ``u`` uniform.

    torch's ``Exponential`` with noise apart from the map and with both tails, and with a CDF that keeps its digits near
    0. Draws begin at ``5.6e-17/λ`` and reach ``36.7/λ`` in every dtype.

    Args:
        rate: λ, positive and finite; any shape.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Example:
        >>> law = Exponential(torch.tensor(2.0))
        >>> law.from_noise(torch.tensor([1e-20, 0.5])), law.cdf(torch.tensor(1e-20))
        (tensor([5.0000e-21, 3.4657e-01]), tensor(2.0000e-20))
    """

    def __init__(self, rate: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, rate=rate)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log λ - λ·value``; -inf below 0."""
        if self._validate_args:
            self._validate_sample(value)
        rate = widen(self.rate)
        return narrow(torch.where(value >= 0, rate.log() - rate * value, -torch.inf), value, self.rate)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision near 0; 0 below 0."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(-torch.expm1(-widen(self.rate) * value.clamp(min=0)), value, self.rate)

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(y <= value)``, precise in both tails; -inf at 0 and below."""
        log_upper = self.log_survival_function(value)
        inside = value > 0
        return torch.where(inside, log1mexp(torch.where(inside, log_upper, -1.0)), -torch.inf)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(y > value)``: ``-λ·value``; 0 below 0."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(-widen(self.rate) * value.clamp(min=0), value, self.rate)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._at(minus_log(upper, lower))

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        return self._at(exponential_level(log_lower, log_upper))

    def _at(self, level: Tensor) -> Tensor:
        rate = widen(self.rate)
        smallest, largest = positive_range(self.rate)
        # A quotient that overflows has a derivative that does too, and 0 times that is NaN: it is not computed.
        inside = indicator(largest * rate - level)
        return confine(inside * level / rate + (1 - inside) * largest, smallest, largest)
