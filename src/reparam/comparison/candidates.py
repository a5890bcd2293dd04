"""What is compared unless somebody says what: all estimators, with their usual options."""

from collections.abc import Iterator

from reparam.estimators import Enumerate, Estimator, LeaveOneOut, Pathwise, ScoreFunction

__all__ = ["candidates"]


def candidates() -> Iterator[Estimator]:
    """One of each kind, new ones at each call, as some have a state."""
    yield Pathwise()
    yield Enumerate()
    yield ScoreFunction()
    yield ScoreFunction(LeaveOneOut())
