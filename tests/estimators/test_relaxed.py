"""Biased estimators: their bias, to the digit where it is known, and what they are exact for."""

import pytest
import torch

from reparam.distributions import Bernoulli, OneHotCategorical, RelaxedBernoulli
from reparam.errors import EstimatorError
from reparam.estimators import GumbelSoftmax, Pathwise, ReinMax, StraightThrough, expectation
from reparam.noise import generator
from tests.estimators.gradients import assert_unbiased, exact_gradient, single_gradients

LOGIT = torch.tensor(0.7, dtype=torch.float64).logit()


def toy(y):
    return (y - 0.45) ** 2


def coin(logits):
    return Bernoulli(logits=logits)


@pytest.mark.parametrize("estimator", [GumbelSoftmax(1.0), StraightThrough(), ReinMax()], ids=repr)
def test_biased_ones_say_so(estimator):
    assert not estimator.unbiased
    assert type(estimator).__doc__.startswith("BIASED")
    assert Pathwise().unbiased


@pytest.mark.parametrize(("temperature", "mean"), [(0.1, 0.0290), (0.5, 0.0457), (1.0, 0.0414), (2.0, 0.0253)])
def test_bias_of_gumbel_softmax(temperature, mean):
    """Against quadrature over the noise, and the figures known for this toy; the true gradient is 0.0210."""
    uniform = (torch.arange(1_000_000, dtype=torch.float64) + 0.5) / 1_000_000
    logit = LOGIT.clone().requires_grad_()
    relaxed = RelaxedBernoulli(torch.tensor(temperature, dtype=torch.float64), logits=logit).from_noise(uniform)
    exact = torch.autograd.grad(toy(relaxed).mean(), logit)[0]
    found = single_gradients(toy, coin, LOGIT, GumbelSoftmax(temperature), 1_000_000, generator(0))
    assert_unbiased(found, exact)
    assert exact.item() == pytest.approx(mean, abs=6e-4)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.7, 0.99])
def test_bias_of_straight_through(p):
    logit, t = torch.tensor(p, dtype=torch.float64).logit(), 0.45
    truth = p * (1 - p) * (1 - 2 * t)
    bias = p * (1 - p) * (2 * (p - t) - (1 - 2 * t))
    found = single_gradients(toy, coin, logit, StraightThrough(), 100_000, generator(0))
    assert_unbiased(found, torch.tensor(truth + bias, dtype=torch.float64))


def test_reinmax_in_closed_form():
    """``E[f'(y)·(2m(1 - m) - p(1 - p)/2)]``, m = (y + p)/2, is the mean of both slopes times p(1 - p)."""
    for f, slopes in ((lambda y: y**3, (0.0, 3.0)), (toy, (-0.9, 1.1))):
        found = single_gradients(f, coin, LOGIT, ReinMax(), 200_000, generator(0))
        assert_unbiased(found, torch.tensor(0.21 * sum(slopes) / 2, dtype=torch.float64))


WEIGHTS = torch.tensor([[0.4, -0.2, 0.1, 1.0], [0.0, 2.0, -1.0, 0.3]], dtype=torch.float64)
MATRIX = torch.randn(8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def quadratic(y):
    """Of two vectors of four classes, all products in it."""
    flat = y.flatten(-2)
    return ((flat @ MATRIX) * flat).sum(-1) + flat @ MATRIX[0]


def vectors(logits):
    return OneHotCategorical(logits=logits)


def test_reinmax_is_exact_for_coupled_quadratics():
    found = single_gradients(quadratic, vectors, WEIGHTS, ReinMax(), 400_000, generator(0))
    assert_unbiased(found, exact_gradient(quadratic, vectors, WEIGHTS))


@pytest.mark.parametrize("estimator", [StraightThrough(), GumbelSoftmax(1.0, hard=True)], ids=repr)
def test_the_others_are_not(estimator):
    found = single_gradients(quadratic, vectors, WEIGHTS, estimator, 100_000, generator(0))
    with pytest.raises(AssertionError):
        assert_unbiased(found, exact_gradient(quadratic, vectors, WEIGHTS))


@pytest.mark.parametrize(
    ("estimator", "discrete"),
    [(GumbelSoftmax(1.0), False), (GumbelSoftmax(1.0, hard=True), True), (StraightThrough(), True), (ReinMax(), True)],
    ids=repr,
)
@pytest.mark.parametrize("make", [coin, vectors])
def test_where_f_is_evaluated(estimator, discrete, make):
    seen = []

    def f(y):
        seen.append(y.detach())
        return y.flatten(1).sum(-1)

    expectation(f, make(WEIGHTS), estimator=estimator, samples=50)
    (draws,) = seen
    assert draws.shape == (50, 2, 4)
    assert ((draws == 0) | (draws == 1)).all() == discrete
    assert ((draws >= 0) & (draws <= 1)).all()


def test_a_temperature_can_be_learned():
    temperature = torch.tensor(0.5, requires_grad=True)
    value = expectation(lambda y: y**2, Bernoulli(logits=torch.tensor(0.3)), estimator=GumbelSoftmax(temperature))
    assert torch.autograd.grad(value, temperature)[0] != 0


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf"), torch.tensor([1.0, 0.0])])
def test_a_temperature_that_is_none(temperature):
    with pytest.raises(EstimatorError, match="temperature must be positive and finite"):
        GumbelSoftmax(temperature)


@pytest.mark.parametrize("estimator", [GumbelSoftmax(1.0), StraightThrough(), ReinMax()], ids=repr)
def test_a_step_function_is_refused(estimator):
    law = Bernoulli(logits=torch.zeros((), requires_grad=True))
    with pytest.raises(EstimatorError, match="no gradient gets from f's value back to the draws"):
        expectation(lambda y: (y > 0.5).float(), law, estimator=estimator)
