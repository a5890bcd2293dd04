"""Tables from files, parts and frames: what is read, and what each refusal says."""

import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reparam.data import tables
from reparam.data.tables import examples_from_table, read_table, table_files
from reparam.errors import DataError, UsageError

N = 12
ROWS = "".join(f"{row},{row * row % 7}.5\n" for row in range(N))
BASE = list(range(N))


def write(path, content):
    path.write_text(content)
    return path


def parquet(tmp_path, **columns):
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


# --- what is read ---


def test_csv(tmp_path):
    examples = read_table(write(tmp_path / "t.csv", "a,b\n" + ROWS))
    assert examples.values.dtype == np.float64
    assert examples.values.shape == (N, 2)
    np.testing.assert_array_equal(examples.values[:, 0], BASE)
    schema = examples.schema
    assert (schema.kind, schema.shape, schema.levels, schema.binary) == ("table", (2,), None, False)
    assert [column.name for column in schema.columns] == ["a", "b"]
    assert (examples.labels, examples.num_test, examples.notes) == (None, 0, ())


def test_the_columns_kept_stay_in_the_order_of_the_file(tmp_path):
    path = write(tmp_path / "t.csv", "a,b,c\n" + "".join(f"{row},x,{row}\n" for row in BASE))
    assert [column.name for column in read_table(path, columns=["c", "a"]).schema.columns] == ["a", "c"]


@pytest.mark.parametrize(("kinds", "expected"), [("xy", ["x", "y", "x"]), ("01", [0, 1, 0])])
def test_a_column_becomes_the_labels(tmp_path, kinds, expected):
    path = write(tmp_path / "t.csv", "a,kind\n" + "".join(f"{row}, {kinds[row % 2]}\n" for row in BASE))
    examples = read_table(path, label="kind")
    assert examples.labels[:3].tolist() == expected
    assert examples.schema.label == "kind"
    assert examples.schema.shape == (1,)


def test_zeros_and_ones_have_two_levels(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\n" + "".join(f"{row % 2},{row % 3 == 0}\n" for row in BASE))
    examples = read_table(path)
    assert examples.values.dtype == np.uint8
    assert (examples.schema.levels, examples.schema.binary) == (2, True)


def test_a_folder_of_parts_is_one_table_in_order_of_name(tmp_path):
    write(tmp_path / "b.csv", "a,kind\n3,x\n4,y\n")
    write(tmp_path / "a.csv", "a,kind\n" + "".join(f"{row},7\n" for row in range(10)))
    for ignored in ("_SUCCESS", ".c.csv", "_d.csv", "readme.md"):
        write(tmp_path / ignored, "zzz")
    (tmp_path / "sub.csv").mkdir()
    assert [file.name for file in table_files(tmp_path)] == ["a.csv", "b.csv"]
    examples = read_table(tmp_path, label="kind")
    assert examples.values[:, 0].tolist() == [*range(10), 3, 4]
    assert examples.labels.tolist() == ["7"] * 10 + ["x", "y"]


def test_notes_of_parts_are_kept(tmp_path):
    path = write(tmp_path / "t.csv", "a;b\n" + ROWS.replace(",", ";"))
    assert read_table(path).notes == ("t.csv: fields are separated by semicolons",)


def test_parquet_reads_only_the_columns_kept(tmp_path):
    path = parquet(tmp_path, **{"a.b": BASE, "nested": [[1, 2]] * N, "a": BASE[::-1], "ok": [True, False] * 6})
    examples = read_table(path, columns=["a.b", "a", "ok"])
    np.testing.assert_array_equal(examples.values[:2], [[0, 11, 1], [1, 10, 0]])


def test_frames_and_arrow_tables():
    frame = pd.DataFrame({"a": BASE, "b": np.linspace(0, 1, N), "kind": pd.Categorical(["x", "y"] * 6)})
    arrow = pa.Table.from_pandas(frame)
    batch = arrow.to_batches()[0]
    for table in (frame, frame.set_index(np.arange(N) + 5), arrow, batch, arrow.to_reader()):
        examples = examples_from_table(table, label="kind")
        assert examples.values.shape == (N, 2)
        assert examples.labels[:2].tolist() == ["x", "y"]
    numbered = examples_from_table(pd.DataFrame(np.random.default_rng(0).normal(size=(N, 2))))
    assert [column.name for column in numbered.schema.columns] == ["0", "1"]


# --- what is refused: cells ---


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (
            "x,1",
            r"column 'a', row 13 \(line 14\): expected a number, found the text 'x' \(1 of 13 rows in all\)",
        ),
        ("1,x", r"column 'b', row 13 .* or leave columns out with columns = \[\"a\"\]"),
        ("1,x", "What to do: correct such cells"),
        ("1," + "x" * 10**6, r"found the text 'x{37}\.\.\.'"),
        ("1,", r"column 'b', row 13 \(line 14\): a missing value, an empty cell \(1 of 13"),
        ("?,1", "column 'a', row 13 .* a missing value, '\\?'.*fill such cells in or remove their rows"),
        ("-inf,1", "column 'a', row 13 .*'-inf' is not a finite number"),
        ('"3,5",1', "found the text '3,5'.*write numbers with a decimal point"),
        ("x,y", "column 'a'.* Also not numeric throughout: 'b'"),
    ],
)
def test_a_bad_cell_is_named(tmp_path, line, match):
    path = write(tmp_path / "t.csv", "a,b\n" + ROWS + line + "\n")
    with pytest.raises(DataError, match=match) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path))


