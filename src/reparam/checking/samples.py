"""Do draws follow the density? On a line, on isolated values, and (weakly) anywhere a density can be differentiated.

What 1e5 draws can see, about: a shift by 2 % of the standard deviation, a scale off by 2 %, a tail too heavy or too
light by half where 100 draws are expected, a tail cut above a probability of 2e-4, a correlation of 0.02 with the draw
before.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from reparam.checking.oracle import Oracle
from reparam.checking.report import Finding, failed, measured, passed, skipped
from reparam.checking.statistics import chi_square, count_p_value, mean_p_value
from reparam.checking.subject import Subject

__all__ = [
    "check_atoms",
    "check_discrete",
    "check_line",
    "check_normalisation",
    "check_repetition",
    "check_rows",
    "distance",
    "levels",
]

_CELLS = 50
_TAIL = 100
_VALUES, _FEW = 5, 5  # most frequent values looked at, and how often anything may come up
NORMALISED = 1e-6


def check_normalisation(oracle: Oracle) -> Iterator[Finding]:
    """The density integrates to 1 over what float64 can tell apart and its extrapolated rest."""
    allowed = NORMALISED + oracle.uncertainty
    if abs(oracle.mass - 1) <= allowed:
        yield passed("normalisation", expected=1.0, came=oracle.mass, tolerance=allowed)
    else:
        message = "the density does not integrate to 1"
        yield failed("normalisation", message, expected=1.0, came=oracle.mass, tolerance=allowed)


def levels(oracle: Oracle, draws: Tensor) -> tuple[Tensor, Tensor]:
    """The law's probability below each draw, and up to and including it: they differ as draws are rounded.

    To the last value that the dtype has in the support belongs all that lies beyond.
    """
    before, after = (torch.nextafter(draws, draws.new_tensor(end)) for end in (-math.inf, math.inf))
    least, greatest = _last_values(oracle, draws)
    below = torch.where(least, 0.0, oracle.cdf(before.double())[0])
    return below, torch.where(greatest, 1.0, oracle.cdf(after.double())[0])


def _last_values(oracle: Oracle, draws: Tensor) -> tuple[Tensor, Tensor]:
    wide, limits, coordinate = draws.double(), torch.finfo(draws.dtype), oracle.coordinate
    t = coordinate.inverse(wide)
    # Laws that clamp do so at the last number of the dtype, or a little before it, to leave room for a derivative.
    least = (t <= oracle.left[0]) | (wide <= limits.min / 100)
    greatest = (t >= oracle.right[-1]) | (wide >= limits.max / 100)
    tiny = 1.01 * limits.smallest_normal
    if coordinate.kind in ("above", "between"):
        spacing = tiny if coordinate.lower == 0 else limits.eps * abs(coordinate.lower)
        least = least | (wide - coordinate.lower <= spacing)
    if coordinate.kind in ("below", "between"):
        spacing = tiny if coordinate.upper == 0 else limits.eps * abs(coordinate.upper)
        greatest = greatest | (coordinate.upper - wide <= spacing)
    return least, greatest


def check_line(oracle: Oracle, draws: Tensor, which: str) -> Iterator[Finding]:
    """Draws of a law on a line: the bulk by Kolmogorov-Smirnov, chi² and moments of normal scores, and both tails."""
    ordered = draws.detach().sort().values
    yield from _outside(oracle, ordered, which)
    inside = oracle.resolvable(ordered.double())
    if not bool(inside.any()):
        return
    below, up_to = levels(oracle, ordered)
    furthest, p_value = distance(below, up_to, inside)
    message = "distance of the distribution functions"
    yield measured("distribution", p_value, message, expected=0.0, came=furthest, where={"draws": which})
    yield from _cells(oracle, (below + up_to)[inside] / 2, which)
    depths = oracle.cdf(ordered.double())
    yield from _scores(oracle, (depths[0][inside], depths[1][inside]), len(ordered), which)
    yield from _tails(oracle, depths, which)


def distance(below: Tensor, up_to: Tensor, inside: Tensor) -> tuple[float, float]:
    """Kolmogorov-Smirnov, blind to rounding: the distance, and its probability (Massart 1990).

    Args:
        below: as :func:`levels` gives it for sorted draws.
        up_to: the same.
        inside: at which draws to look.
    """
    count = len(below)
    rank = torch.arange(count, dtype=torch.float64)[inside]
    if not len(rank):
        return 0.0, 1.0
    above = float(((rank + 1) / count - up_to[inside]).max())
    furthest = max(above, float((below[inside] - rank / count).max()), 0.0)
    return furthest, min(1.0, 2 * math.exp(-2 * count * furthest**2))


def _outside(oracle: Oracle, ordered: Tensor, which: str) -> Iterator[Finding]:
    """As many draws beyond what float64 resolves as there should be."""
    t = oracle.coordinate.inverse(ordered.double())
    low, high = oracle.outside
    for side, beyond, mass in (("below", t <= oracle.left[0], low), ("above", t >= oracle.right[-1], high)):
        seen = int(beyond.sum())
        if seen or mass * len(ordered) > 1:
            yield measured(
                "tails",
                count_p_value(seen, len(ordered), mass),
                f"draws {side} what float64 resolves",
                expected=mass * len(ordered),
                came=float(seen),
                where={"draws": which},
            )


def _cells(oracle: Oracle, middle: Tensor, which: str) -> Iterator[Finding]:
    low, high = oracle.outside
    edges = torch.linspace(low, 1 - high, _CELLS + 1, dtype=torch.float64)
    seen = torch.histogram(middle.clamp(low, 1 - high), edges).hist
    expected = torch.full_like(seen, float(seen.sum()) / _CELLS)
    if float(expected[0]) >= 5:
        yield measured(
            "distribution",
            chi_square(seen, expected),
            f"chi² of {_CELLS} cells of equal probability",
            expected=float(_CELLS - 1),
            came=float(((seen - expected) ** 2 / expected).sum()),
            where={"draws": which},
        )


def _scores(oracle: Oracle, depths: tuple[Tensor, Tensor], count: int, which: str) -> Iterator[Finding]:
    """The first four Hermite moments of the normal scores of the draws (Neyman's smooth test)."""
    z = normal_scores(*depths)
    low, high = (float(torch.special.ndtri(torch.tensor(mass, dtype=torch.float64))) for mass in oracle.outside)
    ends = torch.tensor([low, -high], dtype=torch.float64)
    height = torch.exp(-(ends**2) / 2) / math.sqrt(2 * math.pi)
    padding = z.new_zeros(count - len(z))
    for degree, name in ((1, "location"), (2, "scale"), (3, "skewness"), (4, "kurtosis")):
        values = torch.cat([_hermite(degree, z), padding])
        flux = torch.where(height > 0, _hermite(degree - 1, ends) * height, 0.0).nan_to_num()
        expected = float(flux[0] - flux[1])
        yield measured(
            "distribution",
            float(mean_p_value(values, expected)),
            f"{name} of normal scores",
            expected=expected,
            came=float(values.mean()),
            where={"draws": which},
        )


def normal_scores(below: Tensor, above: Tensor) -> Tensor:
    """What draws with these probabilities below and above them would be, were the law normal."""
    smaller = torch.special.ndtri(torch.minimum(below, above).clamp(min=1e-300))
    return torch.where(below < above, smaller, -smaller)


def _hermite(degree: int, z: Tensor) -> Tensor:
    return [torch.ones_like(z), z, z**2 - 1, z**3 - 3 * z, z**4 - 6 * z**2 + 3][degree]


def _tails(oracle: Oracle, depths: tuple[Tensor, Tensor], which: str) -> Iterator[Finding]:
    """How many draws lie beyond the level where 100 are expected, and how far out the last one is."""
    count = len(depths[0])
    edge = _TAIL / count
    sides = zip(("lower", "upper"), depths, oracle.outside, strict=True)
    for name, depth, unresolved in sides:
        if unresolved > 0.1 / count or oracle.coordinate.kind == "circle":
            yield skipped("tails", f"the {name} tail is not one that float64 resolves")
            continue
        where = {"draws": which}
        seen = int((depth < edge).sum())
        message = f"draws in the {name} tail of probability {edge:.1e}"
        yield measured(
            "tails", count_p_value(seen, count, edge), message, expected=float(_TAIL), came=float(seen), where=where
        )
        least = count * float(depth.min())
        p_value = 2 * min(-math.expm1(-least), math.exp(-least))
        message = f"expected number of draws beyond the last in the {name} tail"
        yield measured("tails", min(1.0, p_value), message, expected=1.0, came=least, where=where)


def check_repetition(oracle: Oracle, draws: Tensor) -> Iterator[Finding]:
    """Float64 draws in the order they came: repeated values, and the correlation of neighbours."""
    draws = draws.detach().double()
    inside = draws[oracle.resolvable(draws)]
    ordered = inside.sort().values
    count = len(ordered)
    seen = int((ordered[1:] == ordered[:-1]).sum())
    spacing = torch.nextafter(ordered, ordered.new_tensor(math.inf)) - ordered
    expected = float((oracle.velocity(ordered).log_prob.exp() * spacing).nan_to_num(posinf=1.0).mean()) * count**2 / 2
    chance = math.exp(-_poisson_distance(seen, max(expected, 1e-3)))
    yield measured("independence", chance, "draws that were drawn before", expected=expected, came=float(seen))
    z = normal_scores(*oracle.cdf(inside))
    z = z - z.mean()
    products = z[1:] * z[:-1]
    message = "correlation with the draw before"
    yield measured("independence", float(mean_p_value(products)), message, expected=0.0, came=float(products.mean()))


def check_rows(draws: Tensor) -> Iterator[Finding]:
    """The same for draws that are vectors or matrices."""
    flat = draws.detach().flatten(1)
    seen = len(flat) - len(flat.unique(dim=0))
    yield measured(
        "independence",
        math.exp(-_poisson_distance(seen, 0.01)),
        "draws that were drawn before",
        expected=0.0,
        came=float(seen),
    )
    middle = flat - flat.mean(0)
    p_values = mean_p_value(middle[1:] * middle[:-1])
    message = "an element's covariance with the draw before"
    yield measured("independence", min(1.0, float(p_values.min()) * flat.shape[1]), message, expected=0.0)


def _poisson_distance(seen: int, expected: float) -> float:
    """Chernoff: ``P(N >= seen) <= exp(-this)``."""
    return seen * math.log(seen / expected) - seen + expected if seen > expected else 0.0


def check_atoms(oracle: Oracle, draws: Tensor) -> Finding:
    """The values that came up most often, against the probability of everything that is rounded to them: the worst."""
    values, counts = draws.detach().unique(return_counts=True)
    most = counts.topk(min(_VALUES, len(counts))).indices
    total = len(draws)
    found = []
    for value, seen, before, up_to in zip(values[most], counts[most], *levels(oracle, values[most]), strict=True):
        mass = float(up_to - before)
        details = {"expected": mass * total, "came": float(seen), "where": {"draw": float(value)}}
        usual = int(seen) <= max(_FEW, mass * total)
        p_value = 1.0 if usual else count_p_value(int(seen), total, mass)
        found.append((p_value, details))
    p_value, details = min(found, key=lambda entry: entry[0])
    return measured("atoms", min(1.0, len(found) * p_value), "one value comes up too often", **details)


def check_discrete(subject: Subject, draws: Tensor) -> Iterator[Finding]:
    """Counts of values against their probabilities: chi² with rare cells joined, and the sum of all probabilities."""
    flat = draws.detach().flatten(1) if draws.dim() > 1 else draws.detach()[:, None]
    values, counts = flat.unique(dim=0, return_counts=True)
    try:
        log_prob = subject.sketch.log_prob(values.reshape(-1, *draws.shape[1:]))
    except NotImplementedError as error:
        yield skipped("distribution", f"no log_prob: {error}")
        return
    probabilities = log_prob.detach().double().exp()
    total = float(probabilities.sum())
    if not total <= 1 + NORMALISED:
        message = "the probabilities of the values drawn sum to more than 1"
        yield failed("normalisation", message, expected=1.0, came=total, tolerance=NORMALISED)
        return
    yield passed("normalisation", "the probabilities of the values drawn sum to at most 1", came=total)
    count = len(flat)
    expected = torch.cat([probabilities * count, torch.tensor([max(0.0, 1 - total) * count], dtype=torch.float64)])
    seen = torch.cat([counts.double(), torch.zeros(1, dtype=torch.float64)])
    rare = expected < 5
    seen_rare, expected_rare = float(seen[rare].sum()), float(expected[rare].sum())
    yield measured(
        "distribution",
        count_p_value(int(seen_rare), count, expected_rare / count),
        "draws of rare values",
        expected=expected_rare,
        came=seen_rare,
    )
    seen, expected = seen[~rare], expected[~rare]
    if len(seen) > 1:
        expected = expected * seen.sum() / expected.sum()
        statistic = float(((seen - expected) ** 2 / expected).sum())
        message = f"chi² of {len(seen)} values"
        yield measured(
            "distribution", chi_square(seen, expected), message, expected=float(len(seen) - 1), came=statistic
        )
