import os

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from PIL import Image

from reparam.data.images import read_images
from reparam.data.schema import Column, Schema
from reparam.data.writing import check_target, write_columns, write_examples
from reparam.errors import DataError, InputOutputError, UsageError

GREY = Schema("image", (1, 4, 5), levels=256)
COLOR = Schema("image", (3, 4, 5), levels=256)
TABLE = Schema("table", (2,), columns=(Column("height"), Column("weight")))
COUNTS = Schema("table", (2,), levels=17, columns=(Column("a"), Column("b")))


def _images(schema, count=12):
    return np.random.default_rng(0).uniform(0, 255, (count, *schema.shape)).astype(np.float32)


@pytest.mark.parametrize("schema", [GREY, COLOR])
def test_a_folder_of_images_reads_back_as_it_was_rounded(tmp_path, schema):
    values = _images(schema)
    files = write_examples(tmp_path / "out", values, schema)
    assert files[3] == tmp_path / "out" / "000003.png"
    np.testing.assert_array_equal(read_images(tmp_path / "out").values, np.rint(values))


def test_files_are_called_by_names_and_keep_their_endings_where_names_would_meet(tmp_path):
    names = ["cat/a.JPG", "cat/b.png", "cat/b.jpg", "dog/v1.2", "e"]
    files = write_examples(tmp_path / "out", _images(GREY, 5), GREY, names=names)
    relative = [file.relative_to(tmp_path / "out").as_posix() for file in files]
    assert relative == ["cat/a.png", "cat/b.png.png", "cat/b.jpg.png", "dog/v1.2.png", "e.png"]
    assert all(file.is_file() for file in files)


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "a/../../b.png", "", ".", "a\0.png"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match="expected names of files inside of the new folder"):
        write_examples(tmp_path / "out", _images(GREY, 2), GREY, names=["ok.png", name])
    assert os.listdir(tmp_path) == []


def test_names_must_differ_and_be_one_a_row(tmp_path):
    with pytest.raises(UsageError, match="expected names that differ"):
        write_examples(tmp_path / "out", _images(GREY, 2), GREY, names=["a.png", "A.png"])
    with pytest.raises(UsageError, match="one name for each of 2 images, got 1"):
        write_examples(tmp_path / "out", _images(GREY, 2), GREY, names=["a.png"])


def test_a_file_and_a_folder_of_one_name_are_refused_by_the_system_and_nothing_is_left(tmp_path):
    with pytest.raises(InputOutputError, match="cannot be written"):
        write_examples(tmp_path / "out", _images(GREY, 2), GREY, names=["a.png", "a.png/b.png"])
    assert os.listdir(tmp_path) == []


def test_a_contact_sheet_is_one_file_and_always_the_same(tmp_path):
    values = _images(COLOR, 9)
    assert write_examples(tmp_path / "a.png", values, COLOR) == [tmp_path / "a.png"]
    write_examples(tmp_path / "b.PNG", values, COLOR)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.PNG").read_bytes()
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.size == (3 * 5 + 2 * 2, 3 * 4 + 2 * 2)
        np.testing.assert_array_equal(np.asarray(sheet)[:4, :5], np.rint(values[0]).transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("levels", "dtype", "expected"), [(256, np.uint8, 200), (17, np.uint8, 16), (None, np.float32, 199.6)]
)
def test_arrays_keep_the_units_of_the_data(tmp_path, levels, dtype, expected):
    schema = Schema("image", (2, 3, 3), levels=levels)
    write_examples(tmp_path / "a.npy", np.full((4, 2, 3, 3), 199.6), schema)
    array = np.load(tmp_path / "a.npy")
    assert array.shape == (4, 2, 3, 3)
    assert array.dtype == dtype
    np.testing.assert_allclose(array, expected, rtol=1e-6)


def test_channels_that_png_lacks_are_refused_with_the_way_out(tmp_path):
    schema = Schema("image", (2, 3, 3), levels=256)
    for name in ("out", "out.png"):
        with pytest.raises(UsageError, match=r"write other channels as \.npy"):
            write_examples(tmp_path / name, np.zeros((4, 2, 3, 3)), schema)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_tables_have_their_columns_back_with_the_extra_ones_first(tmp_path, ending):
    values = np.array([[0.1, 1 / 3], [1e-300, -2.5]])
    extra = {"row": np.array([7, 8]), "kind": np.array(["a,b", 'say "x"'])}
    path = tmp_path / f"out{ending}"
    assert write_examples(path, values, TABLE, extra=extra) == [path]
    if ending == ".parquet":
        table = pyarrow.parquet.read_table(path)
    else:
        options = pyarrow.csv.ParseOptions(delimiter="\t" if ending == ".tsv" else ",")
        table = pyarrow.csv.read_csv(path, parse_options=options)
    assert table.column_names == ["row", "kind", "height", "weight"]
    assert table["row"].to_pylist() == [7, 8]
    assert table["kind"].to_pylist() == ["a,b", 'say "x"']
    assert table["weight"].to_pylist() == [1 / 3, -2.5]
    assert str(table.schema.field("height").type) == "double"


