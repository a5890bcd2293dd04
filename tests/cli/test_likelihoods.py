"""Counts from the command line: a table in, a table of whole numbers out, with totals like those of its rows."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import SMALL


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    rows = np.random.default_rng(0).negative_binomial(2, 0.1, size=(80, 3))
    path = tmp_path / "counts.csv"
    path.write_text("\n".join(["a,b,c", *(",".join(str(value) for value in row) for row in rows), ""]))
    (tmp_path / "small.toml").write_text(SMALL)
    return path


def train(reparam: Any, counts: Path, *words: object) -> Any:
    out = counts.with_name("run")
    return reparam("train", counts, "--out", out, "--config", counts.with_name("small.toml"), *words)


def test_counts_are_trained_on_sampled_and_scored(counts: Path, reparam: Any) -> None:
    result = train(reparam, counts, "--likelihood", "negative-binomial", "--library-size", "--json")
    assert result.code == 0
    assert "likelihood: negative binomial" in result.err
    assert "proportional to the total of each row" in result.err
    numbers = json.loads(result.out)
    assert numbers["baseline"] is numbers["log_scale_nats"] is numbers["bits_per_dim"] is None
    run, drawn = counts.with_name("run"), counts.with_name("new.csv")
    assert reparam("sample", run, "--out", drawn, "--num", 7).code == 0
    with drawn.open() as file:
        header, *rows = csv.reader(file)
    assert (header, len(rows)) == (["a", "b", "c"], 7)
    assert all(float(value) >= 0 and float(value).is_integer() for row in rows for value in row)
    scored = reparam("evaluate", run)
    assert scored.code == 0
    assert "standardised" not in scored.out
    for verb in ("encode", "reconstruct", "vary"):
        assert reparam(verb, run, counts, "--out", counts.with_name(f"{verb}.csv")).code == 0


def test_fractions_are_no_counts(counts: Path, reparam: Any) -> None:
    counts.write_text(counts.read_text().replace("\n", ".5\n").replace("c.5", "c"))
    result = train(reparam, counts, "--likelihood", "poisson")
    assert result.code == 2
    assert "the likelihood poisson needs counts, whole numbers from 0 on; row 0, column 'c'" in result.err
    assert not counts.with_name("run").exists()


def test_a_library_size_without_counts_is_refused(counts: Path, reparam: Any) -> None:
    result = train(reparam, counts, "--library-size")
    assert result.code == 2
    assert "library_size is for likelihoods of counts, and this one is gaussian" in result.err
