"""``reparam reconstruct``: images as images, tables as tables in the user's own units."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet
from PIL import Image

from reparam.trained import load


def test_images_become_a_folder_of_files_of_the_same_names_and_sizes(runs: Path, tmp_path: Path, reparam: Any) -> None:
    out = tmp_path / "re"
    assert reparam("reconstruct", runs / "photos", "--out", out) == (0, f"24 reconstructions in {out}\n", "")
    names = {path.relative_to(out).as_posix() for path in out.rglob("*.png")}
    assert names == {path.relative_to(runs / "pictures").as_posix() for path in (runs / "pictures").rglob("*.png")}
    values = load(runs / "photos").reconstruct(runs / "pictures")
    with Image.open(out / "sea/00.png") as image:
        assert (image.size, image.mode) == ((10, 12), "RGB")
        np.testing.assert_array_equal(np.asarray(image), values[0].round().transpose(1, 2, 0))


def test_images_become_one_sheet_or_an_array(runs: Path, tmp_path: Path, reparam: Any) -> None:
    assert reparam("reconstruct", runs / "photos", "--out", tmp_path / "a.png").code == 0
    assert reparam("reconstruct", runs / "photos", "--out", tmp_path / "a.npy").code == 0
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.width * sheet.height >= 24 * 120
    array = np.load(tmp_path / "a.npy")
    assert (array.shape, array.dtype) == ((24, 3, 12, 10), np.uint8)


def test_rows_come_back_under_their_names_in_their_units(runs: Path, tmp_path: Path, reparam: Any) -> None:
    result = reparam("reconstruct", runs / "table", "--out", tmp_path / "a.csv", "--json")
    assert json.loads(result.out) == {"out": str(tmp_path / "a.csv"), "num_examples": 60}
    assert reparam("reconstruct", runs / "table", "--out", tmp_path / "a.parquet").code == 0
    found, same = pyarrow.csv.read_csv(tmp_path / "a.csv"), pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert found.column_names == same.column_names == ["height", "row", "Lohn (k€)"]
    values = load(runs / "table").reconstruct(runs / "table.csv")
    for index, name in enumerate(found.column_names):
        np.testing.assert_allclose(found[name], values[:, index])
        np.testing.assert_array_equal(same[name], values[:, index])
    assert 100 < np.mean(found["height"]) < 240
