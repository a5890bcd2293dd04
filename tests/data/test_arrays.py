"""What arrays, tensors and their files mean, and every way they can be wrong."""

import zipfile

import numpy as np
import pytest
import torch

from reparam.data import arrays
from reparam.data.arrays import examples_from_array, read_array
from reparam.errors import DataError, UsageError

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (12, 4, 5), dtype=np.uint8)
TABLE = RANDOM.normal(size=(12, 3))


def test_two_dimensions_are_a_table():
    examples = examples_from_array(TABLE.astype(np.float32))
    assert examples.values.dtype == np.float64
    assert examples.schema.kind == "table"
    assert [column.name for column in examples.schema.columns] == ["x0", "x1", "x2"]
    assert examples.schema.levels is None
    np.testing.assert_array_equal(examples.values, TABLE.astype(np.float32))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((12, 4, 5), (1, 4, 5)),
        ((12, 1, 4, 5), (1, 4, 5)),
        ((12, 3, 4, 5), (3, 4, 5)),
        ((12, 4, 5, 1), (1, 4, 5)),
        ((12, 4, 5, 3), (3, 4, 5)),
    ],
)
def test_three_and_four_dimensions_are_images(shape, expected):
    examples = examples_from_array(RANDOM.normal(size=shape))
    assert examples.schema.kind == "image"
    assert examples.schema.shape == expected
    assert examples.values.shape == (12, *expected)
    assert examples.values.dtype == np.float32
    assert examples.schema.levels is None


def test_channels_last_are_moved_first():
    array = RANDOM.integers(0, 256, (12, 4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(examples_from_array(array).values[:, 2], array[..., 2])


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((), "0 dimensions"),
        ((12,), r"1 dimensions: shape \(12,\)"),
        ((12, 1, 2, 2, 2), "5 dimensions"),
        ((12, 3, 4, 3), "ambiguous"),
        ((12, 1, 4, 1), "ambiguous"),
        ((12, 4, 5, 4), "1 or 3 channels.*alpha"),
        ((12, 0), "holds no values"),
        ((12, 0, 5), "holds no values"),
        ((0, 3), "no rows"),
    ],
)
def test_other_shapes_are_refused(shape, match):
    with pytest.raises(DataError, match=match):
        examples_from_array(np.ones(shape))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("shape", [(12, 3), (12, 2, 3)])
def test_zeros_and_ones_have_two_levels(dtype, shape):
    array = (np.arange(np.prod(shape)).reshape(shape) % 2).astype(dtype)
    if len(shape) == 2:
        array[0] = 1 - array[0]
    examples = examples_from_array(array)
    assert examples.values.dtype == np.uint8
    assert (examples.schema.levels, examples.schema.binary) == (2, True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, ">u2"])
def test_whole_number_images_have_256_levels(dtype):
    examples = examples_from_array(GREY.astype(dtype))
    assert examples.values.dtype == np.uint8
    assert (examples.schema.levels, examples.schema.binary) == (256, False)
    np.testing.assert_array_equal(examples.values[:, 0], GREY)


def test_black_and_white_bytes_are_binary_with_256_levels():
    examples = examples_from_array(np.where(GREY > 128, 255, 0).astype(np.uint8))
    assert (examples.schema.levels, examples.schema.binary) == (256, True)


@pytest.mark.parametrize("value", [256, -1])
def test_whole_numbers_outside_bytes_are_refused(value):
    array = GREY.astype(np.int32)
    array[3, 2, 1] = value
    with pytest.raises(DataError, match=r"must lie in 0\.\.255, got .*pass floats"):
        examples_from_array(array)


@pytest.mark.parametrize(
    "array", [np.array([["a"] * 3] * 12), np.array([[None] * 3] * 12), TABLE * 1j, TABLE.astype("M8[s]")]
)
def test_other_types_are_refused(array):
    with pytest.raises(DataError, match="expected numbers or booleans, got type"):
        examples_from_array(array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_cells_and_pixels_are_named(value):
    table = TABLE.copy()
    table[4, 1] = table[7, 2] = value
    with pytest.raises(DataError, match=r"row 4, column 'x1' .*2 of 36"):
        examples_from_array(table)
    images = RANDOM.normal(size=(12, 3, 4, 5))
    images[5, 2, 3, 4] = value
    with pytest.raises(DataError, match=r"row 5, channel 2, y 3, x 4 .*1 of 720"):
        examples_from_array(images)


def test_images_beyond_single_precision_are_refused():
    with pytest.raises(DataError, match=r"as float32: row 0, channel 0, y 0, x 1 .* is inf"):
        examples_from_array(np.tile([[[0.0, 1e300]]], (12, 1, 1)))


def test_tensors_are_read_like_arrays():
    tensor = torch.tensor(TABLE, requires_grad=True)
    np.testing.assert_array_equal(examples_from_array(tensor).values, TABLE)


@pytest.mark.parametrize("tensor", [torch.ones(12, 3, dtype=torch.bfloat16), torch.eye(12).to_sparse()])
def test_tensors_that_numpy_does_not_know_are_refused(tensor):
    with pytest.raises(DataError, match=r"pass x\.float\(\) or x\.to_dense\(\)"):
        examples_from_array(tensor)


def test_masked_values_are_refused():
    with pytest.raises(DataError, match="1 values are masked"):
        examples_from_array(np.ma.masked_equal(np.arange(24.0).reshape(12, 2), 5))


def test_names_are_kept_and_counted():
    names = [f"{row}.png" for row in range(12)]
    assert examples_from_array(GREY, names=names).names == tuple(names)
    with pytest.raises(UsageError, match="one name for each of 12 rows, got 2"):
        examples_from_array(GREY, names=["a", "b"])


@pytest.mark.parametrize("array", [TABLE, GREY, RANDOM.normal(size=(12, 2, 2)).astype(np.float32), GREY > 9])
def test_examples_share_no_memory_with_the_array(array):
    assert not np.shares_memory(examples_from_array(array).values, array)


# --- files ---


def test_npy_is_read(tmp_path):
    np.save(tmp_path / "a.npy", GREY)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy").values[:, 0], GREY)


@pytest.mark.parametrize("keep", [0, 3, 20, 150, -1])
def test_truncated_npy_is_refused(tmp_path, keep):
    np.save(tmp_path / "a.npy", TABLE)
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:keep])
    with pytest.raises(DataError, match=r"a\.npy: not a readable \.npy file \(damaged or truncated\?\)"):
        read_array(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", ["(1099511627776, 8)", "(9223372036854775807, 9223372036854775807)", "(-1, 2)"])
def test_a_header_that_claims_too_much_is_refused(tmp_path, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    with pytest.raises(DataError, match=r"a\.npy: not a readable"):
        read_array(tmp_path / "a.npy")


def test_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=np.array([[{}]], dtype=object))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match=f"{name}.*Python objects, which are never loaded"):
            read_array(tmp_path / name)


