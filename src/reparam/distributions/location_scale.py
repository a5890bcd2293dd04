"""Laws of the form ``y = μ + σ·ε``: a fixed noise, moved and stretched.

Here the pathwise gradient is at its plainest: ∂y/∂μ = 1, ∂y/∂σ = ε. A law names its noise (``_draw_noise``)
and its map (``from_noise``); shapes are ``loc`` and ``scale`` broadcast to the batch shape.
"""

import math

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from reparam.distributions.base import InverseCdf, Pathwise
from reparam.distributions.precision import confine, minus_log, narrow, standardize, widen
from reparam.noise import Source
from reparam.reparameterize import location_scale
from reparam.special import log_ndtr

__all__ = ["Cauchy", "Gumbel", "Logistic", "Normal"]


class Normal(Pathwise, td.Normal):
    """The normal law N(loc, scale²): ``y = μ + σ·ε``, ``ε ~ N(0, 1)``.

    torch's ``Normal`` with noise apart from the map, and with a density and CDF that keep their digits in the
    tails and at tiny scales (torch squares the scale, which underflows, and rounds the lower tail to 0 below
    -8.3σ).

    Args:
        loc: mean, finite; any shape.
        scale: standard deviation, positive and finite; broadcasts against ``loc``.
        validate_args: check the parameters' values now and arguments of ``log_prob`` later; None follows
            ``torch.distributions.Distribution.set_default_validate_args``, False costs next to nothing.

    Raises:
        ParameterError: a parameter is NaN, infinite, an integer tensor, a scale <= 0; or shapes, dtypes or
            devices do not go together.

    Example:
        >>> law = Normal(torch.tensor(3.0, requires_grad=True), 0.5)
        >>> law.from_noise(torch.tensor([-1.0, 2.0]))
        tensor([2.5000, 4.0000], grad_fn=<AddBackward0>)
    """

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, scale=scale)

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = μ + σ·ε``; see :meth:`Pathwise.from_noise`. The noise is standard normal."""
        return location_scale(noise, self.loc, self.scale)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``-ε²/2 - log σ - log(2π)/2``, ``ε = (value - μ)/σ``; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        standard = standardize(value, self.loc, self.scale)
        log_scale = self.scale.to(standard.dtype).log()
        log_density = -0.5 * standard**2 - log_scale - 0.5 * math.log(2 * math.pi)
        return narrow(log_density, value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail."""
        if self._validate_args:
            self._validate_sample(value)
        probability = 0.5 * torch.erfc(-standardize(value, self.loc, self.scale) * math.sqrt(0.5))
        return narrow(probability, value, self.loc)

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(y <= value)``, precise in both tails."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(log_ndtr(standardize(value, self.loc, self.scale)), value, self.loc)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(y > value)``, precise in both tails."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(log_ndtr(-standardize(value, self.loc, self.scale)), value, self.loc)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        smaller = torch.special.ndtri(torch.minimum(lower, upper))
        return location_scale(torch.where(lower < upper, smaller, -smaller), *self._wide())


