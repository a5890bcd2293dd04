"""Two exponential tails back to back: Laplace and its asymmetric form."""

import math

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from reparam.distributions.base import InverseCdf
from reparam.distributions.precision import minus_log, narrow, standardize, widen
from reparam.reparameterize import location_scale

__all__ = ["AsymmetricLaplace", "Laplace"]


class Laplace(InverseCdf, td.Laplace):
    """The Laplace law: density ``exp(-|ε|) / 2σ``, ``ε = (y - μ)/σ``; ``y = μ + σ·log 2u`` below the middle.

    torch's ``Laplace`` with noise apart from the map and with both tails: draws reach ``μ ± 36σ`` in every dtype
    (torch's float32 draws end at 15σ). The lower tail of the CDF keeps its digits.

    Args and errors as for :class:`Normal` (the variance is ``2·scale²``).

    Example:
        >>> law = Laplace(torch.tensor(0.0), torch.tensor(1.0))
        >>> law.from_noise(torch.tensor([2.0**-54, 0.5]))
        tensor([-36.7368,   0.0000])
    """

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, scale=scale)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``-|ε| - log σ - log 2``."""
        if self._validate_args:
            self._validate_sample(value)
        size = standardize(value, self.loc, self.scale).abs()
        return narrow(-size - widen(self.scale).log() - math.log(2), value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail."""
        if self._validate_args:
            self._validate_sample(value)
        standard = standardize(value, self.loc, self.scale)
        left = standard < 0
        tail = torch.exp(torch.where(left, standard, -standard)) / 2
        return narrow(torch.where(left, tail, 1 - tail), value, self.loc)

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(y <= value)``, precise in both tails."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(_log_cdf(standardize(value, self.loc, self.scale)), value, self.loc)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(y > value)``, precise in both tails."""
        if self._validate_args:
            self._validate_sample(value)
        return narrow(_log_cdf(-standardize(value, self.loc, self.scale)), value, self.loc)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        # Each of both is 0 on the side of the other; at the middle the derivative of one of them counts.
        below, above = torch.log(2 * lower).clamp(max=0), torch.relu(-torch.log(2 * upper))
        return location_scale(below + above, *self._wide())

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        left = log_lower < log_upper
        size = math.log(2) + torch.where(left, log_lower, log_upper)
        return location_scale(torch.where(left, size, -size), *self._wide())


def _log_cdf(standard: Tensor) -> Tensor:
    left = standard < 0
    tail = torch.where(left, standard, -standard) - math.log(2)
    return torch.where(left, tail, torch.log1p(-tail.exp()))


class AsymmetricLaplace(InverseCdf):
    """A Laplace law with two scales: ``σκ`` below ``loc`` and ``σ/κ`` above, so that the density is continuous.

    With ε = (y - μ)/σ the density is ``exp(ε/κ)`` below and ``exp(-εκ)`` above, over ``σ(κ + 1/κ)``. The part below
    ``loc`` has probability ``κ²/(1 + κ²)``: asymmetry 1 is the Laplace law, a smaller one leans to the right. The
    ``loc`` is the quantile of that probability, which makes this the likelihood of quantile regression.

    Args:
        loc: mode, finite; any shape.
        scale: positive and finite; broadcasts against ``loc``.
        asymmetry: κ, positive and finite; broadcasts likewise.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Source: Kotz, Kozubowski & Podgórski, "The Laplace Distribution and Generalizations", 2001, chapter 3.

    Example:
        >>> law = AsymmetricLaplace(torch.tensor(1.0), torch.tensor(2.0), torch.tensor(0.5))
        >>> law.cdf(torch.tensor(1.0)), law.from_noise(torch.tensor(0.2)), law.mean
        (tensor(0.2000), tensor(1.), tensor(4.))
    """

    arg_constraints = {  # noqa: RUF012
        "loc": constraints.real,
        "scale": constraints.positive,
        "asymmetry": constraints.positive,
    }
    support = constraints.real
    loc: Tensor
    scale: Tensor
    asymmetry: Tensor

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        asymmetry: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self._set(validate_args, loc=loc, scale=scale, asymmetry=asymmetry)

    @property
    def mean(self) -> Tensor:
        """``loc + scale·(1/κ - κ)``."""
        loc, scale, asymmetry = self._wide()
        return location_scale(1 / asymmetry - asymmetry, loc, scale).to(self.loc.dtype)

    @property
    def mode(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """``scale²·(κ² + 1/κ²)``."""
        _, scale, asymmetry = self._wide()
        return ((scale * asymmetry) ** 2 + (scale / asymmetry) ** 2).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``ε/κ`` or ``-εκ``, less ``log σ + log(κ + 1/κ)``."""
        if self._validate_args:
            self._validate_sample(value)
        standard, asymmetry = standardize(value, self.loc, self.scale), widen(self.asymmetry)
        exponent = torch.where(standard < 0, standard / asymmetry, -standard * asymmetry)
        return narrow(exponent - self._log_mass(), value, self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """P(y <= value), with relative precision in the lower tail."""
        if self._validate_args:
            self._validate_sample(value)
        standard, asymmetry = standardize(value, self.loc, self.scale), widen(self.asymmetry)
        log_left, log_right = self._log_sides()
        left = standard < 0
        below = torch.exp(log_left + torch.where(left, standard, 0.0) / asymmetry)
        above = torch.exp(log_right - torch.where(left, 0.0, standard) * asymmetry)
        return narrow(torch.where(left, below, 1 - above), value, self.loc)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        loc, scale, asymmetry = self._wide()
        log_left, log_right = self._log_sides()
        below, above = minus_log(lower, upper) + log_left, minus_log(upper, lower) + log_right
        # Each is negative on the side of the other; where both are 0, the derivative of one of them counts.
        standard = torch.relu(above) / asymmetry - (below + torch.relu(-below)) * asymmetry
        return location_scale(standard, loc, scale)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``1 + log σ + log(κ + 1/κ)``."""
        return (1 + self._log_mass()).to(self.loc.dtype)

    def _log_sides(self) -> tuple[Tensor, Tensor]:
        """Log probabilities of the parts below and above ``loc``."""
        log_odds = 2 * widen(self.asymmetry).log()
        return logsigmoid(log_odds), logsigmoid(-log_odds)

    def _log_mass(self) -> Tensor:
        """``log σ + log(κ + 1/κ)``."""
        log_asymmetry = widen(self.asymmetry).log()
        return widen(self.scale).log() + torch.logaddexp(log_asymmetry, -log_asymmetry)
