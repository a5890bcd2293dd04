"""Gradients of expectations: against quadrature, and against the score function.

``∂/∂θ E[φ(y)]`` is estimated by the mean of ``φ'(y)·v`` over draws. On a line it is also ``∫ φ ∂p/∂θ dx``, and for
any law with a differentiable density it is ``E[(φ - c) ∂log p/∂θ]``: the difference of both, draw by draw, has mean 0
and is compared with its own standard error.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from reparam.checking.bank import cosines, on_line, smooth, turned, waves
from reparam.checking.oracle import Oracle
from reparam.checking.report import Finding, measured, passed, skipped
from reparam.checking.statistics import mean_p_value
from reparam.checking.subject import Copies, Subject, Unavailable, first_line

__all__ = ["check_expectations", "check_expectations_of_vectors", "check_second_derivative"]

_TAIL = 0.05  # share of a second moment that may come from the outermost draws, for its standard error to mean much
_FUNCTIONS = 8
_STEP = 1e-3  # of a second derivative, in units of 1/√(Fisher information)


def check_expectations(subject: Subject, oracle: Oracle, draws: Tensor, moves: Tensor) -> Iterator[Finding]:
    """A law on a line: moments, bounded functions and logarithms, both ways."""
    density = subject.density(draws)
    count = len(draws)
    for name, function in on_line(oracle, draws).items():
        value, slope = _with_slope(function, draws)
        at_nodes, slope_at_nodes = _with_slope(function, oracle.values.flatten())
        truth = oracle.gradient_of_mean(function)
        centre = float(value.mean())
        pathwise = slope[:, None] * moves
        by_score = (value - centre)[:, None] * density.score
        node = oracle.at_nodes
        heavy = oracle.tail_share((slope_at_nodes[:, None] * node.value) ** 2, count) > _TAIL
        heavy_score = oracle.tail_share(((at_nodes - centre)[:, None] * node.score) ** 2, count) > _TAIL
        flows = oracle.flows_of(function, centre)
        for index, way in enumerate(subject.along):
            details = {"parameter": way.label, "where": {"function": name}}
            if heavy[index] or not (truth[index].isfinite() and pathwise[:, index].isfinite().all()):
                continue
            yield measured(
                "expectations",
                float(mean_p_value(pathwise[:, index], truth[index])),
                "gradient of an expectation",
                expected=float(truth[index]),
                came=float(pathwise[:, index].mean()),
                **details,
            )
            if heavy_score[index] or not by_score[:, index].isfinite().all():
                continue
            difference = pathwise[:, index] - by_score[:, index] - flows[index]
            yield measured(
                "score",
                float(mean_p_value(difference)),
                "pathwise less score-function gradient",
                expected=0.0,
                came=float(difference.mean()),
                **details,
            )


def _with_slope(function: Callable[[Tensor], Tensor], draws: Tensor) -> tuple[Tensor, Tensor]:
    draws = draws.detach().requires_grad_()
    value = function(draws)
    (slope,) = torch.autograd.grad(value.sum(), draws)
    return value.detach(), slope


def check_expectations_of_vectors(subject: Subject, drawn: Tensor, copies: Copies) -> Iterator[Finding]:
    """A law on vectors or matrices: random cosines against the score function, moments against those the law states."""
    draws = drawn.detach()
    yield from _moments(subject, drawn, copies)
    try:
        score = subject.density(draws).score
    except Unavailable as reason:
        yield skipped("score", str(reason))
        return
    if not score.isfinite().all():
        yield skipped("score", "log_prob has no finite gradient at some draws")
        return
    functions = cosines(draws, _FUNCTIONS, subject.seed)(drawn)
    for number in range(_FUNCTIONS):
        value = functions[:, number].detach()
        pathwise = copies.gradients(functions[:, number], retain_graph=True)
        differences = pathwise - (value - value.mean())[:, None] * score
        p_values = mean_p_value(differences)
        for index, way in enumerate(subject.along):
            yield measured(
                "score",
                float(p_values[index]),
                "pathwise less score-function gradient",
                parameter=way.label,
                expected=0.0,
                came=float(differences[:, index].mean()),
                where={"function": f"random cosine {number}"},
            )


def _moments(subject: Subject, drawn: Tensor, copies: Copies) -> Iterator[Finding]:
    """Random sums of the elements, and of their squares, where the law states its mean and variance."""
    one = subject.copies(1)
    flat = drawn.reshape(len(drawn), -1)
    weights = waves(flat.shape[1], 4, subject.seed)[0] / flat.detach().std(0).clamp(min=1e-300)
    try:
        mean = one.law.mean.flatten()
    except (NotImplementedError, AttributeError):
        yield skipped("expectations", "the law states no mean")
        return
    stated = {"mean": (flat, mean)}
    try:
        stated["second moment"] = (flat**2, one.law.variance.flatten() + mean**2)
    except (NotImplementedError, AttributeError):
        yield skipped("expectations", "the law states no variance")
    for name, (values, expected) in stated.items():
        for number, weight in enumerate(weights):
            total = (expected * weight).sum()
            if not total.isfinite() or not total.requires_grad:
                continue
            truth = one.gradients(total[None], retain_graph=True)[0]
            pathwise = copies.gradients(values @ weight, retain_graph=True)
            p_values = mean_p_value(pathwise, truth)
            for index, way in enumerate(subject.along):
                yield measured(
                    "expectations",
                    float(p_values[index]),
                    f"gradient of the {name}, elements weighted at random",
                    parameter=way.label,
                    expected=float(truth[index]),
                    came=float(pathwise[:, index].mean()),
                    where={"weights": number},
                )


def check_second_derivative(subject: Subject, oracle: Oracle, drawn: Tensor, copies: Copies) -> Iterator[Finding]:
    """``∂²/∂θ² E[φ(y)]`` through two backward passes, against differences of first derivatives by quadrature."""
    draws = drawn.detach()
    function = turned if oracle.coordinate.kind == "circle" else smooth(draws)
    information = (oracle.at_nodes.score**2 * oracle.node_mass[:, None]).sum(0)
    refused: dict[str, None] = {}
    try:
        first = copies.gradients(function(drawn), create_graph=True)
    except (RuntimeError, NotImplementedError) as error:
        yield passed("second derivative", f"refused: {first_line(error)}")
        return
    for index, way in enumerate(subject.along):
        if not information[index] > 0:
            continue
        try:
            second = copies.gradient(first[:, index], way).detach()
        except (RuntimeError, NotImplementedError) as error:
            refused[first_line(error)] = None
            continue
        step = _STEP / float(information[index].sqrt())
        try:
            sides = [
                Oracle(_moved(subject, way.parameter, sign * step * way.step), draws).gradient_of_mean(function)[index]
                for sign in (1, -1)
            ]
        except (Unavailable, ValueError) as reason:
            yield skipped("second derivative", str(reason), parameter=way.label)
            continue
        truth = float((sides[0] - sides[1]) / (2 * step))
        if not second.isfinite().all():
            yield Finding("second derivative", "failed", "is not finite", way.label, truth, "nan or inf")
        elif float((second**2).max() / (second**2).sum().clamp(min=1e-300)) > _TAIL and second.any():
            yield skipped("second derivative", "its mean has too heavy tails to be measured", parameter=way.label)
        else:
            yield measured(
                "second derivative",
                float(mean_p_value(second, truth, rounding=1e-4)),
                "of a smooth expectation" if second.any() else "is silently zero",
                parameter=way.label,
                expected=truth,
                came=float(second.mean()),
            )
    if refused:
        yield passed("second derivative", f"refused: {'; '.join(refused)}")


def _moved(subject: Subject, name: str, change: Tensor) -> Subject:
    return subject.at(**{name: subject.parameters[name] + change})
