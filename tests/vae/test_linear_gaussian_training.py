"""Each posterior that contains the truth finds it: the bound of a linear-Gaussian model reaches its log-likelihood.

The decoder is the true one and does not move, so that ``log p(x)`` is known exactly: see ``tests/true_posteriors.py``.
"""

import math

import pytest

from reparam import vae
from reparam.vae.flows import FlowFamily
from tests.true_posteriors import (
    CORRELATED,
    DIAGONAL,
    LOW_RANK,
    gaps_after_training,
    least_gap_of_diagonal,
    two_levels,
)

NATS = 0.01


def gap_after_training(*parts, **how):
    """``log p(x)`` less the bound, mean over rows and draws, in nats."""
    gaps = gaps_after_training(*parts, **how)
    # A bound, up to what chance does to its mean.
    assert gaps.mean() > -5 * gaps.std() / math.sqrt(gaps.numel()) - 1e-9
    return gaps.mean().item()


def test_diagonal_normal_with_orthogonal_directions():
    assert gap_after_training(vae.DiagonalNormal(), DIAGONAL, steps=600) < NATS


def test_full_normal():
    assert gap_after_training(vae.FullNormal(2), CORRELATED, steps=300) < NATS


def test_low_rank_normal_where_one_factor_is_the_truth():
    assert gap_after_training(vae.LowRankNormal(3, 1), LOW_RANK, steps=500) < NATS


@pytest.mark.parametrize("kind", ["iaf", "spline"])
def test_flows(kind):
    family = FlowFamily(2, kind, context_dim=0, hidden=(16,))
    assert gap_after_training(family, CORRELATED, steps=300, learning_rate=0.04, num_rows=100) < NATS


def test_a_diagonal_posterior_falls_short_where_dimensions_depend_on_each_other():
    gap, least = gap_after_training(vae.DiagonalNormal(), CORRELATED, steps=300), least_gap_of_diagonal(CORRELATED)
    assert gap == pytest.approx(least, abs=NATS)
    assert gap > 10 * NATS


def test_two_levels():
    family, prior = two_levels()
    assert gap_after_training(family, DIAGONAL, prior, vae.FirstLevel(2), steps=500) < NATS