def test_tables_with_levels_are_written_as_whole_numbers(tmp_path):
    write_examples(tmp_path / "a.csv", np.array([[0.4, 15.6], [-3.0, 99.0]]), COUNTS)
    assert (tmp_path / "a.csv").read_text() == '"a","b"\n0,16\n0,16\n'
    write_examples(tmp_path / "a.npy", np.array([[0.4, 15.6]]), COUNTS)
    assert np.load(tmp_path / "a.npy").tolist() == [[0, 16]]


def test_a_table_as_array_has_the_extra_columns_first(tmp_path):
    write_examples(tmp_path / "a.npy", np.array([[0.5, 1.5]]), TABLE, extra={"row": np.array([3])})
    assert np.load(tmp_path / "a.npy").tolist() == [[3.0, 0.5, 1.5]]


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(UsageError, match="two are called 'height'"):
        write_examples(tmp_path / "a.csv", np.zeros((1, 2)), TABLE, extra={"height": np.zeros(1)})


def test_extra_columns_belong_to_tables(tmp_path):
    with pytest.raises(UsageError, match="no extra columns for images, got row"):
        write_examples(tmp_path / "a.png", _images(GREY), GREY, extra={"row": np.arange(12)})


@pytest.mark.parametrize(
    ("name", "schema", "message"),
    [
        ("a.jpg", GREY, r"in \.png or \.npy, or in nothing \(a folder of PNG files\); got \.jpg"),
        ("a.csv", GREY, r"got \.csv"),
        ("a.png", TABLE, r"in \.csv or \.tsv or \.parquet or \.npy; got \.png"),
        ("a", TABLE, "got no ending"),
    ],
)
def test_unknown_endings_are_refused_with_the_known_ones(tmp_path, name, schema, message):
    with pytest.raises(UsageError, match=message):
        check_target(tmp_path / name, schema)
    with pytest.raises(UsageError, match=message):
        write_examples(tmp_path / name, np.zeros((2, *schema.shape)), schema)


@pytest.mark.parametrize("shape", [(2, 3), (0, 2), (2,), (2, 2, 1)])
def test_shapes_must_be_those_of_the_schema(tmp_path, shape):
    with pytest.raises(UsageError, match=r"expected at least one example of shape \[2\], got values\.shape="):
        write_examples(tmp_path / "a.csv", np.zeros(shape), TABLE)


def test_values_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(DataError, match="expected finite values, 2 are not"):
        write_examples(tmp_path / "a.csv", np.array([[np.nan, np.inf]]), TABLE)


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a"])
def test_existing_paths_are_left_alone(tmp_path, name):
    (tmp_path / name).write_text("old")
    with pytest.raises(InputOutputError, match="exists; nothing was overwritten; choose another --out"):
        check_target(tmp_path / name, GREY)
    with pytest.raises(InputOutputError, match="exists; nothing was overwritten; choose another --out"):
        write_examples(tmp_path / name, _images(GREY), GREY)
    assert (tmp_path / name).read_text() == "old"


def test_columns_of_codes_are_written_in_their_own_precision(tmp_path):
    columns = {
        "z0": np.array([0.1, 1 / 3], np.float32),
        "half": np.array([0.5, 2], np.float16),
        "row": np.arange(2),
    }
    assert write_columns(tmp_path / "a.csv", columns) == tmp_path / "a.csv"
    assert (tmp_path / "a.csv").read_text() == '"z0","half","row"\n0.1,0.5,0\n0.33333334,2,1\n'
    write_columns(tmp_path / "new" / "a.parquet", columns)
    assert pyarrow.parquet.read_table(tmp_path / "new" / "a.parquet")["z0"].type == "float"
    write_columns(tmp_path / "a.npy", columns)
    assert np.load(tmp_path / "a.npy").shape == (2, 3)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "at least one column"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, r"equal length, got a: \[2\], b: \[3\]"),
        ({"a": np.zeros((2, 2))}, r"one dimension .* a: \[2, 2\]"),
        ({"a": np.array([None])}, "numbers or text in column 'a', got type object"),
    ],
)
def test_columns_that_make_no_table_are_refused(tmp_path, columns, message):
    with pytest.raises(UsageError, match=message):
        write_columns(tmp_path / "a.csv", columns)
    assert os.listdir(tmp_path) == []


def test_text_cannot_be_part_of_an_array_of_numbers(tmp_path):
    with pytest.raises(UsageError, match=r"column 'label' holds text, .* choose \.csv or \.parquet"):
        write_columns(tmp_path / "a.npy", {"label": np.array(["x"])})
