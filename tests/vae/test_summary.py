"""The few numbers that stand for a law: closed forms where there are any, the same draws each time otherwise."""

import math
from typing import Any

import pytest
import torch

from reparam import noise
from reparam.distributions import (
    Bernoulli,
    Gamma,
    Independent,
    LogisticNormal,
    Normal,
    OneHotCategorical,
    PowerSpherical,
    RelaxedBernoulli,
    VonMisesFisher,
)
from reparam.vae import central_value, moments
from tests.statistical.instruments import check_mean

EAST = torch.tensor([[0.6, 0.8, 0.0]])


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (Normal(torch.tensor([2.0, -1.0]), 3.0), [2.0, -1.0]),
        (Independent(Normal(torch.tensor([[2.0, -1.0]]), 3.0), 1), [[2.0, -1.0]]),
        (Gamma(torch.tensor([3.0]), 2.0), [1.5]),
        (Bernoulli(torch.tensor([0.3, 0.8])), [0.0, 1.0]),
        (Independent(Bernoulli(torch.tensor([[0.3, 0.8]])), 1), [[0.0, 1.0]]),
        (OneHotCategorical(torch.tensor([[0.2, 0.5, 0.3]])), [[0.0, 1.0, 0.0]]),
        (VonMisesFisher(EAST, torch.tensor([3.0])), EAST.tolist()),
        (PowerSpherical(EAST, torch.tensor([3.0])), EAST.tolist()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_mean_where_it_is_a_value_else_the_mode(law: Any, expected: list[Any]) -> None:
    value = central_value(law)
    torch.testing.assert_close(value, torch.tensor(expected))
    assert value.shape == law.batch_shape + law.event_shape
    assert law.support.check(value).all()


def test_a_map_of_noise_gives_what_it_makes_of_the_middle() -> None:
    law = LogisticNormal(torch.tensor([[0.5, -1.0]]), torch.tensor([[1.0, 2.0]]))
    value = central_value(law)
    assert torch.equal(value, central_value(law))
    torch.testing.assert_close(value, law.from_noise(torch.zeros(1, 2)))
    assert law.support.check(value).all()


def test_the_middle_of_uniform_noise_is_one_half() -> None:
    law = RelaxedBernoulli(0.5, logits=torch.tensor([0.8, -2.0]))
    torch.testing.assert_close(central_value(law), torch.sigmoid(torch.tensor([0.8, -2.0]) / 0.5))


def test_moments_in_closed_form() -> None:
    mean, deviation = moments(Independent(Normal(torch.tensor([[2.0, -1.0]]), torch.tensor([[3.0, 0.5]])), 1))
    assert mean.tolist() == [[2.0, -1.0]]
    torch.testing.assert_close(deviation, torch.tensor([[3.0, 0.5]]))
    mean, deviation = moments(Bernoulli(torch.tensor([0.3])))
    torch.testing.assert_close(mean, torch.tensor([0.3]))
    torch.testing.assert_close(deviation, torch.tensor([math.sqrt(0.21)]))


def test_moments_without_a_closed_form_are_those_of_the_same_draws_each_time() -> None:
    law = LogisticNormal(torch.zeros(400, 1), torch.ones(400, 1))
    before = torch.random.get_rng_state()
    mean, deviation = moments(law)
    again = moments(law)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(mean, again[0])
    assert torch.equal(deviation, again[1])
    # 400 laws that are the same, each with 256 draws of its own: their means are those of the law.
    many = law.sample((4000,), generator=noise.generator(1))
    check_mean(mean - many.mean(0), 0.0)
    assert mean.std(0)[0].item() == pytest.approx(many.std().item() / 16, rel=0.25)
    check_mean(deviation.square(), many.flatten(0, 1).var(0).tolist())
