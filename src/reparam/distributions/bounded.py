"""Laws on an interval."""

import math
from collections.abc import Callable

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from reparam.distributions.base import InverseCdf, Pathwise
from reparam.distributions.location_scale import Normal
from reparam.distributions.parameters import refuse
from reparam.distributions.precision import narrow, open_sigmoid, standardize, widen
from reparam.noise import Source
from reparam.reparameterize import location_scale

__all__ = ["LogitNormal", "Uniform"]


class Uniform(InverseCdf, td.Uniform):
    """The uniform law on [low, high): ``y = low + (high - low)·u``.

    torch's ``Uniform`` with noise apart from the map. Draws are precise near both ends, however narrow the interval;
    one that would round to ``high`` stays a step of the dtype below it. The gradient is ``1 - u`` for ``low`` and ``u``
    for ``high``.

    Args:
        low: lower end, finite; any shape.
        high: upper end, finite and greater than ``low``; broadcasts against ``low``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`, or ``high`` is not greater than ``low``.

    Example:
        >>> Uniform(torch.tensor(0.0), torch.tensor(4.0)).from_noise(torch.tensor([1e-30, 0.25]))
        tensor([4.0000e-30, 1.0000e+00])
    """

    arg_constraints = {"low": constraints.real, "high": constraints.real}  # noqa: RUF012

    def __init__(self, low: Tensor | float, high: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, low=low, high=high)
        if self._validate_args:
            refuse(
                self, "high", self.high, self.high > self.low, "greater than low", "Swap them, or widen the interval"
            )

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``-log(high - low)`` on [low, high), else -inf."""
        if self._validate_args:
            self._validate_sample(value)
        low, high = self._wide()
        inside = (value >= self.low) & (value < self.high)
        return narrow(torch.where(inside, -torch.log(high - low), -torch.inf), value, self.low)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value): ``(value - low)/(high - low)``, between 0 and 1."""
        if self._validate_args:
            self._validate_sample(value)
        low, high = self._wide()
        return narrow(standardize(value, low, high - low).clamp(0, 1), value, self.low)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        low, high = self._wide()
        # Both products are precise, so both ends are; rounding may lead past an end, and is taken back.
        drawn = (upper * low + lower * high).to(self.low.dtype)
        fixed, least, most = drawn.detach(), self.low.detach(), self.high.detach()
        inside: Tensor = fixed.clamp(least, torch.nextafter(most, least))
        return drawn + (inside - fixed)


class LogitNormal(Pathwise):
    """The law of ``y = s(μ + σ·ε)``, ``ε ~ N(0, 1)``, s the sigmoid; y lies in (0, 1).

    A draw that would round to 0 or 1 is the number of the dtype next to it; its gradient is exact all the same. Mean,
    variance and entropy have no closed form: they are computed by the trapezoidal rule on 401 points between ±9σ, with
    an absolute error below 1e-10 (or the rounding of the dtype) for scales up to 20, 1e-7 at 30 and 1e-3 at 100. There
    is no formula for the mode (above a scale of √2 there may be two).

    Args:
        loc: mean of logit y, finite; any shape.
        scale: standard deviation of logit y, positive and finite; broadcasts against ``loc``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Sources: Atchison & Shen, "Logistic-normal distributions", Biometrika 67, 1980 (the law); Trefethen & Weideman, "The
    exponentially convergent trapezoidal rule", SIAM Review 56, 2014 (the quadrature).

    Example:
        >>> law = LogitNormal(torch.tensor(1.0), torch.tensor(2.0))
        >>> law.from_noise(torch.tensor(-0.5)), law.mean
        (tensor(0.5000), tensor(0.6477))
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012
    support = constraints.unit_interval
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        """E[y], by quadrature."""
        return self._expectation(torch.sigmoid).to(self.loc.dtype)

    @property
    def variance(self) -> Tensor:
        """Var[y], by quadrature."""
        mean = self._expectation(torch.sigmoid).unsqueeze(-1)
        return self._expectation(lambda logit: (torch.sigmoid(logit) - mean) ** 2).to(self.loc.dtype)

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = s(μ + σ·ε)``; see :meth:`Pathwise.from_noise`. The noise is standard normal."""
        return open_sigmoid(self._normal.from_noise(noise), self.loc)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, that of N(μ, σ²) at logit y, less ``log y + log(1 - y)``; -inf at 0 and 1."""
        if self._validate_args:
            self._validate_sample(value)
        inside = (value > 0) & (value < 1)
        safe = torch.where(inside, widen(value), 0.5)
        log_value, log_rest = safe.log(), torch.log1p(-safe)
        log_density = self._normal.log_prob(log_value - log_rest) - log_value - log_rest
        return narrow(torch.where(inside, log_density, -torch.inf), value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail."""
        if self._validate_args:
            self._validate_sample(value)
        inside = (value > 0) & (value < 1)
        probability = self._normal.cdf(torch.where(inside, widen(value), 0.5).logit())
        return narrow(torch.where(inside, probability, (value >= 1).to(probability)), value, self.loc)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        logit = self._normal._quantile(lower, upper)
        inside = open_sigmoid(logit, self.loc)
        return torch.where(lower == 0, 0.0, torch.where(upper == 0, 1.0, inside))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, ``log σ + log(2πe)/2 + E[log s(x) + log s(-x)]``, x = logit y (quadrature)."""
        log_slope = self._expectation(lambda logit: logsigmoid(logit) + logsigmoid(-logit))
        return (widen(self.scale).log() + 0.5 * math.log(2 * math.pi * math.e) + log_slope).to(self.loc.dtype)

    @property
    def _normal(self) -> Normal:
        """The law of logit y, in float32 at least."""
        loc, scale = self._wide()
        return Normal(loc, scale, validate_args=False)

    def _expectation(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """E[function(logit y)]: the trapezoidal rule, which converges exponentially here."""
        loc, scale = self._wide()
        noise = torch.linspace(-9, 9, 401, dtype=loc.dtype, device=loc.device)
        weight = torch.softmax(-0.5 * noise**2, -1)
        return (weight * function(location_scale(noise, loc.unsqueeze(-1), scale.unsqueeze(-1)))).sum(-1)


@td.register_kl(LogitNormal, LogitNormal)  # type: ignore[untyped-decorator]
def _kl_logit_normal(p: LogitNormal, q: LogitNormal) -> Tensor:
    # The sigmoid is one-to-one: the divergence is that of the logits.
    return td.kl_divergence(td.Normal(p.loc, p.scale), td.Normal(q.loc, q.scale))
