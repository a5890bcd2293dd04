"""The gamma law and its relatives, drawn by torch's sampler in log space and moved by the exact velocity.

For concentrations below 0.1 many draws underflow, and their logarithms do not: :class:`LogGamma` is the law of the
logarithm. With ``y = log x``, ``∂y/∂a = -(∂P/∂a) / (x p)`` at every draw, P the incomplete gamma function
(``reparam.special.log_gamma_velocity``; Figurnov, Mohamed & Mnih, arXiv:1805.08498).
"""

import functools
import math

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam import noise
from reparam.distributions.base import Implicit
from reparam.distributions.precision import narrow, widen
from reparam.reparameterize import attach
from reparam.special import (
    log_gamma_density,
    log_gamma_quantile,
    log_gamma_tails,
    log_gamma_velocity,
    log_minus_digamma,
)

__all__ = ["Chi2", "Gamma", "InverseGamma", "LogGamma"]


class LogGamma(Implicit):
    """The law of the logarithm of a gamma variable: ``y = log x``, x from Gamma(concentration, rate).

    Density ``exp(a z - e^z) / Γ(a)``, ``z = y + log rate``. Mean ``digamma(a) - log rate``, variance ``trigamma(a)``.
    The law to use for small concentrations: draws and gradients are exact where x itself underflows.

    Args:
        concentration: a, positive and finite; any shape.
        rate: inverse scale of x, positive and finite; broadcasts.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: a parameter is not positive and finite, or an integer tensor; or shapes, dtypes or devices do
            not go together.

    Example:
        >>> law = LogGamma(torch.tensor(1e-20), 1.0)
        >>> law.mean, law.from_noise(torch.tensor(0.5))
        (tensor(-1.0000e+20), tensor(-6.9315e+19))
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}  # noqa: RUF012
    support = constraints.real
    concentration: Tensor
    rate: Tensor

    def __init__(self, concentration: Tensor | float, rate: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, concentration=concentration, rate=rate)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        concentration, rate = self._wide()
        log_x = draw_log_standard(concentration.expand(self._extended_shape(sample_shape)), generator)
        return (log_x - rate.log()).to(self.concentration.dtype)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return log_gamma_quantile(self.concentration, lower.log(), upper.log()) - self.rate.double().log()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        concentration, rate = self._wide()
        ratio = value + (rate.log() - concentration.log())
        return narrow(log_gamma_density(ratio, concentration), value, self.concentration)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail; differentiable in value and parameters."""
        if self._validate_args:
            self._validate_sample(value)
        log_x = value.double() + self.rate.double().log()
        return _probability(log_gamma_tails(log_x, self.concentration)[0], value, self.concentration)

    @property
    def mean(self) -> Tensor:
        """``digamma(concentration) - log rate``."""
        concentration, rate = self._wide()
        return (torch.digamma(concentration) - rate.log()).to(self.rate.dtype)

    @property
    def mode(self) -> Tensor:
        """``log(concentration / rate)``."""
        concentration, rate = self._wide()
        return (concentration.log() - rate.log()).to(self.rate.dtype)

    @property
    def variance(self) -> Tensor:
        """``trigamma(concentration)``."""
        return torch.polygamma(1, widen(self.concentration)).to(self.rate.dtype)

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        return _entropy_of_log(widen(self.concentration)).to(self.rate.dtype)


