"""Decoded examples and tables of numbers as files that other programs open, in the user's own units.

Everything is written under a temporary name beside its place and renamed when complete; nothing is ever
overwritten.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from PIL import Image

from reparam.data.image_files import EXTENSIONS
from reparam.data.new_paths import new_path, refuse_existing
from reparam.data.pictures import (
    check_finite,
    check_pictures,
    contact_sheet,
    image_grid,
    to_levels,
    to_uint8,
)
from reparam.data.schema import Schema
from reparam.errors import UsageError

__all__ = ["check_target", "image_grid", "to_uint8", "write_columns", "write_examples"]

Array = np.ndarray[Any, Any]

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".npy")
IMAGE_SUFFIXES = (".png", ".npy")


def check_target(path: str | os.PathLike[str], schema: Schema | None = None) -> None:
    """Refuse now what writing to ``path`` would refuse after a long computation.

    Args:
        path: where examples of this schema are to be written, or columns where there is none.

    Raises:
        UsageError: unknown ending.
        InputOutputError: ``path`` exists, or lies below a file.

    Example:
        >>> check_target("a folder that does not exist/codes.csv")
    """
    _suffix(Path(path), TABLE_SUFFIXES if schema is None or schema.kind == "table" else ("", *IMAGE_SUFFIXES))
    refuse_existing(Path(path))


def write_examples(
    path: str | os.PathLike[str],
    values: Array,
    schema: Schema,
    *,
    names: Sequence[str] = (),
    extra: Mapping[str, Array] | None = None,
) -> list[Path]:
    """Write decoded examples in the form that the ending of ``path`` asks for, and return the files written.

    Images: ``.png`` is one contact sheet; ``.npy`` the array ``[num_rows, channels, height, width]``; without
    an ending, a folder of PNG files. Values with levels are rounded and clipped to them (``uint8``; in PNG
    stretched to 0 to 255); real values are ``float32`` in ``.npy``, and in PNG stretched so that the least
    value of all is 0 and the greatest 255.

    Tables: ``.csv``, ``.tsv``, ``.parquet`` with the schema's column names, or ``.npy`` without them (numbers
    only); values with levels as integers, real ones as ``float64``.

    Args:
        path: a new file or folder; missing folders above it are created.
        values: ``[num_rows, *schema.shape]``, finite, in the data's own units.
        names: one a row, to name the files of a folder of images (folders and all, the ending becoming
            ``.png``); without names they are called 000000.png, 000001.png, ... Nothing else uses names.
        extra: columns put in front of a table's own, each ``[num_rows]``; tables only.

    Raises:
        UsageError: unknown ending, shapes that do not fit, no rows, names that lead outside of the folder, a
            contact sheet of more than ``image_decoding.MAX_PIXELS`` pixels.
        DataError: values that are not finite.
        InputOutputError: ``path`` exists, or cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> schema = Schema("image", (1, 4, 4), levels=256)
        >>> [file.name for file in write_examples(folder / "new", np.zeros((2, 1, 4, 4)), schema)]
        ['000000.png', '000001.png']
    """
    target = Path(path)
    _check_examples(values, schema)
    if schema.kind == "table":
        columns = _table_columns(values, schema, extra or {})
        return [write_columns(target, columns)]
    if extra:
        raise UsageError(f"expected no extra columns for images, got {', '.join(extra)}; name the files by names")
    suffix = _suffix(target, ("", *IMAGE_SUFFIXES))
    if suffix == "":
        return _write_folder(target, to_uint8(values, schema), names)
    if suffix == ".npy":
        array = values.astype(np.float32) if schema.levels is None else to_levels(values, schema.levels)
        with new_path(target) as temporary:
            np.save(temporary, array)
        return [target]
    sheet = contact_sheet(to_uint8(values, schema))
    with new_path(target) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
    return [target]


def write_columns(path: str | os.PathLike[str], columns: Mapping[str, Array]) -> Path:
    """Write named columns of equal length as ``.csv``, ``.tsv``, ``.parquet`` or ``.npy``; returns the path.

    ``.npy`` holds one array ``[num_rows, num_columns]`` without the names, so its columns must be numbers.

    Raises:
        UsageError: unknown ending, columns that are not one-dimensional or of one length, text in ``.npy``.
        InputOutputError: ``path`` exists, or cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "codes.csv"
        >>> print(write_columns(path, {"z0": np.array([0.5, 1.5]), "row": np.array([0, 1])}).read_text())
        "z0","row"
        0.5,0
        1.5,1
        <BLANKLINE>
    """
    target = Path(path)
    suffix = _suffix(target, TABLE_SUFFIXES)
    checked = _check_columns(columns)
    if suffix == ".npy":
        words = [name for name, column in checked.items() if column.dtype.kind == "U"]
        if words:
            raise UsageError(f"column {words[0]!r} holds text, which {target.name} cannot; choose .csv or .parquet")
        matrix = np.column_stack(list(checked.values()))
        with new_path(target) as temporary:
            np.save(temporary, matrix)
        return target
    table = pa.table(checked)
    with new_path(target) as temporary:
        if suffix == ".parquet":
            pyarrow.parquet.write_table(table, temporary)
        else:
            options = pyarrow.csv.WriteOptions(delimiter="\t" if suffix == ".tsv" else ",")
            pyarrow.csv.write_csv(table, temporary, options)
    return target


def _write_folder(target: Path, pictures: Array, names: Sequence[str]) -> list[Path]:
    check_pictures(pictures)
    files = _file_names(names, len(pictures))
    with new_path(target) as temporary:
        temporary.mkdir()
        for file, picture in zip(files, pictures, strict=True):
            place = temporary / file
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as stream:
                Image.fromarray(image_grid(picture[None], 1)).save(stream, format="PNG")
    return [target / file for file in files]


def _file_names(names: Sequence[str], count: int) -> list[str]:
    """One name a picture, ending in .png; where two would be equal, both keep their own ending before it."""
    if not names:
        return [f"{index:06d}.png" for index in range(count)]
    if len(names) != count:
        raise UsageError(f"expected one name for each of {count} images, got {len(names)}")
    for name in names:
        path = Path(name)
        if path.is_absolute() or path.drive or ".." in path.parts or not path.name or "\0" in name:
            raise UsageError(f"expected names of files inside of the new folder, got {name!r}")
    stems = [name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in EXTENSIONS else name for name in names]
    counts = Counter(stem.casefold() for stem in stems)
    files = [f"{stem if counts[stem.casefold()] == 1 else name}.png" for stem, name in zip(stems, names, strict=True)]
    repeated = [file for file, times in Counter(file.casefold() for file in files).items() if times > 1]
    if repeated:
        raise UsageError(f"expected names that differ, but {len(repeated)} occur again, the first is {repeated[0]!r}")
    return files


def _table_columns(values: Array, schema: Schema, extra: Mapping[str, Array]) -> dict[str, Array]:
    own = [column.name for column in schema.columns] or [f"column{index}" for index in range(schema.shape[0])]
    numbers = values.astype(np.float64) if schema.levels is None else to_levels(values, schema.levels).astype(np.int64)
    twice = [name for name, times in Counter([*extra, *own]).items() if times > 1]
    if twice:
        raise UsageError(f"expected columns of different names, but two are called {twice[0]!r}")
    return {**extra, **dict(zip(own, numbers.T, strict=True))}


def _suffix(target: Path, known: Sequence[str]) -> str:
    suffix = target.suffix.lower()
    if suffix not in known:
        choices = " or ".join(filter(None, known)) + (", or in nothing (a folder of PNG files)" if "" in known else "")
        raise UsageError(f"cannot write {target}: expected a name ending in {choices}; got {suffix or 'no ending'}")
    return suffix


def _check_examples(values: Array, schema: Schema) -> None:
    if values.shape[1:] != schema.shape or values.ndim != len(schema.shape) + 1 or len(values) == 0:
        raise UsageError(f"expected at least one example of shape {list(schema.shape)}, got {values.shape=}")
    check_finite(values)


def _check_columns(columns: Mapping[str, Array]) -> dict[str, Array]:
    """The columns in types that every table format takes."""
    if not columns:
        raise UsageError("expected at least one column to write, got none")
    checked: dict[str, Array] = {}
    lengths = {column.shape[0] if column.ndim == 1 else None for column in columns.values()}
    if len(lengths) != 1 or None in lengths:
        shapes = ", ".join(f"{name}: {list(column.shape)}" for name, column in columns.items())
        raise UsageError(f"expected columns of one dimension and equal length, got {shapes}")
    for name, column in columns.items():
        if column.dtype.kind not in "iufbU":
            raise UsageError(f"expected numbers or text in column {name!r}, got type {column.dtype}")
        unusual = column.dtype.kind == "f" and column.dtype.itemsize not in (4, 8)
        checked[name] = column.astype(np.float64) if unusual else column
    return checked
