"""A run of each likelihood from data to samples, and library sizes on the way."""

from pathlib import Path

import numpy as np
import pytest
import torch

import reparam
from reparam import noise
from reparam.errors import DataError
from reparam.trained import TrainedVAE
from reparam.training.settings import LIKELIHOODS

RNG = np.random.default_rng(0)
TOTALS = RNG.integers(20, 400, size=(300, 1))
SHARES = RNG.dirichlet(np.array([1.0, 2.0, 5.0]), size=300)
COUNTS = RNG.poisson(TOTALS * SHARES).astype(float)
IMAGES = RNG.integers(0, 5, size=(60, 8, 8), dtype=np.uint8) * 60
DATA = {name: COUNTS for name in LIKELIHOODS if "poisson" in name or "binomial" in name} | {
    "continuous-bernoulli": SHARES,
    "gaussian": SHARES,
    "laplace": SHARES,
    "student-t": SHARES,
}
QUICK = {"epochs": 2, "num_samples": 5, "width": 8, "num_blocks": 1, "latent_dim": 2}


def fit(x: np.ndarray, out: Path, **settings) -> TrainedVAE:
    return reparam.fit(x, reparam.Settings(**QUICK | settings), out=out / "run", progress=False)


@pytest.mark.parametrize("likelihood", sorted(LIKELIHOODS))
def test_from_data_to_samples_and_back_from_the_directory(likelihood: str, tmp_path: Path) -> None:
    x = DATA.get(likelihood, IMAGES)
    model = fit(x, tmp_path, likelihood=likelihood)
    again = reparam.load(model.run.path)
    np.testing.assert_array_equal(model.sample(5, seed=1), again.sample(5, seed=1))
    np.testing.assert_array_equal(model.reconstruct(x[:4]), again.reconstruct(x[:4]))
    assert model.vary(x[:4], 3).shape[:2] == (4, 3)
    assert np.isfinite(model.log_likelihood(x[:4], num_samples=3)).all()
    numbers = model.run.read_json("evaluation.json")
    assert (numbers["bits_per_dim"] is None) == (likelihood in DATA or likelihood == "continuous-bernoulli")
    drawn = model.sample(50, seed=2, observation_noise=True)
    if x is COUNTS:
        assert numbers["baseline"] is None
        assert (drawn == drawn.round()).all()
        assert drawn.min() >= 0
    # Only standardised values have a density that changes with their units.
    assert (numbers["log_scale_nats"] is None) == (likelihood not in ("gaussian", "laplace", "student-t"))


def test_levels_may_come_as_floats_and_shares_may_not(tmp_path: Path) -> None:
    levels = fit(IMAGES, tmp_path / "levels", likelihood="continuous-bernoulli")
    np.testing.assert_array_equal(levels.encode(IMAGES[:3].astype(float)).loc, levels.encode(IMAGES[:3]).loc)
    shares = fit(SHARES, tmp_path / "shares", likelihood="continuous-bernoulli")
    with pytest.raises(DataError, match=r"continuous-bernoulli, needs values between 0 and 1; row 0, column 'x0'"):
        shares.encode(SHARES[:3] + 1)


@pytest.fixture(scope="module")
def exposed(tmp_path_factory) -> TrainedVAE:
    return fit(COUNTS, tmp_path_factory.mktemp("exposed"), likelihood="poisson", library_size=True)


def test_a_reconstruction_has_the_total_of_its_row(exposed: TrainedVAE) -> None:
    rows = np.vstack([COUNTS[:5], 10 * COUNTS[:5], np.zeros((1, 3))])
    expected = np.maximum(rows.sum(1), 1)
    np.testing.assert_allclose(exposed.reconstruct(rows).sum(1), expected, rtol=1e-4)
    each = exposed.vary(rows, 2, observation_noise=False)
    np.testing.assert_allclose(each.sum(2), np.stack([expected, expected], 1), rtol=1e-4)


def test_the_likelihood_of_a_row_is_given_its_total(exposed: TrainedVAE) -> None:
    """Against Poisson laws by hand, at the latent that is drawn."""
    x = torch.from_numpy(COUNTS[:1]).float()
    given = exposed.model.given(reparam.planning.condition_of(_rows(x)))
    with torch.no_grad():
        z = given.encoder(x).sample(generator=noise.generator(0))
        family = exposed.model.decoder.family
        outputs = exposed.model.decoder.network(z)
        bounded = reparam.vae.soft_bound(outputs, *family.log_mean_bounds)
        rate = x.sum() * torch.softmax(bounded + family.offset, 1)
        by_hand = torch.distributions.Poisson(rate).log_prob(x).sum()
        torch.testing.assert_close(given.decoder(z).log_prob(x)[0], by_hand)


def _rows(x: torch.Tensor) -> reparam.training.protocols.Rows:
    return reparam.training.protocols.Rows(x, exposure=x.sum(1))


def test_more_rows_than_a_batch_have_their_own_totals(exposed: TrainedVAE) -> None:
    rows = np.repeat(COUNTS, 8, axis=0)[:2345]
    np.testing.assert_allclose(exposed.reconstruct(rows).sum(1), np.maximum(rows.sum(1), 1), rtol=1e-4)
    one_by_one = [exposed.log_likelihood(rows[start : start + 1], num_samples=1) for start in (0, 1500, 2344)]
    assert np.isfinite(one_by_one).all()
    assert exposed.vary(rows, 1).shape == (2345, 1, 3)


def test_rows_that_are_scored_in_parts_keep_their_totals(exposed: TrainedVAE) -> None:
    """At 4,000 draws a row, two rows make a part; the wrong total would cost many nats."""
    rows = COUNTS[np.argsort(COUNTS.sum(1))[[0, -1, 5, -6, 10]]]
    together = exposed.log_likelihood(rows, num_samples=4000)
    alone = [exposed.log_likelihood(row[None], num_samples=4000)[0] for row in rows]
    np.testing.assert_allclose(together, alone, atol=2.0)


def test_new_rows_have_totals_like_those_of_training(exposed: TrainedVAE) -> None:
    means = exposed.sample(3000, seed=3, observation_noise=False).sum(1)
    seen = COUNTS.sum(1)
    assert means.min() >= seen.min()
    assert means.max() <= seen.max() * (1 + 1e-5)
    for level in (0.1, 0.5, 0.9):
        # 3,000 draws of a law fitted to 240 rows: the larger error is √(level·(1 - level)/240), in ranks.
        rank = (seen <= np.quantile(means, level)).mean()
        assert abs(rank - level) < 5 * np.sqrt(level * (1 - level) / 240)
    np.testing.assert_array_equal(exposed.sample(4, seed=9), exposed.sample(4, seed=9))


def test_the_collapse_check_of_counts_looks_at_their_logarithms(tmp_path: Path) -> None:
    """A few huge counts would be all of a covariance, and hide that columns go together, or pretend that they do."""
    rng = np.random.default_rng(1)
    apart = rng.negative_binomial(0.3, 0.01, size=(800, 6)).astype(float)
    together = rng.poisson(np.exp(1 + rng.normal(size=(800, 1)))).astype(float) * np.ones((1, 6))
    together = rng.poisson(together).astype(float)
    checks = [
        fit(x, tmp_path / str(number), likelihood="negative-binomial").run.description["precheck"]
        for number, x in enumerate((apart, together))
    ]
    assert checks[0]["largest_ratio"] < 1.5
    assert checks[1]["largest_ratio"] > 3
