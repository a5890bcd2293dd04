"""The continuous Bernoulli law: a likelihood for grey levels in [0, 1]."""

import math

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions.utils import lazy_property

from reparam.distributions.base import InverseCdf
from reparam.distributions.odds import has_probs, probs_or_logits
from reparam.distributions.precision import confine, narrow, positive_range, widen
from reparam.special import exprel, log1prel
from reparam.special.removable import polynomial

__all__ = ["ContinuousBernoulli"]

# Bernoulli numbers B₂ₙ over (2n)!, of the series of 1/(1 - e⁻ˣ) - 1/x = 1/2 + Σ B₂ₙ·x²ⁿ⁻¹/(2n)!
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_MEAN = [number / math.factorial(2 * n) for n, number in enumerate(_BERNOULLI, 1)]
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
        falling, slope = self._oriented()
        near_side, far_side = torch.where(falling, lower, upper), torch.where(falling, upper, lower)
        # The distance from the end where the density is largest, log(1 - w)/slope with w = u·(1 - e^slope).
        small = -near_side * torch.expm1(slope) < 0.5
        part = torch.where(small, near_side, 0.0)
        close = part * exprel(slope) * log1prel(part * torch.expm1(slope))
        rest = torch.where(small, 1.0, far_side + near_side * torch.exp(slope))
        distance = torch.where(small, close, rest.log() / torch.where(small, -1.0, slope))
        drawn = torch.where(falling, distance, 1 - distance)
        return confine(drawn, positive_range(self._like)[0], 1 - torch.finfo(self._like.dtype).eps / 2)

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


@td.register_kl(ContinuousBernoulli, ContinuousBernoulli)  # type: ignore[untyped-decorator]
def _kl_continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    return (p.logits - q.logits) * p.mean + q._log_normalizer(q.logits) - p._log_normalizer(p.logits)
