"""The statistical checks pass correct code and fail on each planted fault."""

import numpy as np
import pytest
import torch
from scipy import stats

from reparam.noise import generator
from reparam.reparameterize import location_scale
from tests.statistical.instruments import FALSE_ALARM, check_continuous, check_discrete, check_mean

NUM_DRAWS = 100_000
LOC, SCALE = 0.7, 1.3
LAW = stats.norm(LOC, SCALE)


def draws(seed):
    eps = torch.randn(NUM_DRAWS, generator=generator(seed), dtype=torch.float64).numpy()
    return LOC + SCALE * eps


def test_one_false_alarm_rate():
    assert FALSE_ALARM == 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_correct_draws_pass(seed):
    check_continuous(draws(seed), LAW.cdf)
    check_mean(draws(seed), LOC)


@pytest.mark.parametrize(
    "fault",
    [
        lambda y: LOC + 1.06 * (y - LOC),
        lambda y: LOC + 0.94 * (y - LOC),
        lambda y: y + 0.05 * SCALE,
        lambda y: np.minimum(y, LAW.ppf(0.9995)),
        lambda y: np.maximum(y, LAW.ppf(0.0005)),
        lambda y: np.abs(y - LOC) + LOC,
    ],
    ids=["scaled up", "scaled down", "shifted", "upper tail clipped", "lower tail clipped", "folded"],
)
def test_faulty_draws_are_caught(fault):
    with pytest.raises(AssertionError, match="do not follow"):
        check_continuous(fault(draws(0)), LAW.cdf)


PROBABILITIES = np.array([0.5, 0.3, 0.15, 0.05 - 1e-7, 1e-7])


@pytest.mark.parametrize("seed", range(5))
def test_correct_counts_pass(seed):
    check_discrete(np.random.default_rng(seed).choice(5, NUM_DRAWS, p=PROBABILITIES), PROBABILITIES)


@pytest.mark.parametrize(
    "planted",
    [[0.5, 0.315, 0.135, 0.05, 0], [0.3, 0.5, 0.15, 0.05, 0], [0.5, 0.3, 0.15, 0.049, 0.001]],
    ids=["a little off", "two cells swapped", "a rare cell too often"],
)
def test_faulty_counts_are_caught(planted):
    with pytest.raises(AssertionError, match=r"chi²|cells where"):
        check_discrete(np.random.default_rng(0).choice(5, NUM_DRAWS, p=planted), PROBABILITIES)


def test_counts_outside_the_range_are_caught():
    with pytest.raises(AssertionError, match="is the last"):
        check_discrete([0, 1, 2], [0.5, 0.5])


class Tampered(torch.autograd.Function):
    """The identity, with its gradient multiplied by a factor."""

    @staticmethod
    def forward(ctx, value, factor):
        ctx.factor = factor
        return value.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None


def gradients(factor, seed=0):
    """One pathwise gradient a draw of E[y² + y] in (loc, scale), neither of which is blind at this point."""
    noise = torch.randn(NUM_DRAWS, generator=generator(seed), dtype=torch.float64)
    loc = torch.full((NUM_DRAWS,), LOC, dtype=torch.float64, requires_grad=True)
    scale = torch.full((NUM_DRAWS,), SCALE, dtype=torch.float64, requires_grad=True)
    y = Tampered.apply(location_scale(noise, loc, scale), factor)
    (y**2 + y).sum().backward()
    return torch.stack([loc.grad, scale.grad], dim=1).numpy()


EXACT = [2 * LOC + 1, 2 * SCALE]


@pytest.mark.parametrize("seed", range(5))
def test_correct_gradients_pass(seed):
    check_mean(gradients(1.0, seed), EXACT)


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.05, 0.95, 2.0], ids=lambda factor: f"x{factor}")
def test_faulty_gradients_are_caught(factor):
    with pytest.raises(AssertionError, match="mean is off"):
        check_mean(gradients(factor), EXACT)


def test_shifted_mean_is_caught():
    with pytest.raises(AssertionError, match="mean is off"):
        check_mean(draws(0) + 0.03, LOC)
