"""The instrument: is this law's sampler right, and is its pathwise gradient right?"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
import torch.distributions as td
from torch import Tensor

from reparam.checking.bank import smooth, turned
from reparam.checking.expectations import (
    check_expectations,
    check_expectations_of_vectors,
    check_second_derivative,
)
from reparam.checking.oracle import Oracle
from reparam.checking.report import Finding, Report, judge, measured, passed, skipped
from reparam.checking.samples import (
    check_atoms,
    check_discrete,
    check_line,
    check_normalisation,
    check_repetition,
    check_rows,
    distance,
    levels,
)
from reparam.checking.sanity import check_draws, check_elsewhere, check_gradient, check_score, draw_or_fail, rounded
from reparam.checking.shapes import check_shapes, check_transforms
from reparam.checking.statistics import mean_p_value
from reparam.checking.stein import check_stein
from reparam.checking.subject import Copies, Subject, Unavailable, first_line, quiet
from reparam.checking.taking_apart import subject_of_function, subjects_of_law
from reparam.checking.velocity import check_velocity
from reparam.errors import ParameterError

__all__ = ["check_rsample"]

_ON_LINES, _ON_VECTORS = 100_000, 40_000
_FEWEST = 1000


def check_rsample(
    law: td.Distribution | Callable[..., td.Distribution],
    parameters: Mapping[str, Tensor | float] | None = None,
    *,
    seed: int = 0,
    num_draws: int | None = None,
) -> Report:
    """Whether draws follow the law's density, and move with its parameters as they must; for any torch distribution.

    Draws, gradients and random numbers are those of the law; everything is measured against its own ``log_prob``. On a
    line that is done draw by draw (to a relative accuracy of 1e-6), elsewhere by identities that hold on average. All
    statistical tests of a report together raise a false alarm in ``FALSE_ALARM`` = 1e-6 of reports. Global state
    (random numbers, default validation) is put back.

    Args:
        law: the law, or a function that makes one (batch shape ``()``) from ``parameters``. Of a batch of laws the
            first, the middle and the last are checked.
        parameters: arguments of that function, by name: where to check, and with respect to what.
        seed: the same seed gives the same report.
        num_draws: draws of the main checks, at least 1000; 100,000 on a line and 40,000 elsewhere if None.

    Returns:
        a report; ``report.ok``, ``report.failures``, ``print(report)``.

    Raises:
        ParameterError: no distribution, parameters for a finished law or none for a function, a law that cannot be
            taken apart into parameters (the message says what to give instead), too few draws.

    Example:
        >>> from reparam.distributions import Normal
        >>> check_rsample(Normal(0.7, 1.3), num_draws=2000).ok
        True
    """
    if num_draws is not None and num_draws < _FEWEST:
        raise ParameterError(f"num_draws must be at least {_FEWEST}; got {num_draws}")
    with quiet(validate=False):
        subjects = _subjects(law, parameters, seed)
        findings: list[Finding] = []
        counts = []
        for subject in subjects:
            if subject.parameters:
                subject.require_broadcasting()
            count = subject.affordable(num_draws or (_ON_VECTORS if subject.sketch.event_shape else _ON_LINES))
            counts.append(count)
            found = _check(subject, count)
            if len(subjects) > 1:
                found = (replace(entry, where={**entry.where, "law": subject.name}) for entry in found)
            findings += found
    shown = subjects[0].shown() if len(subjects) == 1 else {"batch": f"{len(subjects)} of its laws"}
    return Report(subjects[0].name.partition(",")[0], shown, seed, max(counts), judge(findings))


def _subjects(
    law: td.Distribution | Callable[..., td.Distribution],
    parameters: Mapping[str, Tensor | float] | None,
    seed: int,
) -> list[Subject]:
    if isinstance(law, td.Distribution):
        if parameters is not None:
            raise ParameterError("parameters go with a function that makes a law; this law has its own")
        return subjects_of_law(law, seed)
    if not callable(law):
        raise ParameterError(f"expected a torch distribution, or a function that makes one; got {type(law).__name__}")
    if parameters is None:
        raise ParameterError('a function that makes a law needs its parameters: parameters={"loc": torch.tensor(0.5)}')
    return [subject_of_function(law, parameters, seed)]


def _check(subject: Subject, count: int) -> Iterator[Finding]:
    """Everything there is to check of one law."""
    trouble = _trouble(subject)
    if trouble is not None and torch.get_default_dtype() is not torch.float64:
        # Some laws compare with constants of the default dtype, and so exist in that dtype alone.
        with _default_dtype(torch.float64):
            if _trouble(subject) is None:
                yield trouble
                yield passed("draws", "with torch.set_default_dtype(torch.float64) all is well; the rest is checked so")
                yield from _check(subject, count)
                return
    made = draw_or_fail(subject, count, "draws", torch.float64)
    if isinstance(made, Finding):
        yield made
        return
    drawn, copies = made
    yield from check_draws(subject, drawn)
    yield from check_score(subject, drawn)
    if subject.is_discrete:
        yield from check_discrete(subject, drawn)
        if copies is None:
            yield from _refusal(subject)
            return
    if copies is None:
        yield from _refusal(subject)
        yield from _sampler_alone(subject, drawn)
        return
    moves, findings = check_gradient(subject, drawn, copies)
    yield from findings
    if not subject.sketch.has_rsample:
        yield passed("refusal", "has_rsample is False, and yet rsample gives draws: they are checked")
    if drawn.detach().isfinite().all() and moves is not None:
        if drawn.dim() == 1 and not subject.is_discrete:
            yield from _line(subject, drawn, copies, moves)
        else:
            yield from _vectors(subject, drawn, copies)
    yield from check_shapes(subject)
    yield from check_transforms(subject)
    with _default_dtype(torch.float32):
        yield from _single_precision(subject, count)
        yield from check_elsewhere(subject)


def _trouble(subject: Subject) -> Finding | None:
    """Why a few float64 draws and their density cannot be had at all."""
    made = draw_or_fail(subject, 10, "draws", torch.float64)
    if isinstance(made, Finding):
        return made
    return next((found for found in check_draws(subject, made[0]) if "raises" in found.message), None)


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _line(subject: Subject, drawn: Tensor, copies: Copies, moves: Tensor) -> Iterator[Finding]:
    """A continuous law on a line."""
    draws = drawn.detach()
    try:
        oracle = Oracle(subject, draws)
    except Unavailable as reason:
        yield from (skipped(check, str(reason)) for check in ("velocity", "expectations", "score", "distribution"))
        return
    yield from _distribution(subject, oracle, draws)
    if not moves.isfinite().all():
        return
    yield from check_velocity(subject, oracle, draws, moves)
    yield from check_expectations(subject, oracle, draws, moves)
    yield from check_second_derivative(subject, oracle, drawn, copies)


def _distribution(subject: Subject, oracle: Oracle, draws: Tensor) -> Iterator[Finding]:
    yield from check_normalisation(oracle)
    yield check_atoms(oracle, draws)
    which = "rsample" if subject.has_rsample else "sample"
    yield from check_line(oracle, draws, which)
    yield from check_repetition(oracle, draws)
    if which == "rsample":
        yield from check_line(oracle, subject.sample(len(draws), "sample"), "sample")


def _vectors(subject: Subject, drawn: Tensor, copies: Copies) -> Iterator[Finding]:
    """A law on vectors or matrices, or one on isolated values with a gradient all the same."""
    if not subject.is_discrete:
        yield from check_rows(drawn)
        yield from check_stein(subject, drawn.detach())
    if getattr(subject.sketch, "unbiased", True):
        yield from check_expectations_of_vectors(subject, drawn, copies)
    else:
        yield skipped("expectations", "the law says itself that its gradient is biased (unbiased = False)")


def _sampler_alone(subject: Subject, draws: Tensor) -> Iterator[Finding]:
    if draws.dim() > 1:
        yield from check_rows(draws)
        yield from check_stein(subject, draws)
        return
    try:
        yield from _distribution(subject, Oracle(subject, draws), draws)
    except Unavailable as reason:
        yield skipped("distribution", str(reason))


def _refusal(subject: Subject) -> Iterator[Finding]:
    try:
        subject.law().rsample()
    except (NotImplementedError, AttributeError) as error:
        yield passed("refusal", first_line(error))


def _single_precision(subject: Subject, count: int) -> Iterator[Finding]:
    """Float32 at the same parameters, rounded: sanity, the distribution function, the gradient of a bounded mean."""
    place = rounded(subject)
    made = draw_or_fail(place, count // 2, "float32", torch.float32)
    if isinstance(made, Finding):
        yield made
        return
    drawn, copies = made
    assert copies is not None
    draws = drawn.detach()
    yield from check_draws(place, drawn)
    moves, findings = check_gradient(place, drawn, copies)
    yield from findings
    if draws.dim() > 1 or subject.is_discrete or not draws.isfinite().all():
        return
    try:
        oracle = Oracle(place, place.sample(count // 2, "sample"))
    except Unavailable as reason:
        yield skipped("float32", str(reason))
        return
    where = {"dtype": "float32"}
    yield replace(check_atoms(oracle, draws), where=where)
    ordered = draws.sort().values
    furthest, p_value = distance(*levels(oracle, ordered), oracle.resolvable(ordered.double()))
    message = "distance of the distribution functions"
    yield measured("float32", p_value, message, expected=0.0, came=furthest, where=where)
    if moves is None or not moves.isfinite().all():
        return
    function = turned if oracle.coordinate.kind == "circle" else smooth(draws.double())
    truth = oracle.gradient_of_mean(function)
    bent = copies.gradients(function(drawn.double()), retain_graph=True).double()
    # Rounded draws move a little elsewhere than exact ones.
    p_values = mean_p_value(bent, truth, rounding=1e-3)
    for index, way in enumerate(subject.along):
        yield measured(
            "float32",
            float(p_values[index]),
            "gradient of a bounded expectation",
            parameter=way.label,
            expected=float(truth[index]),
            came=float(bent[:, index].mean()),
            where=where,
        )
