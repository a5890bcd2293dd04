"""The continuous Bernoulli law: a likelihood for grey levels in [0, 1]."""

import math

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions.utils import lazy_property

from reparam.distributions.base import InverseCdf
from reparam.distributions.odds import has_probs, probs_or_logits
from reparam.distributions.precision import confine, indicator, minus_log, narrow, positive_range, widen
from reparam.reparameterize import Velocity, attach
from reparam.special import exprel
from reparam.special.elementwise import opaque
from reparam.special.removable import polynomial

__all__ = ["ContinuousBernoulli"]

# Bernoulli numbers B₂ₙ over (2n)!, of the series of 1/(1 - e⁻ˣ) - 1/x = 1/2 + Σ B₂ₙ·x²ⁿ⁻¹/(2n)!
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_MEAN = [number / math.factorial(2 * n) for n, number in enumerate(_BERNOULLI, 1)]
_LOG_EXPREL = [coefficient / (2 * n) for n, coefficient in enumerate(_MEAN, 1)]  # of log exprel(x) - x/2, over x²
_VARIANCE = [(2 * n + 1) * coefficient for n, coefficient in enumerate(_MEAN)]


class ContinuousBernoulli(InverseCdf, td.ContinuousBernoulli):
    """The law on [0, 1] with density proportional to ``probs^y·(1 - probs)^(1 - y)``, or ``e^(l·y)`` with l the logit.

    ``y = log(1 + u·(e^l - 1))/l``, and uniform at l = 0. torch's ``ContinuousBernoulli`` with formulas that are smooth
    through ``probs = 1/2`` and hold for all logits: torch's gradient is exactly 0 for probs between 0.499 and 0.501,
    where the truth is dE y/dprobs = 1/3. There is no interval to cut, hence no ``lims``. Draws stay inside (0, 1): one
    that would round to an end is the number next to it, with gradient 0.

    Args:
        probs: in [0, 1], any shape; 0 and 1 are taken as the numbers next to them. The mean is not ``probs``.
        logits: log odds of ``probs``, finite; any shape. Give one of the two.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Bernoulli`.

    Source: Loaiza-Ganem & Cunningham, arXiv:1907.06845.

    Example:
        >>> probs = torch.tensor(0.5, requires_grad=True)
        >>> law = ContinuousBernoulli(probs)
        >>> law.mean.backward(); law.mean.detach(), probs.grad
        (tensor(0.5000), tensor(0.3333))
    """

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._set(validate_args, None, **probs_or_logits(self, probs, logits))
        self._param = self._like

    @lazy_property
    def logits(self) -> Tensor:
        """``log(probs/(1 - probs))``."""
        return self._wide_logits().to(self.probs.dtype)

    @lazy_property
    def probs(self) -> Tensor:
        """``sigmoid(logits)``."""
        return torch.sigmoid(self.logits)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        logits = self._wide_logits()
        # Seen from the end where the density is largest; at l = 0 either is right.
        rising = indicator(logits)
        sign = 2 * rising - 1
        near, far = rising * upper + (1 - rising) * lower, rising * lower + (1 - rising) * upper
        near, far, slope = torch.broadcast_tensors(near, far, sign * logits)
        velocity = _distance_velocity if lower.dtype == torch.float64 else _quick_distance_velocity
        distance = attach(_distance(near.detach(), far.detach(), slope.detach()), velocity, slope, near)
        return confine(
            rising - sign * distance, positive_range(self._like)[0], 1 - torch.finfo(self._like.dtype).eps / 2
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``l·y - log((e^l - 1)/l)``; -inf off [0, 1]."""
        if self._validate_args:
            self._validate_sample(value)
        falling, slope = self._oriented()
        distance = torch.where(falling, widen(value), 1 - widen(value))
        log_density = slope * distance - exprel(slope).log()
        return narrow(torch.where(self.support.check(value), log_density, -math.inf), value, self._like)

    def cdf(self, value: Tensor) -> Tensor:
        """P(Y <= value), with relative precision in the lower tail; 0 below 0 and 1 above 1."""
        if self._validate_args:
            self._validate_sample(value)
        falling, slope = self._oriented()
        value = widen(value).clamp(0, 1)
        from_top = torch.exp(slope * torch.where(falling, 0.0, 1 - value))
        return narrow(value * from_top * exprel(slope * value) / exprel(slope), value, self._like)

    @property
    def mean(self) -> Tensor:
        """``1/(1 - e^-l) - 1/l``, 1/2 at l = 0."""
        falling, slope = self._oriented()
        near = slope > -1
        small, far = torch.where(near, slope, 0.0), torch.where(near, -1.0, slope)
        series = 0.5 + small * polynomial(small**2, _MEAN)
        distance = torch.where(near, series, torch.exp(far) / torch.expm1(far) - 1 / far)
        return torch.where(falling, distance, 1 - distance).to(self._like.dtype)

    @property
    def variance(self) -> Tensor:
        """``1/l² - 1/(4 sinh²(l/2))``, 1/12 at l = 0."""
        _, slope = self._oriented()
        near = slope > -1
        small, far = torch.where(near, slope, 0.0), torch.where(near, -1.0, slope)
        variance = (1 / far) ** 2 - torch.exp(far) / torch.expm1(far) ** 2
        return torch.where(near, polynomial(small**2, _VARIANCE), variance).to(self._like.dtype)

    @property
    def mode(self) -> Tensor:
        """The end to which the density rises; NaN for the uniform law."""
        logits = self.logits
        return torch.where(logits == 0, math.nan, (logits > 0).to(logits))

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``log((e^l - 1)/l) - l·mean``."""
        falling, slope = self._oriented()
        mean = widen(self.mean)
        distance = torch.where(falling, mean, 1 - mean)
        return (exprel(slope).log() - slope * distance).to(self._like.dtype)

    def _oriented(self) -> tuple[Tensor, Tensor]:
        """Whether the density falls, and ``-|l|``: seen from the end where it is largest, it always falls.

        At l = 0 both ways of seeing are right, and each has the right derivative (that of an absolute value is not).
        """
        logits = self._wide_logits()
        falling = logits < 0
        return falling, torch.where(falling, logits, -logits)

    def _wide_logits(self) -> Tensor:
        (parameter,) = self._wide()
        if not has_probs(self):
            return parameter
        limits = torch.finfo(parameter.dtype)
        probs = parameter.clamp(limits.tiny, 1 - limits.eps / 2)
        return probs.log() - torch.log1p(-probs)

    def _cont_bern_log_norm(self) -> Tensor:
        """log of what torch's divergences multiply ``probs^y·(1 - probs)^(1 - y)`` by."""
        _, slope = self._oriented()
        return torch.log1p(torch.exp(slope)) - exprel(slope).log()

    def _log_normalizer(self, x: Tensor) -> Tensor:
        return x.clamp(min=0) + exprel(torch.where(x < 0, x, -x)).log()


@opaque
def _distance(near: Tensor, far: Tensor, slope: Tensor) -> Tensor:
    """The quantile of the density ``e^(-slope·d)`` on (0, 1): ``-log(1 - near·(1 - e^-slope))/slope``."""
    slope = slope.clamp(min=torch.finfo(slope.dtype).tiny)
    return minus_log(far + near * torch.exp(-slope), -near * torch.expm1(-slope)).div_(slope)


def _distance_velocity(distance: Tensor, slope: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
    """How the distance moves with the slope, without cancellation, and with the probability nearer than it.

    With ``h = log exprel`` and ``D = (h(s) - h(s·d))/s`` it is ``-d·D·exprel(-s·D)``.
    """
    gentle = slope < 1
    small, steep = torch.where(gentle, slope, 0.0), torch.where(gentle, 1.0, slope)
    square = small**2
    series = small * (polynomial(square, _LOG_EXPREL) - distance**2 * polynomial(square * distance**2, _LOG_EXPREL))
    difference = (exprel(-steep).log() - exprel(-steep * distance).log()) / steep
    mean = torch.where(gentle, (1 - distance) / 2 + series, 1 - distance + difference)
    return -distance * mean * exprel(-slope * mean), exprel(-slope) * torch.exp(slope * distance)


def _quick_distance_velocity(distance: Tensor, slope: Tensor, near: Tensor) -> tuple[Velocity, Velocity]:
    """The same for float32; derivatives take the long way."""
    if torch.is_grad_enabled():
        return _distance_velocity(distance, slope, near)
    return _quick_velocity(distance, slope), lambda: _quick_stretch(distance, slope)


@opaque
def _quick_velocity(distance: Tensor, slope: Tensor) -> Tensor:
    # In float64 the cancellation spares the digits of float32, down to where the velocity no longer changes.
    steep, place = slope.double().clamp_(1e-6, 700.0), distance.double()
    return torch.expm1(steep * place).div_(torch.expm1(steep)).sub_(place).div_(steep).float()


@opaque
def _quick_stretch(distance: Tensor, slope: Tensor) -> Tensor:
    steep = slope.clamp(min=torch.finfo(slope.dtype).tiny)
    return torch.expm1(-steep).neg_().div_(steep).mul_(torch.exp(slope * distance))


@td.register_kl(ContinuousBernoulli, ContinuousBernoulli)  # type: ignore[untyped-decorator]
def _kl_continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    return (p.logits - q.logits) * p.mean + q._log_normalizer(q.logits) - p._log_normalizer(p.logits)
