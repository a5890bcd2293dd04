"""Control variates around other estimators."""

import torch

from reparam import distributions as law
from reparam.estimators import ControlVariate, DisArm, Pathwise, Rebar, ScoreFunction, UnorderedSet
from tests.contracts.estimating import EstimatorRow
from tests.contracts.estimator_rows.general import CLASSES, NORMAL

TWO = torch.tensor([0.0, 1.0])


def square(estimator, coefficient=0.6):
    return lambda: ControlVariate(estimator, lambda y: y**2, lambda law: law.loc**2 + law.scale**2, coefficient)


def itself(estimator):
    return lambda: ControlVariate(estimator, lambda y: y.double() ** 2, lambda law: law.probs @ SQUARES, 1.3)


SQUARES = torch.tensor([0.0, 1.0, 4.0], dtype=torch.float64)

ROWS = [
    EstimatorRow("ControlVariate of Pathwise, Normal", square(Pathwise()), law.Normal, NORMAL),
    EstimatorRow("ControlVariate of ScoreFunction, Normal", square(ScoreFunction()), law.Normal, NORMAL),
    *(
        EstimatorRow(
            f"ControlVariate of {name}, Bernoulli",
            lambda estimator=estimator: ControlVariate(estimator, lambda y: 2 * y, lambda law: 2 * law.mean, 0.5),
            law.Bernoulli,
            {"logits": 0.8},
            values=TWO,
        )
        for name, estimator in (("DisArm", DisArm()), ("Rebar", Rebar(0.7)))
    ),
    EstimatorRow(
        "ControlVariate of UnorderedSet, Categorical",
        itself(UnorderedSet(2)),
        lambda logits: law.Categorical(logits=logits),
        CLASSES,
        values=torch.arange(3.0),
        events=lambda y: y.double(),
    ),
]
