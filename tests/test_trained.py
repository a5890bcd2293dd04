"""A trained model speaks the user's units, is deterministic, and its numbers are those of the exact model."""

import dataclasses
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import reparam
from reparam.data.scaling import Scaling
from reparam.errors import DataError, RunError, UsageError
from reparam.training.feed import DeviceFeed
from reparam.vae import StandardNormal
from tests.conftest import TABLE, UNITS
from tests.runs.faults import snapshot
from tests.statistical.instruments import FALSE_ALARM, check_mean
from tests.training.small import TABLE as OTHER

OFFSET, SCALE = np.array([0.0, 100.0, -3.0, 1e5]), np.array([1.0, 10.0, 0.1, 1000.0])


@pytest.fixture(scope="module")
def exact(trained_table: reparam.TrainedVAE) -> reparam.TrainedVAE:
    """The linear-Gaussian model itself, for rows ``OFFSET + SCALE · u`` with ``u`` from ``TABLE``."""
    model = TABLE.exact_vae().float()
    model.prior = StandardNormal(2)
    scaling = Scaling(tuple(OFFSET), tuple(SCALE), (1e-3,) * 4)
    return dataclasses.replace(trained_table, model=model, scaling=scaling)


def to_user(u: torch.Tensor) -> pd.DataFrame:
    return pd.DataFrame(u.numpy() * SCALE + OFFSET, columns=list("abcd"))


# Against the exact model


def test_log_likelihood_is_the_exact_one_in_units_of_the_scaled_data(exact: reparam.TrainedVAE) -> None:
    u = TABLE.draw(50, seed=8)
    found = exact.log_likelihood(to_user(u), num_samples=7)
    assert found.shape == (50,)
    # At the exact posterior every importance weight is p(x): what is left is float32 rounding.
    np.testing.assert_allclose(found, TABLE.log_prob(u).numpy(), atol=2e-4, rtol=0)


def test_encodings_are_the_exact_posterior(exact: reparam.TrainedVAE) -> None:
    u = TABLE.draw(2500, seed=8)
    loc, scale = TABLE.posterior(u)
    encoding = exact.encode(to_user(u))
    np.testing.assert_allclose(encoding.loc, loc.numpy(), atol=1e-4)
    np.testing.assert_allclose(encoding.scale, scale.expand(2500, 2).numpy(), rtol=1e-5)


def test_reconstructions_are_the_decoded_posterior_means_in_user_units(exact: reparam.TrainedVAE) -> None:
    u = TABLE.draw(20, seed=8)
    expected = TABLE.posterior(u)[0] @ TABLE.W.T + TABLE.mean
    found = (exact.reconstruct(to_user(u)) - OFFSET) / SCALE
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("noisy", [None, True, False])
def test_samples_have_the_mean_and_covariance_of_the_data_in_user_units(
    exact: reparam.TrainedVAE, noisy: bool | None
) -> None:
    samples = exact.sample(20_000, seed=3, observation_noise=noisy)
    assert samples.shape == (20_000, 4)
    mean = OFFSET + SCALE * TABLE.mean.numpy()
    covariance = TABLE.W @ TABLE.W.T + (0 if noisy is False else TABLE.sigma**2) * torch.eye(4)
    centred = (samples - mean) / SCALE
    check_mean(centred, 0)
    check_mean(centred[:, :, None] * centred[:, None, :], covariance.numpy())


def test_variations_are_draws_from_the_posterior_of_each_row(exact: reparam.TrainedVAE) -> None:
    u = TABLE.draw(3, seed=8)
    drawn = exact.vary(to_user(u), 5000, seed=1, observation_noise=False)
    assert drawn.shape == (3, 5000, 4)
    posterior = torch.diag(TABLE.posterior(u)[1] ** 2)
    for row, reconstruction in zip(drawn, exact.reconstruct(to_user(u)), strict=True):
        centred = (row - reconstruction) / SCALE
        check_mean(centred, 0)
        check_mean(centred[:, :, None] * centred[:, None, :], (TABLE.W @ posterior @ TABLE.W.T).numpy())
    noisy = (exact.vary(to_user(u), 5000, seed=1) - exact.reconstruct(to_user(u))[:, None]) / SCALE
    expected = TABLE.W @ posterior @ TABLE.W.T + TABLE.sigma**2 * torch.eye(4)
    check_mean(noisy[0, :, :, None] * noisy[0, :, None, :], expected.numpy())


