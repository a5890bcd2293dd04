"""Does each draw of a law on a line move as it must?

The draws are those of one law with one copy of the parameters for each draw, so one backward pass gives each draw's own
velocity. Where a law uses no randomness but what is in the draw, the velocity is a function of the draw, and it has to
agree with the continuity equation to ``TOLERANCE``. Where it uses more (a Student t made of a normal and a chi-square)
it has to agree on average over all draws that come out near the same place.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from reparam.checking.oracle import Oracle, Velocity
from reparam.checking.report import Finding, failed, measured, passed
from reparam.checking.statistics import mean_p_value
from reparam.checking.subject import Subject

__all__ = ["TOLERANCE", "check_velocity"]

# Relative to the velocity without cancellation. Quadrature is good to 1e-9; float64 formulas for velocities reach 1e-9
# easily, and approximations made for float32 (1e-3 to 1e-5) do not reach 1e-6.
TOLERANCE = 1e-6
_NEGLIGIBLE = 1e-8  # of the typical velocity: smaller ones are lost in the rounding of any sum with the others
_SMOOTH = 0.5  # von Neumann ratio: 0 for errors that follow the draw, 1 for errors that are noise
_SMALL = 1e-3  # typical relative size below which noise is inaccuracy and not a second source of randomness
_BINS = 20


def check_velocity(subject: Subject, oracle: Oracle, draws: Tensor, moves: Tensor) -> Iterator[Finding]:
    """Compare the velocities ``moves``, ``[n, directions]``, with the continuity equation."""
    inside = oracle.resolvable(draws)
    draws, moves = draws[inside], moves[inside]
    truth = oracle.velocity(draws)
    expected = truth.value
    if oracle.coordinate.kind == "circle":
        # On a circle a constant flow through every point changes no density.
        height = truth.log_prob.exp()[:, None]
        expected = expected + ((moves - expected) * height).median(0).values / height
    for index, way in enumerate(subject.along):
        yield _check_one(way.label, oracle, truth, draws, moves[:, index], expected[:, index], index)


def _check_one(
    label: str, oracle: Oracle, truth: Velocity, draws: Tensor, came: Tensor, expected: Tensor, index: int
) -> Finding:
    known = came.isfinite() & expected.isfinite() & (truth.scale[:, index] > 0)
    draws, came, expected = draws[known], came[known], expected[known]
    scale, rounding = truth.scale[known, index], truth.uncertainty[known, index]
    if not len(draws):
        return passed("velocity", "the density does not depend on it", parameter=label)
    scale = scale.clamp(min=_NEGLIGIBLE * float(scale.median()))
    errors = (came - expected) / scale
    excess = (errors.abs() - rounding / scale).clamp(min=0)
    worst = int(excess.argmax())
    if excess[worst] <= TOLERANCE:
        return passed("velocity", parameter=label, tolerance=TOLERANCE)
    typical = float(excess.median())
    found = {
        "parameter": label,
        "expected": float(expected[worst]),
        "came": float(came[worst]),
        "where": {"draw": float(draws[worst])},
        "tolerance": TOLERANCE,
    }
    sizes = f"relative error up to {float(excess[worst]):.1e}, typically {typical:.1e}"
    if float((excess**2).mean().sqrt()) < _SMALL:
        return failed("velocity", f"the gradient is inaccurate: {sizes}", **found)
    ordered = errors[draws.argsort()].clamp(-10, 10)
    jumps = ((ordered[1:] - ordered[:-1]) ** 2).mean() / (2 * ordered.var()).clamp(min=1e-300)
    if jumps < _SMOOTH:
        return failed("velocity", f"the gradient is wrong at given draws: {sizes}", **found)
    return _on_average(label, oracle, draws, torch.where(excess > TOLERANCE, errors, 0.0))


def _on_average(label: str, oracle: Oracle, draws: Tensor, errors: Tensor) -> Finding:
    """The law's randomness is not in the draw alone: compare averages over draws near the same place."""
    levels = oracle.cdf(draws)[0]
    cells = (levels * _BINS).long().clamp(0, _BINS - 1)
    places = {"0.00 to 1.00": errors}
    places |= {f"{cell / _BINS:.2f} to {(cell + 1) / _BINS:.2f}": errors[cells == cell] for cell in range(_BINS)}
    p_values = {name: float(mean_p_value(part)) for name, part in places.items() if len(part) > 100}
    worst = min(p_values, key=p_values.__getitem__, default="0.00 to 1.00")
    return measured(
        "velocity",
        min(1.0, len(places) * p_values.get(worst, 1.0)),
        "uses randomness besides the draw; mean relative error where it is worst",
        parameter=label,
        expected=0.0,
        came=float(places[worst].mean()),
        where={"quantiles": worst},
    )
