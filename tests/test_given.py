"""Regression and class-conditional generation from end to end: against an exact law, and against real digits."""

import dataclasses
import math
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch import nn

import reparam
from reparam import noise, pipeline, vae
from reparam.data.conditions import ConditionSchema
from reparam.errors import DataError, Interrupted, UsageError
from tests.runs.faults import snapshot
from tests.statistical.instruments import FALSE_ALARM, check_mean
from tests.training.small import SignalAfter

# y | c ~ N(SLOPE c + OFFSET, w wᵀ + diag(s²)): a linear regression whose residuals go together.
SLOPE = np.array([[0.15, -1.0], [0.5, 40.0], [0.0, -2.0]])
OFFSET, SHARED, OWN = np.array([5.0, -100.0, 0.3]), np.array([1.0, -20.0, 0.5]), np.array([0.8, 10.0, 0.4])
COVARIANCE = np.outer(SHARED, SHARED) + np.diag(OWN**2)
NUM_ROWS = 10_000
NUM_PARAMETERS = 3 * 2 + 3 + 3 + 3  # slope, offset, shared direction, own scales
# 2N times the divergence of the model of highest likelihood from the truth follows χ² with as many degrees of freedom
# (Wilks 1938); N is the number of training rows.
MOST_DIVERGENCE = stats.chi2.isf(FALSE_ALARM, NUM_PARAMETERS) / (2 * 0.8 * NUM_ROWS)


