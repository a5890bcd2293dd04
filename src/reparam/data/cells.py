"""From the cells of one column to ``float64``, or to the first cell that is no number, and why."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reparam.data.checks import as_labels
from reparam.errors import DataError

__all__ = ["Problem", "labels", "numbers"]

_MISSING = pa.array(["", "?", "-", ".", "na", "n/a", "#n/a", "nan", "-nan", "+nan", "null", "none", "nil", "missing"])
_INFINITE = pa.array([sign + word for sign in ("", "+", "-") for word in ("inf", "infinity")])
_TRUTH = pa.array(["true", "false"])
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE = r"^[+-]?[0-9]{1,18}$"


@dataclass(frozen=True)
class Problem:
    """Why a column is not numeric.

    Args:
        kind: ``"text"``, ``"missing"`` or ``"infinite"`` cells, or ``"type"``: no cell of it could be a
            number.
        row: first such row, from 0.
        count: how many rows.
        found: the first such cell as it was written, or the name of the type.
    """

    kind: Literal["text", "missing", "infinite", "type"]
    row: int
    count: int
    found: str


def numbers(column: pa.ChunkedArray) -> np.ndarray[Any, Any] | Problem:
    """The column as ``float64`` ``[N]``, all finite, or what stands in the way.

    Numbers of any Arrow type and booleans (0/1) pass, and text of which every cell is a number in English
    notation, or every cell ``true`` or ``false``. Spaces around a cell do not matter.

    Args:
        column: ``N`` cells.

    Example:
        >>> numbers(pa.chunked_array([["1", " 2.5e1"]]))
        array([ 1., 25.])
        >>> numbers(pa.chunked_array([["1", "two", "3"]]))
        Problem(kind='text', row=1, count=1, found='two')
    """
    column = _plain(column)
    kind = column.type
    if pa.types.is_null(kind):
        return Problem("missing", 0, len(column), "")
    if pa.types.is_string(kind):
        return _from_text(column)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return Problem("type", 0, len(column), str(kind))
    values = _to_numpy(column)
    return _first(_mask(column.is_null()) | np.isnan(values), "missing", column) or _infinite(values, column) or values


def labels(column: pa.ChunkedArray, where: str) -> np.ndarray[Any, Any]:
    """The column as labels: ``int64`` if every cell is a whole number, else strings.

    Args:
        column: ``N`` cells of whole numbers, booleans or text.
        where: the file and column, for the message.

    Raises:
        DataError: missing cells, or values that are neither whole numbers nor text.

    Example:
        >>> labels(pa.chunked_array([["b", "a"]]), "t.csv: column 'y'")
        array(['b', 'a'], dtype='<U1')
    """
    column = _plain(column)
    if pa.types.is_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        missing = _mask(pc.or_kleene(column.is_null(), pc.equal(column, "")))
    else:
        missing = _mask(column.is_null())
    if missing.any():
        raise DataError(f"{where}: {_counted(missing)}; every row needs a label")
    if not pa.types.is_string(column.type):
        return as_labels(np.asarray(column.to_numpy()), len(column), where)
    if len(column) and pc.all(pc.match_substring_regex(column, _WHOLE)).as_py():
        return np.asarray(column.cast(pa.int64()).to_numpy())
    return np.array(column.to_pylist(), dtype=np.str_)


def _counted(missing: np.ndarray[Any, Any]) -> str:
    return f"{missing.sum()} of {len(missing)} labels missing, first in row {missing.argmax() + 1}"


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    return column


def _from_text(column: pa.ChunkedArray) -> np.ndarray[Any, Any] | Problem:
    column = pc.utf8_trim_whitespace(column)
    try:
        values = _to_numpy(column)
    except pa.ArrowInvalid:
        values = None
    if values is not None and np.isfinite(values).all():
        return values
    lower = pc.utf8_lower(column)
    if not column.null_count and pc.all(pc.is_in(lower, value_set=_TRUTH)).as_py():
        return _to_numpy(pc.equal(lower, "true").cast(pa.uint8()))
    missing = _mask(pc.or_kleene(column.is_null(), pc.is_in(lower, value_set=_MISSING)))
    infinite = _mask(pc.is_in(lower, value_set=_INFINITE))
    number = _mask(pc.match_substring_regex(column, _NUMBER))
    text = ~(missing | infinite | number)
    if values is not None:
        infinite |= np.isinf(values)
    problem = _first(text, "text", column) or _first(missing, "missing", column) or _first(infinite, "infinite", column)
    if problem is None:
        raise AssertionError(f"a column of numbers that Arrow does not read: {column}")
    return problem


def _to_numpy(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    # safe=False: integers beyond 2**53 become the nearest float, as they would from text.
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _mask(values: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    return np.asarray(values.fill_null(False).to_numpy(), dtype=bool)


def _infinite(values: np.ndarray[Any, Any], column: pa.ChunkedArray) -> Problem | None:
    return _first(np.isinf(values), "infinite", column)


def _first(
    mask: np.ndarray[Any, Any], kind: Literal["text", "missing", "infinite"], column: pa.ChunkedArray
) -> Problem | None:
    count = int(mask.sum())
    if not count:
        return None
    row = int(mask.argmax())
    found = column[row].as_py()
    return Problem(kind, row, count, "" if found is None else str(found))
