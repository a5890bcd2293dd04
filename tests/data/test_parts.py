"""Naming the places of a table."""

import pyarrow as pa
import pytest

from reparam.data.parts import Part, check_names
from reparam.errors import DataError


def part(line_of=None):
    return Part("t", ("a",), 1, lambda name: pa.chunked_array([[1]]), line_of)


def test_rows_are_counted_from_one_and_lines_are_named_where_there_are_any():
    assert part().place(0) == "row 1"
    assert part(lambda row: row + 5).place(2) == "row 3 (line 7)"


def test_all_names_that_occur_twice_are_named():
    with pytest.raises(DataError, match="t: more than one column has the name 'a', 'c'"):
        check_names(["a", "b", "c", "c", "a"], "t")


def test_columns_without_a_name_are_no_duplicates():
    check_names(["", "", "a"], "t")