def draw(num_rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    c = np.stack([rng.normal(40, 10, num_rows), rng.uniform(-1, 1, num_rows)], axis=1)
    y = c @ SLOPE.T + OFFSET + rng.multivariate_normal(np.zeros(3), COVARIANCE, num_rows)
    return pd.DataFrame(np.hstack([y, c]), columns=["y0", "y1", "y2", "age", "level"])


def exact(frame: pd.DataFrame) -> np.ndarray:
    """``log p(y | c)`` of each row, in nats."""
    centred = frame[["y0", "y1", "y2"]] - (frame[["age", "level"]].to_numpy() @ SLOPE.T + OFFSET)
    return stats.multivariate_normal(np.zeros(3), COVARIANCE).logpdf(centred)


def linear_model() -> vae.VAE:
    """A linear-Gaussian VAE that holds the truth: three values, two features, one latent dimension."""
    with torch.random.fork_rng():
        noise.seed_global(0, "linear")
        return vae.VAE(
            vae.Conditional(nn.Linear(3 + 2, 2), vae.DiagonalNormal()),
            vae.Conditional(nn.Linear(1 + 2, 3), vae.Gaussian((3,))),
            vae.StandardNormal(1),
        )


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> reparam.TrainedVAE:
    settings = reparam.Settings(
        epochs=12, batch_size=128, learning_rate=0.02, num_samples=50, condition=("age", "level"), patience=99
    )
    out = tmp_path_factory.mktemp("regression") / "run"
    return reparam.fit(draw(NUM_ROWS, seed=1), settings, out=out, model=linear_model(), progress=False)


def lost_nats(model: reparam.TrainedVAE, frame: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """How far the model's ``log p(y | c)`` of each row lies below the exact one of the true rows."""
    shift = model.scaling.log_scale_nats(model.schema)
    return exact(truth) - (model.log_likelihood(frame, num_samples=200) - shift)


def test_the_log_likelihood_is_that_of_the_exact_regression(regression: reparam.TrainedVAE) -> None:
    fresh = draw(4000, seed=2)
    lost = lost_nats(regression, fresh, fresh)
    error = stats.norm.isf(FALSE_ALARM) * lost.std() / math.sqrt(len(lost))
    assert -error < lost.mean() < MOST_DIVERGENCE + error
    assert MOST_DIVERGENCE + error < 0.01  # what is given is worth 1.5 nats
    assert regression.encode(fresh).loc.shape == (4000, 1)
    shuffled = fresh.assign(age=np.roll(fresh["age"], 1), level=np.roll(fresh["level"], 1))
    assert lost_nats(regression, shuffled, fresh).mean() > 1


def test_evaluation_says_what_was_given_and_compares_with_a_linear_regression(regression: reparam.TrainedVAE) -> None:
    numbers = regression.run.read_json("evaluation.json")
    assert numbers["protocol"]["given"] == ["age", "level"]
    assert numbers["baseline"]["name"] == "linear Gaussian regression"
    # Both hold the truth, so they differ by less than two divergences and an ELBO's error of 50 samples.
    assert numbers["log_likelihood_nats"] == pytest.approx(numbers["baseline"]["log_likelihood_nats"], abs=0.02)
    assert numbers["active_units"] == 1
    assert "given: age, level" in regression.run.description["notes"]


def coverage(model: reparam.TrainedVAE, frame: pd.DataFrame) -> np.ndarray:
    """In what share of rows the true value lies between the 10 % and the 90 % quantile of 99 draws, for each column."""
    draws = model.sample(99, given=frame, seed=3)
    assert draws.shape == (len(frame), 99, 3)
    rank = (draws < frame[["y0", "y1", "y2"]].to_numpy()[:, None]).sum(1)
    return ((rank >= 10) & (rank < 90)).mean(0)  # 80 of 100 ranks


def test_quantiles_of_draws_cover_as_they_should(regression: reparam.TrainedVAE) -> None:
    fresh = draw(2000, seed=4)
    # Binomial error, and as much as laws at this divergence may differ on any event (Pinsker).
    allowed = stats.norm.isf(FALSE_ALARM / 6) * math.sqrt(0.8 * 0.2 / 2000) + math.sqrt(MOST_DIVERGENCE / 2)
    assert (np.abs(coverage(regression, fresh) - 0.8) < allowed).all()
    with torch.no_grad():
        wide = dataclasses.replace(regression, model=linear_model())
        wide.model.load_state_dict(regression.model.state_dict())
        wide.model.decoder.family.log_scale += math.log(2)
    assert (np.abs(coverage(wide, fresh) - 0.8) > allowed).any()


def test_draws_have_the_moments_of_the_law_at_the_given_row(regression: reparam.TrainedVAE) -> None:
    at = {"age": [30.0, 50.0], "level": [-0.5, 0.7]}
    draws = regression.sample(20_000, given=at, seed=5)
    expected = np.stack([at["age"], at["level"]], axis=1) @ SLOPE.T + OFFSET
    spread = np.sqrt(np.diag(COVARIANCE))
    # The error of a fitted mean, at an extreme of the features, is a few times spread/√N; that of draws is 1/141.
    assert (np.abs(draws.mean(1) - expected) < 5 * spread * (4 / math.sqrt(0.8 * NUM_ROWS) + 1 / 141)).all()
    assert np.log(draws.std(1) / spread) == pytest.approx(np.zeros((2, 3)), abs=5 * (0.005 + 1 / math.sqrt(NUM_ROWS)))
    one = regression.sample(3, given={"age": 30.0, "level": -0.5}, seed=5)
    assert one.shape == (3, 3)
    np.testing.assert_array_equal(one, regression.sample(3, given={"age": [30.0], "level": [-0.5]}, seed=5)[0])


def test_rows_may_come_in_any_form_and_with_other_columns(regression: reparam.TrainedVAE, tmp_path: Path) -> None:
    frame = draw(5, seed=6)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    expected = regression.sample(4, given={name: frame[name] for name in ("age", "level")}, seed=1)
    for given in (frame, frame[["level", "age"]], frame[["age", "level"]].to_numpy(), tmp_path / "rows.csv"):
        np.testing.assert_allclose(regression.sample(4, given=given, seed=1), expected, rtol=1e-6)


def test_without_a_word_conditions_come_as_in_the_training_rows(regression: reparam.TrainedVAE) -> None:
    given, values = regression.draw_given(4000, seed=7), regression.sample(4000, seed=7)
    # A thousand rows stand for all, evenly spaced: means within 5 standard errors of 1000 rows.
    assert given["age"].mean() == pytest.approx(40, abs=5 * 10 / math.sqrt(1000))
    centred = values - (np.stack([given["age"], given["level"]], axis=1) @ SLOPE.T + OFFSET)
    allowed = 5 * np.sqrt(np.diag(COVARIANCE)) * (1 / math.sqrt(4000) + 2 / math.sqrt(NUM_ROWS))
    assert (np.abs(centred.mean(0)) < allowed).all()
    assert (np.abs(centred.std(0) - np.sqrt(np.diag(COVARIANCE))) < allowed).all()


def test_variations_keep_what_is_given_of_their_row(regression: reparam.TrainedVAE) -> None:
    frame = draw(6, seed=8)
    varied = regression.vary(frame, 4000, seed=1, observation_noise=False)
    law = regression.encode(frame)
    again = regression.reconstruct(frame)
    check_mean((varied - again[:, None]).transpose(1, 0, 2), 0)
    assert law.scale.min() > 0


# Digits of a class


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> reparam.TrainedVAE:
    settings = reparam.Settings(epochs=8, width=8, num_samples=3, latent_dim=4, condition=("label",))
    return reparam.fit("digits", settings, out=tmp_path_factory.mktemp("digits") / "run", progress=False)


@pytest.fixture(scope="module")
def classifier(digits: reparam.TrainedVAE) -> LogisticRegression:
    examples = digits.examples()
    return LogisticRegression(max_iter=300).fit(examples.values.reshape(-1, 64) / 16, examples.labels)


def share_of_right_classes(classifier: LogisticRegression, samples: np.ndarray) -> float:
    found = classifier.predict(samples.reshape(-1, 64) / 16).reshape(samples.shape[:2])
    return float((found == np.arange(10)[:, None]).mean())


def test_samples_of_a_class_are_taken_for_that_class(
    digits: reparam.TrainedVAE, classifier: LogisticRegression
) -> None:
    samples = digits.sample(30, given={"label": range(10)}, seed=0)
    # A model deaf to its labels is right once in ten: beyond this share once in a million.
    chance = stats.binom.isf(FALSE_ALARM, 300, 0.1) / 300
    assert chance < 0.2
    assert share_of_right_classes(classifier, samples) > 0.8 > chance
    wrong = digits.sample(30, given={"label": np.roll(np.arange(10), 1)}, seed=0)
    assert share_of_right_classes(classifier, wrong) < chance


def test_labels_that_were_not_said_come_as_often_as_in_the_data(digits: reparam.TrainedVAE) -> None:
    condition = digits.condition
    assert condition is not None
    assert sum(condition.counts) == digits.run.description["data"]["num_train"]
    labels = digits.draw_given(20_000, seed=3)["label"]
    share = np.array(condition.counts) / sum(condition.counts)
    assert np.bincount(labels) / 20_000 == pytest.approx(share, abs=5 * 0.3 / math.sqrt(20_000))
    assert digits.sample(7, seed=0).shape == (7, 1, 8, 8)


def test_the_report_has_a_row_of_samples_for_each_class(digits: reparam.TrainedVAE) -> None:
    tensors, metadata = digits.run.read_tensors("gallery.safetensors")
    assert len(tensors["samples"]) == 100
    assert metadata["sample_classes"] == str([str(digit) for digit in range(10)]).replace("'", '"')
    expected = digits.sample(10, given={"label": list(range(10))}, seed=0)
    np.testing.assert_allclose(tensors["samples"].numpy().reshape(10, 10, 1, 8, 8), expected, rtol=1e-6)
    page = (digits.run.path / "report" / "index.html").read_text()
    for words in ("Samples of each class", "given: label", "which the model is given"):
        assert words in page
    assert "never saw the labels" not in page


def test_a_loaded_model_knows_what_it_is_given(digits: reparam.TrainedVAE) -> None:
    loaded = reparam.load(digits.run.path)
    assert loaded.condition == digits.condition
    assert loaded.condition == ConditionSchema.from_json(digits.run.description["condition"])
    np.testing.assert_array_equal(loaded.sample(2, given={"label": 3}), digits.sample(2, given={"label": 3}))
    examples = digits.examples()
    both = {"x": examples.values[:5, 0], "y": examples.labels[:5]}
    np.testing.assert_array_equal(loaded.encode(both).loc, loaded.encode(examples.take(np.arange(5))).loc)
    other = loaded.encode(both | {"y": (examples.labels[:5] + 1) % 10})
    assert not np.allclose(other.loc, loaded.encode(both).loc)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"label": 11}, DataError, r"condition 'label': '11' is none of the 10 classes of the training rows; did you"),
        ({"label": 0.5}, DataError, r"a label is a whole number or a text"),
        ({"lable": 1}, UsageError, r"'lable' is nothing this model is given; did you mean 'label'\?"),
        ({}, UsageError, r"'label' is missing; the model is given label \(10 classes\)"),
        (3, UsageError, r"expected a table"),
    ],
)
def test_what_cannot_be_given_is_refused(
    digits: reparam.TrainedVAE, given: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        digits.sample(2, given=given)


def test_data_without_its_condition_is_refused(digits: reparam.TrainedVAE, regression: reparam.TrainedVAE) -> None:
    images = digits.examples().values[:5, 0]
    for use in (digits.encode, digits.reconstruct, digits.log_likelihood):
        with pytest.raises(DataError, match="this data has no labels"):
            use(images)
    with pytest.raises(DataError, match="'12' is none of the 10 classes"):
        digits.encode({"x": images, "y": [1, 2, 3, 4, 12]})
    with pytest.raises(DataError, match="no column 'level'"):
        regression.encode(draw(3, seed=1).drop(columns="level"))


def test_a_model_that_is_given_nothing_says_so(trained_digits: reparam.TrainedVAE) -> None:
    assert trained_digits.draw_given(3) == {}
    with pytest.raises(UsageError, match="trained with nothing given: leave given out"):
        trained_digits.sample(3, given={"label": 1})


def test_a_class_that_no_training_row_has_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    frame = draw(100, seed=1).assign(kind=["once", *["a", "b", "c"] * 33])
    seed = next(seed for seed in range(99) if 0 in pipeline.make_plan(
        reparam.data.read(frame.drop(columns="kind")), reparam.Settings(seed=seed)).split.test)  # fmt: skip
    with pytest.raises(DataError, match=r"'once' is none of the 3 classes .* Classes as rare as that may fall outside"):
        reparam.fit(frame, reparam.Settings(condition=("kind",), seed=seed), out=tmp_path / "run", progress=False)
    assert snapshot(tmp_path) == {}


def test_networks_that_were_not_made_for_what_is_given_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    model = linear_model()
    model.decoder.network = nn.Linear(1, 3)
    settings = reparam.Settings(condition=("age", "level"))
    with pytest.raises(
        UsageError, match=r"its networks see 2 more inputs, appended along dimension 1 of examples \[3\]"
    ):
        reparam.fit(draw(50, seed=1), settings, out=tmp_path / "run", model=model, progress=False)
    assert snapshot(tmp_path) == {}


# Resuming

QUICK = reparam.Settings(
    epochs=4, batch_size=20, evaluate_every=3, num_samples=5, width=8, condition=("sex", "age"), learning_rate=0.01
)


def test_a_run_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = draw(100, seed=3).assign(sex=["f", "m"] * 50)
    table.to_csv(tmp_path / "rows.csv", index=False)
    straight = reparam.fit(tmp_path / "rows.csv", QUICK, out=tmp_path / "a" / "run", progress=False)
    assert straight.condition is not None
    assert straight.condition.num_features == 3
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "SilentWatcher", lambda: SignalAfter(7, signal.SIGTERM))
        with pytest.raises(Interrupted):
            reparam.fit(tmp_path / "rows.csv", QUICK, out=tmp_path / "b" / "run", progress=False)
    table.assign(sex=["m", "f"] * 50).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(reparam.errors.RunError, match="its content differs"):
        reparam.resume(tmp_path / "b" / "run", tmp_path / "other.csv", progress=False)
    reparam.resume(tmp_path / "b" / "run", progress=False)
    assert snapshot(tmp_path / "b" / "run") == snapshot(tmp_path / "a" / "run")
