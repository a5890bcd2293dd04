"""Enumeration where a probability is 0: the value never comes, and its probability moves all the same."""

import math

import pytest
import torch
import torch.distributions as td

from reparam import distributions as law
from reparam import expectation
from reparam.estimators import Enumerate


def exact(f, one, parameter):
    value = expectation(f, one, estimator=Enumerate())
    return value, torch.autograd.grad(value.sum(), parameter)[0]


@pytest.mark.parametrize("package", [law, td], ids=["ours", "torch's"])
@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_certain_coins(package, certain):
    probs = torch.tensor([certain, 0.3], requires_grad=True)
    value, gradient = exact(lambda y: 3 * y + 1, package.Bernoulli(probs), probs)
    torch.testing.assert_close(value, 3 * probs + 1)
    torch.testing.assert_close(gradient, torch.full((2,), 3.0))
    _, gradient = exact(lambda y: (y + 1).prod(-1), package.Bernoulli(probs), probs)
    torch.testing.assert_close(gradient, torch.tensor([1.3, 1 + certain]))


@pytest.mark.parametrize("package", [law, td], ids=["ours", "torch's"])
def test_classes_that_never_come(package):
    table = torch.tensor([5.0, 1.0, 2.0])
    probs = torch.tensor([0.0, 0.5, 0.5], requires_grad=True)
    truth = table - 1.5  # in weights that are divided by their sum, 1: f - E f
    value, gradient = exact(lambda y: table[y], package.Categorical(probs), probs)
    torch.testing.assert_close(value, torch.tensor(1.5))
    torch.testing.assert_close(gradient, truth)
    _, gradient = exact(lambda y: y @ table, package.OneHotCategorical(probs), probs)
    torch.testing.assert_close(gradient, truth)


@pytest.mark.parametrize("certain", [0.0, 1e-310, 1e-300, 1.0])
@pytest.mark.parametrize("count", [1, 4, 2000])
def test_certain_trials(certain, count):
    """E k² = n·p·(1 - p) + n²·p²: the derivative is n at p = 0, and 2n² - n at p = 1."""
    probs = torch.tensor(certain, dtype=torch.float64, requires_grad=True)
    _, gradient = exact(lambda y: y**2, law.Binomial(count, probs), probs)
    truth = float(count if certain < 1 else 2 * count**2 - count)
    torch.testing.assert_close(gradient, torch.tensor(truth, dtype=torch.float64), rtol=1e-10, atol=0)


def test_trials_between_are_as_precise_as_before():
    probs = torch.tensor([1e-20, 0.3, 1 - 1e-9], dtype=torch.float64, requires_grad=True)
    _, gradient = exact(lambda y: y**2, law.Binomial(50, probs), probs)
    truth = 50 * (1 - 2 * probs) + 2 * 2500 * probs
    torch.testing.assert_close(gradient, truth.detach(), rtol=1e-11, atol=0)


def test_logits_of_any_size():
    logits = torch.tensor([-800.0, -40.0, 40.0, 800.0], dtype=torch.float64, requires_grad=True)
    _, gradient = exact(lambda y: y, law.Bernoulli(logits=logits), logits)
    assert gradient.isfinite().all()
    torch.testing.assert_close(gradient[1], torch.tensor(math.exp(-40), dtype=torch.float64))


class Die(td.Distribution):
    """A law of somebody else's: faces 0, 1, 2 with probability in proportion to 1, w, w²."""

    has_enumerate_support = True

    def __init__(self, w):
        self.log_probs = torch.log_softmax(torch.arange(3) * w.log(), -1)
        super().__init__(validate_args=False)

    def sample(self, sample_shape=()):
        return torch.zeros(sample_shape)

    def log_prob(self, value):
        return self.log_probs[value.long()]

    def enumerate_support(self, expand=True):
        return torch.arange(3.0)


def test_a_law_with_no_rule_of_its_own():
    w = torch.tensor(2.0, requires_grad=True)
    value, gradient = exact(lambda y: y, Die(w), w)
    torch.testing.assert_close(value, torch.tensor(10 / 7))
    torch.testing.assert_close(gradient, torch.tensor(9 / 7 - 10 / 7 * 5 / 7))


def test_second_derivatives():
    probs = torch.tensor([0.0, 0.3], requires_grad=True)
    value = expectation(lambda y: (2 * y + 1).prod(-1), law.Bernoulli(probs), estimator=Enumerate())
    (first,) = torch.autograd.grad(value, probs, create_graph=True)
    (second,) = torch.autograd.grad(first[0], probs)
    torch.testing.assert_close(second, torch.tensor([0.0, 4.0]))