def test_a_text_column_may_become_the_label_or_be_left_out(tmp_path):
    rows = "".join(f"{row},{row},red,small\n" for row in BASE)
    path = write(tmp_path / "t.csv", "a,b,colour,size\n" + rows)
    with pytest.raises(DataError) as caught:
        read_table(path)
    message = str(caught.value)
    assert "column 'colour', row 1 (line 2): expected a number, found the text 'red' (12 of 12" in message
    assert "Also not numeric throughout: 'size'" in message
    assert 'make it the label with label = "colour"; or leave columns out with columns = ["a", "b"]' in message
    assert len(read_table(path, columns=["a", "b"], label="colour")) == N


def test_decimal_commas_with_tabs(tmp_path):
    path = write(tmp_path / "t.tsv", "a\tb\n" + "1,5\t2\n" * N)
    with pytest.raises(DataError, match=r"column 'a', row 1 \(line 2\).*write numbers with a decimal point"):
        read_table(path)


def test_the_part_with_the_bad_cell_is_named(tmp_path):
    write(tmp_path / "a.csv", "a,b\n" + ROWS)
    write(tmp_path / "b.csv", "a,b\n1,x\n")
    with pytest.raises(DataError, match=r"b\.csv: column 'b', row 1 \(line 2\)"):
        read_table(tmp_path)


def test_labels_may_not_be_missing(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\n" + ROWS + "3,\n")
    with pytest.raises(DataError, match=r"t\.csv, column 'b': 1 of 13 labels missing, first in row 13"):
        read_table(path, label="b")


# --- what is refused: columns and rows ---


def test_a_column_without_a_name_must_be_left_out(tmp_path):
    path = write(tmp_path / "t.csv", ",a\n" + ROWS)
    with pytest.raises(DataError, match=r"column 1 has no name in the header.*pandas: index=False"):
        read_table(path)
    assert read_table(path, columns=["a"]).schema.shape == (1,)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"columns": ["heigth"]}, DataError, "no column 'heigth'; did you mean 'height'"),
        ({"label": "zzz"}, DataError, "no column 'zzz'; known are: b, height"),
        ({"columns": "height"}, UsageError, "columns must be a list of different column names, got 'height'"),
        ({"columns": []}, UsageError, r"got \[\]"),
        ({"columns": ["b", "b"]}, UsageError, r"got \['b', 'b'\]"),
        ({"columns": ["b"], "label": "b"}, UsageError, "'b' is the label"),
    ],
)
def test_wrong_names_are_refused(tmp_path, options, error, match):
    path = write(tmp_path / "t.csv", "height,b\n" + ROWS)
    with pytest.raises(error, match=match):
        read_table(path, **options)


def test_something_must_be_left_for_the_values(tmp_path):
    path = write(tmp_path / "t.csv", "a\n" + "1\n2\n" * 6)
    with pytest.raises(DataError, match="no column is left for the values besides the label 'a'"):
        read_table(path, label="a")
    with pytest.raises(DataError, match=r"no column is left for the values$"):
        examples_from_table(pd.DataFrame())


