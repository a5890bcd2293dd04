"""Measured from end to end: which keys, by which protocol, the same bytes each time, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reparam
from reparam import measuring
from reparam.errors import UsageError
from reparam.evaluation.measures import MEASURES

BINARY = {"likelihood": "bernoulli", "binarize": "dynamic"}
MADE_OF = {"grey": {}, "coins": {"posterior": "bernoulli"}, "given": {"condition": ("label",)} | BINARY}


@pytest.fixture(scope="module", autouse=True)
def _short_chains() -> Any:
    """Short chains, so that the tests are quick; each says in its protocol how short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reparam.evaluation.measures.NUM_STEPS", 3)
        patch.setattr("reparam.evaluation.measures.NUM_CHAINS", 2)
        yield


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, reparam.TrainedVAE]:
    """Small models of the digits, with everything measured."""
    folder = tmp_path_factory.mktemp("measured")
    found = {}
    for name, changes in MADE_OF.items():
        settings = reparam.Settings(epochs=1, width=4, latent_dim=3, num_samples=3, **changes)  # type: ignore[arg-type]
        found[name] = reparam.fit("digits", settings, out=folder / name, progress=False)
        found[name].evaluate(measures="all")
    return found


def numbers_of(trained: reparam.TrainedVAE) -> dict[str, Any]:
    return trained.run.read_json("evaluation.json")


@pytest.fixture
def table(trained_table: reparam.TrainedVAE, tmp_path: Path) -> reparam.TrainedVAE:
    shutil.copytree(trained_table.run.path, tmp_path / "run")
    return reparam.load(tmp_path / "run")


@pytest.mark.parametrize("name", MADE_OF)
def test_everything_asked_for_is_there_and_says_how(measured: dict[str, reparam.TrainedVAE], name: str) -> None:
    numbers = numbers_of(measured[name])
    given = {"given": ["label"]} if name == "given" else {}
    binarize = "dynamic" if name == "given" else "none"
    for key in ("aggregate", *MEASURES):
        if name == "coins" and key == "annealing":
            assert "a law on Boolean" in numbers[key]["left_out"]
            continue
        protocol = numbers[key]["protocol"]
        # What is measured on encodings shows grey values to the encoder as they are.
        drawn = "none" if key in ("probes", "disentanglement") else binarize
        expected = {"split": "test", "seed": 0, "binarize": drawn, **given}
        assert {name: protocol.get(name) for name in expected} == expected
        assert protocol["num_rows"] == (64 if key == "annealing" else 180)
    assert numbers["samples"]["protocol"]["num_reference"] == numbers["samples"]["protocol"]["num_samples"] == 180
    assert "1,257 other training rows" in numbers["samples"]["protocol"]["feature_space"]
    assert numbers["probes"]["protocol"]["learned_from"] == "1,437 training rows"
    assert numbers["disentanglement"]["protocol"]["factors"] == ["label"]
    assert numbers["disentanglement"]["dci"] is None


@pytest.mark.parametrize("name", MADE_OF)
def test_measuring_again_writes_the_same_bytes(measured: dict[str, reparam.TrainedVAE], name: str) -> None:
    path = measured[name].run.path / "evaluation.json"
    before = path.read_bytes()
    assert reparam.load(path.parent).evaluate(measures="all") == json.loads(before)
    assert path.read_bytes() == before


def test_draws_follow_the_seed_and_their_number(measured: dict[str, reparam.TrainedVAE], tmp_path: Path) -> None:
    shutil.copytree(measured["grey"].run.path, tmp_path / "run")
    trained, before = reparam.load(tmp_path / "run"), numbers_of(measured["grey"])
    other = trained.evaluate(measures=["samples", "annealing"], seed=1, num_samples=7)
    assert other["annealing"]["protocol"]["num_samples"] == 7
    assert other["samples"]["neighbours"] != before["samples"]["neighbours"]
    assert other["annealing"]["annealed_nats"] != before["annealing"]["annealed_nats"]
    assert other["aggregate"]["rate_nats"] != before["aggregate"]["rate_nats"]
    assert not {"probes", "disentanglement"} & set(other)
    assert other["samples"]["protocol"]["seed"] == 1


def test_without_a_word_only_the_gap_is_measured_besides(trained_digits: reparam.TrainedVAE) -> None:
    numbers = numbers_of(trained_digits)
    assert "aggregate" in numbers
    assert not set(MEASURES) & set(numbers)
    gap = numbers["aggregate"]
    assert gap["rate_nats"] == pytest.approx(gap["information_nats"] + gap["gap_nats"])
    error = 6 * gap["rate_standard_error_nats"]
    assert gap["rate_nats"] == pytest.approx(numbers["rate_nats"], abs=error)


