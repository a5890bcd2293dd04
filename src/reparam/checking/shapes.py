"""Shapes, batches, and the transformations of torch.func: right, or refused by an error."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from reparam.checking.report import Finding, failed, passed
from reparam.checking.subject import Subject, first_line, seeded

__all__ = ["check_shapes", "check_transforms"]


def check_shapes(subject: Subject) -> Iterator[Finding]:
    """Sample shapes, batches, an empty batch; and one backward pass through many draws of one law."""
    event = tuple(subject.sketch.event_shape)
    cases: list[tuple[str, Callable[[], Tensor], tuple[int, ...]]] = [
        ("rsample()", lambda: subject.law().rsample(), ()),
        ("rsample((3,))", lambda: subject.law().rsample(torch.Size((3,))), (3,)),
        ("rsample((2, 3))", lambda: subject.law().rsample(torch.Size((2, 3))), (2, 3)),
        ("rsample((2,)) of a batch of 3", lambda: subject.copies(3).law.rsample(torch.Size((2,))), (2, 3)),
        ("rsample() of an empty batch", lambda: subject.copies(0).law.rsample(), (0,)),
        ("rsample((0,))", lambda: subject.law().rsample(torch.Size((0,))), (0,)),
    ]
    wrong = False
    for name, draw, expected in cases:
        try:
            with seeded(subject.seed, "shapes"):
                shape = tuple(draw().shape)
        except Exception as error:  # noqa: BLE001  whatever somebody's law raises is what there is to report
            yield failed("shapes", f"{name} raises {type(error).__name__}: {first_line(error)}")
            wrong = True
            continue
        if shape != expected + event:
            yield failed("shapes", f"{name} has another shape", expected=str(expected + event), came=str(shape))
            wrong = True
    for finding in _backward_of_many(subject):
        yield finding
        wrong = True
    if not wrong:
        yield passed("shapes")


def _backward_of_many(subject: Subject) -> Iterator[Finding]:
    leaves = {name: value.clone().requires_grad_() for name, value in subject.parameters.items()}
    try:
        with seeded(subject.seed, "shapes"):
            subject.make(leaves).rsample(torch.Size((5,))).sum().backward()
    except Exception as error:  # noqa: BLE001  as above
        yield failed(
            "shapes", f"the backward pass through rsample((5,)) raises {type(error).__name__}: {first_line(error)}"
        )
        return
    for name, leaf in leaves.items():
        if leaf.grad is None:
            yield failed("shapes", "got no gradient from rsample((5,))", parameter=name)


def check_transforms(subject: Subject) -> Iterator[Finding]:
    """``torch.vmap`` over parameters, and ``torch.func.jvp`` against the backward pass with the same random numbers."""
    yield _vmap(subject)
    yield _forward_mode(subject)


def _vmap(subject: Subject) -> Finding:
    copies = {name: value.expand(4, *value.shape).clone() for name, value in subject.parameters.items()}

    def draw(given: dict[str, Tensor]) -> Tensor:
        return subject.make(given).rsample(torch.Size((3,)))

    try:
        with seeded(subject.seed, "vmap"):
            draws = torch.vmap(draw, randomness="different")(copies)
    except Exception as error:  # noqa: BLE001  as above
        return passed("transforms", f"vmap refuses: {first_line(error)}")
    expected = (4, 3, *subject.sketch.event_shape)
    if tuple(draws.shape) != expected:
        return failed("transforms", "vmap gives another shape", expected=str(expected), came=str(tuple(draws.shape)))
    if not subject.is_discrete and torch.equal(draws[0], draws[1]):
        return failed("transforms", "vmap gives each copy the same draws although randomness='different'")
    return passed("transforms")


def _forward_mode(subject: Subject) -> Finding:
    names = list(subject.parameters)
    values = tuple(subject.parameters.values())
    steps = {name: torch.zeros_like(value) for name, value in subject.parameters.items()}
    for number, way in enumerate(subject.along):
        # Not all alike: moving all logits together, say, moves nothing.
        steps[way.parameter] = steps[way.parameter] + (1 + number % 3) * way.step
    tangents = tuple(steps.values())

    def draw(*given: Tensor) -> Tensor:
        with seeded(subject.seed, "forward"):
            return subject.make(dict(zip(names, given, strict=True))).rsample(torch.Size((50,)))

    try:
        drawn, forward = torch.func.jvp(draw, values, tangents)[:2]
    except Exception as error:  # noqa: BLE001  as above
        return passed("transforms", f"forward mode refuses: {first_line(error)}")
    weights = torch.linspace(0.5, 1.5, drawn.numel(), dtype=drawn.dtype).reshape(drawn.shape)
    leaves = [value.clone().requires_grad_() for value in values]
    try:
        found = torch.autograd.grad((draw(*leaves) * weights).sum(), leaves, allow_unused=True)
    except RuntimeError as error:
        return passed("transforms", f"the backward pass refuses: {first_line(error)}")
    pairs = [
        (gradient * tangent).sum() for gradient, tangent in zip(found, tangents, strict=True) if gradient is not None
    ]
    backward = float(torch.stack(pairs).sum()) if pairs else 0.0
    ahead = float((forward * weights).sum())
    allowed = 1e-8 * float((forward * weights).abs().sum()) + 1e-12 * float((drawn * weights).abs().sum())
    if not abs(ahead - backward) <= allowed:
        message = "forward mode disagrees with the backward pass"
        return failed("transforms", message, expected=backward, came=ahead, tolerance=allowed)
    return passed("transforms")
