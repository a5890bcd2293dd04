"""How a draw of a mixture moves with the mixture's parameters.

**On a line.** With weights w_k, components of CDF F_k and density p_k, ``F = Σ w_k F_k`` and ``p = Σ w_k p_k``, the
implicit velocity ``-(∂F/∂θ)/p`` of a draw is, for a parameter of component k and for the logarithm of its weight,

    v_θ = -(w_k / p) ∂F_k/∂θ,    v_k = -w_k (F_k - F) / p.

The second says that mass moves by changing its level; where p is nearly 0, between modes that are far apart, the little
mass there moves very fast. F is counted from the nearer tail: ``F_k - F = -(S_k - S)``, S = 1 - F.

**In several dimensions** the coordinates are taken in order (Rosenblatt, 1952). Given the earlier ones, a coordinate
follows a mixture on a line again: of the components' conditional laws, with weights ``w_k ∝ π_k p_k(earlier)``. The
earlier coordinates are attached already, so autograd carries their motion into the later ones.

Here the components come first: parameters and weights are ``[K, *]``, and ``*`` broadcasts against the draws.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions.constraints import Constraint

from reparam.distributions.base import Law
from reparam.distributions.location_scale import Logistic, Normal
from reparam.distributions.precision import standardize, widen
from reparam.reparameterize import attach

__all__ = [
    "NORMAL_VECTORS",
    "Components",
    "Family",
    "NormalComponents",
    "beside",
    "components_of",
    "parameter_of",
    "widened",
]

NORMAL_VECTORS = (td.MultivariateNormal, td.LowRankMultivariateNormal)
_SYMMETRIC = (td.Normal, td.Laplace, td.Cauchy, td.StudentT, Logistic)
_NO_CDF_GRADIENT = (td.Gamma, td.InverseGamma)  # torch's: the incomplete gamma function has no derivative in a
_HALVINGS, _NEWTON_STEPS = 32, 3  # each Newton step squares the error that is left


@dataclass(frozen=True)
class Family:
    """A family of laws on the line with a density and a CDF, such as the normal laws: parameters in, law out."""

    kind: type[td.Distribution]
    names: tuple[str, ...]
    options: dict[str, Any]

    def law(self, parameters: tuple[Tensor, ...]) -> td.Distribution:
        """The member with these parameters."""
        named = dict(zip(self.names, parameters, strict=True))
        make: Any = self.kind
        made: td.Distribution = make(**named, **self.options, validate_args=False)
        return made

    def velocity(self, y: Tensor, log_weights: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        """``∂y/∂(log w_k)`` and ``∂y/∂θ_k`` at fixed F(y); for ``attach``."""
        law, weights = self.law(parameters), log_weights.exp()
        above = self._above(law, y, weights)

        def levels(parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
            level = self._level(self.law(parameters), y, above)
            return -level.sum(), level

        minus_slopes, level = torch.func.grad(levels, has_aux=True)(parameters)
        # A draw lies where p > 0. The bound keeps the gradient finite at points that no draw can reach.
        greatest = math.log(torch.finfo(y.dtype).max) - 1
        ratio = (log_weights - _log_density(law, y, log_weights)).clamp(max=greatest).exp()
        return ratio * ((weights * level).sum(0) - level), *(ratio * slope for slope in minus_slopes)

    def quantile(self, lower: Tensor, upper: Tensor, log_weights: Tensor, *parameters: Tensor) -> Tensor:
        """The quantile of the mixture, attached to its arguments; it lies between those of the components."""
        above = lower > upper
        level = torch.where(above, -upper, lower)
        with torch.no_grad():
            law: Any = self.law(parameters)
            between = law._quantile(lower, upper)

            def excess(y: Tensor) -> Tensor:
                return (log_weights.exp() * self._level(law, y, above)).sum(0) - level

            def density(y: Tensor) -> Tensor:
                return _log_density(law, y, log_weights).exp()

            found = _root(excess, density, between.amin(0), between.amax(0))
        return attach(found, self._quantile_velocity, level, log_weights, *parameters)

    def _quantile_velocity(self, y: Tensor, _: Tensor, log_weights: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        slope = (-_log_density(self.law(parameters), y, log_weights)).exp()
        return slope, *self.velocity(y, log_weights, *parameters)

    def _above(self, law: Any, y: Tensor, weights: Tensor) -> Tensor:
        """Whether to count from the upper tail: a matter of digits only."""
        if not issubclass(self.kind, _SYMMETRIC):
            return torch.zeros_like(y, dtype=torch.bool)
        centre: Tensor = (weights * law.loc).sum(0)
        return y > centre

    def _level(self, law: Any, y: Tensor, above: Tensor) -> Tensor:
        """``F_k(y)``, and ``F_k(y) - 1`` where ``above``: to full precision if the law is symmetric."""
        if not issubclass(self.kind, _SYMMETRIC):
            level: Tensor = law.cdf(y)
            return torch.where(above, level - 1, level)
        side = torch.where(above, -1.0, 1.0).to(y.dtype)
        tail: Tensor = law.cdf(side * y + (1 - side) * law.loc)  # y, or its mirror image
        return side * tail


def _log_density(law: td.Distribution, y: Tensor, log_weights: Tensor) -> Tensor:
    return torch.logsumexp(log_weights + law.log_prob(y), 0)


def _root(
    function: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor], left: Tensor, right: Tensor
) -> Tensor:
    """Where an increasing function is 0, between ``left`` and ``right``: by bisection, then by Newton's method."""
    for _ in range(_HALVINGS):
        middle = left + (right - left) / 2
        too_low = function(middle) < 0
        left, right = torch.where(too_low, middle, left), torch.where(too_low, right, middle)
    found = left + (right - left) / 2
    for _ in range(_NEWTON_STEPS):
        step = function(found) / slope(found)
        # Where the slope underflows, bisection has the last word.
        found = torch.where(step.isfinite(), torch.minimum(torch.maximum(found - step, left), right), found)
    return found


