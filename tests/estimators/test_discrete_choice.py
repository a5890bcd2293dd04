"""What is chosen for coins and classes that are too many to enumerate."""

import torch

from reparam.distributions import Bernoulli, Categorical, OneHotCategorical
from reparam.estimators import DisArm, Enumerate, ScoreFunction, UnorderedSet, choose, expectation

COINS = Bernoulli(logits=torch.zeros(40))
CLASSES = Categorical(logits=torch.zeros(3, 1000))


def test_one_sample_of_many_coins_is_a_pair():
    estimator, reason = choose(lambda y: y.sum(-1), COINS, samples=1)
    assert isinstance(estimator, DisArm)
    assert "40 coins" in reason
    assert expectation(lambda y: y.sum(-1), COINS).item() == 20


def test_one_sample_of_many_classes_is_a_set_of_two():
    assert isinstance(choose(lambda y: y.double(), CLASSES, samples=1).estimator, UnorderedSet)
    vectors = OneHotCategorical(logits=torch.zeros(3, 1000))
    assert isinstance(choose(lambda y: y[..., 0], vectors, samples=1).estimator, UnorderedSet)


def test_otherwise_it_is_the_score_function_or_the_exact_sum():
    assert isinstance(choose(lambda y: y.sum(-1), COINS, samples=2).estimator, ScoreFunction)
    assert isinstance(choose(lambda y: y.double().sum(-1), CLASSES, samples=1).estimator, ScoreFunction)
    assert isinstance(choose(lambda y: y, COINS, samples=1).estimator, Enumerate)
    few = Categorical(logits=torch.zeros(3, 100))
    assert isinstance(choose(lambda y: y.double(), few, samples=1).estimator, Enumerate)
