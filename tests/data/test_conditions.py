"""What is given leaves what is modelled, becomes features by the rules of the training rows, and is refused by name."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from reparam.data.conditions import MAX_CLASSES, MAX_ROWS, ConditionSchema
from reparam.data.given import read_given, take_out
from reparam.data.sources import read
from reparam.data.tables import read_columns, read_table
from reparam.errors import DataError, UsageError

FRAME = pd.DataFrame(
    {"y": [1.5, 2.0, 3.5, 5.0], "age": [20, 30, 40, 50], "sex": ["f", "m", "m", "f"], "z": [0.1, 0.2, 0.4, 0.3]}
)
GIVEN = {"age": np.array([20.0, 30.0, 40.0, 50.0]), "sex": np.array(["f", "m", "m", "f"])}
SCHEMA = ConditionSchema.fit(GIVEN)


# Features


def test_numbers_are_standardised_and_classes_are_one_hot():
    features = SCHEMA.features(GIVEN)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[:, 0], (GIVEN["age"] - 35) / np.sqrt(125), rtol=1e-6)
    np.testing.assert_array_equal(features[:, 1:], [[1, 0], [0, 1], [0, 1], [1, 0]])
    assert SCHEMA.num_features == 3
    assert SCHEMA.describe() == "age, sex (2 classes)"


@pytest.mark.parametrize(
    "given",
    [
        {"age": [30], "sex": ["m"]},
        {"sex": np.array(["m"]), "age": np.array([30], dtype=np.int8)},
        {"age": ["30"], "sex": ["m "]},
        {"age": np.array([30], dtype=object), "sex": np.array(["m"], dtype=object)},
    ],
)
def test_the_same_is_read_from_any_type(given):
    np.testing.assert_array_equal(SCHEMA.features(given), SCHEMA.features(GIVEN)[1:2])


@pytest.mark.parametrize("value", [3, 3.0, "3", np.int8(3), np.str_("3")])
def test_a_class_is_known_by_how_it_is_written(value):
    schema = ConditionSchema.fit({"label": np.array([1, 3, 7])})
    np.testing.assert_array_equal(schema.features({"label": [value]}), [[0, 1, 0]])
    assert schema.columns_of({"label": [value]})["label"].tolist() == [3]


def test_json_and_back():
    entry = json.loads(json.dumps(SCHEMA.to_json()))
    again = ConditionSchema.from_json(entry)
    assert again == SCHEMA
    np.testing.assert_array_equal(again.features(GIVEN), SCHEMA.features(GIVEN))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"age": [1]}, UsageError, r"given: 'sex' is missing; the model is given age, sex \(2"),
        ({"age": [1], "sex": ["f"], "sx": [1]}, UsageError, r"'sx' is nothing this model is given; did you mean 'sex'"),
        ({"age": [1, 2], "sex": ["f"]}, UsageError, r"one value for each row in every column, got age: 2, sex: 1"),
        ({"age": 1, "sex": "f"}, UsageError, r"'age' must have one value for each row, \[N\], got shape \(\)"),
        ({"age": [], "sex": []}, UsageError, r"got shape \(0,\)"),
        ({"age": ["x"], "sex": ["f"]}, DataError, r"condition 'age': expected numbers, got 'x'"),
        ({"age": [1, np.nan], "sex": ["f", "f"]}, DataError, r"'age': row 1 \(from 0\) is nan"),
        ({"age": [1e300], "sex": ["f"]}, DataError, r"too far from the training rows for 32-bit floats"),
        ({"age": [1], "sex": ["d"]}, DataError, r"'sex': 'd' is none of the 2 classes of the training rows; known are"),
        ({"age": [1], "sex": [1.5]}, DataError, r"condition 'sex': a label is a whole number or a text"),
    ],
)
def test_what_is_not_as_in_training_is_refused_by_name(given, error, message):
    with pytest.raises(error, match=message):
        SCHEMA.features(given)


@pytest.mark.parametrize("values", [np.full(5, 2.0), np.full(5, "a"), np.full(5, 7)])
def test_what_is_the_same_in_all_training_rows_is_refused(values):
    with pytest.raises(DataError, match=r"condition 'c' is (2\.0|a|7) in all 5 training rows, so it tells nothing"):
        ConditionSchema.fit({"c": values})


def test_names_of_rows_are_no_classes():
    with pytest.raises(DataError, match=r"has 1001 classes in 1001 training rows, more than the limit of 1000"):
        ConditionSchema.fit({"name": np.arange(MAX_CLASSES + 1)})


# What is kept of the training rows


def test_every_combination_is_kept_with_its_count():
    schema = ConditionSchema.fit({"a": np.array([0, 1, 1, 1]), "b": np.array(["x", "x", "y", "x"])})
    kept = dict(zip(zip(*schema.rows, strict=True), schema.counts, strict=True))
    assert kept == {(0, "x"): 1, (1, "x"): 2, (1, "y"): 1}


def test_of_many_combinations_whole_rows_are_kept():
    age = np.linspace(0, 1, 5001)
    schema = ConditionSchema.fit({"age": age, "twice": 2 * age})
    assert len(schema.counts) == MAX_ROWS
    rows = schema.training_rows(np.arange(MAX_ROWS))
    np.testing.assert_array_equal(rows["twice"], 2 * rows["age"])
    assert (rows["age"][0], rows["age"][-1]) == (0, 1)
    assert abs(rows["age"].mean() - 0.5) < 1e-3


# From the source


def test_columns_that_are_given_leave_the_table():
    examples = read(FRAME, condition=["sex", "age"])
    assert [column.name for column in examples.schema.columns] == ["y", "z"]
    np.testing.assert_array_equal(examples.values, FRAME[["y", "z"]])
    assert list(examples.given) == ["sex", "age"]
    np.testing.assert_array_equal(examples.given["age"], FRAME["age"])
    some = examples.take(np.array([3, 1]))
    assert some.given["sex"].tolist() == ["f", "m"]
    np.testing.assert_array_equal(some.values[:, 0], [5.0, 2.0])


def test_a_table_file_of_parts_is_read_as_one(tmp_path):
    for part in range(2):
        FRAME.iloc[2 * part : 2 * part + 2].to_csv(tmp_path / f"{part}.csv", index=False)
    examples, whole = read_table(tmp_path, condition=["age", "sex"]), read(FRAME, condition=["age", "sex"])
    assert examples.fingerprint == whole.fingerprint
    assert read_columns(tmp_path, ["sex"])["sex"].tolist() == ["f", "m", "m", "f"]


@pytest.mark.parametrize(("label", "condition", "name"), [("sex", "label", "sex"), ("sex", "sex", "sex")])
def test_the_label_of_a_table_goes_by_its_own_name(label, condition, name):
    examples = read(FRAME.drop(columns="age"), label=label, condition=[condition])
    assert list(examples.given) == [name]
    np.testing.assert_array_equal(examples.given[name], examples.labels)


def test_a_column_called_label_is_the_label():
    examples = read(FRAME.rename(columns={"age": "label"}).drop(columns="sex"), condition=["label"])
    assert examples.given["label"].dtype == np.int64  # classes, where a number would be a float
    assert examples.schema.label == "label"


def test_labels_of_other_sources_are_given():
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4), dtype=np.uint8)
    y = torch.arange(12) % 3
    examples = read({"x": torch.from_numpy(images), "y": y}, condition=["label"])
    np.testing.assert_array_equal(examples.given["label"], y)
    assert read("digits", condition=["label"]).given["label"].max() == 9


def test_columns_of_an_array_are_given_by_their_names():
    rows = np.array([[0, 1.5, 1], [1, 2.5, 0], [1, 3.5, 0]])
    examples = read(rows, condition=["x1"])
    assert examples.schema.binary  # what is left
    assert examples.values.dtype == np.uint8
    np.testing.assert_array_equal(examples.given["x1"], rows[:, 1])


def test_what_is_given_is_part_of_the_fingerprint():
    examples = read(FRAME, condition=["age", "sex"])
    for changed in (FRAME.assign(age=FRAME["age"][::-1].values), FRAME.assign(sex=["f", "f", "m", "m"])):
        assert read(changed, condition=["age", "sex"]).fingerprint != examples.fingerprint
    assert read(FRAME.copy(), condition=["age", "sex"]).fingerprint == examples.fingerprint


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"condition": ["agee"]}, DataError, r"table: no column 'agee'; did you mean 'age'\?"),
        ({"condition": ["label"]}, DataError, r"table: no column 'label'; known are: age, sex, y, z"),
        (
            {"condition": ["age"], "columns": ["age", "y"]},
            UsageError,
            r"'age' is in columns and in condition: a column",
        ),
        ({"condition": ["y", "z", "age", "sex"]}, DataError, r"no column is left for the values besides 'y', which is"),
    ],
)
def test_names_that_make_no_sense_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        read(FRAME, **options)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([20, None, 40, 50], r"column 'age', row 2: a missing value"),
        (["20", "30", "forty", "50"], r"column 'age', row 3: expected a number, found the text 'forty'"),
        (["a", "b", None, "c"], r"column 'age': 1 of 4 labels missing, first in row 3"),
    ],
)
def test_gaps_and_slips_in_what_is_given_are_named(cells, message):
    table = pa.table({"y": [1.0, 2, 3, 4], "age": pa.array(cells)})
    with pytest.raises(DataError, match=message):
        read(table, condition=["age"])


@pytest.mark.parametrize(
    ("source", "names", "message"),
    [
        (np.ones((5, 2, 2)), ["label"], r"this data has no labels\. A folder of images has them where each class has"),
        (np.eye(4), ["x4"], r"'x4' is nothing that could be given; known are: label, x0, x1, x2, x3"),
        (np.eye(4)[:, :2], ["x0", "x1"], r"every column is given, and none is left to be modelled"),
    ],
)
def test_arrays_without_what_is_wanted_are_refused(source, names, message):
    with pytest.raises(DataError, match=message):
        take_out(read(source), names)


# For new examples


def test_rows_are_read_from_whatever_holds_them(tmp_path):
    frame = FRAME[["sex", "z", "age"]]
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for source in (frame, pa.Table.from_pandas(frame), tmp_path / "rows.csv", str(tmp_path / "rows.csv"), GIVEN):
        rows, one = read_given(source, SCHEMA.names)
        assert not one
        np.testing.assert_array_equal(SCHEMA.features(rows), SCHEMA.features(GIVEN))
    rows, _ = read_given(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), ["a", "b"])
    np.testing.assert_array_equal(rows["b"], [2, 4, 6])


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (np.ones((3, 3)), UsageError, r"expected \[rows, 2\] for age, sex, got shape \(3, 3\)"),
        ("nowhere.csv", DataError, r"nowhere\.csv does not exist"),
        (FRAME[["age"]], DataError, r"table: no column 'sex'"),
        (FRAME.iloc[:0], DataError, r"table: no rows"),
        (5, UsageError, r"expected a table"),
    ],
)
def test_rows_that_are_none_are_refused(source, error, message):
    with pytest.raises(error, match=message):
        read_given(source, SCHEMA.names)
