"""``reparam evaluate``: the numbers, their error, and how they were obtained."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from reparam.cli._evaluation import evaluation_rows
from reparam.cli._shared import aligned


@pytest.fixture
def table(runs: Path, tmp_path: Path) -> Path:
    """A run of one's own, as evaluating writes into it."""
    shutil.copytree(runs / "table", tmp_path / "table")
    return tmp_path / "table"


def test_it_prints_and_writes_the_evaluation_asked_for(table: Path, reparam: Any) -> None:
    result = reparam("evaluate", table, "--samples", 7, "--seed", 3)
    assert (result.code, result.err) == (0, "")
    written = json.loads((table / "evaluation.json").read_text())
    assert written["num_samples"] == 7
    assert f"{written['log_likelihood_nats']:,.2f} ± {written['standard_error_nats']:,.2f} nats" in result.out
    assert "importance samples   7 a row" in result.out
    assert "protocol             all 6 test rows, seed 3" in result.out
    assert result.out.splitlines()[-1] == f"next                 reparam report {table}"


def test_json_is_what_was_written_and_nothing_else(table: Path, reparam: Any) -> None:
    result = reparam("evaluate", table, "--json")
    assert result.code == 0
    assert json.loads(result.out) == json.loads((table / "evaluation.json").read_text())


def test_the_data_can_be_given_where_it_has_moved(table: Path, runs: Path, tmp_path: Path, reparam: Any) -> None:
    shutil.copy(runs / "table.csv", tmp_path / "moved.csv")
    result = reparam("evaluate", table, tmp_path / "moved.csv", "--json")
    again = reparam("evaluate", table, "--json")
    assert result.code == 0
    assert result.out == again.out


def test_more_is_measured_by_name(runs: Path, tmp_path: Path, reparam: Any) -> None:
    shutil.copytree(runs / "digits", tmp_path / "digits")
    words = ["evaluate", tmp_path / "digits", "--measures", "probes, disentanglement", "--precision", "bfloat16"]
    result = reparam(*words, "--factors", "label")
    assert result.code == 0
    assert result.err == "measuring probes\nmeasuring disentanglement\n"
    assert re.search(r"^labels, nearest      \d+\.\d ± \d\.\d % right by 10 nearest neighbours", result.out, re.M)
    assert re.search(r"^  protocol           label; 180 test rows, learned from 1,437 training rows", result.out, re.M)
    assert "seed 0, decoded in bfloat16" in result.out
    written = json.loads((tmp_path / "digits" / "evaluation.json").read_text())
    assert not {"samples", "annealing"} & set(written)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--measures", "probe"], "measures: there is no 'probe'; did you mean 'probes'?"),
        (["--measures", "all", "--factors", "heigth"], "did you mean 'height'?"),
        (["--factors", "height"], "factors are for the measure disentanglement"),
        (["--precision", "half"], "precision must be one of float32, bfloat16; got 'half'"),
    ],
)
def test_what_there_is_not_to_measure_is_refused(table: Path, reparam: Any, words: list[str], message: str) -> None:
    before = (table / "evaluation.json").read_bytes()
    result = reparam("evaluate", table, *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert (table / "evaluation.json").read_bytes() == before


def test_what_was_left_out_says_why(table: Path, reparam: Any) -> None:
    result = reparam("evaluate", table, "--measures", "probes")
    assert "labels               left out: there are no labels to be told\n" in result.out


@pytest.mark.parametrize("columns", [80, 120])
def test_long_lines_go_on_below_in_a_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("rate", "word " * 60), ("next", "reparam report " + "x" * 200)]
    assert [len(line) for line in aligned(rows)] == [6 + 300, 6 + 215]
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    *lines, command = aligned(rows)
    assert columns - 6 < max(map(len, lines)) < columns
    assert all(line.startswith("      word") for line in lines[1:])
    assert command == "next  reparam report " + "x" * 200


NUMBERS = {
    "log_likelihood_nats": -1234.5, "standard_error_nats": 0.25, "log_scale_nats": None, "bits_per_dim": None,
    "baseline": None, "distortion_nats": 1230.0, "rate_nats": 8.0, "elbo_nats": -1238.0, "num_samples": 1000,
    "effective_sample_size": 41.72, "active_units": 3, "latent_dim": 8, "num_rows": 10_000, "health": [],
    "protocol": {"split": "test", "num_examples": 10_000, "binarize": "none", "seed": 1,
                 "precision": "float32"},
}  # fmt: skip


def rows(**changes: Any) -> dict[str, str]:
    return dict(evaluation_rows(NUMBERS | changes))


def test_every_number_comes_with_its_unit_and_meaning() -> None:
    assert rows() == {
        "test log-likelihood": "-1,234.50 ± 0.25 nats (standard error)",
        "bound (ELBO)": "-1,238.00 nats = -(distortion 1,230.00 + rate 8.00)",
        "active units": "3 of 8",
        "importance samples": "1,000 a row, 41.7 effective; on average a lower bound",
        "protocol": "all 10,000 test rows, seed 1",
    }


def test_tables_are_also_scored_in_their_own_units() -> None:
    found = rows(log_scale_nats=4.5)
    assert found["test log-likelihood"].endswith("(standard error), standardised values")
    assert found["in the data's units"] == "-1,239.00 nats"


def test_the_baseline_is_compared_whoever_wins() -> None:
    name = "full-covariance Gaussian"
    worse, better = (
        rows(baseline={"name": name, "log_likelihood_nats": value})["baseline"] for value in (-1230.0, -1236.0)
    )
    assert worse == "-1,230.00 nats, full-covariance Gaussian (model: 4.50 worse)"
    assert better == "-1,236.00 nats, full-covariance Gaussian (model: 1.50 better)"


def test_a_part_of_the_rows_binarised_values_bits_and_warnings_are_said() -> None:
    protocol = NUMBERS["protocol"] | {"num_examples": 500, "binarize": "dynamic"}
    health = [{"level": "good", "title": "Fine"}, {"level": "warning", "title": "The latents are not used"}]
    found = rows(protocol=protocol, bits_per_dim=3.14159, health=health)
    assert found["protocol"] == "500 of 10,000 test rows, seed 1, binarised once (dynamic in training)"
    assert found["bits per dimension"] == "3.142"
    assert found["warning"] == "The latents are not used"
