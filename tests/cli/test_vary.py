"""``reparam vary``: new examples close to given ones, each traceable to the one it came from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
from PIL import Image

from reparam.trained import load


def test_variations_of_image_files_are_named_after_them(runs: Path, tmp_path: Path, reparam: Any) -> None:
    out = tmp_path / "new"
    result = reparam("vary", runs / "photos", "--num", 2, "--out", out)
    assert result == (0, f"48 variations of 24 examples in {out}\n", "")
    assert len(list(out.rglob("*.png"))) == 48
    values = load(runs / "photos").vary(runs / "pictures", 2, seed=0)
    for index in range(2):
        with Image.open(out / f"sea/00_{index:03}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), values[0, index].round().transpose(1, 2, 0))


def test_variations_of_images_without_names_are_numbered(runs: Path, tmp_path: Path, reparam: Any) -> None:
    np.save(tmp_path / "two.npy", np.random.default_rng(0).integers(0, 17, (2, 8, 8)).astype(np.uint8))
    result = reparam("vary", runs / "digits", tmp_path / "two.npy", "--num", 2, "--out", tmp_path / "new", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out) == {"out": str(tmp_path / "new"), "num_examples": 4}
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["000000_000.png", "000000_001.png", "000001_000.png", "000001_001.png"]


def test_the_column_that_says_which_row_yields_to_one_of_that_name(runs: Path, tmp_path: Path, reparam: Any) -> None:
    result = reparam("vary", runs / "table", "--num", 2, "--out", tmp_path / "a.csv")
    assert result.code == 0, result.err
    assert "in column 'row_2', as the table has a column 'row' of its own" in result.out
    found = pyarrow.csv.read_csv(tmp_path / "a.csv")
    assert found.column_names == ["row_2", "height", "row", "Lohn (k€)"]
    np.testing.assert_array_equal(found["row_2"], np.repeat(np.arange(60), 2))
    values = load(runs / "table").vary(runs / "table.csv", 2, seed=0).reshape(120, 3)
    np.testing.assert_allclose(np.column_stack(found.columns[1:]), values)
    result = reparam("vary", runs / "table", "--num", 2, "--out", tmp_path / "b.csv", "--json")
    assert json.loads(result.out) == {"out": str(tmp_path / "b.csv"), "num_examples": 120, "row_column": "row_2"}


def test_the_column_that_says_which_row_is_called_row(tmp_path: Path, runs: Path, reparam: Any) -> None:
    from tests.cli.conftest import write_table

    write_table(tmp_path / "t.csv", header="a,b,c")
    words = ["train", tmp_path / "t.csv", "--config", runs / "small.toml", "--out", tmp_path / "run"]
    assert reparam(*words).code == 0
    result = reparam("vary", tmp_path / "run", "--num", 1, "--out", tmp_path / "v.tsv")
    assert result.out == f"60 variations of 60 examples in {tmp_path / 'v.tsv'}\n"
    assert (tmp_path / "v.tsv").read_text().startswith('"row"\t"a"\t"b"\t"c"\n0\t')
