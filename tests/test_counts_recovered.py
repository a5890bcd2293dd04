"""Over-dispersed counts of a known model are learned back, through the public way, to within what the data can tell."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import optimize, special, stats

import reparam
from reparam.planning import split_examples
from reparam.trained import TrainedVAE
from tests.statistical.instruments import FALSE_ALARM

# Evaluated once, at the end: the weights that are kept are the last ones, not the luckiest on the validation rows.
QUICK = {"latent_dim": 1, "batch_size": 500, "num_blocks": 1, "learning_rate": 1e-2, "average_decay": 0.99}
QUICK |= {"num_samples": 20, "epochs": 60}

MEANS, DISPERSIONS = np.array([0.5, 2.0, 6.0, 15.0, 40.0]), np.array([0.6, 1.2, 2.5, 5.0, 3.0])


def draw(means: np.ndarray, r: np.ndarray, seed: int) -> np.ndarray:
    """Counts ``[N, D]`` of mean ``[N, D]`` and inverse dispersion ``[D]``."""
    return np.random.default_rng(seed).negative_binomial(r, r / (r + means)).astype(float)


def train(x: np.ndarray, likelihood: str, out: Path, **more) -> TrainedVAE:
    return reparam.fit(x, reparam.Settings(likelihood=likelihood, **QUICK | more), out=out, progress=False)


def log_likelihood(parameters: np.ndarray, x: np.ndarray) -> float:
    """Of one column, by log-mean and log r."""
    mean, r = np.exp(parameters)
    return float(stats.nbinom.logpmf(x, r, r / (r + mean)).sum())


def maximum_likelihood(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-mean and log r of one column, and their standard errors: the inverse of the observed Fisher information."""
    start = np.array([np.log(x.mean()), 0.0])
    found = optimize.minimize(
        lambda at: -log_likelihood(at, x) / len(x), start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}
    ).x
    steps = 1e-3 * np.eye(2)
    information = [
        [
            -sum(sign * log_likelihood(found + a * one + b * other, x) for a, b, sign in FOUR_CORNERS) / (4 * 1e-6)
            for other in steps
        ]
        for one in steps
    ]
    return found, np.sqrt(np.diag(np.linalg.inv(information)))


FOUR_CORNERS = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))


def test_the_standard_errors_are_those_of_repeated_experiments() -> None:
    """The instrument, before it is used: z-scores of maximum likelihood have variance 1."""
    scores = []
    for seed in range(60):
        found, errors = maximum_likelihood(draw(np.full((1000, 1), 5.0), np.array([1.5]), seed)[:, 0])
        scores.append((found - np.log([5.0, 1.5])) / errors)
    squares = np.square(scores).sum(0)
    low, high = stats.chi2(60).ppf([FALSE_ALARM / 4, 1 - FALSE_ALARM / 4])
    assert ((low < squares) & (squares < high)).all()


def test_mean_and_dispersion_of_every_column_lie_within_their_confidence_intervals(tmp_path: Path) -> None:
    x = draw(np.broadcast_to(MEANS, (5000, 5)), DISPERSIONS, seed=1)
    model = train(x, "negative-binomial", tmp_path / "run", width=8, evaluate_every=480)
    decoder = model.model.decoder
    with torch.no_grad():
        z = model.model.prior().sample((2000,), generator=reparam.noise.generator(0))
        means, r = decoder(z).mean.mean(0).numpy(), decoder.family.inverse_dispersion().numpy()
    rows = split_examples(model.examples(x), model.settings).train
    quantile = stats.norm.isf(FALSE_ALARM / (2 * 2 * 5))
    for column in range(5):
        best, errors = maximum_likelihood(x[rows, column])
        learned, truth = np.log([means[column], r[column]]), np.log([MEANS[column], DISPERSIONS[column]])
        assert (np.abs(learned - truth) < quantile * errors).all()
        # Of what the data can tell, hardly anything is lost on the way: half a standard error.
        assert (np.abs(learned - best) < 0.5 * errors).all()


def factor_log_likelihood(x: np.ndarray) -> np.ndarray:
    """``log p(x)`` of the true factor model, ``[N]``, by quadrature over its latent."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    means = np.exp(OFFSETS + nodes[:, None] * LOADINGS)
    each = stats.nbinom.logpmf(x[:, None], FACTOR_R, FACTOR_R / (FACTOR_R + means)).sum(-1)
    return special.logsumexp(each + np.log(weights / weights.sum()), axis=1)


OFFSETS, LOADINGS = np.log([0.7, 2.0, 5.0, 10.0, 20.0, 40.0]), np.array([0.9, -0.7, 0.6, 0.8, -0.5, 0.7])
FACTOR_R = np.array([1.0, 2.0, 3.0, 5.0, 4.0, 8.0])


@pytest.fixture(scope="module")
def factor_rows() -> np.ndarray:
    z = np.random.default_rng(5).normal(size=(6000, 1))
    return draw(np.exp(OFFSETS + z * LOADINGS), FACTOR_R, seed=6)


def lost(x: np.ndarray, likelihood: str, out: Path) -> tuple[float, float]:
    """Nats a held-out row that the trained model is below the truth, and the standard error of it."""
    model = train(x, likelihood, out, width=16)
    held_out = x[split_examples(model.examples(x), model.settings).test]
    gap = factor_log_likelihood(held_out) - model.log_likelihood(held_out, num_samples=200)
    return float(gap.mean()), float(gap.std() / np.sqrt(len(gap)))


def test_a_factor_model_of_counts_is_learned_to_the_nats_of_the_truth(factor_rows, tmp_path: Path) -> None:
    gap, error = lost(factor_rows, "negative-binomial", tmp_path / "run")
    # 18 parameters of the true model, estimated from 4,800 rows, cost 18 / (2·4800) = 0.002 nats at best; the networks
    # have more of them. The true model itself is 17.6 nats.
    assert -stats.norm.isf(FALSE_ALARM) * error < gap < 0.05 + stats.norm.isf(FALSE_ALARM) * error
    assert error < 0.01


def test_poisson_is_nats_worse_on_the_same_rows(factor_rows, tmp_path: Path) -> None:
    gap, error = lost(factor_rows, "poisson", tmp_path / "run")
    assert gap - stats.norm.isf(FALSE_ALARM) * error > 1.0
