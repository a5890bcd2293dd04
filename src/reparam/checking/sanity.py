"""What must hold for every draw and every gradient, at any parameters and in any dtype; and a tour of parameters."""

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from reparam.checking.bank import waves
from reparam.checking.oracle import Oracle
from reparam.checking.report import Finding, failed, passed, skipped
from reparam.checking.samples import check_atoms
from reparam.checking.statistics import FALSE_ALARM
from reparam.checking.subject import Copies, Subject, Unavailable, first_line, quiet

__all__ = ["check_draws", "check_elsewhere", "check_gradient", "check_score", "draw_or_fail", "rounded", "short"]

_TOUR_DRAWS = 2000
_FEW = 500
_FACTORS = (1e-3, 1e-2, 0.1, 10.0, 100.0, 1e3)
_PROBABILITIES = (1e-6, 1e-3, 0.4999, 0.5, 0.999, 1 - 1e-6)


def short(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def draw_or_fail(
    subject: Subject, count: int, stream: str, dtype: torch.dtype
) -> tuple[Tensor, Copies | None] | Finding:
    """Draws with their copies of the parameters (none where the law has no ``rsample``), or why there are none."""
    try:
        if subject.has_rsample:
            return subject.draw(count, stream, dtype=dtype)
        return subject.sample(count, stream, dtype=dtype), None
    except Exception as error:  # noqa: BLE001  whatever somebody's law raises is what there is to report
        return failed(
            "draws", f"drawing raises {type(error).__name__}: {first_line(error)}", where={"dtype": short(dtype)}
        )


def check_draws(subject: Subject, draws: Tensor) -> Iterator[Finding]:
    """Finite, in the support, and with a finite log_prob when arguments are validated."""
    draws, where = draws.detach(), {"dtype": short(draws.dtype)}
    bad = ~draws.flatten(1).isfinite().all(1) if draws.dim() > 1 else ~draws.isfinite()
    if bad.any():
        yield failed("draws", f"{int(bad.sum())} of {len(draws)} draws are nan or infinite", where=where)
        draws = draws[~bad]
    dtype = draws.dtype if draws.is_floating_point() else torch.float64
    law = subject.law(dtype)
    try:
        outside = ~law.support.check(draws)  # type: ignore[union-attr]
    except (NotImplementedError, AttributeError):
        yield skipped("draws", "the law states no support")
        outside = torch.zeros(len(draws), dtype=torch.bool)
    if outside.any():
        example = draws[outside][0].tolist()
        yield failed(
            "draws",
            f"{int(outside.sum())} of {len(draws)} draws lie outside the support",
            came=str(example),
            where=where,
        )
    with quiet(validate=True):
        try:
            log_prob = subject.law(dtype).log_prob(draws)
        except NotImplementedError:
            yield skipped("draws", "the law has no log_prob")
            return
        except Exception as error:  # noqa: BLE001  as above
            yield failed(
                "draws", f"log_prob of own draws raises {type(error).__name__}: {first_line(error)}", where=where
            )
            return
    unknown = ~log_prob.isfinite()
    if unknown.any():
        example = draws[unknown.nonzero()[0, 0]].tolist()
        message = f"log_prob is nan or infinite at {int(unknown.sum())} of {len(draws)} own draws"
        yield failed("draws", message, came=str(log_prob[unknown][0].item()), where={**where, "draw": example})
    else:
        yield passed("draws", where=where)


def check_gradient(subject: Subject, drawn: Tensor, copies: Copies) -> tuple[Tensor | None, list[Finding]]:
    """Velocities of all draws along each direction (of a random sum of the elements, for vectors), and defects."""
    dtype = drawn.dtype
    where = {"dtype": short(dtype)}
    weights = waves(max(1, drawn[0].numel()), 1, subject.seed)[0][0].to(dtype)
    total = drawn if drawn.dim() == 1 else drawn.flatten(1) @ weights
    if not drawn.requires_grad:
        return None, [failed("gradient", "rsample has no gradient", where=where)]
    try:
        moves = copies.gradients(total, retain_graph=True)
    except Exception as error:  # noqa: BLE001  as above
        message = f"the backward pass raises {type(error).__name__}: {first_line(error)}"
        return None, [failed("gradient", message, where=where)]
    findings = [
        skipped(
            "gradient",
            "the law does not broadcast over it, so the gradient of single draws is not to be had",
            parameter=name,
        )
        for name in subject.fixed
    ]
    for index, way in enumerate(subject.along):
        bad = ~moves[:, index].isfinite()
        if bad.any():
            message = f"{int(bad.sum())} of {len(bad)} gradients are nan or infinite"
            came = str(moves[bad, index][0].item())
            findings.append(failed("gradient", message, parameter=way.label, came=came, where=where))
        elif not moves[:, index].any() and (expected := _should_move(subject, drawn.detach(), index)):
            message = "the gradient is zero for all draws, and should not be"
            findings.append(failed("gradient", message, parameter=way.label, expected=expected, came=0.0, where=where))
        else:
            findings.append(passed("gradient", parameter=way.label, where=where))
    return moves, findings


def _should_move(subject: Subject, draws: Tensor, index: int) -> float | str | None:
    """A typical velocity that a draw should have, if that is more than the dtype of the draws rounds away."""
    try:
        score = subject.density(draws.double()).score[:, index]
        if not float(score[score.isfinite()].square().mean()) > 1e-24:
            changes = difference_quotient(subject, draws.double(), index)
            return "not 0, as the density changes with it" if float(changes.abs().median()) > 1e-6 else None
        if draws.dim() > 1:
            return "not 0, as the density changes with it" if _follows(draws, score) else None
        moves = Oracle(subject, draws).velocity(draws).value[:, index]
    except Unavailable:
        return None
    sensitivity = score[score.isfinite()].square().mean().sqrt()
    seen = moves.abs() / sensitivity > torch.finfo(draws.dtype).eps * draws.abs().double()
    seen = seen & moves.isfinite() & ~_at_the_end(draws)
    return float(moves[seen].median()) if seen.double().mean() > 0.01 else None


def _at_the_end(draws: Tensor) -> Tensor:
    """Which numbers are about the last there are: such cannot move."""
    limits = torch.finfo(draws.dtype)
    # Laws that clamp do so at the last number of the dtype, or a little before it, to leave room for a derivative.
    return (draws.abs() > limits.max / 100) | (draws.abs() < 1.01 * limits.smallest_normal)


def _follows(draws: Tensor, score: Tensor) -> bool:
    """Whether some element, or its square, has an expectation that visibly changes with the parameter.

    Its derivative is the covariance with the score; an element that does not vary beyond its rounding does not count.
    """
    flat = draws.double().flatten(1)
    known = score.isfinite() & flat.isfinite().all(1)
    if float(_at_the_end(draws).flatten(1).any(1).double().mean()) > 0.01:
        return False
    flat, score = flat[known], score[known]
    middle = flat - flat.mean(0)
    varies = middle.std(0) > 100 * torch.finfo(draws.dtype).eps * flat.abs().amax(0)
    features = torch.cat([middle, middle**2 - (middle**2).mean(0)], 1)[:, varies.repeat(2)]
    together = torch.cat([features, score[:, None]], 1)
    if not features.shape[1] or len(together) < 100:
        return False
    correlation = torch.corrcoef(together.T)[-1, :-1].nan_to_num()
    return float(correlation.abs().max()) > 8 / math.sqrt(len(together))


def difference_quotient(subject: Subject, draws: Tensor, index: int, step: float = 1e-3) -> Tensor:
    """``log_prob`` at parameters moved by a step forth and back along a direction: its central difference.

    Raises:
        Unavailable: it is not finite at half of the draws.
    """
    way = subject.along[index]
    sides = []
    for sign in (1, -1):
        moved = subject.parameters[way.parameter] + sign * step * way.step
        try:
            sides.append(subject.at(**{way.parameter: moved}).law().log_prob(draws))
        except (ValueError, RuntimeError, NotImplementedError) as error:
            raise Unavailable(f"log_prob raises {type(error).__name__} near the parameters") from None
    quotient: Tensor = (sides[0] - sides[1]) / (2 * step)
    if not quotient.isfinite().double().mean() > 0.5:
        raise Unavailable("log_prob is not finite near the parameters")
    return torch.where(quotient.isfinite(), quotient, 0.0).detach()


def check_score(subject: Subject, draws: Tensor) -> Iterator[Finding]:
    """The gradient of ``log_prob`` against its central differences: what follows rests on it."""
    draws = draws.detach()[:_FEW]
    try:
        score = subject.density(draws).score
    except Unavailable as reason:
        yield skipped("density gradient", str(reason))
        return
    for index, way in enumerate(subject.along):
        size = float(score[:, index].square().mean().sqrt())
        if math.isnan(size):
            continue
        try:
            quotient = difference_quotient(subject, draws, index, 1e-3 / size if size > 1e-3 else 1e-3)
        except Unavailable as reason:
            yield skipped("density gradient", str(reason), parameter=way.label)
            continue
        errors = (quotient - score[:, index]).abs()
        allowed = 1e-2 * max(size, float(quotient.square().mean().sqrt())) + 1e-6
        worst = int(errors.argmax())
        if float(errors.median()) <= allowed:
            yield passed("density gradient", parameter=way.label, tolerance=allowed)
            continue
        yield failed(
            "density gradient",
            "the gradient of log_prob is not its derivative",
            parameter=way.label,
            expected=float(quotient[worst]),
            came=float(score[worst, index]),
            tolerance=allowed,
        )


def check_elsewhere(subject: Subject) -> Iterator[Finding]:
    """The same at parameters far from those given, in both dtypes: what is wrong there is a warning."""
    count = 0
    for place in _tour(subject):
        for dtype in (torch.float64, torch.float32):
            findings = _visit(place, dtype)
            if findings is None:
                continue
            count += 1
            for finding in findings:
                if finding.status == "failed":
                    where = {**finding.where, "parameters": place.shown()}
                    yield replace(finding, check="elsewhere", status="warning", where=where)
    if count:
        yield passed("elsewhere", f"looked at {count} places")
    else:
        yield skipped("elsewhere", "no parameter is known to be one that can be moved far")


def _visit(place: Subject, dtype: torch.dtype) -> list[Finding] | None:
    """What is wrong there; None if no law exists there."""
    with quiet(validate=True):
        try:
            place.law(dtype)
        except Exception:  # noqa: BLE001  parameters that the law itself refuses are no place to look
            return None
    made = draw_or_fail(place, min(_TOUR_DRAWS, place.affordable(_TOUR_DRAWS)), "elsewhere", dtype)
    if isinstance(made, Finding):
        return [made]
    drawn, copies = made
    findings = list(check_draws(place, drawn))
    if copies is not None:
        findings += check_gradient(place, drawn, copies)[1]
    if drawn.dim() == 1 and not place.is_discrete:
        findings += _suspicious_atom(place, drawn.detach())
    return findings


def _suspicious_atom(place: Subject, draws: Tensor) -> list[Finding]:
    """An oracle costs time: ask it only when something comes up often."""
    draws = draws[draws.isfinite()]
    if not len(draws) or int(draws.unique(return_counts=True)[1].max()) < len(draws) / 100:
        return []
    try:
        oracle = Oracle(place, place.sample(_TOUR_DRAWS, "elsewhere"))
    except Unavailable:
        return []
    if abs(oracle.mass - 1) + oracle.uncertainty > 1e-3:
        return []
    finding = check_atoms(oracle, draws)
    wrong = finding.p_value is not None and finding.p_value < FALSE_ALARM / 1000
    return [replace(finding, status="failed", p_value=None)] if wrong else []


def _tour(subject: Subject) -> Iterator[Subject]:
    """One parameter at a time, then all positive ones together, then all of a kind equal."""
    positive = {
        name for name, value in subject.parameters.items() if _is_positive(value, subject.constraints.get(name))
    }
    for name, value in subject.parameters.items():
        for moved in _places(name, value, subject.constraints.get(name), name in positive):
            yield subject.at(**{name: moved})
    if len(positive) > 1:
        for factor in _FACTORS:
            yield subject.at(**{name: subject.parameters[name] * factor for name in positive})
        first = subject.parameters[min(positive)]
        if all(subject.parameters[name].shape == first.shape for name in positive):
            yield subject.at(**{name: first.clone() for name in positive})


def _is_positive(value: Tensor, constraint: Constraint | None) -> bool:
    if constraint in (constraints.positive, constraints.nonnegative):
        return True
    lower = getattr(constraint, "lower_bound", None)
    bounded = isinstance(lower, (int, float)) and lower == 0 and not hasattr(constraint, "upper_bound")
    inner = getattr(constraint, "base_constraint", None)
    return bounded or (inner is not None and _is_positive(value, inner))


def _places(name: str, value: Tensor, constraint: Constraint | None, positive: bool) -> Iterator[Tensor]:
    while hasattr(constraint, "base_constraint"):
        constraint = constraint.base_constraint  # type: ignore[union-attr]
    if positive:
        yield from (value * factor for factor in _FACTORS)
    elif constraint in (constraints.lower_cholesky, constraints.positive_definite):
        yield from (value * factor for factor in (1e-3, 1e3))
    elif constraint is constraints.unit_interval:
        yield from (torch.full_like(value, probability) for probability in _PROBABILITIES)
    elif constraint is constraints.simplex:
        yield torch.full_like(value, 1 / value.shape[-1])
        yield torch.softmax(20 * value.log(), -1)
    elif "logits" in name:
        yield from (torch.zeros_like(value), value + _alternating(value, 40.0), value + _alternating(value, -40.0))
    elif constraint in (constraints.real, constraints.real_vector):
        yield from (torch.zeros_like(value), -value, value * 1e-9, value * 100, value + _alternating(value, 100.0))


def _alternating(value: Tensor, size: float) -> Tensor:
    """Up and down along the last dimension: adding one number to all logits would change nothing."""
    if value.dim() == 0:
        return torch.full_like(value, size)
    signs = torch.tensor([size if index % 2 == 0 else -size for index in range(value.shape[-1])], dtype=value.dtype)
    return signs.expand_as(value)


def rounded(subject: Subject) -> Subject:
    """The law at the float32 values nearest to its parameters."""
    return subject.at(**{name: value.float().double() for name, value in subject.parameters.items()})
