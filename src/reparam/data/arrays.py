"""Examples from numpy arrays and tensors, in memory or in ``.npy`` and ``.npz`` files.

What an array means is read from its shape and type: 2-D is a table, 3-D and 4-D are images; whole numbers in
0..255 are grey levels, values that are all 0 or 1 are black and white, other floats are real values.
"""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reparam.data.checks import as_labels, check_finite, check_not_empty, zero_one
from reparam.data.schema import Column, Examples, Schema
from reparam.errors import DataError, UsageError

__all__ = ["examples_from_array", "examples_from_arrays", "read_array"]

MAX_UNPACKED_BYTES = 16 * 2**30
"""Most that the arrays of one ``.npz`` may unpack to; a small file can claim any size."""

_DAMAGED = (ValueError, EOFError, ArithmeticError, MemoryError, KeyError, zipfile.BadZipFile, zlib.error)


def examples_from_array(array: Any, *, names: Sequence[str] = (), where: str = "array") -> Examples:
    """Examples from a numpy array or a tensor, by its shape and type.

    * ``[N, D]`` is a table with columns ``x0, x1, ...`` (``float64``).
    * ``[N, H, W]`` are images with one channel.
    * ``[N, C, H, W]`` and ``[N, H, W, C]`` are images with 1 or 3 channels.

    Values that are all 0 or 1 (of any type) give 2 levels; images of whole numbers in 0..255 give 256 levels;
    images of floats stay real (``float32``).

    Args:
        array: numbers or booleans, finite; a tensor is copied to the CPU and detached.
        names: one name a row, or empty.
        where: how messages name the source.

    Returns:
        Examples without labels; their values share no memory with ``array``.

    Raises:
        DataError: another shape or type, NaN or infinity, no rows, whole-number images outside 0..255.
        UsageError: ``names`` of the wrong length.

    Example:
        >>> examples = examples_from_array(np.arange(12 * 4, dtype=np.uint8).reshape(12, 2, 2))
        >>> examples.values.shape, examples.schema.levels
        ((12, 1, 2, 2), 256)
    """
    values = _to_numpy(array, where)
    images = values.ndim != 2
    if images:
        values = _channels_first(values, where)
    check_not_empty(len(values), where)
    if names and len(names) != len(values):
        raise UsageError(f"{where}: expected one name for each of {len(values)} rows, got {len(names)}")
    if 0 in values.shape:
        raise DataError(f"{where}: an example of shape {values.shape[1:]} holds no values")
    values, schema = _image(values, where) if images else _table(values, where)
    return Examples(values=values, schema=schema, names=tuple(names))


def examples_from_arrays(arrays: Mapping[str, Any], *, where: str = "arrays") -> Examples:
    """Examples from arrays or tensors by name, with the keys that an ``.npz`` file has, see :func:`read_array`.

    Raises:
        DataError: other keys (lists them), or values that :func:`examples_from_array` refuses.

    Example:
        >>> examples_from_arrays({"x": np.eye(3), "y": np.array([0, 1, 1])}).labels
        array([0, 1, 1])
    """
    dense = {str(key): array.detach().cpu() if hasattr(array, "detach") else array for key, array in arrays.items()}
    return _from_npz({key: np.asarray(array) for key, array in dense.items()}, where)


def _to_numpy(array: Any, where: str) -> np.ndarray[Any, Any]:
    if hasattr(array, "detach"):
        try:
            array = array.detach().cpu().numpy()
        except (TypeError, RuntimeError) as error:
            raise DataError(
                f"{where}: a tensor of type {array.dtype} cannot become a numpy array; pass x.float() or x.to_dense()"
            ) from error
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        count = int(np.ma.getmaskarray(array).sum())
        raise DataError(f"{where}: {count} values are masked; fill them in or remove their rows")
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers or booleans, got type {values.dtype}; convert it, e.g. to float64")
    if values.ndim not in (2, 3, 4):
        raise DataError(
            f"{where}: expected [rows, columns], [rows, height, width] or [rows, channels, height, width], "
            f"got {values.ndim} dimensions: shape {values.shape}"
        )
    return values


def _channels_first(values: np.ndarray[Any, Any], where: str) -> np.ndarray[Any, Any]:
    if values.ndim == 3:
        return values[:, None]
    first, last = values.shape[1] in (1, 3), values.shape[3] in (1, 3)
    if first and last:
        raise DataError(
            f"{where}: shape {values.shape} is ambiguous: the channels (1 or 3) may come second or last; "
            "for one channel pass [rows, height, width]"
        )
    if not first and not last:
        raise DataError(
            f"{where}: expected images with 1 or 3 channels, as [rows, channels, height, width] or "
            f"[rows, height, width, channels], got shape {values.shape}; drop other channels such as alpha"
        )
    return values if first else values.transpose(0, 3, 1, 2)


def _table(values: np.ndarray[Any, Any], where: str) -> tuple[np.ndarray[Any, Any], Schema]:
    names = [f"x{index}" for index in range(values.shape[1])]
    check_finite(values, where, names)
    columns = tuple(Column(name) for name in names)
    if zero_one(values):
        schema = Schema("table", (len(names),), levels=2, binary=True, columns=columns)
        return values.astype(np.uint8), schema
    return values.astype(np.float64), Schema("table", (len(names),), columns=columns)