@dataclass(frozen=True)
class Components:
    """Laws of independent coordinates, all of one family: parameters ``[K, *, D]``."""

    family: Family
    parameters: tuple[Tensor, ...]

    def beside(self, num_sample_dims: int) -> Self:
        """The same, broadcasting against draws with so many dimensions in front."""
        return type(self)(self.family, tuple(beside(value, num_sample_dims) for value in self.parameters))

    def attached(self, draws: Tensor, log_weights: Tensor) -> Tensor:
        """``draws`` (``[*, D]``), moving with the parameters and the normalised ``log_weights`` (``[K, *]``)."""

        def move(y: Tensor, *moving: Tensor) -> Tensor:
            return attach(y, self.family.velocity, *moving)

        return self._in_order(move, log_weights, draws)

    def quantiles(self, lower: Tensor, upper: Tensor, log_weights: Tensor) -> Tensor:
        """Draws from levels ``[*, D]``: each the quantile of its coordinate given the earlier ones."""
        return self._in_order(self.family.quantile, log_weights, lower, upper)

    def _in_order(self, draw: Callable[..., Tensor], log_weights: Tensor, *given: Tensor) -> Tensor:
        drawn: list[Tensor] = []
        rest = self
        for values in zip(*(value.unbind(-1) for value in given), strict=True):
            if drawn:
                log_weights = torch.log_softmax(log_weights + self.family.law(rest._first).log_prob(drawn[-1]), 0)
                rest = rest._given(drawn[-1])
            drawn.append(draw(*values, log_weights, *rest._first))
        return torch.stack(drawn, -1)

    @property
    def _first(self) -> tuple[Tensor, ...]:
        """The parameters of the first coordinate."""
        return tuple(value[..., 0] for value in self.parameters)

    def _given(self, first: Tensor) -> Self:
        """The law of the other coordinates, where the first is known."""
        return type(self)(self.family, tuple(value[..., 1:] for value in self.parameters))


class NormalComponents(Components):
    """Correlated normal coordinates: ``loc`` (``[K, *, D]``) and a Cholesky factor (``[K, *, D, D]``)."""

    @property
    def _first(self) -> tuple[Tensor, ...]:
        loc, factor = self.parameters
        return loc[..., 0], factor[..., 0, 0]

    def _given(self, first: Tensor) -> Self:
        loc, factor = self.parameters
        standard = standardize(first, *self._first)
        moved = loc[..., 1:] + factor[..., 1:, 0] * standard.unsqueeze(-1)
        return type(self)(self.family, (moved, factor[..., 1:, 1:]))


_NORMAL = Family(Normal, ("loc", "scale"), {})


def components_of(law: td.Distribution) -> Components | None:
    """The components (rightmost batch dimension) of a mixture; None where no path of their draws is known.

    Known are families on the line that have a density and a differentiable CDF, independent copies of them, and
    multivariate normals.
    """
    batch_dims = len(law.batch_shape) - 1
    if isinstance(law, NORMAL_VECTORS):
        return NormalComponents(_NORMAL, tuple(_in_front(value, batch_dims) for value in (law.loc, law.scale_tril)))
    while isinstance(law, td.Independent):
        law = law.base_dist
    found = _taken_apart(law)
    if found is None or cast(Constraint, law.support).is_discrete or not _has_smooth_cdf(law):
        return None
    family, parameters = found
    first = (_in_front(value, batch_dims).unsqueeze(-1).flatten(1 + batch_dims) for value in parameters)
    return Components(family, tuple(first))


def widened(law: td.Distribution) -> td.Distribution:
    """The law with half precision parameters in float32; a law of unknown making is left alone."""
    if isinstance(law, td.Independent):
        return type(law)(widened(law.base_dist), law.reinterpreted_batch_ndims, validate_args=False)
    found = _taken_apart(law)
    return found[0].law(tuple(widen(value) for value in found[1])) if found else law


def parameter_of(law: td.Distribution) -> Tensor:
    """One of its parameters, for dtype and device."""
    while isinstance(law, (td.Independent, td.TransformedDistribution)) and not isinstance(law, Law):
        law = law.base_dist
    if isinstance(law, Law):
        return law._like
    return cast(Tensor, next(vars(law)[name] for name in law.arg_constraints if name in vars(law)))


def _taken_apart(law: td.Distribution) -> tuple[Family, tuple[Tensor, ...]] | None:
    """A family on the line and the parameters, from which the law can be made again."""
    if law.event_shape:
        return None
    if isinstance(law, Law):
        named, options = law._given, law._options()
    else:
        named, options = {name: getattr(law, name) for name in law.arg_constraints}, {}
    if not named or {"probs", "logits"} <= named.keys():
        return None
    return Family(type(law), tuple(named), options), tuple(named.values())


def _has_smooth_cdf(law: td.Distribution) -> bool:
    has_cdf = type(law).cdf is not td.Distribution.cdf
    return has_cdf and (isinstance(law, Law) or not isinstance(law, _NO_CDF_GRADIENT))


def beside(value: Tensor, num_sample_dims: int) -> Tensor:
    """``[K, *]`` made ``[K, 1, ..., *]``, as many ones as the draws have dimensions in front."""
    return value[(slice(None), *(None for _ in range(num_sample_dims)))]


def _in_front(value: Tensor, dim: int) -> Tensor:
    return widen(value).movedim(dim, 0)
