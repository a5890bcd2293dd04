"""Which reader reads what, and what is said of everything else."""

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from reparam.data.sources import read, source_name
from reparam.errors import DataError, InputOutputError, UsageError

GREY = np.random.default_rng(0).integers(0, 256, (12, 4, 5), dtype=np.uint8)
TEXT = "a,b\n" + "".join(f"{row},{row * row}\n" for row in range(12))


@pytest.fixture
def place(tmp_path):
    (tmp_path / "table.csv").write_text(TEXT)
    (tmp_path / "table.tsv").write_text(TEXT.replace(",", "\t"))
    pq.write_table(pa.table({"a": range(12), "b": range(12, 24)}), tmp_path / "table.parquet")
    np.save(tmp_path / "grey.npy", GREY)
    np.savez(tmp_path / "grey.npz", x=GREY)
    idx = bytes([0, 0, 8, 3]) + struct.pack(">3I", *GREY.shape) + GREY.tobytes()
    (tmp_path / "images-idx3-ubyte").write_bytes(idx)
    (tmp_path / "images-idx3-ubyte.gz").write_bytes(gzip.compress(idx))
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.csv").write_text(TEXT)
    (tmp_path / "parts" / "2.CSV").write_text(TEXT)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind", "rows"),
    [
        ("table.csv", "table", 12),
        ("table.tsv", "table", 12),
        ("table.parquet", "table", 12),
        ("parts", "table", 24),
        ("grey.npy", "image", 12),
        ("grey.npz", "image", 12),
        ("images-idx3-ubyte", "image", 12),
        ("images-idx3-ubyte.gz", "image", 12),
    ],
)
@pytest.mark.parametrize("as_type", [str, Path])
def test_paths_are_read_by_what_they_are(place, name, kind, rows, as_type):
    examples = read(as_type(place / name))
    assert (examples.schema.kind, len(examples)) == (kind, rows)


def test_objects_are_read_by_what_they_are():
    frame = pd.DataFrame({"a": range(12), "b": range(12, 24)})
    assert read("digits").schema.levels == 17
    assert read(GREY).schema.levels == 256
    assert read(torch.from_numpy(GREY)).schema.levels == 256
    assert read(frame, columns=["a"]).schema.shape == (1,)
    assert read(pa.Table.from_pandas(frame), label="b").schema.label == "b"


def test_options_reach_the_table_reader(place):
    examples = read(place / "table.csv", columns=["a"], label="b")
    assert examples.schema.shape == (1,)
    assert examples.labels.tolist() == [row * row for row in range(12)]


def test_the_four_files_of_mnist_are_one_source(tmp_path):
    for part, rows in (("train", 12), ("t10k", 5)):
        idx = bytes([0, 0, 8, 3]) + struct.pack(">3I", rows, 4, 5) + GREY[:rows].tobytes()
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, rows]) + bytes(rows))
    examples = read(tmp_path)
    assert (len(examples), examples.num_test) == (17, 5)


@pytest.mark.parametrize("images", ["a.png", "class/b.JPG"])
def test_a_folder_of_images_is_handed_on(tmp_path, monkeypatch, images):
    (tmp_path / images).parent.mkdir(exist_ok=True)
    (tmp_path / images).write_bytes(b"")
    calls = []

    class Images:
        @staticmethod
        def read_images(folder, *, resize, skip_bad):
            calls.append((folder, resize, skip_bad))
            return "examples"

    monkeypatch.setitem(sys.modules, "reparam.data.images", Images)
    assert read(str(tmp_path), resize=(8, 9), skip_bad=True) == "examples"
    assert calls == [(tmp_path, (8, 9), True)]


# --- refusals ---


def test_a_missing_path_names_the_nearest(place, monkeypatch):
    with pytest.raises(DataError, match=r"tabel\.csv does not exist; did you mean 'table\.csv'\?"):
        read(place / "tabel.csv")
    with pytest.raises(DataError, match=r"zzz does not exist; check the path$"):
        read(place / "nowhere" / "zzz")
    monkeypatch.chdir(place)
    with pytest.raises(DataError, match=r"digit does not exist; did you mean 'digits'\?"):
        read("digit")