# As it was trained


def test_a_trained_table_is_near_its_data_in_every_unit(
    trained_table: reparam.TrainedVAE, table_rows: np.ndarray
) -> None:
    rows, samples = table_rows, trained_table.sample(4000, seed=0)
    # 400 steps do not reach the optimum: within a fifth of a standard deviation, beside the error of both means.
    error = stats.norm.isf(FALSE_ALARM / 8) * rows.std(0) * math.sqrt(1 / len(rows) + 1 / len(samples))
    assert (np.abs(samples.mean(0) - rows.mean(0)) < error + rows.std(0) / 5).all()
    assert np.log(samples.std(0) / rows.std(0)) == pytest.approx(np.zeros(4), abs=0.35)
    u = torch.from_numpy(rows / UNITS)
    exact = (TABLE.posterior(u)[0] @ TABLE.W.T + TABLE.mean).numpy() * UNITS

    def left_over(reconstructed: np.ndarray) -> float:
        return float(((rows - reconstructed).var(0) / rows.var(0)).mean())

    assert left_over(trained_table.reconstruct(trained_table.examples())) < left_over(exact) + 0.1 < 0.6


def test_evaluation_beats_what_no_latents_would_give(trained_table: reparam.TrainedVAE) -> None:
    numbers = trained_table.run.read_json("evaluation.json")
    independent = -4 * 0.5 * (1 + math.log(2 * math.pi))  # standardised columns, no dependence
    assert independent < min(numbers["elbo_nats"], numbers["log_likelihood_nats"])
    assert numbers["active_units"] == 2
    assert numbers["baseline"]["name"] == "full-covariance Gaussian"
    assert numbers["log_likelihood_nats"] == pytest.approx(numbers["baseline"]["log_likelihood_nats"], abs=0.5)
    assert numbers["bits_per_dim"] is None
    assert numbers["log_scale_nats"] == pytest.approx(sum(math.log(s) for s in trained_table.scaling.scale))
    assert numbers["protocol"] == {
        "split": "test", "num_examples": 30, "num_samples": 20, "precision": "float32", "binarize": "none", "seed": 0,
    }  # fmt: skip


def test_digits_come_out_as_pictures_of_their_levels(trained_digits: reparam.TrainedVAE) -> None:
    x = trained_digits.examples()
    values = trained_digits.reconstruct(x)
    assert values.shape == (1797, 1, 8, 8)
    assert values.min() >= 0
    assert values.max() <= 16
    assert values.mean() == pytest.approx(x.values.mean(), rel=0.2)
    assert trained_digits.vary(x.values[:3], 4).shape == (3, 4, 1, 8, 8)
    assert trained_digits.sample(2).shape == (2, 1, 8, 8)
    numbers = trained_digits.run.read_json("evaluation.json")
    assert numbers["bits_per_dim"] == pytest.approx(-numbers["log_likelihood_nats"] / (64 * math.log(2)))
    assert 0 < numbers["bits_per_dim"] < math.log2(17)


