"""Weak derivatives of laws: the derivative of an expectation as a weighted difference of two expectations.

``∂/∂θ E f(y) = E[w·(f(first) - f(second))]`` for any f, with w, first and second drawn together. A pair is the better
the smaller its weights, and the closer together first and second are; where one of them follows the law itself, it is
the draw y, and costs no evaluation of f.

What a law is made of decides, so a derived class has the pairs of its base: ours those of torch's class of that name.

Source: Pflug, Optimization of Stochastic Models, 1996; Mohamed, Rosca, Figurnov & Mnih, arXiv:1906.10652, section 6:
for Normal, Weibull (scale) and Poisson. The others follow from what is said where they stand.
"""

import math
from collections.abc import Iterator
from functools import singledispatch
from typing import Any, NamedTuple

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam import noise
from reparam.distributions.categorical import one_hot
from reparam.distributions.precision import open_sigmoid, positive_range
from reparam.errors import EstimatorError
from reparam.estimators.base import wants_gradient
from reparam.estimators.discrete import made_with
from reparam.estimators.hahn_jordan import beta_concentration, gamma_concentration, gamma_scale
from reparam.reparameterize import location_scale
from reparam.special import log1mexp

__all__ = ["Pair", "known_laws", "weak_pairs"]


class Pair(NamedTuple):
    """``∂E f/∂parameter = E[weight·(f(first) - f(second))]``, for every element of a batch on its own."""

    parameter: Tensor  # [*batch], with its gradient
    weight: Tensor  # broadcasts against [S, *batch]; no gradient
    first: Tensor  # [S, *batch, *event]
    second: Tensor | None = None  # the same; None means the draws themselves