class Gamma(Implicit, td.Gamma):
    """The gamma law: density ``rate^a x^(a-1) exp(-rate x) / Γ(a)``, ``a = concentration``.

    torch's ``Gamma`` with a gradient that is exact, of any order, and at every concentration (torch's is an
    approximation good to three to five digits, first order only, and clamped where the concentration is small). A draw
    that would underflow is the smallest positive normal number of its dtype and does not move; :class:`LogGamma` has no
    such limit.

    Args and errors as for :class:`LogGamma`.

    Example:
        >>> concentration = torch.tensor(3.0, requires_grad=True)
        >>> x = Gamma(concentration, 2.0).rsample((1000,), generator=torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(x.mean(), concentration)[0]  # the mean is concentration / rate: 0.5
        tensor(0.5037)
    """

    def __init__(self, concentration: Tensor | float, rate: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, concentration=concentration, rate=rate)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        concentration, rate = self._wide_shape()
        draw = _draw_scaled(concentration.expand(self._extended_shape(sample_shape)), rate, 1, generator)
        return draw.to(self.concentration.dtype)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._log_quantile(lower.log(), upper.log())

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        log_x = log_gamma_quantile(self.concentration, log_lower, log_upper) - self.rate.double().log()
        return _exp_inside(log_x, log_lower.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, with the digits that torch's loses at large concentrations; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        concentration, rate = self._wide_shape()
        wide = value.to(torch.promote_types(value.dtype, rate.dtype))
        positive = wide.clamp(min=torch.finfo(wide.dtype).tiny)
        ratio = log_ratio(positive * rate, positive.log() + rate.log(), concentration)
        log_density = log_gamma_density(ratio, concentration) - positive.log() + at_zero(wide, concentration)
        return narrow(log_density, value, self.concentration)

    def cdf(self, value: Tensor) -> Tensor:
        """P(x <= value), with relative precision in the lower tail; differentiable in value and parameters."""
        if self._validate_args:
            self._validate_sample(value)
        log_x = torch.where(value > 0, value, 1.0).double().log() + self.rate.double().log()
        probability = _probability(log_gamma_tails(log_x, self.concentration)[0], value, self.concentration)
        return torch.where(value > 0, probability, 0.0)

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(x <= value)``, precise in both tails; -inf at 0 and below."""
        return torch.where(value > 0, self._log_tails(value)[0], -math.inf)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(x > value)``, precise in both tails; 0 below 0."""
        return torch.where(value > 0, self._log_tails(value)[1], 0.0)

    def _log_tails(self, value: Tensor) -> tuple[Tensor, Tensor]:
        if self._validate_args:
            self._validate_sample(value)
        log_x = torch.where(value > 0, value, 1.0).double().log() + self.rate.double().log()
        log_lower, log_upper = log_gamma_tails(log_x, self.concentration)
        dtype = torch.promote_types(value.dtype, self.concentration.dtype)
        return log_lower.to(dtype), log_upper.to(dtype)

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        concentration, rate = self._wide_shape()
        log_mean = torch.digamma(concentration) - rate.log()
        return (_entropy_of_log(concentration) + log_mean).to(self.rate.dtype)

    def _wide_shape(self) -> tuple[Tensor, Tensor]:
        # Not _wide(): a subclass may have been given other parameters.
        return widen(self.concentration), widen(self.rate)


class Chi2(Gamma, td.Chi2):
    """The chi-squared law with ``df`` degrees of freedom: Gamma(df/2, 1/2), the sum of ``df`` squared normals.

    Args:
        df: degrees of freedom, positive and finite, not necessarily whole; any shape.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: ``df`` is not positive and finite, or an integer tensor.

    Example:
        >>> Chi2(torch.tensor([1.0, 5.0])).mean
        tensor([1., 5.])
    """

    def __init__(self, df: Tensor | float, validate_args: bool | None = None) -> None:
        validating, (df,) = self._checked(validate_args, df=df)
        td.Chi2.__init__(self, df, validate_args=False)
        self._validate_args = validating


class InverseGamma(Implicit, td.InverseGamma):
    """The law of ``1 / x``, x from Gamma(concentration, rate): density ``rate^a z^(-a-1) exp(-rate / z) / Γ(a)``.

    torch's ``InverseGamma`` with the exact gradient of :class:`Gamma`, a CDF, and draws that stay finite: one that
    would overflow is the largest number of its dtype and does not move.

    Args and errors as for :class:`LogGamma`.

    Example:
        >>> law = InverseGamma(torch.tensor([0.1, 3.0]), 2.0)
        >>> law.mean, law.cdf(torch.tensor(1.0))
        (tensor([inf, 1.]), tensor([0.0057, 0.6767]))
    """

    def __init__(self, concentration: Tensor | float, rate: Tensor | float, validate_args: bool | None = None) -> None:
        validating, checked = self._checked(validate_args, concentration=concentration, rate=rate)
        td.InverseGamma.__init__(self, checked[0], checked[1], validate_args=False)
        self._validate_args = validating

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        concentration, rate = self._wide()
        draw = _draw_scaled(concentration.expand(self._extended_shape(sample_shape)), rate, -1, generator)
        return draw.to(self.concentration.dtype)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        log_x = log_gamma_quantile(self.concentration, upper.log(), lower.log()) - self.rate.double().log()
        return _exp_inside(-log_x, lower.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        concentration, rate = self._wide()
        wide = value.to(torch.promote_types(value.dtype, rate.dtype))
        ratio = log_ratio(rate / wide, rate.log() - wide.log(), concentration)
        log_density = log_gamma_density(ratio, concentration) - wide.log()
        return narrow(log_density, value, self.concentration)

    def cdf(self, value: Tensor) -> Tensor:
        """P(z <= value), with relative precision in the lower tail; differentiable in value and parameters."""
        if self._validate_args:
            self._validate_sample(value)
        log_x = self.rate.double().log() - value.double().log()
        return _probability(log_gamma_tails(log_x, self.concentration)[1], value, self.concentration)

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        concentration, rate = self._wide()
        log_mean = rate.log() - torch.digamma(concentration)
        return (_entropy_of_log(concentration) + log_mean).to(self.rate.dtype)


def draw_log_standard(concentration: Tensor, generator: torch.Generator | None) -> Tensor:
    """``log x``, x drawn from Gamma(a, 1) for each element of ``concentration`` (float32 or float64), moving with it.

    Example:
        >>> draw_log_standard(torch.full((2,), 1e-20), None).isfinite().all()
        tensor(True)
    """
    g, e = noise.standard_gamma(concentration, generator=generator)
    shrinkage = (e / concentration.detach()).clamp(max=torch.finfo(e.dtype).max)
    return attach(g.log() - shrinkage, _log_velocities, concentration)


def _log_velocities(log_x: Tensor, concentration: Tensor) -> tuple[Tensor]:
    return (log_gamma_velocity(log_x, concentration),)


def _draw_scaled(concentration: Tensor, rate: Tensor, power: int, generator: torch.Generator | None) -> Tensor:
    """``(x / rate)^power``, power 1 or -1, x drawn from Gamma(concentration, 1), without the digits that ``exp(log x)``
    would lose at large concentrations.

    What lies beyond the numbers of the dtype is the last of them, and does not move.
    """
    g, e = noise.standard_gamma(concentration, generator=generator)
    fixed, limits = rate.detach(), torch.finfo(g.dtype)
    # The root twice, in this order: the whole, or g / rate, may be beyond the numbers where the other makes up for it.
    root = torch.exp(e / concentration.detach() * (-0.5 * power))
    value = g * root / fixed * root if power > 0 else fixed / g * root * root
    velocities = functools.partial(_scaled_velocities, power=power)
    return attach(value.clamp(limits.tiny, limits.max), velocities, concentration, rate)


def _scaled_velocities(value: Tensor, concentration: Tensor, rate: Tensor, power: int) -> tuple[Tensor, Tensor]:
    limits = torch.finfo(value.dtype)
    # Nor does what lies so close to the end that its derivative would be beyond: log x is at most some hundreds, and
    # moves by at most about (1 + |log x|) / a.
    largest = limits.max / (1 + 1 / rate.detach()) / (1 + 1000 / concentration.detach())
    moving = torch.where((value > limits.tiny) & (value <= largest), value, 0.0)
    if power > 0:
        return moving * log_gamma_velocity(value.log() + rate.log(), concentration), -moving / rate
    return -moving * log_gamma_velocity(rate.log() - value.log(), concentration), moving / rate


def _exp_inside(logarithm: Tensor, dtype: torch.dtype) -> Tensor:
    """The exponential of a float64, kept within the positive normal numbers of ``dtype``."""
    limits = torch.finfo(dtype)
    return logarithm.clamp(math.log(limits.tiny), math.log(limits.max)).exp()


def log_ratio(x: Tensor, log_x: Tensor, concentration: Tensor) -> Tensor:
    """``log(x / concentration)``, to the last digits that x has; from ``log_x`` where x is beyond the numbers."""
    limits, ratio = torch.finfo(x.dtype), x.detach() / concentration.detach()
    inside = (ratio > limits.tiny) & (ratio < limits.max)
    near = (ratio > 0.5) & (ratio < 2)
    # Each formula sees only the arguments it is good for: where() alone would let a NaN gradient through.
    close = torch.log1p((torch.where(near, x, concentration) - concentration) / concentration)
    far = torch.log(torch.where(inside, x, concentration) / concentration)
    return torch.where(near, close, torch.where(inside, far, log_x - concentration.log()))


def at_zero(value: Tensor, concentration: Tensor) -> Tensor:
    """``(concentration - 1) log 0`` where ``value`` is 0, and 0 elsewhere."""
    return torch.xlogy(concentration - 1, (value > 0).to(value.dtype))


def _probability(logarithm: Tensor, value: Tensor, parameter: Tensor) -> Tensor:
    return logarithm.exp().to(torch.promote_types(value.dtype, parameter.dtype))


def _entropy_of_log(concentration: Tensor) -> Tensor:
    """Entropy of ``log x``, x from Gamma(concentration, 1)."""
    at_scale = log_gamma_density(torch.zeros_like(concentration), concentration)
    return concentration * log_minus_digamma(concentration) - at_scale