def test_everything_is_deterministic_and_draws_follow_their_seed(
    trained_table: reparam.TrainedVAE, table_rows: np.ndarray
) -> None:
    model, x = trained_table, pd.DataFrame(table_rows[:7], columns=list("abcd"))
    np.testing.assert_array_equal(model.encode(x).loc, model.encode(x).loc)
    np.testing.assert_array_equal(model.reconstruct(x), model.reconstruct(x))
    for draw in (
        lambda seed: model.sample(5, seed=seed),
        lambda seed: model.vary(x, 5, seed=seed),
        lambda seed: model.log_likelihood(x, num_samples=5, seed=seed),
    ):
        np.testing.assert_array_equal(draw(0), draw(0))
        assert not np.array_equal(draw(0), draw(1))
    state = torch.random.get_rng_state()
    model.sample(5)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_rows_do_not_depend_on_their_neighbours(trained_table: reparam.TrainedVAE, table_rows: np.ndarray) -> None:
    x = pd.DataFrame(np.tile(table_rows, (5, 1))[:1203], columns=list("abcd"))
    together = trained_table.encode(x)
    for index in (0, 999, 1000, 1202):
        alone = trained_table.encode(x.iloc[index : index + 1])
        assert alone.loc.shape == alone.scale.shape == (1, 2)
        np.testing.assert_allclose(alone.loc[0], together.loc[index], rtol=1e-4, atol=1e-5)
    assert trained_table.reconstruct(x.iloc[:1]).shape == (1, 4)
    assert trained_table.vary(x.iloc[:1], 3).shape == (1, 3, 4)
    assert trained_table.log_likelihood(x.iloc[:1], num_samples=3).shape == (1,)


def test_a_loaded_model_is_the_trained_one(trained_table: reparam.TrainedVAE) -> None:
    state = torch.random.get_rng_state()
    loaded = reparam.load(trained_table.run.path)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not loaded.model.training
    np.testing.assert_array_equal(loaded.sample(5), trained_table.sample(5))
    assert loaded.settings == trained_table.settings
    latest = reparam.load(trained_table.run.path, checkpoint="latest")
    stored = trained_table.run.load_checkpoint("latest").model
    assert all(torch.equal(value, stored[name]) for name, value in latest.model.state_dict().items())
    with pytest.raises(UsageError, match="checkpoint must be 'best' or 'latest', got 'newest'"):
        reparam.load(trained_table.run.path, checkpoint="newest")
    with pytest.raises(UsageError, match="device 'cuda:99' is not available here"):
        reparam.load(trained_table.run.path, device="cuda:99")


# Evaluation and report


def test_evaluating_again_writes_the_same_bytes(trained_table: reparam.TrainedVAE) -> None:
    before = snapshot(trained_table.run.path)
    numbers = trained_table.evaluate()
    assert numbers == trained_table.run.read_json("evaluation.json")
    assert trained_table.report() == trained_table.run.path / "report" / "index.html"
    assert snapshot(trained_table.run.path) == before


@pytest.fixture
def copied(trained_table: reparam.TrainedVAE, tmp_path: Path) -> reparam.TrainedVAE:
    """A copy that may be changed."""
    shutil.copytree(trained_table.run.path, tmp_path / "run")
    return reparam.load(tmp_path / "run")


def test_evaluation_follows_its_arguments(copied: reparam.TrainedVAE) -> None:
    first = copied.evaluate(num_samples=2)
    assert first["num_samples"] == first["protocol"]["num_samples"] == 2
    more, other = copied.evaluate(num_samples=200), copied.evaluate(num_samples=2, seed=1)
    assert first["effective_sample_size"] <= 2 < more["effective_sample_size"] <= 200
    assert other["log_likelihood_nats"] != first["log_likelihood_nats"]
    assert other["protocol"]["seed"] == 1


def test_a_report_without_an_evaluation_makes_one(copied: reparam.TrainedVAE) -> None:
    (copied.run.path / "evaluation.json").unlink()
    shutil.rmtree(copied.run.path / "report")
    assert copied.report().read_text().startswith("<!doctype html>")
    assert (copied.run.path / "evaluation.json").exists()


def test_other_data_has_no_test_rows_to_evaluate(copied: reparam.TrainedVAE, table_rows: np.ndarray) -> None:
    other = pd.DataFrame(table_rows + 1, columns=list("abcd"))
    before = snapshot(copied.run.path)
    for call in (copied.evaluate, copied.report):
        with pytest.raises(
            RunError, match=r"its content differs, so its test rows are unknown\. For other data use log_like"
        ):
            call(other)
    assert snapshot(copied.run.path) == before
    assert copied.log_likelihood(other, num_samples=2).shape == (300,)


