"""``reparam encode``: posteriors as tables that other programs read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from reparam.trained import load

NAMES = ["loc_0", "loc_1", "scale_0", "scale_1"]


def read(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path)
    options = pyarrow.csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ",")
    return pyarrow.csv.read_csv(path, parse_options=options)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv"])
def test_a_table_holds_mean_and_scale_of_each_example(suffix: str, runs: Path, tmp_path: Path, reparam: Any) -> None:
    out = tmp_path / f"new/codes{suffix}"
    result = reparam("encode", runs / "table", "--out", out)
    assert result == (0, f"60 encodings in {out}\n", "")
    found = read(out)
    assert found.column_names == NAMES
    loc, scale = load(runs / "table").encode(runs / "table.csv")
    expected = np.concatenate([loc, scale], axis=1)
    np.testing.assert_allclose(np.column_stack([found[name] for name in NAMES]), expected, rtol=1e-6)


def test_an_array_holds_the_same_columns(runs: Path, tmp_path: Path, reparam: Any) -> None:
    assert reparam("encode", runs / "photos", "--out", tmp_path / "a.npy").code == 0
    loc, scale = load(runs / "photos").encode(runs / "pictures")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.concatenate([loc, scale], axis=1))


def test_encodings_of_files_carry_their_names(runs: Path, tmp_path: Path, reparam: Any) -> None:
    assert reparam("encode", runs / "photos", "--out", tmp_path / "a.csv").code == 0
    found = read(tmp_path / "a.csv")
    assert found.column_names == ["name", *NAMES]
    assert found["name"][0].as_py() == "sea/00.png"
    assert len(found) == 24


def test_other_examples_of_the_same_kind_can_be_given(runs: Path, tmp_path: Path, reparam: Any) -> None:
    header, first, *_ = (runs / "table.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "one.csv").write_text(f"{header}\n{first}\n", encoding="utf-8")
    result = reparam("encode", runs / "table", tmp_path / "one.csv", "--out", tmp_path / "a.csv", "--json")
    assert json.loads(result.out) == {"out": str(tmp_path / "a.csv"), "num_examples": 1, "latent_dim": 2}
    assert len(read(tmp_path / "a.csv")) == 1
