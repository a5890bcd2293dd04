"""Estimators for many laws: pathwise, score function, enumeration."""

import torch

from reparam import distributions as law
from reparam.estimators import Enumerate, LeaveOneOut, MovingAverage, Pathwise, ScoreFunction
from tests.contracts.estimating import EstimatorRow

COUNTS = torch.arange(0.0, 60.0)
NORMAL = {"loc": 0.7, "scale": 1.3}
CLASSES = {"logits": [0.4, -0.2, 0.1]}


def one_hot_values(k: int) -> torch.Tensor:
    return torch.eye(k)


def of_classes(y: torch.Tensor) -> torch.Tensor:
    """A number for each class, no two alike."""
    return (y * torch.tensor([0.3, -1.0, 2.0], dtype=y.dtype)).sum(-1)


ROWS = [
    EstimatorRow("Pathwise, Normal", Pathwise, law.Normal, NORMAL),
    EstimatorRow("Pathwise, Gamma", Pathwise, law.Gamma, {"concentration": 1.7, "rate": 1.3}),
    EstimatorRow("ScoreFunction, Normal", ScoreFunction, law.Normal, NORMAL),
    EstimatorRow(
        "ScoreFunction leave-one-out, Normal", lambda: ScoreFunction(LeaveOneOut()), law.Normal, NORMAL, samples=3
    ),
    EstimatorRow("ScoreFunction moving average, Normal", lambda: _warm(), law.Normal, NORMAL),
    EstimatorRow(
        "ScoreFunction leave-one-out, Bernoulli",
        lambda: ScoreFunction(LeaveOneOut()),
        law.Bernoulli,
        {"logits": 0.8},
        values=torch.tensor([0.0, 1.0]),
        samples=2,
    ),
    EstimatorRow("ScoreFunction, Poisson", ScoreFunction, law.Poisson, {"rate": 2.3}, values=COUNTS),
    EstimatorRow(
        "ScoreFunction, OneHotCategorical",
        ScoreFunction,
        lambda logits: law.OneHotCategorical(logits=logits),
        CLASSES,
        values=one_hot_values(3),
        events=of_classes,
    ),
    EstimatorRow(
        "Enumerate, Categorical",
        Enumerate,
        lambda logits: law.Categorical(logits=logits),
        CLASSES,
        values=torch.arange(3.0),
        events=lambda y: y.double(),
    ),
]


def _warm() -> ScoreFunction:
    baseline = MovingAverage()
    baseline(torch.tensor([1.0]))
    return ScoreFunction(baseline)
