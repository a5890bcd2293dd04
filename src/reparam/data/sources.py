"""From whatever the user has to examples: a name, a path, an array, a tensor, a data frame."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reparam.data.given import take_out
from reparam.data.image_files import EXTENSIONS
from reparam.data.schema import Examples
from reparam.errors import DataError, InputOutputError, UsageError, suggestion

__all__ = ["read", "source_name"]

_TABLES = (".csv", ".tsv", ".parquet")
_ARRAYS = (".npy", ".npz")
_ACCEPTED = (
    "a folder of images, a .csv, .tsv or .parquet table (or a folder of parts), a .npy or .npz array, "
    "an IDX file or the folder of the four MNIST files"
)


def read(
    source: Any,
    *,
    resize: tuple[int, int] | None = None,
    skip_bad: bool = False,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    condition: Sequence[str] = (),
) -> Examples:
    """Read examples from a source, by what it is.

    Args:
        source: ``"digits"`` (a folder of that name is ``"./digits"``); a path to what the message of an
            unknown type lists; a numpy array; a tensor; a pyarrow table, a pandas or polars data frame; a mapping
            of arrays with the keys of an ``.npz`` file, e.g. ``{"x": images, "y": labels}``.
        resize: ``(height, width)`` in pixels, for folders of images of several sizes.
        skip_bad: leave out image files that cannot be read, with a note, instead of refusing the folder.
        columns: names of the columns of a table to keep.
        label: name of the column of a table that becomes the labels.
        condition: what is given to the model: names of columns of a table, which leave its values, or ``"label"``, the
            labels of any source.

    Raises:
        DataError: does not exist, is of no known type, or holds what the reader of its type refuses; there are no
            labels to be given.
        InputOutputError: the operating system refuses to read it.
        UsageError: an option that the source has no use for, or a ``source`` of another Python type.

    Example:
        >>> len(read("digits"))
        1797
    """
    if isinstance(condition, str) or len(set(condition)) < len(condition):
        raise UsageError(f"condition must be a list of different names, got {condition!r}")
    try:
        kind = _kind(source)
        _check_options(kind, resize=resize, skip_bad=skip_bad, columns=columns, label=label)
        if kind == "images":
            from reparam.data.images import read_images

            examples = read_images(Path(source), resize=resize, skip_bad=skip_bad)
        elif kind in ("table", "table file"):
            from reparam.data.tables import examples_from_table, read_table

            reader = read_table if kind == "table file" else examples_from_table
            return reader(source, columns=columns, label=label, condition=condition)
        else:
            examples = _read_plain(source, kind)
        return take_out(examples, condition) if condition else examples
    except InputOutputError:
        raise
    except OSError as error:
        raise InputOutputError(f"{source}: cannot be read: {error.strerror or error}") from error


def _read_plain(source: Any, kind: str) -> Examples:
    if kind == "digits":
        from reparam.data.digits import read_digits

        return read_digits()
    if kind in ("array", "arrays", "array file"):
        from reparam.data.arrays import examples_from_array, examples_from_arrays, read_array

        readers: dict[str, Callable[[Any], Examples]]
        readers = {"array": examples_from_array, "arrays": examples_from_arrays, "array file": read_array}
        return readers[kind](source)
    from reparam.data.idx import read_idx_folder, read_idx_images

    return read_idx_folder(source) if kind == "IDX folder" else read_idx_images(source)


def _check_options(kind: str, **options: Any) -> None:
    if options["skip_bad"] is False:
        options["skip_bad"] = None
    for_kinds = {"resize": ("images",), "skip_bad": ("images",)}
    for name, value in options.items():
        allowed = for_kinds.get(name, ("table", "table file"))
        if value is not None and kind not in allowed:
            only = "folders of images" if allowed == ("images",) else "tables"
            raise UsageError(f"{name} is for {only}; this source is of kind: {kind}. Leave {name} out")


def _kind(source: Any) -> str:
    if isinstance(source, str) and source == "digits":
        return "digits"
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.exists():
            raise DataError(_does_not_exist(path))
        return _kind_of_folder(path) if path.is_dir() else _kind_of_file(path)
    if hasattr(source, "detach"):
        return "array"
    if isinstance(source, Mapping):
        return "arrays"
    if any(hasattr(source, name) for name in ("iloc", "__arrow_c_stream__")) and hasattr(source, "columns"):
        return "table"
    if hasattr(source, "__array__") and hasattr(source, "dtype"):
        return "array"
    raise UsageError(
        "expected 'digits', a path, a numpy array, a tensor, a data frame or a mapping of arrays, got "
        f"{type(source).__name__}"
    )


def _does_not_exist(path: Path) -> str:
    known = ["digits"] if path.parent == Path() else []
    if path.parent.is_dir():
        known += [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    near = suggestion(path.name, known)
    return f"{path} does not exist" + (f"; {near}" if near.startswith("did you mean") else "; check the path")


def _kind_of_file(path: Path) -> str:
    from reparam.data.idx import is_idx_file

    suffix = path.suffix.lower()
    if suffix in _TABLES:
        return "table file"
    if suffix in _ARRAYS:
        return "array file"
    if suffix in EXTENSIONS:
        raise DataError(f"{path}: one image is not enough to learn from; give the folder that holds the images")
    if is_idx_file(path):
        return "IDX file"
    raise DataError(f"{path}: cannot tell what kind of data this is. Accepted are: {_ACCEPTED}")


def _kind_of_folder(folder: Path) -> str:
    from reparam.data.idx import is_idx_folder

    if is_idx_folder(folder):
        return "IDX folder"
    suffixes = Counter(
        Path(name).suffix.lower() or "(none)"
        for _, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    )
    images = {suffix: suffixes[suffix] for suffix in EXTENSIONS if suffix in suffixes}
    tables = Counter(
        entry.suffix.lower()
        for entry in folder.iterdir()
        if entry.suffix.lower() in _TABLES and entry.name[0] not in "._"
    )
    if images and tables:
        raise DataError(
            f"{folder}: holds images ({_counts(images)}) and tables ({_counts(tables)}); "
            "keep one kind in the folder, or give the path of one table"
        )
    if images or tables:
        return "images" if images else "table file"
    seen = f"found {_counts(suffixes)}" if suffixes else "the folder is empty"
    raise DataError(f"{folder}: nothing here can be read: {seen}. Accepted are: {_ACCEPTED}")


def _counts(suffixes: dict[str, int]) -> str:
    return ", ".join(
        f"{count} {suffix}" for suffix, count in sorted(suffixes.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def source_name(source: Any) -> str:
    """A short name for a source: the file's or folder's, or the kind of what is in memory.

    Example:
        >>> source_name("data/wine.csv"), source_name(Path("data/mnist")), source_name("digits")
        ('wine', 'mnist', 'digits')
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.name or path.name == "..":
            path = path.resolve()
        name = path.name if path.is_dir() else path.name.removesuffix(".gz")
        return name if path.is_dir() else Path(name).stem
    return "table" if hasattr(source, "columns") else "array"