def test_a_folder_named_digits_is_a_path(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="digits: nothing here can be read: the folder is empty"):
        read("./digits")
    with pytest.raises(DataError, match="the folder is empty"):
        read(Path("digits"))


def test_a_folder_with_nothing_usable_lists_what_it_holds(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.md", "b.gif", "sub/c.gif", "README", ".hidden"):
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=r"found 2 \.gif, 1 \(none\), 1 \.md\. Accepted are: a folder of images"):
        read(tmp_path)


def test_images_beside_tables_are_ambiguous(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "labels.csv").write_text("a")
    with pytest.raises(DataError, match=r"holds images \(1 \.png\) and tables \(1 \.csv\)"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("a.txt", "cannot tell what kind of data this is. Accepted are:"),
        ("a.csv.gz", "cannot tell what kind of data this is"),
        ("a.png", "one image is not enough"),
    ],
)
def test_other_files_are_refused(tmp_path, name, match):
    (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=match):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("grey.npy", {"columns": ["a"]}, "columns is for tables; this source is of kind: array file"),
        ("images-idx3-ubyte", {"label": "a"}, "label is for tables; this source is of kind: IDX file"),
        ("table.csv", {"resize": (8, 8)}, "resize is for folders of images; .* kind: table file"),
        ("parts", {"skip_bad": True}, "skip_bad is for folders of images"),
    ],
)
def test_options_without_a_use_are_refused(place, name, options, match):
    with pytest.raises(UsageError, match=match):
        read(place / name, **options)


def test_options_for_other_kinds_in_memory_are_refused():
    with pytest.raises(UsageError, match="columns is for tables"):
        read(GREY, columns=["a"])
    with pytest.raises(UsageError, match="label is for tables"):
        read("digits", label="a")


@pytest.mark.parametrize("source", [None, 3, [[1.0]], iter([])])
def test_other_objects_are_refused(source):
    with pytest.raises(UsageError, match=r"expected 'digits', a path, .* a data frame or a mapping of arrays, got"):
        read(source)


def test_a_mapping_of_arrays_is_read_as_an_npz_file_is(tmp_path):
    arrays = {"x": GREY, "y": np.arange(len(GREY)) % 3}
    np.savez(tmp_path / "both.npz", **arrays)
    ours, file = read(arrays), read(tmp_path / "both.npz")
    np.testing.assert_array_equal(ours.values, file.values)
    np.testing.assert_array_equal(ours.labels, file.labels)
    for wrong, message in (({"x": 1}, "got 0 dimensions"), ({"a": GREY, "b": GREY}, "keys: a, b")):
        with pytest.raises(DataError, match=message):
            read(wrong)


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "grey.npy", "grey.npz", "images-idx3-ubyte"])
def test_a_refusal_of_the_system_is_an_input_output_error(place, name, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied", str(place / name))

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    with pytest.raises(InputOutputError, match=f"{name}: cannot be read: Permission denied"):
        read(place / name)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_impossible_paths_are_refused(path):
    with pytest.raises((DataError, InputOutputError), match=r"does not exist|cannot be read"):
        read(path)


# --- names ---


def test_names(place, monkeypatch):
    assert source_name("digits") == "digits"
    assert source_name(place / "table.csv") == "table"
    assert source_name(str(place / "parts") + os.sep) == "parts"
    assert source_name(place / "images-idx3-ubyte.gz") == "images-idx3-ubyte"
    assert source_name(GREY) == source_name(torch.from_numpy(GREY)) == "array"
    assert source_name(pd.DataFrame()) == source_name(pa.table({"a": [1]})) == "table"
    (place / "v1.2").mkdir()
    assert source_name(place / "v1.2") == "v1.2"
    monkeypatch.chdir(place / "parts")
    assert source_name(".") == "parts"
    assert source_name("..") == place.name


def test_importing_data_loads_no_reader():
    heavy = "pyarrow sklearn PIL pandas torch reparam.data.arrays reparam.data.tables"
    code = f"import sys, reparam.data; print([name for name in '{heavy}'.split() if name in sys.modules])"
    source = str(Path(__file__).parents[2] / "src")
    environment = os.environ | {"PYTHONPATH": source}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert found.stdout.strip() == "[]"
