"""Laws confined to an interval, exact however far out it lies."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor
from torch.distributions import constraints

from reparam.distributions.base import InverseCdf, Law
from reparam.distributions.intervals import Interval, NormalInterval, interval
from reparam.distributions.location_scale import Normal
from reparam.distributions.ordinary_truncation import OrdinaryDraws
from reparam.distributions.parameters import extended_real, refuse
from reparam.distributions.precision import confine, standardize
from reparam.errors import ParameterError

__all__ = ["Truncated", "TruncatedNormal"]

_REACH, _STEP = 4.0, 1 / 16  # of the double exponential rule


class _Truncation(InverseCdf):
    """A law given that its draw lies between ``low`` and ``high``; a subclass says which law."""

    low: Tensor
    high: Tensor

    @property
    @abstractmethod
    def base(self) -> Law:
        """The law that is truncated."""

    def _refuse_empty(self) -> None:
        """Refuse ends in the wrong order, and an interval in which the law has no probability."""
        refuse(self, "high", self.high, self.high > self.low, "greater than low", "Swap them, or widen the interval")
        if not torch.compiler.is_compiling() and self._surely_has_mass():
            return
        mass = self._interval(self.low, self.high).log_mass()
        known = isinstance(self.base, Normal) or type(self.base)._log_quantile is not Law._log_quantile
        least = -math.inf if known else math.log(torch.finfo(mass.dtype).tiny)
        refuse(
            self,
            "low",
            self.low,
            (mass > least) & (self.low < math.inf),
            "such that the base law has some probability between low and high",
            "Move the interval to where the base law has some that its cdf can tell from 0",
        )

    def _surely_has_mass(self) -> bool:
        """Whether a glance is enough to see that the law has probability between the ends."""
        return False

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """From ``low`` to ``high``."""
        return constraints.interval(self.low, self.high)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._general_quantile(lower, upper)

    def _general_quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        """The quantile however extreme everything is."""
        left = lower < upper
        smaller = torch.where(left, lower, upper).double()  # exact, and the larger from it
        levels = torch.where(left, smaller, 1 - smaller), torch.where(left, 1 - smaller, smaller)
        drawn = self._interval(self.low, self.high).quantile(*levels)
        largest = torch.finfo(self.low.dtype).max
        inside = drawn.clamp(self.low.double(), self.high.double())
        return torch.where((lower > 0) & (upper > 0), confine(inside, -largest, largest), inside).to(lower.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, that of the base law less the logarithm of its mass in the interval; -inf off it."""
        if self._validate_args:
            self._validate_sample(value)
        inside = (value >= self.low) & (value <= self.high)
        # Off the interval the density is asked for at the end next to it.
        nearest = value.detach().double().clamp(self.low.double(), self.high.double())
        log_density = torch.where(inside, self._log_density(torch.where(inside, value.double(), nearest)), -math.inf)
        return log_density.to(torch.promote_types(value.dtype, self.low.dtype))

    def cdf(self, value: Tensor) -> Tensor:
        """P(Y <= value), with relative precision in the lower tail; 0 below ``low`` and 1 above ``high``."""
        if self._validate_args:
            self._validate_sample(value)
        above, inside = value > self.low, (value > self.low) & (value < self.high)
        part = self._interval(self.low, torch.where(inside, value.double(), self._median()))
        probability = torch.exp(part.log_mass() - self._interval(self.low, self.high).log_mass())
        probability = torch.where(inside, probability, above.to(probability))
        return probability.to(torch.promote_types(value.dtype, self.low.dtype))

    def _log_density(self, point: Tensor) -> Tensor:
        return self._double_base().log_prob(point) - self._interval(self.low, self.high).log_mass()

    def _median(self) -> Tensor:
        """A point in the interval, without derivative: for arguments that are not."""
        half = torch.full_like(self.low, 0.5, dtype=torch.float64)
        return self._interval(self.low, self.high).quantile(half, half).detach()

    def _interval(self, low: Tensor, high: Tensor) -> Interval | NormalInterval:
        low, high = torch.broadcast_tensors(low.double(), high.double())
        return interval(self._double_base(), low, high)

    def _double_base(self) -> Law:
        """The base law in float64, unchecked."""
        base = self.base
        make: Any = type(base)
        parameters = {name: value.double() for name, value in base._given.items()}
        return cast(Law, make(**parameters, **base._options(), validate_args=False))


