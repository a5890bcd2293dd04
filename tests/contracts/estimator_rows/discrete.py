"""Estimators for coins and classes. Integer and probability parameters, and coins that f couples."""

import torch

from reparam import distributions as law
from reparam.estimators import (
    Arm,
    DisArm,
    GumbelSoftmax,
    Rebar,
    ReinMax,
    Relax,
    StraightThrough,
    SumAndSample,
    UnorderedSet,
)
from tests.contracts.estimating import EstimatorRow
from tests.contracts.estimator_rows.general import CLASSES, of_classes, one_hot_values

COIN = {"logits": 0.8}
COINS = {"logits": [0.8, -1.5, 0.1]}
TWO = torch.tensor([0.0, 1.0])
EIGHT = torch.cartesian_prod(TWO, TWO, TWO)


def of_coins(y: torch.Tensor) -> torch.Tensor:
    """A number for all coins together, in which each matters to the others."""
    first, second, third = y.unbind(-1)
    return first * second - 2 * third + first * second * third + 0.5 * second


def of_coins_linear(y: torch.Tensor) -> torch.Tensor:
    return (y * torch.tensor([0.3, -1.0, 2.0], dtype=y.dtype)).sum(-1)


def coin(name, estimator, parameters=COIN, **options):
    return EstimatorRow(f"{name}, Bernoulli", estimator, law.Bernoulli, parameters, values=TWO, **options)


def coins(name, estimator, events=of_coins, **options):
    return EstimatorRow(
        f"{name}, coupled Bernoulli",
        estimator,
        lambda logits: law.Independent(law.Bernoulli(logits=logits), 1),
        COINS,
        values=EIGHT,
        events=events,
        **options,
    )


def one_hot(name, estimator, parameters=CLASSES, **options):
    return EstimatorRow(
        f"{name}, OneHotCategorical",
        estimator,
        lambda **given: law.OneHotCategorical(**given),
        parameters,
        values=one_hot_values(3),
        events=of_classes,
        **options,
    )


def five(name, estimator, **options):
    return EstimatorRow(
        f"{name}, Categorical",
        estimator,
        lambda **given: law.Categorical(**given),
        FIVE,
        values=torch.arange(5.0),
        events=lambda y: torch.sin(3 * y.double()),
        **options,
    )


def _smooth(z: torch.Tensor) -> torch.Tensor:
    """A network with fixed weights."""
    return 0.3 * torch.tanh(z) + 0.1 * z


FIVE = {"logits": [0.4, -0.2, 1.7, -2.0, 0.1]}
WEIGHTS = {"probs": [0.5, 0.2, 0.9]}
QUADRATIC = ("constant", "linear", "quadratic")

ROWS = [
    *(coin(name, make) for name, make in (("Arm", Arm), ("DisArm", DisArm))),
    *(coins(name, make) for name, make in (("Arm", Arm), ("DisArm", DisArm))),
    coin("DisArm three samples", DisArm, {"probs": 0.3}, samples=3),
    coin("GumbelSoftmax", lambda: GumbelSoftmax(0.5), exact_for=("constant",)),
    coin("GumbelSoftmax hard", lambda: GumbelSoftmax(0.5, hard=True), exact_for=("constant",)),
    one_hot("GumbelSoftmax", lambda: GumbelSoftmax(0.5), exact_for=("constant",)),
    coin("StraightThrough", StraightThrough, {"probs": 0.3}, exact_for=("constant", "linear")),
    coins("StraightThrough", StraightThrough, events=of_coins_linear, exact_for=("constant", "linear")),
    one_hot("StraightThrough", StraightThrough, exact_for=("constant", "linear")),
    coin("ReinMax", ReinMax, {"probs": 0.3}, exact_for=QUADRATIC),
    coins("ReinMax", ReinMax, events=of_coins_linear, exact_for=QUADRATIC),
    one_hot("ReinMax", ReinMax, exact_for=QUADRATIC),
    one_hot("ReinMax of probs", ReinMax, WEIGHTS, exact_for=QUADRATIC),
    coin("Rebar", lambda: Rebar(0.5)),
    coin("Rebar of probs", lambda: Rebar(1.0, 0.7), {"probs": 0.3}),
    coins("Rebar", lambda: Rebar(0.7)),
    one_hot("Rebar", lambda: Rebar(0.5)),
    one_hot("Rebar of probs", lambda: Rebar(1.5, 0.7), WEIGHTS),
    coin("Relax", lambda: Relax(_smooth)),
    coins("Relax", lambda: Relax(lambda z: _smooth(z).sum(-1), 0.5)),
    one_hot("Relax", lambda: Relax(lambda z: of_classes(_smooth(z)))),
    five("SumAndSample 1", lambda: SumAndSample(1)),
    five("SumAndSample 2 of three samples", lambda: SumAndSample(2), samples=3),
    one_hot("SumAndSample of probs", lambda: SumAndSample(1), WEIGHTS),
    one_hot("SumAndSample of all", lambda: SumAndSample(3), WEIGHTS),
    five("UnorderedSet 2", lambda: UnorderedSet(2)),
    five("UnorderedSet 4 of three samples", lambda: UnorderedSet(4), samples=3),
    one_hot("UnorderedSet of probs", lambda: UnorderedSet(2), WEIGHTS),
    one_hot("UnorderedSet of all", lambda: UnorderedSet(3), WEIGHTS),
]
