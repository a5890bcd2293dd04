"""The refusals that all readers share."""

import numpy as np
import pytest

from reparam.data.arrays import examples_from_array
from reparam.data.checks import (
    MIN_ROWS,
    as_labels,
    check_constant,
    check_finite,
    check_not_empty,
    check_trainable,
    zero_one,
)
from reparam.errors import DataError


def test_no_rows_are_no_data():
    check_not_empty(1, "t.csv")
    with pytest.raises(DataError, match=r"t\.csv: no rows"):
        check_not_empty(0, "t.csv")


@pytest.mark.parametrize(("num_rows", "said"), [(1, "1 row;"), (9, "only 9 rows")])
def test_too_few_rows_to_learn_from(num_rows, said):
    examples = examples_from_array(np.arange(2.0 * num_rows).reshape(num_rows, 2))
    with pytest.raises(DataError, match=rf"t\.csv: {said}.*at least {MIN_ROWS}"):
        check_trainable(examples, "t.csv")


def test_constant_columns_cannot_be_learned_but_constant_pixels_can():
    table = np.random.default_rng(0).normal(size=(12, 3))
    table[:, 1] = 7
    with pytest.raises(DataError, match=r"column 'x1' has the same value.*`columns`"):
        check_trainable(examples_from_array(table), "array")
    images = np.random.default_rng(0).integers(0, 256, size=(12, 4, 4)).astype(np.uint8)
    images[:, 0, 0] = 9
    check_trainable(examples_from_array(images), "array")


def test_images_of_one_value_cannot_be_learned():
    with pytest.raises(DataError, match="every pixel of every image is 7"):
        check_trainable(examples_from_array(np.full((12, 4, 4), 7, dtype=np.uint8)), "array")


def test_the_first_bad_cell_of_a_table_is_named_and_all_are_counted():
    values = np.zeros((5, 3))
    values[2, 1], values[4, 0] = np.inf, np.nan
    with pytest.raises(DataError, match=r"row 2, column 'b' \(from 0\) is inf; 2 of 15 values not finite"):
        check_finite(values, "array", ["a", "b", "c"])


def test_the_first_bad_pixel_is_named():
    values = np.zeros((2, 3, 4, 5))
    values[1, 2, 3, 4] = np.nan
    with pytest.raises(DataError, match=r"row 1, channel 2, y 3, x 4 \(from 0\) is nan; 1 of 120"):
        check_finite(values, "array")


def test_all_constant_columns_are_named():
    values = np.array([[1.0, 2.0, 3.0], [1.0, 5.0, 3.0]])
    with pytest.raises(DataError, match="array: columns 'a', 'c' have the same value in every row; leave them out"):
        check_constant(values, ["a", "b", "c"], "array")


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float64])
def test_zeros_and_ones_are_recognised_in_any_type(dtype):
    assert zero_one(np.array([0, 1, 1], dtype=dtype))


@pytest.mark.parametrize("values", [[0, 2], [-1, 1], [0.0, 0.5]])
def test_other_values_are_not_zeros_and_ones(values):
    assert not zero_one(np.array(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, 2.0], [1, 2]), ([True, False], [1, 0]), (np.uint8([3, 4]), [3, 4]), (["a", "b"], ["a", "b"])],
)
def test_labels_become_integers_or_stay_text(values, expected):
    labels = as_labels(np.array(values), 2, "y")
    assert labels.tolist() == expected
    assert labels.dtype.kind in "iU"


@pytest.mark.parametrize("values", [[0.5, 1.0], [np.nan, 1.0], [None, "a"]])
def test_other_labels_are_refused(values):
    with pytest.raises(DataError, match="y: a label is a whole number or a text"):
        as_labels(np.array(values), 2, "y")


def test_labels_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"one label for each of 3 rows, got shape \(3, 10\)"):
        as_labels(np.zeros((3, 10)), 3, "y")