class TruncatedNormal(_Truncation):
    """The normal law N(loc, scale²) given that its draw lies between ``low`` and ``high``.

    A draw solves ``F(y) = F(low) + u·(F(high) - F(low))``, and moves with all four parameters. Draws and gradients hold
    wherever the interval lies: loc 0, scale 1, low 8, high 13; or low = 1e4. They are computed in float64, from the
    distance to the end nearer to the mode, and rounded once to the dtype of the law.

    Mean ``loc + scale·(φ(α) - φ(β))/Z`` with ``α = (low - loc)/scale``, β likewise, Z the mass between; mean and
    variance in forms that do not cancel (the variance has a relative error of ``1e-15·α²`` far out).

    Args:
        loc: mean of the law before truncation, finite; any shape.
        scale: its standard deviation, positive and finite; broadcasts against ``loc``.
        low: lower end, finite or -inf; broadcasts likewise.
        high: upper end, finite or inf, greater than ``low``; broadcasts likewise.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`; or ``high`` is not greater than ``low``.

    Example:
        >>> loc = torch.tensor(0.0, requires_grad=True)
        >>> y = TruncatedNormal(loc, 1.0, 40.0, math.inf).from_noise(torch.tensor(0.5))
        >>> y.detach(), torch.autograd.grad(y, loc)[0]  # nearly 40 + t/40 and t/40², t = log 2
        (tensor(40.0173), tensor(0.0004))
    """

    arg_constraints = {  # noqa: RUF012
        "loc": constraints.real,
        "scale": constraints.positive,
        "low": extended_real,
        "high": extended_real,
    }
    loc: Tensor
    scale: Tensor

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        low: Tensor | float,
        high: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self._set(validate_args, loc=loc, scale=scale, low=low, high=high)
        if self._validate_args:
            self._refuse_empty()

    @property
    def base(self) -> Normal:
        """N(loc, scale²)."""
        return Normal(self.loc, self.scale, validate_args=False)

    def _surely_has_mass(self) -> bool:
        if self.low.device.type != "cpu" or self.low.numel() == 0 or _is_transformed(self.low, self.high):
            return False
        alpha, beta = (
            standardize(end.detach(), self.loc.detach(), self.scale.detach()) for end in (self.low, self.high)
        )
        return bool(torch.maximum(alpha, -beta).amax() < 1e3) and bool((beta - alpha).amin() > 1e-3)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        parameters = self._wide()
        plain = not (torch.compiler.is_compiling() or lower.requires_grad or _is_transformed(lower, *parameters))
        if not plain or lower.dtype == torch.float64 or lower.device.type != "cpu" or lower.numel() == 0:
            return self._general_quantile(lower, upper)
        arguments = torch.broadcast_tensors(lower, upper, *parameters)
        draws = OrdinaryDraws(*arguments)
        good = draws.are_good()
        if torch._is_all_true(good):
            return draws.drawn()
        if not good.any():
            return self._general_quantile(lower, upper)
        here, elsewhere = good.nonzero(as_tuple=True), (~good).nonzero(as_tuple=True)
        lower, upper, loc, scale, low, high = (argument[elsewhere] for argument in arguments)
        others = TruncatedNormal(loc, scale, low, high, False)._general_quantile(lower, upper)
        ordinary = OrdinaryDraws(*(argument[here] for argument in arguments)).drawn()
        return torch.zeros_like(arguments[0]).index_put(here, ordinary).index_put(elsewhere, others)

    @property
    def mean(self) -> Tensor:
        """See :class:`TruncatedNormal`."""
        return self._moments()[0].to(self.loc.dtype)

    @property
    def variance(self) -> Tensor:
        """See :class:`TruncatedNormal`."""
        return self._moments()[1].to(self.loc.dtype)

    @property
    def mode(self) -> Tensor:
        """``loc``, or the end next to it."""
        return self.loc.clamp(self.low, self.high)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``log(√(2π)·scale·Z) + E ε²/2``, ``ε = (y - loc)/scale``."""
        loc, scale = self.loc.double(), self.scale.double()
        mean, variance = self._moments()
        square = (variance + (mean - loc) ** 2) / scale**2
        log_mass = self._interval(self.low, self.high).log_mass()
        return (0.5 * math.log(2 * math.pi) + scale.log() + log_mass + square / 2).to(self.loc.dtype)

    def _moments(self) -> tuple[Tensor, Tensor]:
        part = self._interval(self.low, self.high)
        assert isinstance(part, NormalInterval)
        return part.moments()


def _is_transformed(*tensors: Tensor) -> bool:
    """Whether a transformation of functions sees the tensors: their values cannot be looked at."""
    return any(torch._C._functorch.is_functorch_wrapped_tensor(tensor) for tensor in tensors)


class Truncated(_Truncation):
    """A law on the line given that its draw lies between ``low`` and ``high``.

    A draw solves ``F(y) = F(low) + u·(F(high) - F(low))``, and moves with the parameters of the base law and with both
    ends. It is computed in float64 from the logarithms of both tails of the base law. The probability of the interval
    may be as small as it likes for Normal, Logistic, Laplace, Exponential, Gamma, Beta, FisherSnedecor and, above,
    Weibull, Pareto and GeneralizedPareto, and down to 1e-307 for LogNormal and StudentT. The upper tail of other laws
    is known as one minus their CDF: where it is 1e-10, six digits are left.

    Mean, variance and entropy are computed by a quadrature rule of 129 points over the quantile function, with a
    relative error below 1e-9 where the next higher moment is finite; where they are infinite the numbers mean nothing.

    Args:
        base: the law to truncate, from this package, with a ``cdf`` and an ``icdf``.
        low: lower end, finite or -inf; broadcasts against the batch shape of ``base``; dtype of ``base``.
        high: upper end, finite or inf, greater than ``low``; likewise.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: ``base`` is no such law; ``low`` or ``high`` is NaN or of another dtype; ``high`` is not greater
            than ``low``; the base law has no probability between them.

    Example:
        >>> from reparam.distributions import Logistic
        >>> law = Truncated(Logistic(0.0, 1.0), 50.0, 52.0)
        >>> law.icdf(torch.tensor([0.0, 0.5, 1.0]))
        tensor([50.0000, 50.5662, 52.0000])
    """

    arg_constraints = {"low": extended_real, "high": extended_real}  # noqa: RUF012

    def __init__(self, base: Law, low: Tensor | float, high: Tensor | float, validate_args: bool | None = None) -> None:
        if not isinstance(base, Law) or base.event_shape or type(base)._quantile is Law._quantile:
            raise ParameterError(
                f"Truncated: base must be a law of reparam.distributions on the line that has an icdf; got {base!r}"
            )
        like = base._like
        ends = {"low": low, "high": high}
        tensors = {
            name: end if isinstance(end, (Tensor, bool)) else like.new_full((), float(end))
            for name, end in ends.items()
        }
        self._set(validate_args, None, **tensors)
        if self.low.dtype != like.dtype:
            raise ParameterError(
                f"Truncated: low has {self.low.dtype} and the base law {like.dtype}. Convert with .to({like.dtype})"
            )
        try:
            batch_shape = torch.broadcast_shapes(base.batch_shape, self.low.shape)
        except RuntimeError as error:
            raise ParameterError(
                f"Truncated: the shape {tuple(self.low.shape)} of low and high does not broadcast against the batch "
                f"shape {tuple(base.batch_shape)} of the base law"
            ) from error
        self._base = base.expand(batch_shape)
        self.low, self.high = self.low.expand(batch_shape), self.high.expand(batch_shape)
        self._batch_shape = batch_shape
        if self._validate_args:
            self._refuse_empty()

    @property
    def base(self) -> Law:
        """The law that is truncated."""
        return self._base

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """See :meth:`Law.expand`."""
        shape = torch.Size(batch_shape)
        kind: type[Truncated] = type(self)
        expanded = kind(self.base.expand(shape), self.low.expand(shape), self.high.expand(shape), False)
        expanded._validate_args = self._validate_args
        return cast(Self, expanded)

    @property
    def mean(self) -> Tensor:
        """See :class:`Truncated`."""
        points, weights = self._rule()
        return (weights * points).sum(0).to(self.low.dtype)

    @property
    def variance(self) -> Tensor:
        """See :class:`Truncated`."""
        points, weights = self._rule()
        mean = (weights * points).sum(0)
        return (weights * (points - mean) ** 2).sum(0).to(self.low.dtype)

    @property
    def mode(self) -> Tensor:
        """The mode of the base law, or the end next to it: right where the base law has one mode."""
        return self.base.mode.clamp(self.low, self.high)

    def entropy(self) -> Tensor:
        """Differential entropy in nats, by the same rule as the mean."""
        points, weights = self._rule()
        return -(weights * self._log_density(points)).sum(0).to(self.low.dtype)

    def _rule(self) -> tuple[Tensor, Tensor]:
        """Points and weights of the double exponential rule for ``∫ f(F⁻¹(u)) du``, ``u = sigmoid(π·sinh t)``."""
        low, high = self.low.double(), self.high.double()
        t = torch.arange(-_REACH, _REACH + _STEP, _STEP, dtype=low.dtype, device=low.device)
        t = t.reshape(-1, *(1 for _ in low.shape))
        lower, upper = torch.sigmoid(math.pi * torch.sinh(t)), torch.sigmoid(-math.pi * torch.sinh(t))
        lower, upper, _ = torch.broadcast_tensors(lower, upper, low)
        points = self._interval(self.low, self.high).quantile(lower, upper).clamp(low, high)
        return points, math.pi * _STEP * torch.cosh(t) * lower * upper
