"""``train --condition`` and ``sample --given``: what is said, what stands beside what comes out, what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest

from reparam.cli.main import main
from reparam.trained import load
from tests.cli.conftest import SMALL, snapshot, write_photos


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs ``people`` (a table, given sex and age) and ``photos`` (given the label), and their data."""
    folder = tmp_path_factory.mktemp("given")
    rng = np.random.default_rng(0)
    age = rng.integers(20, 80, 60)
    lines = [
        f"{170 + rng.normal():.4f},{years},{'fm'[row % 2]},{2 * years + rng.normal():.4f}"
        for row, years in enumerate(age)
    ]
    (folder / "people.csv").write_text("\n".join(["height,age,sex,income", *lines, ""]))
    (folder / "new.csv").write_text("note,sex,age\nx,m,30\ny,f,50.5\n")
    write_photos(folder / "pictures")
    (folder / "small.toml").write_text(SMALL)
    for source, condition, name in (("people.csv", "sex, age", "people"), ("pictures", "label", "photos")):
        words = ["train", folder / source, "--condition", condition, "--out", folder / name]
        assert main([*map(str, words), "--config", str(folder / "small.toml")]) == 0
    return folder


def test_the_plan_and_the_result_say_what_is_given(place: Path, tmp_path: Path, reparam: Any) -> None:
    words = ("--condition", "label", "--out", tmp_path / "run", "--config", place / "small.toml")
    result = reparam("train", place / "pictures", *words)
    assert result.code == 0
    assert "\ngiven: label (2 classes)\n" in result.err
    assert "seed 0, given label" in result.out
    notes = json.loads((place / "people" / "run.json").read_text())["notes"]
    assert "given: sex (2 classes), age" in notes
    assert "data: 60 rows of 2 columns, real values: height, income" in notes
    assert reparam("train", "--resume", tmp_path / "run", "--condition", "label").code == 0
    other = reparam("train", "--resume", tmp_path / "run", "--condition", "age")
    assert (other.code, "condition was ['label'], now ['age']" in other.err) == (4, True)


def test_draws_stand_beside_what_was_given(place: Path, tmp_path: Path, reparam: Any) -> None:
    out = tmp_path / "a.csv"
    result = reparam("sample", place / "people", "--num", 4, "--given", "age=40", "--given", "sex=m", "--out", out)
    assert result == (0, f"4 samples in {out}\n", "")
    found = pyarrow.csv.read_csv(out)
    assert found.column_names == ["sex", "age", "height", "income"]
    assert found["sex"].to_pylist() == ["m"] * 4
    assert found["age"].to_pylist() == [40] * 4
    expected = load(place / "people").sample(4, given={"sex": "m", "age": 40})
    np.testing.assert_allclose(np.column_stack(found.columns[2:]), expected)


def test_rows_of_a_table_are_given_one_after_the_other(place: Path, tmp_path: Path, reparam: Any) -> None:
    out = tmp_path / "a.csv"
    assert reparam("sample", place / "people", "--num", 3, "--given", place / "new.csv", "--out", out).code == 0
    found = pyarrow.csv.read_csv(out).to_pydict()
    assert list(found) == ["row", "sex", "age", "height", "income"]
    assert found["row"] == [0, 0, 0, 1, 1, 1]
    assert found["age"] == [30, 30, 30, 50.5, 50.5, 50.5]
    expected = load(place / "people").sample(3, given=place / "new.csv").reshape(6, 2)
    np.testing.assert_allclose(np.stack([found["height"], found["income"]], 1), expected)


def test_without_a_word_what_is_given_is_drawn_and_written(place: Path, tmp_path: Path, reparam: Any) -> None:
    assert reparam("sample", place / "people", "--num", 5, "--out", tmp_path / "a.csv").code == 0
    found, model = pyarrow.csv.read_csv(tmp_path / "a.csv").to_pydict(), load(place / "people")
    given = model.draw_given(5)
    assert found["sex"] == given["sex"].tolist()
    assert found["age"] == given["age"].tolist()
    np.testing.assert_allclose(np.stack([found["height"], found["income"]], 1), model.sample(5))
    # And what comes out goes in again.
    assert reparam("encode", place / "people", tmp_path / "a.csv", "--out", tmp_path / "z.csv").code == 0