def test_a_table_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"t\.csv: no rows"):
        read_table(write(tmp_path / "t.csv", "a,b\n"))
    assert len(read_table(write(tmp_path / "one.csv", "a,b\n1,2\n"))) == 1


# --- what is refused: files and folders ---


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ("a,c", r"b\.csv: the columns are not those of .*a\.csv: without 'b'; with 'c' besides;"),
        ("b,a", "in another order; all parts must have the same columns in the same order"),
    ],
)
def test_parts_must_have_the_same_columns(tmp_path, header, match):
    write(tmp_path / "a.csv", "a,b\n" + ROWS)
    write(tmp_path / "b.csv", header + "\n" + ROWS)
    with pytest.raises(DataError, match=match):
        read_table(tmp_path)


def test_parts_must_be_of_one_type(tmp_path):
    write(tmp_path / "a.csv", "a,b\n" + ROWS)
    parquet(tmp_path, a=BASE, b=BASE)
    with pytest.raises(DataError, match=r"parts of one type .* found \.csv, \.parquet"):
        read_table(tmp_path)


def test_other_files_and_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"no \.csv, \.tsv, \.parquet file in this folder"):
        read_table(tmp_path)
    with pytest.raises(DataError, match=r"found \.xlsx"):
        read_table(write(tmp_path / "t.xlsx", ""))
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.csv")


@pytest.mark.parametrize("keep", [0, 3, 10, 100, -1])
def test_truncated_parquet_is_refused(tmp_path, keep):
    path = parquet(tmp_path, a=BASE, b=BASE)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"t\.parquet: not a readable parquet file \(damaged or truncated\?\)"):
        read_table(path)


def test_damaged_parquet_is_refused_or_harmless(tmp_path):
    path = parquet(tmp_path, a=[float(row) for row in BASE], b=BASE)
    content, chance = path.read_bytes(), random.Random(0)
    for position in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[position] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            examples = read_table(path)
        except DataError:
            continue
        assert np.isfinite(examples.values).all()


def test_parquet_checksums_are_verified_where_there_are_any(tmp_path):
    table = pa.table({"a": np.random.default_rng(0).normal(size=200)})
    pq.write_table(table, tmp_path / "t.parquet", write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray((tmp_path / "t.parquet").read_bytes())
    content[900] ^= 1
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"t\.parquet, column 'a': not a readable parquet"):
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("column", "match"),
    [
        ([[1, 2]] * N, r"column 'c' is of type list<.*>, which holds no numbers.*columns = \[\"a\"\]"),
        ([{"x": 1}] * N, "column 'c' is of type struct<x: int64>"),
        (pd.to_datetime(["2020-01-01"] * N), "column 'c' is of type timestamp"),
        ([1.0, None] * 6, "column 'c', row 2: a missing value, an empty cell"),
        (["x", "y"] * 6, "column 'c', row 1: expected a number, found the text 'x'"),
    ],
)
def test_parquet_columns_without_numbers_are_refused(tmp_path, column, match):
    path = parquet(tmp_path, a=BASE, c=column)
    with pytest.raises(DataError, match=match):
        read_table(path)


def test_too_many_cells_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = parquet(tmp_path, a=BASE, b=BASE, c=BASE)
    monkeypatch.setattr(tables, "MAX_CELLS", 2 * N)
    with pytest.raises(DataError, match="12 rows of 3 columns are more than the limit of 24 cells"):
        read_table(path)
    assert len(read_table(path, columns=["a", "b"])) == N


def test_duplicate_names_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array(BASE), pa.array(BASE)], ["a", "a"])
    pq.write_table(table, tmp_path / "t.parquet")
    frame = pd.DataFrame([[1, 2]] * N, columns=["a", "a"])
    for call in (lambda: read_table(tmp_path / "t.parquet"), lambda: examples_from_table(table)):
        with pytest.raises(DataError, match="more than one column has the name 'a'"):
            call()
    with pytest.raises(DataError, match="table: more than one column has the name 'a'"):
        examples_from_table(frame)


def test_a_column_of_several_types_is_refused():
    with pytest.raises(DataError, match=r"table: a column holds values of several types.*column b"):
        examples_from_table(pd.DataFrame({"a": BASE, "b": ["x", 1] * 6}))


def test_other_objects_are_no_tables():
    with pytest.raises(UsageError, match=r"expected a table \(pyarrow, pandas, polars\), got list"):
        examples_from_table([[1, 2]])