class Logistic(InverseCdf):
    """The logistic law: ``y = μ + σ·log(u / (1 - u))``, ``u`` uniform; its CDF is a sigmoid.

    Mean ``loc``, variance ``π²·scale²/3``. Its noise is uniform; the standard quantile goes through the same
    map as every location and scale.

    Args and errors as for :class:`Normal` (``scale`` is not the standard deviation here).

    Example:
        >>> law = Logistic(torch.tensor(1.0), torch.tensor(2.0))
        >>> law.cdf(torch.tensor(1.0)), law.from_noise(torch.tensor(0.5))
        (tensor(0.5000), tensor(1.))
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012
    support = constraints.real
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """``π·scale/√3``."""
        return self.scale * (math.pi / math.sqrt(3))

    @property
    def variance(self) -> Tensor:
        """``π²·scale²/3``."""
        return self.stddev**2

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log s(ε) + log s(-ε) - log σ``, s the sigmoid, ``ε = (value - μ)/σ``."""
        if self._validate_args:
            self._validate_sample(value)
        standard = standardize(value, self.loc, self.scale)
        log_density = logsigmoid(standard) + logsigmoid(-standard) - self.scale.to(standard.dtype).log()
        return narrow(log_density, value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail."""
        if self._validate_args:
            self._validate_sample(value)
        probability = torch.sigmoid(standardize(value, self.loc, self.scale))
        return narrow(probability, value, self.loc)

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(y <= value)``, precise in both tails."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(logsigmoid(standardize(value, self.loc, self.scale)), value, self.loc)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(y > value)``, precise in both tails."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(logsigmoid(-standardize(value, self.loc, self.scale)), value, self.loc)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._log_quantile(lower.log(), upper.log())

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        return location_scale(log_lower - log_upper, *self._wide())

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``2 + log scale``."""
        return self.scale.log() + 2


class Cauchy(InverseCdf, td.Cauchy):
    """The Cauchy law: ``y = μ + σ·tan(π(u - 1/2))``, ``u`` uniform; it has no mean and no variance.

    torch's ``Cauchy`` with noise apart from the map, a quantile and CDF that keep their digits in the tails, and a
    density that stays finite where the square of a float32 overflows. A draw beyond the largest number of its dtype is
    that number, with gradient 0.

    Args and errors as for :class:`Normal` (``loc`` is the median, ``scale`` half the width at half the maximum).

    Example:
        >>> law = Cauchy(torch.tensor(1.0), torch.tensor(2.0))
        >>> law.from_noise(torch.tensor([0.25, 0.5, 0.75]))
        tensor([-1.,  1.,  3.])
    """

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, scale=scale)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log σ - log π - log(σ² + (value - μ)²)``."""
        if self._validate_args:
            self._validate_sample(value)
        loc, scale = self._wide()
        log_density = scale.log() - math.log(math.pi) - 2 * torch.hypot(scale, value - loc).log()
        return narrow(log_density, value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail."""
        if self._validate_args:
            self._validate_sample(value)
        loc, scale = self._wide()
        return narrow(torch.atan2(scale, loc - value) / math.pi, value, self.loc)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        # tan x = sin x / cos x, x = π(lower - upper)/2, and cos x is the sine of the smaller tail: no digit is lost.
        sine = torch.sin((math.pi / 2) * (lower - upper))
        standard = sine / torch.sin(math.pi * torch.minimum(lower, upper))
        largest = torch.finfo(self.loc.dtype).max
        return confine(location_scale(standard, *self._wide()), -largest, largest)


class Gumbel(InverseCdf, td.Gumbel):
    """The Gumbel law, of maxima: ``y = μ - σ·log(-log u)``, ``u`` uniform; its CDF is ``exp(-exp(-ε))``.

    torch's ``Gumbel`` with noise apart from the map and with both tails: draws reach ``μ + 36.7σ`` in every dtype
    (torch's float32 draws end at ``μ + 16σ``).

    Args and errors as for :class:`Normal` (``loc`` is the mode; the mean is ``loc + 0.5772·scale``).

    Example:
        >>> Gumbel(torch.tensor(0.0), torch.tensor(1.0)).from_noise(torch.tensor(1 - 2.0**-53, dtype=torch.float64))
        tensor(36.7368)
    """

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, scale=scale)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``-ε - exp(-ε) - log σ``, ``ε = (value - μ)/σ``."""
        if self._validate_args:
            self._validate_sample(value)
        standard = standardize(value, self.loc, self.scale)
        return narrow(-standard - torch.exp(-standard) - widen(self.scale).log(), value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail."""
        if self._validate_args:
            self._validate_sample(value)
        # exp(-exp(80)) is 0 in every dtype, and exp(80) is finite: 0 times its derivative is not NaN.
        exponent = (-standardize(value, self.loc, self.scale)).clamp(max=80)
        return narrow(torch.exp(-torch.exp(exponent)), value, self.loc)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return location_scale(-minus_log(lower, upper).log(), *self._wide())