def test_other_tables_keep_what_was_given_too(place: Path, tmp_path: Path, reparam: Any) -> None:
    assert reparam("reconstruct", place / "people", "--out", tmp_path / "r.csv").code == 0
    assert reparam("vary", place / "people", "--num", 2, "--out", tmp_path / "v.csv").code == 0
    data = pyarrow.csv.read_csv(place / "people.csv").to_pydict()
    again, varied = (pyarrow.csv.read_csv(tmp_path / name).to_pydict() for name in ("r.csv", "v.csv"))
    assert list(again) == ["sex", "age", "height", "income"]
    assert again["age"] == data["age"]
    assert list(varied) == ["row", "sex", "age", "height", "income"]
    assert varied["sex"] == [sex for sex in data["sex"] for _ in range(2)]


def test_images_of_a_class_come_in_its_folder(place: Path, tmp_path: Path, reparam: Any) -> None:
    assert (
        reparam("sample", place / "photos", "--num", 2, "--given", "label=été à la mer", "--out", tmp_path / "a").code
        == 0
    )
    assert set(snapshot(tmp_path / "a")) == {"été à la mer", "été à la mer/000000.png", "été à la mer/000001.png"}
    assert reparam("sample", place / "photos", "--num", 12, "--out", tmp_path / "b").code == 0
    labels = load(place / "photos").draw_given(12)["label"].tolist()
    files = [name for name, data in snapshot(tmp_path / "b").items() if data is not None]
    assert sorted(files) == sorted(f"{label}/{index:06}.png" for index, label in enumerate(labels))
    assert reparam("encode", place / "photos", tmp_path / "b", "--out", tmp_path / "z.csv").code == 0


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (
            "sample photos --given label=see --out x",
            3,
            "'see' is none of the 2 classes of the training rows; did you mean 'sea'?",
        ),
        ("sample photos --given lable=sea --out x", 2, "'lable' is nothing this model is given; did you mean 'label'?"),
        (
            "sample photos --given label --out x",
            2,
            "--given label: expected NAME=VALUE, once for each name, or the path",
        ),
        (
            "sample photos --given label=sea --given label=sea --out x",
            2,
            "--given label= was said twice; for several rows",
        ),
        ("sample photos --given new.csv --out x", 3, "new.csv: no column 'label'; known are: age, note, sex"),
        ("sample people --given age=40 --out x.csv", 2, "'sex' is missing; the model is given sex (2 classes), age"),
        ("sample people --given age=old --given sex=f --out x.csv", 3, "condition 'age': expected numbers, got 'old'"),
        ("sample people --given age=inf --given sex=f --out x.csv", 3, "'age': row 0 (from 0) is inf, which is not a"),
        ("sample people --given pictures --out x.csv", 3, "pictures: no .csv, .tsv, .parquet file"),
        ("train people.csv --condition aeg --out x", 3, "people.csv: no column 'aeg'; did you mean 'age'?"),
        ("train people.csv --condition label --out x", 3, "people.csv: no column 'label'; known are: age, height"),
        ("train people.csv --condition age,age --out x", 2, "condition must be a list of different names, got"),
        ("train people.csv --condition age --config both.toml --out x", 2, "'age' is in columns and in condition"),
        ("train people.csv --out x", 3, "expected a number, found the text 'f'"),
        (
            "train pictures/sea --condition label --out x",
            3,
            "this data has no labels. A folder of images has them where",
        ),
        ("train digits --condition age --out x", 3, "'age' is nothing that could be given; known are: label"),
        ("encode photos pictures/sea --out x.csv", 3, "this data has no labels"),
        ("encode people new.csv --out x.csv", 3, "column 'note', row 1 (line 2): expected a number"),
    ],
)
def test_what_makes_no_sense_is_refused(
    place: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch, line: str, code: int, says: str
) -> None:
    monkeypatch.chdir(place)
    (place / "both.toml").write_text('columns = ["age", "income"]\n')
    before = snapshot(place)
    result = reparam(*line.split())
    assert (result.code, result.out) == (code, "")
    assert says in result.err
    assert "Traceback" not in result.err
    assert snapshot(place) == before
