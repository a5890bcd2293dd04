"""Reading IDX, the format of MNIST and its relatives: a header of big-endian sizes, then the values.

Layout: two zero bytes, a type code, the number of dimensions, one unsigned 32-bit size a dimension, then the
values in C order (http://yann.lecun.com/exdb/mnist/). Files may be compressed with gzip, whatever their name
says.
"""

import gzip
import math
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from reparam.data.arrays import examples_from_array
from reparam.data.checks import as_labels
from reparam.data.schema import Examples
from reparam.errors import DataError

__all__ = ["is_idx_file", "is_idx_folder", "read_idx", "read_idx_folder", "read_idx_images"]

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_BYTES = 16 * 2**30
_PARTS = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}


def read_idx(path: str | Path) -> np.ndarray[Any, Any]:
    """The array in an IDX file, plain or compressed with gzip, in the machine's byte order.

    Args:
        path: the file.

    Returns:
        An array of the shape and type that the header states.

    Raises:
        DataError: not an IDX file, or more or fewer values than the header states.
        OSError: the file cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "labels").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        ...     read_idx(f"{folder}/labels")
        array([7, 9], dtype=uint8)
    """
    path = Path(path)
    try:
        with _open(path) as file:
            return _read(file, str(path))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged or truncated gzip file: {error}; fetch it again") from error


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if compressed else path.open("rb")


def _read(file: BinaryIO, where: str) -> np.ndarray[Any, Any]:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or start[3] == 0:
        raise DataError(f"{where}: not an IDX file: it starts with the bytes {start.hex(' ') or '(none)'}")
    dtype, num_dims = np.dtype(_TYPES[start[2]]), start[3]
    sizes = file.read(4 * num_dims)
    if len(sizes) < 4 * num_dims:
        raise DataError(f"{where}: truncated: the header of {num_dims} sizes is incomplete")
    shape = struct.unpack(f">{num_dims}I", sizes)
    expected = math.prod(shape) * dtype.itemsize
    if expected > _MAX_BYTES:
        raise DataError(f"{where}: the header claims shape {shape}, {expected} bytes; the limit is {_MAX_BYTES}")
    content = file.read(expected + 1)
    if len(content) != expected:
        found = f"only {len(content)}" if len(content) < expected else "more"
        raise DataError(
            f"{where}: truncated or damaged: the header states {expected} bytes of values for shape {shape}, "
            f"found {found}; fetch it again"
        )
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def is_idx_file(path: str | Path) -> bool:
    """Whether a file starts like an IDX file (inside gzip, if it is compressed).

    Args:
        path: the file.

    Raises:
        OSError: the file cannot be opened.

    Example:
        >>> is_idx_file(__file__)
        False
    """
    try:
        with _open(Path(path)) as file:
            start = file.read(4)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in _TYPES and 1 <= start[3] <= 4


def read_idx_images(path: str | Path) -> Examples:
    """Examples without labels from one IDX file of images (or of a table), see
    :func:`~reparam.data.arrays.examples_from_array`.

    Args:
        path: the file.

    Raises:
        DataError: not IDX, damaged, or values that are no examples (for instance a file of labels).
        OSError: the file cannot be opened.
    """
    return examples_from_array(read_idx(path), where=str(path))


def _find(folder: Path) -> dict[str, Path]:
    found = {}
    for part, name in _PARTS.items():
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                found[part] = candidate
                break
    return found


def is_idx_folder(folder: str | Path) -> bool:
    """Whether a folder holds any of the four MNIST files by name, plain or with ``.gz``.

    Args:
        folder: an existing folder.
    """
    return bool(_find(Path(folder)))


def read_idx_folder(folder: str | Path) -> Examples:
    """Examples and labels from a folder of four files named as MNIST's (Fashion-MNIST uses the same).

    The files are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, each plain or with ``.gz``. The ``t10k`` rows come last and stay the test
    split.

    Args:
        folder: the folder.

    Raises:
        DataError: a file is missing or damaged, or counts or sizes do not match.
        OSError: a file cannot be opened.
    """
    folder = Path(folder)
    files = _find(folder)
    missing = [name for part, name in _PARTS.items() if part not in files]
    if missing:
        raise DataError(f"{folder}: missing {', '.join(missing)} (plain or .gz); all four files of the set are needed")
    arrays = {part: read_idx(path) for part, path in files.items()}
    images = [arrays["train images"], arrays["test images"]]
    if images[0].shape[1:] != images[1].shape[1:] or images[0].dtype != images[1].dtype:
        raise DataError(
            f"{folder}: training and test images differ: {images[0].dtype} {images[0].shape} and "
            f"{images[1].dtype} {images[1].shape}"
        )
    labels = [
        as_labels(arrays[f"{part} labels"], len(arrays[f"{part} images"]), str(files[f"{part} labels"]))
        for part in ("train", "test")
    ]
    examples = examples_from_array(np.concatenate(images), where=str(folder))
    schema = replace(examples.schema, label="file")
    return replace(examples, schema=schema, labels=np.concatenate(labels), num_test=len(images[1]))
