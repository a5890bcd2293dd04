"""``reparam sample``: new examples, as many as asked for, the same for the same seed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
from PIL import Image

from reparam.trained import load


def test_images_become_as_many_files_as_asked_for(runs: Path, tmp_path: Path, reparam: Any) -> None:
    out = tmp_path / "new"
    assert reparam("sample", runs / "photos", "--num", 3, "--out", out) == (0, f"3 samples in {out}\n", "")
    assert sorted(path.name for path in out.iterdir()) == ["000000.png", "000001.png", "000002.png"]
    values = load(runs / "photos").sample(3, seed=0)
    for index, path in enumerate(sorted(out.iterdir())):
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), values[index].round().transpose(1, 2, 0))


def test_grey_images_of_few_levels_fill_the_range_of_a_png(runs: Path, tmp_path: Path, reparam: Any) -> None:
    assert reparam("sample", runs / "digits", "--num", 2, "--out", tmp_path / "new").code == 0
    values = load(runs / "digits").sample(2, seed=0).round()
    with Image.open(tmp_path / "new/000001.png") as image:
        assert (image.size, image.mode) == ((8, 8), "L")
        np.testing.assert_allclose(np.asarray(image), values[1, 0] * 255 / 16, atol=0.5)


def test_rows_are_draws_in_the_users_units(runs: Path, tmp_path: Path, reparam: Any) -> None:
    result = reparam("sample", runs / "table", "--num", 5, "--seed", 7, "--out", tmp_path / "a.csv", "--json")
    assert json.loads(result.out) == {"out": str(tmp_path / "a.csv"), "num_examples": 5}
    found = pyarrow.csv.read_csv(tmp_path / "a.csv")
    assert found.column_names == ["height", "row", "Lohn (k€)"]
    values = load(runs / "table").sample(5, seed=7)
    np.testing.assert_allclose(np.column_stack(found.columns), values)


def test_the_seed_decides(runs: Path, tmp_path: Path, reparam: Any) -> None:
    for name, seed in (("a.npy", 1), ("b.npy", 1), ("c.npy", 2)):
        assert reparam("sample", runs / "digits", "--num", 4, "--seed", seed, "--out", tmp_path / name).code == 0
    first, same, other = (np.load(tmp_path / name) for name in ("a.npy", "b.npy", "c.npy"))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