def test_text_named_npy_is_refused(tmp_path):
    for name in ("a.npy", "a.npz"):
        (tmp_path / name).write_text("a,b\n1,2\n")
        with pytest.raises(DataError, match=f"{name}: not a readable"):
            read_array(tmp_path / name)


def test_an_empty_array_file_has_no_rows(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((0, 3)))
    with pytest.raises(DataError, match=r"a\.npy"):
        read_array(tmp_path / "a.npy")


@pytest.mark.parametrize("key", ["x", "anything"])
def test_npz_with_one_array(tmp_path, key):
    np.savez_compressed(tmp_path / "a.npz", **{key: GREY})
    examples = read_array(tmp_path / "a.npz")
    assert (len(examples), examples.labels, examples.num_test) == (12, None, 0)


@pytest.mark.parametrize("key", ["y", "labels"])
def test_npz_with_labels(tmp_path, key):
    np.savez(tmp_path / "a.npz", **{"x": GREY, key: np.arange(12, dtype=np.uint8)})
    examples = read_array(tmp_path / "a.npz")
    assert examples.labels.dtype == np.int64
    assert examples.labels.tolist() == list(range(12))
    assert examples.schema.label == key


def test_npz_with_its_own_test_split(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        x_test=GREY[8:],
        x_train=GREY[:8],
        y_train=np.zeros(8, int),
        y_test=np.ones(4, int),
    )
    examples = read_array(tmp_path / "a.npz")
    assert examples.num_test == 4
    np.testing.assert_array_equal(examples.values[:, 0], GREY)
    assert examples.labels.tolist() == [0] * 8 + [1] * 4


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"a": GREY, "b": GREY}, "keys: a, b"),
        ({"x": GREY, "y": GREY, "z": GREY}, "keys: x, y, z"),
        ({"x_train": GREY, "y_train": GREY}, "keys: x_train, y_train"),
        ({}, "keys: none"),
        ({"x": GREY, "y": np.zeros(3, int)}, r"y: expected one label for each of 12 rows, got shape \(3,\)"),
        ({"x_train": GREY, "x_test": GREY[:, :2]}, "x_train and x_test must hold the same kind"),
        ({"x_train": GREY, "x_test": GREY.astype(float)}, "got uint8 .* and float64"),
        ({"x_train": np.float64(1), "x_test": np.float64(1)}, "same kind of example"),
        (
            {"x_train": GREY, "x_test": GREY, "y_train": np.array(["a"] * 12), "y_test": np.zeros(12, int)},
            "y_train and y_test must be of one type",
        ),
    ],
)
def test_other_npz_are_refused(tmp_path, content, match):
    np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(DataError, match=match) as caught:
        read_array(tmp_path / "a.npz")
    assert "a.npz" in str(caught.value)


@pytest.mark.parametrize("keep", [0, 10, 300, -1])
def test_truncated_npz_is_refused(tmp_path, keep):
    np.savez_compressed(tmp_path / "a.npz", x=TABLE)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[:keep])
    with pytest.raises(DataError, match=r"a\.npz: not a readable \.npz file"):
        read_array(tmp_path / "a.npz")


def test_every_flipped_byte_of_npz_values_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=TABLE)
    content = (tmp_path / "a.npz").read_bytes()
    for position in range(200, 400, 17):
        damaged = bytearray(content)
        damaged[position] ^= 1
        (tmp_path / "a.npz").write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.npz"):
            read_array(tmp_path / "a.npz")


def test_npz_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_UNPACKED_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(10_000))
    with pytest.raises(DataError, match="unpacks to 80128 bytes, more than the limit of 1000"):
        read_array(tmp_path / "a.npz")


def test_npz_member_whose_header_claims_too_much_is_refused(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 800), }\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match=r"a\.npz: not a readable"):
        read_array(tmp_path / "a.npz")
