"""Estimators that know the first derivative refuse the second, and those that know it give it."""

import pytest
import torch

from reparam import distributions as rd
from reparam.estimators import (
    Arm,
    DisArm,
    Enumerate,
    MeasureValued,
    Rebar,
    ReinMax,
    ScoreFunction,
    SumAndSample,
    UnorderedSet,
    expectation,
)

CLASSES = [SumAndSample(2), UnorderedSet(2), MeasureValued(), Rebar(0.5), ReinMax()]


def second(law, parameter, estimator, f):
    value = expectation(f, law, estimator=estimator, samples=3)
    (first,) = torch.autograd.grad(value.sum(), parameter, create_graph=True)
    return torch.autograd.grad(first.sum(), parameter)[0]


@pytest.mark.parametrize("estimator", [Arm(), DisArm(), MeasureValued(), Rebar(0.5), ReinMax()], ids=repr)
@pytest.mark.parametrize("name", ["probs", "logits"])
def test_of_coins_a_second_derivative_is_refused(estimator, name):
    parameter = torch.tensor([0.3, 0.6], requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"first derivatives only; for second ones use ScoreFunction\(\)"):
        second(rd.Bernoulli(**{name: parameter}), parameter, estimator, lambda y: (y - 0.2) ** 2)


@pytest.mark.parametrize("estimator", CLASSES, ids=repr)
def test_of_classes_a_second_derivative_is_refused(estimator):
    logits = torch.tensor([0.3, 0.6, -1.0], requires_grad=True)
    weights = torch.tensor([1.0, -2.0, 0.5])
    with pytest.raises(NotImplementedError, match="first derivatives only"):
        second(rd.OneHotCategorical(logits=logits), logits, estimator, lambda y: (y @ weights) ** 2)


def test_of_a_function_of_the_estimate_too():
    """Where the second derivative of what follows alone would be there, and not all of it."""
    probs = torch.tensor(0.3, requires_grad=True)
    value = expectation(lambda y: 2 + y, rd.Bernoulli(probs), estimator=MeasureValued()).log()
    (first,) = torch.autograd.grad(value, probs, create_graph=True)
    with pytest.raises(NotImplementedError, match="first derivatives only"):
        torch.autograd.grad(first, probs)


def test_parameters_of_f_have_all_derivatives():
    weight, probs = torch.tensor(2.0, requires_grad=True), torch.tensor(0.3, requires_grad=True)
    value = expectation(lambda y: weight**3 + y, rd.Bernoulli(probs), estimator=DisArm())
    (first,) = torch.autograd.grad(value, weight, create_graph=True)
    assert torch.autograd.grad(first, weight)[0] == 12


@pytest.mark.parametrize("estimator", [Enumerate(), ScoreFunction()], ids=repr)
def test_those_that_know_it_give_it(estimator):
    probs = torch.full((100_000,), 0.3, dtype=torch.float64, requires_grad=True)
    found = second(rd.Bernoulli(probs**2), probs, estimator, lambda y: 5 * y)
    assert found.mean() == pytest.approx(10, abs=0.5)


def test_forward_mode_and_vmap_work():
    def value(probs):
        return expectation(lambda y: 3 * y, rd.Bernoulli(probs, validate_args=False), estimator=MeasureValued()).sum()

    probs = torch.tensor([0.3, 0.6])
    assert torch.func.jvp(value, (probs,), (torch.ones(2),))[1] == 6
    assert (torch.vmap(torch.func.grad(value), randomness="different")(probs.unsqueeze(-1)) == 3).all()
