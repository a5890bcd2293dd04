"""Every kind of cell: a number, or the right reason why not."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reparam.data.cells import Problem, labels, numbers
from reparam.errors import DataError


def column(*cells, of=None):
    return pa.chunked_array([pa.array(cells, of)])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (column("1", " 2.5 ", "-3e2", "+4", ".5", "6.", "1E-3"), [1, 2.5, -300, 4, 0.5, 6, 1e-3]),
        (column("True", "FALSE", "true"), [1, 0, 1]),
        (column(True, False), [1, 0]),
        (column(1, 2, of=pa.int8()), [1, 2]),
        (column(2**53 + 1, of=pa.int64()), [2**53]),
        (column(np.float16(1.5), of=pa.float16()), [1.5]),
        (column(decimal.Decimal("1.25")), [1.25]),
        (column("1", "2", of=pa.large_string()), [1, 2]),
        (column("1", "2", of=pa.string_view()), [1, 2]),
        (pa.chunked_array([pa.array(["3", "4"]).dictionary_encode()]), [3, 4]),
        (pa.chunked_array([["1"], [], ["2"]]), [1, 2]),
        (column(of=pa.string()), []),
    ],
)
def test_numbers_are_read(cells, expected):
    found = numbers(cells)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_written_floats_are_read_exactly(values):
    np.testing.assert_array_equal(numbers(column(*map(repr, values))), values)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=8))
def test_any_text_is_numbers_or_a_problem(cells):
    found = numbers(column(*cells))
    if isinstance(found, Problem):
        assert 1 <= found.count <= len(cells)
        assert found.found == cells[found.row].strip() or found.kind == "missing"
    else:
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "cell",
    ["x", "1_0", "0x10", "3,5", "1 2", "--1", "1e", "e5", "٣", "−3", "=1+1", "2020-01-01", "5%", "true"],
)
def test_text_is_named(cell):
    assert numbers(column("1", cell, "?", cell)) == Problem("text", 1, 2, cell)


@pytest.mark.parametrize("cell", ["", " ", "?", "NA", "n/a", "NaN", "null", "None", "-", ".", None])
def test_missing_cells_are_named(cell):
    assert numbers(column("1", "inf", cell, "2")) == Problem("missing", 2, 1, (cell or "").strip())


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "+INF", "1e999"])
def test_infinite_cells_are_named(cell):
    assert numbers(column("1", cell)) == Problem("infinite", 1, 1, cell)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (column(1.0, None, None), Problem("missing", 1, 2, "")),
        (column(1.0, float("nan")), Problem("missing", 1, 1, "nan")),
        (column(1.0, float("-inf")), Problem("infinite", 1, 1, "-inf")),
        (column(None, True), Problem("missing", 0, 1, "")),
        (pa.chunked_array([pa.nulls(3)]), Problem("missing", 0, 3, "")),
        (column([1, 2]), Problem("type", 0, 1, "list<item: int64>")),
        (column({"a": 1}), Problem("type", 0, 1, "struct<a: int64>")),
        (column(datetime.date(2020, 1, 1)), Problem("type", 0, 1, "date32[day]")),
        (column(b"1"), Problem("type", 0, 1, "binary")),
    ],
)
def test_typed_columns_are_checked(cells, expected):
    found = numbers(cells)
    assert isinstance(found, Problem)
    assert (found.kind, found.row, found.count) == (expected.kind, expected.row, expected.count)
    assert found.found.replace("element", "item") == expected.found


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (column("b", " a "), ["b", "a"]),
        (column("3", "-1"), [3, -1]),
        (column("3", "x"), ["3", "x"]),
        (column("9" * 30, "1"), ["9" * 30, "1"]),
        (column(3, 1), [3, 1]),
        (column(True, False), [1, 0]),
        (column(2.0, 1.0), [2, 1]),
        (pa.chunked_array([pa.array(["u", "v"]).dictionary_encode()]), ["u", "v"]),
    ],
)
def test_labels_are_whole_numbers_or_text(cells, expected):
    found = labels(cells, "y")
    assert found.tolist() == expected
    assert found.dtype.kind in "iU"


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        (column("a", " ", None), "y: 2 of 3 labels missing, first in row 2"),
        (column(1, None), "y: 1 of 2 labels missing, first in row 2"),
        (column(0.5), "a label is a whole number or a text"),
        (column([1]), "a label is a whole number or a text"),
        (column(datetime.date(2020, 1, 1)), "a label is a whole number or a text"),
    ],
)
def test_other_labels_are_refused(cells, match):
    with pytest.raises(DataError, match=match):
        labels(cells, "y")