def _image(values: np.ndarray[Any, Any], where: str) -> tuple[np.ndarray[Any, Any], Schema]:
    check_finite(values, where)
    low, high = values.min(), values.max()
    shape = (int(values.shape[1]), int(values.shape[2]), int(values.shape[3]))
    if zero_one(values):
        return np.array(values, dtype=np.uint8, order="C"), Schema("image", shape, levels=2, binary=True)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            real = np.array(values, dtype=np.float32, order="C")
        check_finite(real, f"{where} as float32")
        return real, Schema("image", shape)
    if low < 0 or high > 255:
        raise DataError(
            f"{where}: images of whole numbers must lie in 0..255, got {low}..{high}; "
            "rescale them, or pass floats for real values"
        )
    grey = np.array(values, dtype=np.uint8, order="C")
    return grey, Schema("image", shape, levels=256, binary=bool(((grey == 0) | (grey == 255)).all()))


def read_array(path: str | Path) -> Examples:
    """Examples from a ``.npy`` or ``.npz`` file.

    An ``.npz`` holds one array, or ``x`` with optional labels ``y`` (or ``labels``), or ``x_train`` and
    ``x_test`` with optional ``y_train`` and ``y_test``: then the test rows come last and stay the test split.

    Args:
        path: the file. Arrays of Python objects are refused: reading them would run code.

    Raises:
        DataError: damaged or truncated (names the file), other keys (lists them), or values that
            :func:`examples_from_array` refuses.
        OSError: the file cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/a.npy", np.arange(20.0).reshape(10, 2))
        ...     read_array(f"{folder}/a.npy").schema.describe()
        'rows of 2 columns, real values: x0, x1'
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _from_npz(_read_npz(path), str(path))
    try:
        # Mapped, not read: a header that claims more than the file holds is refused before memory is taken.
        with np.errstate(over="raise"):
            array = np.load(path, mmap_mode="r")
    except _DAMAGED as error:
        raise _damaged(path, error) from error
    return examples_from_array(array, where=str(path))


def _damaged(path: Path, error: BaseException) -> DataError:
    reason = "it holds Python objects, which are never loaded" if "bject" in str(error) else _short(error)
    return DataError(f"{path}: not a readable {path.suffix.lower()} file (damaged or truncated?): {reason}")


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def _read_npz(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_UNPACKED_BYTES:
            raise DataError(f"{path}: unpacks to {unpacked} bytes, more than the limit of {MAX_UNPACKED_BYTES}")
        with np.load(path) as archive:
            return {key: archive[key] for key in archive.files}
    except DataError:
        raise
    except (*_DAMAGED, NotImplementedError, RuntimeError) as error:
        raise _damaged(path, error) from error


def _from_npz(arrays: dict[str, np.ndarray[Any, Any]], where: str) -> Examples:
    keys = set(arrays)
    if len(keys) == 1:
        (array,) = arrays.values()
        return examples_from_array(array, where=where)
    if "x" in keys and len(keys) == 2 and keys & {"y", "labels"}:
        (label,) = keys - {"x"}
        examples = examples_from_array(arrays["x"], where=f"{where}: x")
        return _with_labels(examples, arrays[label], label, where)
    if keys in ({"x_train", "x_test"}, {"x_train", "x_test", "y_train", "y_test"}):
        return _from_train_and_test(arrays, where)
    raise DataError(
        f"{where}: cannot tell which array holds the examples; keys: {', '.join(sorted(keys)) or 'none'}. "
        "Expected one array, or x and optionally y, or x_train and x_test and optionally y_train and y_test"
    )


def _from_train_and_test(arrays: dict[str, np.ndarray[Any, Any]], where: str) -> Examples:
    train, test = arrays["x_train"], arrays["x_test"]
    if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype or train.ndim == 0:
        raise DataError(
            f"{where}: x_train and x_test must hold the same kind of example, "
            f"got {train.dtype} {train.shape} and {test.dtype} {test.shape}"
        )
    examples = examples_from_array(np.concatenate([train, test]), where=f"{where}: x_train and x_test")
    examples = replace(examples, num_test=len(test))
    if "y_train" not in arrays:
        return examples
    labels = [
        as_labels(arrays[f"y_{part}"], len(arrays[f"x_{part}"]), f"{where}: y_{part}") for part in ("train", "test")
    ]
    if labels[0].dtype.kind != labels[1].dtype.kind:
        raise DataError(f"{where}: y_train and y_test must be of one type, got {labels[0].dtype} and {labels[1].dtype}")
    return _with_labels(examples, np.concatenate(labels), "y", where)


def _with_labels(examples: Examples, labels: np.ndarray[Any, Any], key: str, where: str) -> Examples:
    checked = as_labels(labels, len(examples), f"{where}: {key}")
    return replace(examples, labels=checked, schema=replace(examples.schema, label=key))
