"""The direct ways to draw: inverse CDF from a table, rejection, a Markov chain, Gibbs. Right draws, and no gradient.

The law is made from parameters that want a gradient, and what comes out is looked at: whether a draw carries one is
measured, not assumed.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
import torch.distributions as td
from torch import Tensor

from reparam import distributions as laws
from reparam import noise
from reparam.checking.subject import Subject, seeded
from reparam.comparison.truth import Truth
from reparam.estimators.base import Function
from reparam.samplers import Gibbs, InverseCdf, RandomWalk, rejection_sample, run, standard_error

__all__ = ["DirectDraws", "direct_draws"]

_DRAWS, _CHAINS, _KNOTS = 100_000, 200, 4001

Way = tuple[str, str, Callable[[torch.Generator], Tensor]]


@dataclass(frozen=True)
class DirectDraws:
    """What one way of drawing gives.

    Args:
        name: of the way.
        value: mean of f over its draws.
        standard_error: of that; a Markov chain's counts its autocorrelation.
        exact: ``E f(y)``, where it is known.
        microseconds: for one draw.
        has_gradient: whether the draws move with the parameters of the law.
        reason: why they do not.
    """

    name: str
    value: float
    standard_error: float
    exact: float | None
    microseconds: float
    has_gradient: bool
    reason: str

    @property
    def z(self) -> float:
        """Deviation of the mean from the truth, in standard errors."""
        return math.nan if self.exact is None else abs(self.value - self.exact) / self.standard_error

    def __str__(self) -> str:
        known = "" if self.exact is None else f" (z {self.z:.1f})"
        gradient = "it has a gradient" if self.has_gradient else f"no gradient: {self.reason}"
        return f"{self.name}: E f = {self.value:.4g} ± {self.standard_error:.2g}{known}, {gradient}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def direct_draws(f: Function, subject: Subject, exact: Truth | None) -> tuple[DirectDraws, ...]:
    """Draw in every direct way that fits the law, and average f.

    Args:
        f: draws ``[S, R]`` of R copies of a law on a line to values ``[S, R]``.
        subject: the law; ways that do not fit are left out.
        exact: the truth, where it is known.
    """
    if subject.sketch.event_shape:
        return ()
    leaves = {name: value.clone().requires_grad_() for name, value in subject.parameters.items()}
    with seeded(subject.seed, "compare", "direct"):
        return tuple(_measured(f, way, subject.seed, exact) for way in _ways(subject.make(leaves)))


def _measured(f: Function, way: Way, seed: int, exact: Truth | None) -> DirectDraws:
    name, reason, sample = way
    began = time.perf_counter()
    draws = sample(noise.generator(seed, "compare", name)).double()  # [T, chains]
    seconds = time.perf_counter() - began
    values = f(draws.detach())
    return DirectDraws(
        name,
        float(values.mean()),
        float(standard_error(values)),
        None if exact is None else exact.value,
        seconds / draws.numel() * 1e6,
        draws.requires_grad,
        reason,
    )


def _ways(law: Any) -> Iterator[Way]:
    shape = (_DRAWS // _CHAINS, _CHAINS)
    if isinstance(law, td.Bernoulli):
        with torch.no_grad():
            probs = law.probs.clone()
        yield (
            "inverse CDF",
            "y is 0 or 1: it jumps where u passes 1 - p",
            lambda generator: (noise.uniform(shape, like=probs, generator=generator) > 1 - probs).double(),
        )
        return
    if law.support is None or getattr(law.support, "is_discrete", True):
        return
    ends = _ends(law)
    if ends is not None:
        yield (
            "inverse CDF, from a table",
            "the table holds numbers; written as a formula, y = F⁻¹(u; θ) is the pathwise way",
            lambda generator: _table(law, *ends).sample(shape, generator=generator),
        )
    if (proposal := _proposal(law)) is not None:
        yield (
            "rejection",
            "which proposal is kept jumps when a parameter moves",
            lambda generator: _rejected(law, proposal, shape, generator),
        )
    if ends is not None:
        yield (
            "Metropolis-Hastings",
            "whether a proposal is accepted jumps when a parameter moves",
            lambda generator: _chain(law, *ends, generator),
        )
    if isinstance(law, td.MixtureSameFamily) and isinstance(law.component_distribution, td.Normal):
        yield (
            "Gibbs, component and y in turn",
            "which component is drawn jumps when a parameter moves",
            lambda generator: _gibbs(law, generator),
        )


def _ends(law: Any) -> tuple[Tensor, Tensor] | None:
    """Between which points nearly all of a law lies, from a few of its own draws; None if it has no CDF on a line."""
    with torch.no_grad():
        draws = law.sample((10_000,)).double()
        reach = 2 * (draws.max() - draws.min())
        low, high = (getattr(law.support, name, None) for name in ("lower_bound", "upper_bound"))
        lowest, highest = draws.min() - reach, draws.max() + reach
        lowest = lowest if low is None else lowest.clamp(min=float(low))
        highest = highest if high is None else highest.clamp(max=float(high))
        try:
            levels = law.cdf(torch.linspace(float(lowest), float(highest), 101, dtype=torch.float64)[1:-1])
        except (NotImplementedError, AttributeError):
            return None
        return (lowest, highest) if bool((levels.diff() >= 0).all()) else None  # on a circle it may fall


def _table(law: Any, low: Tensor, high: Tensor) -> InverseCdf:
    with torch.no_grad():
        grid = torch.linspace(float(low), float(high), _KNOTS, dtype=torch.float64)
        inside = grid.clamp(min=float(grid[1]) * 1e-9) if low == 0 else grid
        levels = law.cdf(inside).double()
        levels = (levels - levels[0]) / (levels[-1] - levels[0])
    return InverseCdf.from_table(grid, levels)


def _proposal(law: Any) -> tuple[td.Distribution, Callable[[Tensor], Tensor]] | None:
    """A law that is easy to draw, and the log probability to keep its draws."""
    with torch.no_grad():
        if isinstance(law, td.Normal):
            # (1 + z²)·exp(-z²/2) is largest at z = ±1
            loc, scale = law.loc.clone(), law.scale.clone()

            def keep_normal(y: Tensor) -> Tensor:
                z = (y - loc) / scale
                return torch.log1p(z**2) - z**2 / 2 + 0.5 - math.log(2)

            return laws.Cauchy(loc, scale), keep_normal
        if isinstance(law, td.Gamma) and bool(law.concentration >= 1):
            # against the exponential law of the same mean, which is where the quotient is largest
            excess, mean = law.concentration - 1, law.concentration / law.rate

            def keep_gamma(y: Tensor) -> Tensor:
                return excess * ((y / mean).log() - y / mean + 1)

            return laws.Exponential(1 / mean), keep_gamma
    return None


def _rejected(law: Any, proposal: Any, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    proposed, log_accept = proposal
    return rejection_sample(proposed, log_accept, shape, generator=generator).draws


def _chain(law: Any, low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
    with torch.no_grad():  # which is the point: it is refused otherwise
        draws = law.sample((10_000,)).double()
        start = draws[:_CHAINS]

        def log_density(y: Tensor) -> Tensor:
            inside = (y > low) & (y < high)
            return torch.where(inside, law.log_prob(torch.where(inside, y, start[0])), -torch.inf)

        kernel = RandomWalk(log_density, step_size=2.4 * float(draws.std()))
        return cast(Tensor, run(kernel, start, _DRAWS // _CHAINS, generator=generator).draws)


def _gibbs(law: Any, generator: torch.Generator) -> Tensor:
    with torch.no_grad():
        log_weights = law.mixture_distribution.logits
        loc, scale = law.component_distribution.loc, law.component_distribution.scale

        def component(at: Any) -> td.Distribution:
            log_densities = laws.Normal(loc, scale).log_prob(at["y"].unsqueeze(-1))
            return laws.Categorical(logits=log_weights + log_densities, validate_args=False)

        def value(at: Any) -> td.Distribution:
            return laws.Normal(loc[at["component"]], scale[at["component"]], validate_args=False)

        kernel = Gibbs({"component": component, "y": value})
        start = laws.Categorical(logits=log_weights).sample((_CHAINS,), generator=generator)
        position = {"component": start, "y": loc[start]}
        chains = run(kernel, position, _DRAWS // _CHAINS, num_discarded=10, generator=generator)
        return cast(Tensor, chains.draws["y"])
