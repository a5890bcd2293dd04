"""What every reader checks before data counts as examples, so that one fault has one message.

Nothing here reads a file; ``where`` is how messages name the source (a path, ``"array"``, ``"table"``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from reparam.data.schema import Examples, Schema
from reparam.errors import DataError

__all__ = [
    "MIN_ROWS",
    "as_labels",
    "check_constant",
    "check_finite",
    "check_not_empty",
    "check_same_kind",
    "check_trainable",
    "first_bad",
    "zero_one",
]

MIN_ROWS = 10
"""Fewest rows that can be split into training, validation and test."""


def check_not_empty(num_rows: int, where: str) -> None:
    """Refuse a source without rows.

    Raises:
        DataError: there are none.

    Example:
        >>> check_not_empty(0, "array")
        Traceback (most recent call last):
        ...
        reparam.errors.DataError: array: no rows
    """
    if num_rows == 0:
        raise DataError(f"{where}: no rows")


def check_trainable(examples: Examples, where: str) -> None:
    """Refuse what can be read and encoded, but not learned from.

    Raises:
        DataError: fewer than :data:`MIN_ROWS` rows; columns in which every row has the same value; images that are one
            value throughout.

    Example:
        >>> from reparam.data.arrays import examples_from_array
        >>> check_trainable(examples_from_array(np.eye(10)), "array")
        >>> check_trainable(examples_from_array(np.eye(3)), "array")
        Traceback (most recent call last):
        ...
        reparam.errors.DataError: array: only 3 rows; at least 10 are needed for training, validation and test
    """
    num_rows = len(examples)
    if num_rows < MIN_ROWS:
        count = "1 row" if num_rows == 1 else f"only {num_rows} rows"
        raise DataError(f"{where}: {count}; at least {MIN_ROWS} are needed for training, validation and test")
    if examples.schema.kind == "table":
        check_constant(examples.values, [column.name for column in examples.schema.columns], where)
    elif examples.values.min() == examples.values.max():
        raise DataError(f"{where}: every pixel of every image is {examples.values.min()}; there is nothing to learn")


def check_same_kind(examples: Examples, known: Schema) -> None:
    """Refuse examples that a model of other data cannot take.

    Args:
        examples: what is given.
        known: the schema the model was trained on.

    Raises:
        DataError: another kind, shape or set of columns, or values that are not among the known levels.

    Example:
        >>> from reparam.data.arrays import examples_from_array
        >>> examples = examples_from_array(np.random.default_rng(0).normal(size=(2, 3)))
        >>> check_same_kind(examples, examples.schema)
    """
    given, values = examples.schema, examples.values
    same_names = [column.name for column in given.columns] == [column.name for column in known.columns]
    if given.kind != known.kind or given.shape != known.shape or (known.levels is None and not same_names):
        raise DataError(
            f"these examples are not of the kind the model knows: expected {known.describe()}; got {given.describe()}"
        )
    if known.levels is None:
        return
    low, high = values.min(), values.max()
    whole = values.dtype.kind != "f" or bool((values == np.trunc(values)).all())
    if low < 0 or high >= known.levels or not whole:
        raise DataError(
            f"the model knows whole levels from 0 to {known.levels - 1}; got {'' if whole else 'fractions '}"
            f"from {low:g} to {high:g}. Round them, or bring them to that range first"
        )


def check_finite(values: np.ndarray[Any, Any], where: str, names: Sequence[str] = ()) -> None:
    """Refuse NaN and infinity.

    Args:
        values: ``[N, D]`` (a table) or ``[N, C, H, W]`` (images), of any number type.
        where: the source, for the message.
        names: the names of the ``D`` columns of a table.

    Raises:
        DataError: names the first such place (row and column, or row, channel, y and x; counted from 0) and
            how many there are in all.

    Example:
        >>> check_finite(np.array([[1.0, np.nan]]), "array", ["a", "b"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        reparam.errors.DataError: array: row 0, column 'b' (from 0) is nan; 1 of 2 values not finite; ...
    """
    bad = ~np.isfinite(values)
    found = first_bad(values, bad, names)
    if found is not None:
        raise DataError(
            f"{where}: {found}; {int(bad.sum())} of {values.size} values not finite; remove such rows or fill them in"
        )


def first_bad(values: np.ndarray[Any, Any], bad: np.ndarray[Any, Any], names: Sequence[str] = ()) -> str | None:
    """The first place where ``bad`` is true and what is there, or ``None``; arguments as for :func:`check_finite`.

    Example:
        >>> values = np.array([[1.0, 2.5]])
        >>> first_bad(values, values != np.trunc(values), ["a", "b"])
        "row 0, column 'b' (from 0) is 2.5"
    """
    if not bad.any():
        return None
    place = tuple(int(index) for index in np.unravel_index(int(np.argmax(bad)), bad.shape))
    if values.ndim == 2:
        at = f"row {place[0]}, column '{names[place[1]]}'"
    else:
        at = "row {}, channel {}, y {}, x {}".format(*place)
    return f"{at} (from 0) is {values[place]}"


def check_constant(values: np.ndarray[Any, Any], names: Sequence[str], where: str) -> None:
    """Refuse columns in which every row has the same value: they have no density and teach a model nothing.

    Args:
        values: ``[N, D]`` with ``N >= 1``.
        names: the ``D`` names.
        where: the source, for the message.

    Raises:
        DataError: names all such columns, and how to leave them out.

    Example:
        >>> check_constant(np.array([[1, 5], [2, 5]]), ["a", "b"], "array")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        reparam.errors.DataError: array: column 'b' has the same value in every row; leave it out: ...
    """
    constant = (values == values[:1]).all(axis=0)
    found = [f"'{name}'" for name, same in zip(names, constant, strict=True) if same]
    if found:
        which = f"column {found[0]} has" if len(found) == 1 else f"columns {', '.join(found)} have"
        leave = "it" if len(found) == 1 else "them"
        raise DataError(
            f"{where}: {which} the same value in every row; leave {leave} out: set `columns` to the names to keep, "
            "in Python or in the file given to --config "
            "(flattened images: pass them as [rows, height, width])"
        )


def zero_one(values: np.ndarray[Any, Any]) -> bool:
    """Whether every value is 0 or 1 (``values`` not empty).

    Example:
        >>> zero_one(np.array([0.0, 1.0])), zero_one(np.array([0, 2]))
        (True, False)
    """
    if values.dtype.kind == "b":
        return True
    if values.min() < 0 or values.max() > 1:
        return False
    return values.dtype.kind in "iu" or bool(((values == 0) | (values == 1)).all())


def as_labels(values: np.ndarray[Any, Any], num_rows: int, where: str) -> np.ndarray[Any, Any]:
    """Labels as ``int64`` or strings.

    Args:
        values: ``[num_rows]`` integers, booleans, whole-number floats or strings.
        num_rows: how many are expected.
        where: the source and the name of the labels, for the message.

    Raises:
        DataError: another shape, or values that are neither whole numbers nor strings.

    Example:
        >>> as_labels(np.array([1.0, 0.0]), 2, "y")
        array([1, 0])
    """
    if values.shape != (num_rows,):
        raise DataError(f"{where}: expected one label for each of {num_rows} rows, got shape {values.shape}")
    if values.dtype.kind in "biu":
        return values.astype(np.int64)
    if values.dtype.kind == "U":
        return values
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.trunc(values)).all():
        return values.astype(np.int64)
    raise DataError(f"{where}: a label is a whole number or a text, got values of type {values.dtype}")
