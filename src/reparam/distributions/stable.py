"""Stable laws: the limits of sums, with tails as heavy as you like."""

import math
from typing import NoReturn

import torch
from torch import Tensor
from torch.distributions import constraints

from reparam.distributions.base import Pathwise
from reparam.distributions.parameters import refuse
from reparam.distributions.precision import log_tails, tails
from reparam.noise import Source
from reparam.reparameterize import location_scale
from reparam.special import exprel
from reparam.special.removable import sinc

__all__ = ["Stable"]

_DEEP = -1000.0  # an exponent at which exp is 0 in every dtype


class Stable(Pathwise):
    """The stable law in Nolan's parametrization S0, ``y = loc + scale·Z``, where Z has the characteristic function

        E exp(iuZ) = exp(-|u|^α · (1 + iβ·sign(u)·tan(πα/2)·(|u|^(1-α) - 1))),

    and at α = 1 its limit, ``exp(-|u|·(1 + iβ·(2/π)·sign(u)·log|u|))``. This is continuous in all four parameters, and
    so are the draws, by the method of Chambers, Mallows & Stuck written with ``ε = 1 - α`` and without a difference of
    large numbers near α = 1: there is no interval around 1 to interpolate over. In the other common parametrization,
    S1, the location is ``loc - β·scale·tan(πα/2)``, which is the mean for α > 1.

    α = 2 is the normal law with standard deviation ``√2·scale``, α = 1 and β = 0 the Cauchy law, α = 1/2 and β = 1 the
    Lévy law that begins at ``loc - scale``. A draw beyond the largest number of the dtype, or whose gradient would be,
    is that number with its sign, with gradient 0.

    There is no density in closed form, and none here. The noise is uniform, in pairs: ``[*sample_shape, *batch_shape,
    2]``.

    Args:
        stability: α, in (0, 2]; any shape.
        skew: β, in [-1, 1]; broadcasts against ``stability``.
        loc: finite; broadcasts likewise.
        scale: positive and finite; broadcasts likewise.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`, or a parameter is outside its interval.

    Source: Chambers, Mallows & Stuck, "A method for simulating stable random variables", Journal of the American
    Statistical Association 71 (1976); Nolan, "Univariate Stable Distributions", 2020, chapter 1.

    Example:
        >>> law = Stable(torch.tensor([2.0, 1.0]), 0.0, 3.0, 1.0)
        >>> law.from_noise(torch.tensor([0.75, 0.5]))  # 3 + 2·sin(π/4)·√log 2, and 3 + tan(π/4)
        tensor([4.1774, 4.0000])
    """

    arg_constraints = {  # noqa: RUF012
        "stability": constraints.interval(0, 2),
        "skew": constraints.interval(-1, 1),
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    stability: Tensor
    skew: Tensor
    loc: Tensor
    scale: Tensor

    def __init__(
        self,
        stability: Tensor | float,
        skew: Tensor | float,
        loc: Tensor | float,
        scale: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self._set(validate_args, stability=stability, skew=skew, loc=loc, scale=scale)
        if self._validate_args:
            refuse(self, "stability", self.stability, self.stability > 0, "greater than 0", "Use one in (0, 2]")

    @property
    def noise_shape(self) -> torch.Size:
        """``[*batch_shape, 2]``: an angle and a size."""
        return torch.Size((*self.batch_shape, 2))

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.uniform(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """The map of Chambers, Mallows & Stuck; see :meth:`Reparameterized.from_noise`. The noise is uniform."""
        stability, skew, loc, scale = self._wide()
        log_size = (-log_tails(*tails(noise[..., 1], self.loc))[1]).log()
        standard, log_speed = _standard_draw(*tails(noise[..., 0], self.loc), log_size, stability, skew)
        largest = torch.finfo(self.loc.dtype).max
        over = log_speed + scale.log().clamp(min=0) > math.log(torch.finfo(loc.dtype).max)
        drawn = location_scale(torch.where(over, 0.0, standard), loc, scale).clamp(-largest, largest)
        return torch.where(over, standard.sign() * largest, drawn).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> NoReturn:
        """Not known.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "Stable has no density in closed form; draw from it with rsample, or compare laws by their draws"
        )

    @property
    def mean(self) -> Tensor:
        """``loc - β·scale·tan(πα/2)`` for α > 1, else NaN: there is none."""
        stability, skew, loc, scale = self._wide()
        known = stability > 1
        # tan(πα/2) = -cot(π(α - 1)/2)
        slant = torch.tan(math.pi / 2 * torch.where(known, stability - 1, 0.5)).reciprocal()
        return torch.where(known, location_scale(skew * slant, loc, scale), math.nan).to(self.loc.dtype)

    @property
    def variance(self) -> Tensor:
        """``2·scale²`` for α = 2, else infinite."""
        return torch.where(self.stability == 2, 2 * self.scale**2, math.inf)


def _standard_draw(
    lower: Tensor, upper: Tensor, log_size: Tensor, stability: Tensor, skew: Tensor
) -> tuple[Tensor, Tensor]:
    """A draw from S0(α, β; 1, 0) and the logarithm of a bound on itself and its derivatives.

    With θ = π(u - 1/2), W exponential, ε = 1 - α, κ = βε/tan(πε/2), τ = κ/ε, the classical form is

        Z = (sin αθ + τ·cos αθ)/cos θ · q^(ε/α) - τ,    q = N/(W·cos θ),    N = cos εθ + τ·sin εθ.

    Put ``q^(ε/α) = 1 + (q^(ε/α) - 1)`` and collect what τ multiplies: all divisions by ε become sinc and exprel. N is
    written from the distance ψ of |θ| to π/2, in positive terms. Where the draw is too large, it is only its sign.
    """
    epsilon = 1 - stability
    right = lower > upper
    sign, psi = torch.where(right, 1.0, -1.0).to(lower), math.pi * torch.where(right, upper, lower)
    size = math.pi * (0.5 - torch.where(right, upper, lower))
    theta, cosine, tangent = sign * size, torch.sin(psi), sign / torch.tan(psi)
    quarter = math.pi / 2
    cosine_end, sinc_end = torch.cos(quarter * epsilon), sinc(quarter * epsilon)
    kappa = skew * cosine_end / (quarter * sinc_end)
    across = (1 + sign * skew) * cosine_end * size * sinc(epsilon * size) + psi * sinc(epsilon * psi)
    numerator = across / (quarter * sinc_end)
    shape = numerator * tangent - torch.sin(epsilon * theta)
    shape = shape - kappa * epsilon * theta**2 / 2 * sinc(epsilon * theta / 2) ** 2

    log_q = numerator.log() - log_size - cosine.log()
    exponent = epsilon * log_q / stability
    log_speed = exponent.clamp(min=0) + (1 + tangent.abs()).log() + (1 + log_q.abs() / stability).log()
    log_speed = log_speed - stability.log().clamp(max=0) - numerator.log().clamp(max=0)
    deep, high = exponent < _DEEP, log_speed > math.log(torch.finfo(lower.dtype).max)
    # Far out nothing is divided by α: 0 times an infinite derivative would be NaN.
    part = torch.where(deep | high, 0.0, log_q) / torch.where(deep | high, 1.0, stability)
    part = torch.where(deep, _DEEP / torch.where(deep, epsilon, 1.0), part)
    drawn = torch.exp(epsilon * part) * shape + kappa * part * exprel(epsilon * part)
    rough = torch.where(epsilon * shape + kappa < 0, -1.0, 1.0).to(drawn)
    return torch.where(high, rough, drawn), log_speed