def test_binary_samples_are_held_against_binary_rows(
    measured: dict[str, reparam.TrainedVAE], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []

    def spied(model: Any, *parts: Any, seed: int) -> dict[str, Any]:
        seen.extend(parts)
        return {"left_out": "seen enough"}

    monkeypatch.setattr(measuring.taken, "measure_samples", spied)
    shutil.copytree(measured["given"].run.path, tmp_path / "run")
    trained = reparam.load(tmp_path / "run")
    trained.evaluate(measures="samples")
    test, second, others = seen
    assert all(set(part.x.unique().tolist()) == {0.0, 1.0} for part in seen)
    assert [len(part) for part in seen] == [180, 180, 1257]
    examples, split = trained._own_data(None)
    assert test.condition.features.argmax(1).tolist() == examples.labels[split.test].tolist()
    assert len(np.unique(np.concatenate([part.x.flatten(1) for part in (second, others)]), axis=0)) > 1400


def test_active_coins_are_counted_by_their_share_of_the_prior(measured: dict[str, reparam.TrainedVAE]) -> None:
    numbers = numbers_of(measured["coins"])
    loc = measured["coins"].encode(measured["coins"].examples().take(measured["coins"]._own_data(None)[1].test)).loc
    np.testing.assert_allclose(numbers["activity"], loc.var(0) / 0.25, rtol=1e-3)
    assert numbers["active_units"] == sum(share > 0.01 for share in numbers["activity"])


# Factors


def test_factors_may_be_columns_that_the_model_does_not_have(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    side, place = rng.integers(0, 2, 200), rng.integers(0, 3, 200)
    frame = pd.DataFrame({f"x{i}": rng.normal(size=200) + side * (i == 0) + place * (i == 1) for i in range(4)})
    frame["side"], frame["place"], frame["age"] = np.array(["left", "right"])[side], place, rng.normal(size=200)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    settings = reparam.Settings(
        epochs=1, width=4, latent_dim=2, num_samples=2, columns=("x0", "x1", "x2", "x3"), label="side"
    )
    trained = reparam.fit(tmp_path / "rows.csv", settings, out=tmp_path / "run", progress=False)
    for x in (None, frame):
        found = trained.evaluate(x, measures="disentanglement", factors=["side", "place"])["disentanglement"]
        assert found["protocol"]["factors"] == ["side", "place"]
        assert 0 <= found["dci"]["informativeness"] <= 1
    found = trained.evaluate(measures="disentanglement", factors=["age"])["disentanglement"]
    assert found["left_out"] == "factor 'age' has 160 levels, more than 100: factors must be discrete"
    with pytest.raises(UsageError, match=r"factors: .*plase.*did you mean 'place'"):
        trained.evaluate(measures="disentanglement", factors=["plase"])


def test_measures_that_the_data_is_not_for_say_why(table: reparam.TrainedVAE) -> None:
    numbers = table.evaluate(measures="all")
    assert numbers["probes"] == {"left_out": "there are no labels to be told"}
    assert numbers["disentanglement"] == {"left_out": "there are no labels, and no factors were named"}
    assert numbers["samples"]["protocol"]["num_rows"] == 30


# What is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"measures": "probe"}, "measures: there is no 'probe'; did you mean 'probes'"),
        ({"measures": ["samples", "everything"]}, "there is no 'everything'; known are: all, annealing"),
        ({"precision": "float16"}, "precision must be one of float32, bfloat16; got 'float16'"),
        ({"factors": ["a"]}, "factors are for the measure disentanglement: ask for it too"),
        ({"measures": "all", "factors": ["e"]}, "factors: .*'e'"),
    ],
)
def test_what_there_is_not_is_refused_before_anything_is_measured(
    table: reparam.TrainedVAE, arguments: dict[str, Any], message: str
) -> None:
    before = (table.run.path / "evaluation.json").read_bytes()
    with pytest.raises(UsageError, match=message):
        table.evaluate(**arguments)
    assert (table.run.path / "evaluation.json").read_bytes() == before


def test_bfloat16_is_said_and_close(measured: dict[str, reparam.TrainedVAE], tmp_path: Path) -> None:
    shutil.copytree(measured["grey"].run.path, tmp_path / "run")
    trained = reparam.load(tmp_path / "run")
    half = trained.evaluate(precision="bfloat16")
    assert half["protocol"]["precision"] == "bfloat16"
    full = trained.evaluate()
    assert half["log_likelihood_nats"] == pytest.approx(full["log_likelihood_nats"], abs=0.5)
    assert half["log_likelihood_nats"] != full["log_likelihood_nats"]


def test_the_report_shows_what_was_measured(measured: dict[str, reparam.TrainedVAE]) -> None:
    for name, trained in measured.items():
        page = trained.report().read_text("utf-8")
        assert "What the rate is spent on" in page
        assert "Samples against test rows" in page
        assert "Do the latents tell the labels?" in page
        assert ("A second opinion on the log-likelihood" in page) == (name != "coins")
        assert ("Not measured (annealing): annealing moves real" in page) == (name == "coins")
        assert ("black or white" in page) == (name == "given")
        assert ("The model is given the label, so its latents need not tell it" in page) == (name == "given")