@singledispatch
def weak_pairs(law: td.Distribution, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    """Pairs for every parameter of ``law`` that wants a gradient, to ``draws`` of it, ``[S, *batch, *event]``."""
    raise NotImplementedError(f"no weak derivative of {type(law).__name__} is known")


def known_laws() -> list[str]:
    """The names of the laws that have weak derivatives."""
    return sorted(kind.__name__ for kind in weak_pairs.registry if kind is not td.Distribution and kind is not object)


@weak_pairs.register
def _normal(law: td.Normal, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    loc, scale = law.loc.detach(), law.scale.detach()
    if wants_gradient(law.loc):  # ∂p/∂μ is a Rayleigh law to either side
        radius = torch.sqrt(2 * _exponential(draws, generator)).to(draws.dtype)
        first, second = location_scale(radius, loc, scale), location_scale(-radius, loc, scale)
        yield Pair(law.loc, 1 / (scale * math.sqrt(2 * math.pi)), first, second)
    if wants_gradient(law.scale):
        # σ·∂p/∂σ is the double-sided Maxwell law minus the law itself. M·U is normal if U is uniform, and that is the
        # coupling: given the normal draw ε, the Maxwell one is √(ε² + 2e) on the same side.
        standard = (draws - loc) / scale
        maxwell = torch.sqrt(standard**2 + 2 * _exponential(draws, generator)).to(draws.dtype)
        yield Pair(law.scale, 1 / scale, location_scale(torch.copysign(maxwell, standard), loc, scale))


@weak_pairs.register
def _exponential_law(law: td.Exponential, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    if wants_gradient(law.rate):
        rate = law.rate.detach()
        longer = draws + _exponential(draws, generator) / rate
        yield Pair(law.rate, -1 / rate, _positive(longer.log(), draws))


@weak_pairs.register
def _gamma(law: td.Gamma, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    concentration, rate = law.concentration.detach().double(), law.rate.detach().double()
    if wants_gradient(law.concentration):
        halves = gamma_concentration(_exponential(draws, generator), concentration)
        first, second = (_positive(half - rate.log(), draws) for half in (halves.above, halves.below))
        yield Pair(law.concentration, halves.weight, first, second)
    if wants_gradient(law.rate):
        halves = gamma_scale(_exponential(draws, generator), concentration)
        log_mean = concentration.log() - rate.log()
        first, second = (_positive(half + log_mean, draws) for half in (halves.above, halves.below))
        yield Pair(law.rate, -halves.weight / rate, first, second)


@weak_pairs.register
def _beta(law: td.Beta, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    parameters = law.concentration1, law.concentration0
    a, b = (value.detach().double() for value in parameters)
    for parameter, own, other, sign in ((parameters[0], a, b, 1), (parameters[1], b, a, -1)):
        if wants_gradient(parameter):
            halves = beta_concentration(_exponential(draws, generator), own, other)
            first, second = (open_sigmoid(sign * half, draws) for half in (halves.above, halves.below))
            yield Pair(parameter, halves.weight, first, second)


@weak_pairs.register
def _dirichlet(law: td.Dirichlet, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    if not wants_gradient(law.concentration):
        return
    # Component j is a beta draw; how the others share the rest does not depend on it, nor on its concentration.
    concentration = law.concentration.detach().double()
    total, smallest = concentration.sum(-1), positive_range(draws)[0]
    for j in range(concentration.shape[-1]):
        g, e = noise.standard_gamma(concentration.expand(draws.shape), generator=generator)
        log_share = g.log() - e / concentration
        log_share[..., j] = -math.inf
        shares, own = torch.softmax(log_share, -1), concentration[..., j]
        halves = beta_concentration(_exponential(draws[..., j], generator), own, total - own)
        moved = []
        for half in (halves.above, halves.below):
            simplex = torch.sigmoid(-half).unsqueeze(-1) * shares
            simplex[..., j] = torch.sigmoid(half)
            moved.append(simplex.clamp(min=smallest).to(draws.dtype))
        yield Pair(law.concentration[..., j], halves.weight, *moved)


@weak_pairs.register
def _weibull(law: td.Weibull, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    # The draw is scale·t^(1/k), t standard exponential.
    scale, shape = law.scale.detach().double(), law.concentration.detach().double()
    level = _level_of_weibull(draws, scale, shape, generator)
    if wants_gradient(law.scale):
        longer = (level + _exponential(draws, generator)).log()
        yield Pair(law.scale, shape / scale, _positive(longer / shape + scale.log(), draws))
    if wants_gradient(law.concentration):
        # k·∂p/∂k as a law of t is that of t minus (t - 1)·log t·exp(-t).
        moved = _steeper_level(level)
        yield Pair(law.concentration, -1 / shape, _positive(moved.log() / shape + scale.log(), draws))


def _level_of_weibull(draws: Tensor, scale: Tensor, shape: Tensor, generator: torch.Generator | None) -> Tensor:
    """t of each draw; of one that was too small for its dtype, any t that is too small for it.

    What was too large stays so, as both parameters move it to larger ones.
    """
    level = torch.exp(shape * (draws.double().log() - scale.log())).clamp(1e-300, 700.0)
    part = noise.uniform(draws.shape, like=draws, generator=generator)
    smaller = -torch.log1p(torch.expm1(-level) * part)  # uniform below the probability of the level
    return torch.where(draws <= positive_range(draws)[0], smaller, level)


def _steeper_level(level: Tensor) -> Tensor:
    """m with ``exp(-m)·(1 + m·log m) = exp(-level)``: a draw of density ``(m - 1)·log m·exp(-m)`` at the same level."""
    # By halving: the density vanishes at 1, where Newton's method would be slow.
    lower = torch.where(level < 1, level.log() - 6, 0.0)
    upper = torch.where(level < 1, 0.0, (level + 2 * torch.log1p(level) + 1).log())
    for _ in range(55):
        middle = (lower + upper) / 2
        m = middle.exp()
        high = m - torch.log1p(m * middle) > level
        lower, upper = torch.where(high, lower, middle), torch.where(high, middle, upper)
    return ((lower + upper) / 2).exp()


@weak_pairs.register
def _poisson(law: td.Poisson, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    if wants_gradient(law.rate):
        # Of a count so large that its dtype does not hold the next one, a slope.
        step = torch.where(draws + 1 > draws, 1.0, draws * torch.finfo(draws.dtype).eps)
        more = draws + step.to(draws.dtype)
        yield Pair(law.rate, 1 / (more - draws), more)


@weak_pairs.register
def _bernoulli(law: td.Bernoulli, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    parameter, slope = _chance(law)
    if wants_gradient(parameter):  # f(1) - f(0), one of which is f(y)
        yield Pair(parameter, (1 - 2 * draws) * slope, 1 - draws)


@weak_pairs.register
def _binomial(law: td.Binomial, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    _refuse_gradient(law, law.total_count)
    parameter, slope = _chance(law)
    if wants_gradient(parameter):
        # n·E[f(k + 1) - f(k)], k of n - 1 trials: the draw without one of its trials, which one being left to chance.
        count = law.total_count.detach()
        success = noise.bernoulli((draws / count.clamp(min=1)).clamp(max=1), generator=generator)
        flipped = torch.minimum((draws + 1 - 2 * success).clamp(min=0), count.expand(draws.shape))
        yield Pair(parameter, count * (1 - 2 * success) * slope, flipped)


def _refuse_gradient(law: td.Distribution, total_count: Tensor) -> None:
    if wants_gradient(total_count):
        raise EstimatorError(
            f"total_count of {type(law).__name__} is a whole number, and there is no derivative in it; use "
            "total_count.detach()"
        )


@weak_pairs.register
def _negative_binomial(law: td.NegativeBinomial, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    # A Poisson count whose rate is a gamma number G of shape r, times the odds o of a success.
    name, parameter = made_with(law)
    count, value = law.total_count.detach().double(), parameter.detach().double()
    log_failure = torch.log1p(-value) if name == "probs" else logsigmoid(-value)
    log_success = value.log() if name == "probs" else logsigmoid(value)
    if wants_gradient(law.total_count):
        # The same law is a sum of a Poisson number of logarithmic ones, whose rate is proportional to total_count.
        more = _logarithmic(-log_failure, draws, generator)
        yield Pair(law.total_count, -log_failure, _as_counts(draws.double() + more, draws))
    if wants_gradient(parameter):
        # o·∂/∂o takes G to G + e, e standard exponential, with weight r. That adds Poisson(o·e) to the count, which is
        # geometric; it is not 0 with the probability of a success, and where it is 0 nothing changes.
        weight = count / (1 - value) if name == "probs" else count * torch.sigmoid(value)
        more = 1 + _geometric(-log_success, draws, generator)
        yield Pair(parameter, weight, _as_counts(draws.double() + more, draws))


@weak_pairs.register
def _geometric_law(law: td.Geometric, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    # The negative binomial law of one failure, success and failure being exchanged.
    name, parameter = made_with(law)
    if wants_gradient(parameter):
        value = parameter.detach().double()
        hazard = -torch.log1p(-value) if name == "probs" else -logsigmoid(-value)
        weight = -1 / value if name == "probs" else -torch.sigmoid(-value)
        more = 1 + _geometric(hazard, draws, generator)
        yield Pair(parameter, weight, _as_counts(draws.double() + more, draws))


@weak_pairs.register(td.Categorical)
@weak_pairs.register(td.OneHotCategorical)
def _categorical(law: Any, draws: Tensor, generator: torch.Generator | None) -> Iterator[Pair]:
    probs = law.probs
    if not wants_gradient(probs):
        return
    for j in range(probs.shape[-1]):
        chosen = torch.full_like(draws[..., 0] if law.event_shape else draws, j)
        first = one_hot(chosen, probs.shape[-1]).to(draws.dtype) if law.event_shape else chosen
        yield Pair(probs[..., j], probs.new_ones(()), first)


def _exponential(draws: Tensor, generator: torch.Generator | None) -> Tensor:
    """A standard exponential number for each draw, float64."""
    return -noise.uniform(draws.shape, like=draws, generator=generator).log()


def _geometric(hazard: Tensor, draws: Tensor, generator: torch.Generator | None) -> Tensor:
    """A count with ``P(k >= n) = exp(-hazard·n)`` for each draw, float64."""
    return torch.floor(_exponential(draws, generator) / hazard.clamp(min=1e-300))


def _logarithmic(mean_number: Tensor, draws: Tensor, generator: torch.Generator | None) -> Tensor:
    """A count from 1 of the logarithmic law, ``P(k) = p^k/(k·mean_number)``, ``mean_number = -log(1 - p)``; float64.

    Source: Kemp, Efficient generation of logarithmically distributed pseudo-random variables, 1981: geometric, with a
    probability whose logarithm is uniform.
    """
    part = mean_number * noise.uniform(draws.shape, like=draws, generator=generator)
    hazard = -log1mexp(-part.clamp(min=1e-300))
    return 1 + torch.floor(_exponential(draws, generator) / hazard.clamp(min=1e-300))


def _positive(log_value: Tensor, draws: Tensor) -> Tensor:
    """The exponential of a float64, kept within the positive numbers of the dtype of the draws."""
    smallest, largest = positive_range(draws)
    return log_value.exp().clamp(smallest, largest).to(draws.dtype)


def _as_counts(value: Tensor, draws: Tensor) -> Tensor:
    return value.clamp(max=torch.finfo(draws.dtype).max).to(draws.dtype)


def _chance(law: Any) -> tuple[Tensor, Tensor]:
    """The parameter that the law was made with, and how fast the probability of 1 moves with it."""
    name, parameter = made_with(law)
    value = parameter.detach()
    return parameter, torch.ones_like(value) if name == "probs" else torch.sigmoid(value) * torch.sigmoid(-value)
