"""What is compared unless somebody says what: all estimators, with their usual options."""

from collections.abc import Iterator

from reparam.estimators import (
    Arm,
    DisArm,
    Enumerate,
    Estimator,
    GumbelSoftmax,
    LeaveOneOut,
    MeasureValued,
    Pathwise,
    Rebar,
    ReinMax,
    ScoreFunction,
    StraightThrough,
    SumAndSample,
    UnorderedSet,
)
from reparam.samplers import MarsagliaTsang, RejectionReparameterized

__all__ = ["candidates"]


def candidates() -> Iterator[Estimator]:
    """One of each kind, with usual options; what has to be trained first (``Relax``) is left out."""
    yield Pathwise()
    yield Enumerate()
    yield MeasureValued()
    yield RejectionReparameterized(MarsagliaTsang())
    yield ScoreFunction()
    yield ScoreFunction(LeaveOneOut())
    yield DisArm()
    yield Arm()
    yield Rebar(0.5)
    yield UnorderedSet(2)
    yield SumAndSample(1)
    yield ReinMax()
    yield StraightThrough()
    yield GumbelSoftmax(0.5)
    yield GumbelSoftmax(0.5, hard=True)
