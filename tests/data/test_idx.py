"""IDX files: every type, plain and compressed, and every way to be damaged."""

import gzip
import struct

import numpy as np
import pytest

from reparam.data.idx import is_idx_file, is_idx_folder, read_idx, read_idx_folder, read_idx_images
from reparam.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}
IMAGES = np.random.default_rng(0).integers(0, 256, (15, 4, 3), dtype=np.uint8)


def packed(array, code="u1"):
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, CODES[code], array.ndim]) + sizes + array.astype(code).tobytes()


def write_folder(folder, suffix="", **changes):
    content = {
        "train-images-idx3-ubyte": packed(IMAGES[:11]),
        "train-labels-idx1-ubyte": packed(np.arange(11)),
        "t10k-images-idx3-ubyte": packed(IMAGES[11:]),
        "t10k-labels-idx1-ubyte": packed(np.arange(4)),
    } | changes
    for name, data in content.items():
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    return folder


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("compress", [False, True])
def test_every_type_is_read(tmp_path, code, compress):
    array = np.arange(24).reshape(2, 3, 4)
    data = packed(array, code)
    (tmp_path / "a").write_bytes(gzip.compress(data) if compress else data)
    found = read_idx(tmp_path / "a")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype(code).newbyteorder("=")
    assert found.flags.writeable
    assert is_idx_file(tmp_path / "a")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", r"not an IDX file: it starts with the bytes \(none\)"),
        (b"\x89PNG", "starts with the bytes 89 50 4e 47"),
        (bytes([0, 0, 7, 1, 0, 0, 0, 1, 5]), "not an IDX file"),
        (bytes([0, 0, 8, 0, 5]), "not an IDX file"),
        (bytes([0, 0, 8, 3, 0, 0]), "header of 3 sizes is incomplete"),
        (packed(IMAGES)[:-1], r"states 180 bytes of values for shape \(15, 4, 3\), found only 179"),
        (packed(IMAGES) + b"x", "states 180 bytes .* found more"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "the limit is"),
    ],
)
def test_damaged_files_are_refused(tmp_path, data, match):
    for content in (data, gzip.compress(data)):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(DataError, match=match) as caught:
            read_idx(tmp_path / "a")
        assert str(tmp_path / "a") in str(caught.value)


@pytest.mark.parametrize("keep", [2, 12, 60, -4])
def test_truncated_gzip_is_refused(tmp_path, keep):
    (tmp_path / "a.gz").write_bytes(gzip.compress(packed(IMAGES))[:keep])
    with pytest.raises(DataError, match=r"a\.gz: damaged or truncated gzip"):
        read_idx(tmp_path / "a.gz")


def test_flipped_bits_in_gzip_are_refused(tmp_path):
    content = gzip.compress(packed(IMAGES))
    for position in range(20, len(content), 23):
        damaged = bytearray(content)
        damaged[position] ^= 4
        (tmp_path / "a.gz").write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.gz"):
            read_idx(tmp_path / "a.gz")


@pytest.mark.parametrize("content", [b"", b"a,b\n", gzip.compress(b"text", mtime=0), b"\x1f\x8b", b"\x1f\x8bxxxx"])
def test_other_files_are_not_idx(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert not is_idx_file(tmp_path / "a")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_four_files_keeps_its_test_split(tmp_path, suffix):
    write_folder(tmp_path, suffix)
    assert is_idx_folder(tmp_path)
    examples = read_idx_folder(tmp_path)
    np.testing.assert_array_equal(examples.values[:, 0], IMAGES)
    assert examples.num_test == 4
    assert examples.labels.dtype == np.int64
    assert examples.labels.tolist() == [*range(11), *range(4)]
    assert (examples.schema.levels, examples.schema.label) == (256, "file")


def test_missing_files_are_listed(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="missing train-labels-idx1-ubyte, t10k-labels-idx1-ubyte"):
        read_idx_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("t10k-labels-idx1-ubyte", packed(np.arange(5)), "t10k-labels.*one label for each of 4 rows"),
        ("t10k-images-idx3-ubyte", packed(IMAGES[:4, :2]), "training and test images differ"),
        ("t10k-images-idx3-ubyte", b"<html>", "t10k-images-idx3-ubyte: not an IDX file"),
    ],
)
def test_files_that_do_not_match_are_refused(tmp_path, name, data, match):
    write_folder(tmp_path, **{name: data})
    with pytest.raises(DataError, match=match):
        read_idx_folder(tmp_path)


def test_other_folders_are_no_idx_folders(tmp_path):
    (tmp_path / "readme.md").write_text("hello")
    assert not is_idx_folder(tmp_path)


def test_one_image_file_has_no_labels(tmp_path):
    (tmp_path / "a").write_bytes(packed(IMAGES))
    examples = read_idx_images(tmp_path / "a")
    assert examples.schema.shape == (1, 4, 3)
    assert examples.labels is None


def test_a_file_of_labels_is_no_examples(tmp_path):
    (tmp_path / "labels").write_bytes(packed(np.arange(20)))
    with pytest.raises(DataError, match=r"labels: expected .* got 1 dimensions"):
        read_idx_images(tmp_path / "labels")