def test_a_run_on_an_array_asks_for_it(tmp_path: Path) -> None:
    rows = OTHER.draw(30).numpy()
    trained = reparam.fit(
        rows, reparam.Settings(epochs=1, num_samples=2, width=4), out=tmp_path / "run", progress=False
    )
    with pytest.raises(UsageError, match="was trained on an array: say which data"):
        trained.evaluate()
    assert trained.evaluate(rows) == trained.run.read_json("evaluation.json")


# What is refused


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "3"])
def test_fewer_than_one_example_or_sample_is_refused(
    trained_table: reparam.TrainedVAE, table_rows: np.ndarray, number: Any
) -> None:
    x = pd.DataFrame(table_rows[:2], columns=list("abcd"))
    for name, call in (
        ("num_examples", lambda: trained_table.sample(number)),
        ("num_examples", lambda: trained_table.vary(x, number)),
        ("num_samples", lambda: trained_table.log_likelihood(x, num_samples=number)),
        ("num_samples", lambda: trained_table.evaluate(num_samples=number)),
    ):
        with pytest.raises(UsageError, match=rf"{name} must be a whole number >= 1; got {number!r}"):
            call()


@pytest.mark.parametrize(
    "columns", [["a", "b", "c"], ["a", "b", "d", "c"], ["a", "b", "c", "D"], ["a", "b", "c", "d", "e"]]
)
def test_other_columns_are_refused(trained_table: reparam.TrainedVAE, columns: list[str]) -> None:
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(5, len(columns))), columns=columns)
    with pytest.raises(
        DataError, match=r"not of the kind the model knows: expected rows of 4 columns, real values: a, b, c, d; got"
    ):
        trained_table.encode(x)


@pytest.mark.parametrize("shape", [(5, 9, 8), (5, 3, 8, 8), (5, 64)])
def test_other_shapes_are_refused(trained_digits: reparam.TrainedVAE, shape: tuple[int, ...]) -> None:
    with pytest.raises(
        DataError, match="not of the kind the model knows: expected images, 8 x 8, 1 channel, 17 levels; got"
    ):
        trained_digits.encode(np.arange(math.prod(shape)).reshape(shape) % 17)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (1 / 16, "from 0 to 16; got fractions from 0 to 1. Round them, or bring them to that range first"),
        (2, "from 0 to 16; got from 0 to 32"),
        (-1, "from 0 to 16; got from -16 to "),
    ],
)
def test_values_that_are_no_levels_of_the_model_are_refused(
    trained_digits: reparam.TrainedVAE, factor: float, message: str
) -> None:
    x = trained_digits.examples().values[:20].astype(np.float64)
    np.testing.assert_array_equal(trained_digits.encode(x).loc, trained_digits.encode(x.astype(np.uint8)).loc)
    for call in (trained_digits.encode, trained_digits.log_likelihood, trained_digits.reconstruct):
        with pytest.raises(DataError, match=message):
            call(x * factor)


def test_grey_images_are_scored_as_black_and_white_and_encoded_as_they_are(tmp_path: Path) -> None:
    settings = reparam.Settings(epochs=1, num_samples=2, width=4, binarize="dynamic")
    trained = reparam.fit("digits", settings, out=tmp_path / "run", progress=False)
    x = trained.examples().values[:50]
    drawn = DeviceFeed(torch.from_numpy(x), levels=17, binarize="static", seed=0, name="given").values.numpy() * 16
    assert set(np.unique(drawn)) == {0, 16}
    np.testing.assert_array_equal(
        trained.log_likelihood(x, num_samples=2), trained.log_likelihood(drawn, num_samples=2)
    )
    assert not np.allclose(trained.encode(x).loc, trained.encode(drawn).loc)
    assert trained.evaluate()["protocol"]["binarize"] == "dynamic"
    means = trained.reconstruct(x)
    assert 0 <= means.min() < means.max() <= 16
    assert set(np.unique(trained.sample(5, observation_noise=True))) == {0.0, 16.0}
