"""The inverse Gaussian law: when a Brownian motion with drift first reaches a level."""

import math

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam import noise
from reparam.distributions.base import Implicit
from reparam.distributions.precision import narrow, positive_range, widen
from reparam.reparameterize import attach
from reparam.special import log1mexp, mills, mills_deficit, mills_drop, scaled_exponential_integral
from reparam.special.elementwise import opaque

__all__ = ["InverseGaussian"]

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_NEWTON_STEPS = 12  # 8 suffice for λ/μ from 1e-12 to 1e12


class InverseGaussian(Implicit):
    """The inverse Gaussian (Wald) law: density ``√(λ/(2πy³))·exp(-λ(y - μ)²/(2μ²y))``.

    The sampler of Michael, Schucany & Haas, whose draws then move by ``-(∂F/∂θ)/p``. With ``b = √(λ/y)·(y/μ + 1)``, M
    the Mills ratio and ``D(b) = 1 - b·M(b)``, the exponentials in that quotient cancel, and

        ∂y/∂μ = 2y²/(μ(μ + y)) · b·M(b),    ∂y/∂λ = y/λ · ((μ - y) + 2y·D(b))/(μ + y),

    without overflow or cancellation. Draws outside the range of the dtype are its smallest or largest number.

    Args:
        loc: the mean μ, positive and finite; any shape.
        concentration: the shape λ, positive and finite; broadcasts against ``loc``. The variance is ``μ³/λ``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Source: Michael, Schucany & Haas, "Generating random variates using transformations with multiple roots", The
    American Statistician 30 (1976), for the sampler.

    Example:
        >>> law = InverseGaussian(torch.tensor(2.0), torch.tensor(3.0))
        >>> law.icdf(torch.tensor([1e-20, 0.5])), law.variance
        (tensor([0.0333, 1.5123]), tensor(2.6667))
    """

    arg_constraints = {"loc": constraints.positive, "concentration": constraints.positive}  # noqa: RUF012
    support = constraints.positive
    loc: Tensor
    concentration: Tensor

    def __init__(self, loc: Tensor | float, concentration: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, concentration=concentration)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        shape = self._extended_shape(sample_shape)
        loc, concentration = (value.detach().double() for value in self._wide())  # ratios of extreme parameters
        normal = noise.standard_normal(shape, like=loc, generator=generator)
        uniform = noise.uniform(shape, like=loc, generator=generator)
        half = normal**2 * loc / (2 * concentration)
        root = 1 + half + (half * (half + 2)).sqrt()  # the larger root over the mean; their product is 1
        drawn = loc * torch.where(uniform * (1 + root) < root, 1 / root, root)
        return self._moving(drawn, *self._wide())

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        parameters = self._wide()
        drawn = _inverse_gaussian_quantile(*(value.double() for value in (lower, upper, *parameters)))
        return self._moving(drawn, *parameters, lower, upper)

    def _moving(self, drawn: Tensor, *parameters: Tensor) -> Tensor:
        inside = drawn.clamp(*positive_range(self.loc)).to(parameters[0].dtype)
        return attach(inside, _velocity, *parameters).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log(λ/(2πy³))/2 - λ(y - μ)²/(2μ²y)``; -inf for y <= 0."""
        if self._validate_args:
            self._validate_sample(value)
        log_density = _log_density(torch.where(value > 0, widen(value), 1.0), *self._wide())
        return narrow(torch.where(value > 0, log_density, -math.inf), value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(Y <= value), with relative precision in the lower tail; 0 for y <= 0."""
        if self._validate_args:
            self._validate_sample(value)
        loc, concentration = self._wide()
        safe = torch.where(value > 0, widen(value), 1.0)
        log_lower, _ = _log_cdf(_standardized(safe, loc, concentration), concentration / loc)
        return narrow(torch.where(value > 0, log_lower.exp(), 0.0), value, self.loc)

    @property
    def mean(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """``loc³/concentration``."""
        loc, concentration = self._wide()
        return (loc**2 * (loc / concentration)).to(self.loc.dtype)

    @property
    def mode(self) -> Tensor:
        """``loc·(√(1 + c²) - c)``, ``c = 3·loc/(2·concentration)``."""
        loc, concentration = self._wide()
        slant = 1.5 * loc / concentration
        return (loc / (torch.hypot(slant, torch.ones_like(slant)) + slant)).to(self.loc.dtype)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``log(2πe·μ³/λ)/2 - (3/2)·e^x·E₁(x)``, ``x = 2λ/μ``."""
        loc, concentration = self._wide()
        log_scale = 0.5 * (3 * loc.log() - concentration.log())
        entropy = 0.5 + _LOG_SQRT_2PI + log_scale - 1.5 * scaled_exponential_integral(2 * concentration / loc)
        return entropy.to(self.loc.dtype)


def _velocity(y: Tensor, loc: Tensor, concentration: Tensor, *levels: Tensor) -> tuple[Tensor, ...]:
    b = (concentration / y).sqrt() * (y / loc + 1)
    total = loc + y
    by_loc = 2 * (y / loc) * (y / total) * (b * mills(b))
    by_concentration = y / concentration * ((loc - y) / total + 2 * (y / total) * mills_deficit(b))
    if not levels:
        return by_loc, by_concentration
    # A quantile moves with the smaller tail, which alone is exact.
    lower, upper = levels
    slope = torch.exp(-_log_density(y, loc, concentration))
    return by_loc, by_concentration, torch.where(lower < upper, slope, 0.0), torch.where(lower < upper, 0.0, -slope)


def _log_density(y: Tensor, loc: Tensor, concentration: Tensor) -> Tensor:
    return 0.5 * (concentration.log() - 3 * y.log()) - _LOG_SQRT_2PI - _standardized(y, loc, concentration) ** 2 / 2


def _standardized(y: Tensor, loc: Tensor, concentration: Tensor) -> Tensor:
    """``a = √(λ/y)·(y - μ)/μ``, in which the law is nearly a standard normal one."""
    return (concentration / y).sqrt() * ((y - loc) / loc)


def _log_cdf(a: Tensor, ratio: Tensor) -> tuple[Tensor, Tensor]:
    """``(log F, log(1 - F))`` at a, with ``ratio = λ/μ``: ``F = φ(a)·(M(-a) + M(b))``, ``b = √(a² + 4λ/μ)``."""
    left = a < 0
    size = torch.where(left, -a, a)  # at 0 the derivative of the absolute value is wrong for both
    b = torch.sqrt(size**2 + 4 * ratio)
    log_density = -(size**2) / 2 - _LOG_SQRT_2PI
    log_lower = log_density + torch.log(mills(size) + mills(b))
    log_upper = log_density + mills_drop(size, 4 * ratio / (b + size)).log()
    below, above = torch.where(left, log_lower, -1.0), torch.where(left, -1.0, log_upper)
    return torch.where(left, below, log1mexp(above)), torch.where(left, log1mexp(below), above)


@opaque
def _inverse_gaussian_quantile(lower: Tensor, upper: Tensor, loc: Tensor, concentration: Tensor) -> Tensor:
    """The quantile without gradient, by Newton's method in ``v = log(y/μ)/2``, on the logarithm of the smaller tail.

    The density of v is log-concave, so both log tails are concave, and Newton's method goes to the root without turning
    from any point where the tail is too small: ``Φ(a) <= F <= 2Φ(a)`` and ``1 - F <= Φ(-a)`` give one.
    """
    root_ratio = (concentration / loc).sqrt()
    left = lower < upper
    smaller = torch.where(left, lower, upper)
    start = torch.where(left, torch.special.ndtri(smaller / 2), -torch.special.ndtri(smaller))
    target, v = smaller.log(), torch.asinh(start / (2 * root_ratio))
    for _ in range(_NEWTON_STEPS):
        a = 2 * root_ratio * torch.sinh(v)
        log_lower, log_upper = _log_cdf(a, root_ratio**2)
        log_slope = -(a**2) / 2 - _LOG_SQRT_2PI + (2 * root_ratio).log() - v
        step_left = (target - log_lower) * torch.exp(log_lower - log_slope)
        step_right = (log_upper - target) * torch.exp(log_upper - log_slope)
        v = v + torch.where(left, step_left, step_right)
    return loc * torch.exp(2 * v)


@td.register_kl(InverseGaussian, InverseGaussian)  # type: ignore[untyped-decorator]
def _kl_inverse_gaussian(p: InverseGaussian, q: InverseGaussian) -> Tensor:
    ratio = q.concentration / p.concentration
    shift = (p.loc - q.loc) / q.loc
    return 0.5 * (ratio - 1 - ratio.log() + q.concentration * shift**2 / p.loc)
