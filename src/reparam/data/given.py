"""What is given to a model, from where the user has it: in the examples themselves, or said for new ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reparam.data.checks import zero_one
from reparam.data.schema import Examples
from reparam.errors import DataError, UsageError, suggestion

__all__ = ["read_given", "take_out"]


def read_given(source: Any, names: Sequence[str]) -> tuple[Mapping[str, Any], bool]:
    """Rows of what is given, as ``[R]`` values by name, and whether there was one row and no mention of rows.

    Args:
        source: a value by name; R values by name; an array ``[R, C]`` of the columns in their order; a data frame, or
            the path of a table, which may have other columns.
        names: of the columns that are wanted.

    Raises:
        UsageError: an array of another shape.
        DataError: no such file; see :func:`reparam.data.tables.read_columns`.

    Example:
        >>> read_given({"age": 40}, ["age"])
        ({'age': array([40])}, True)
        >>> read_given({"age": [40, 50]}, ["age"])
        ({'age': array([40, 50])}, False)
    """
    if hasattr(source, "__array__") and not hasattr(source, "columns"):
        rows = np.asarray(source)
        if rows.ndim != 2 or rows.shape[1] != len(names):
            raise UsageError(f"given: expected [rows, {len(names)}] for {', '.join(names)}, got shape {rows.shape}")
        return dict(zip(names, rows.T, strict=True)), False
    if not isinstance(source, Mapping):
        from reparam.data.tables import read_columns

        if isinstance(source, str | Path) and not Path(source).exists():
            raise DataError(f"given: {source} does not exist; check the path")
        return read_columns(source, names), False
    values = {name: np.asarray(value) for name, value in source.items()}
    if all(value.ndim == 0 for value in values.values()):
        return {name: value[None] for name, value in values.items()}, True
    return values, False


def take_out(examples: Examples, names: Sequence[str]) -> Examples:
    """Examples with what is to be given taken out of what is modelled: labels, or columns of a table of numbers.

    Raises:
        DataError: there are no labels, no such column, or no column is left.

    Example:
        >>> from reparam.data.arrays import examples_from_array
        >>> examples = take_out(examples_from_array(np.arange(12.0).reshape(4, 3)), ["x1"])
        >>> examples.schema.describe(), examples.given
        ('rows of 2 columns, real values: x0, x2', {'x1': array([ 1.,  4.,  7., 10.])})
    """
    schema, given = examples.schema, {}
    columns = [column.name for column in schema.columns]
    for name in names:
        if name == "label":
            if examples.labels is None:
                raise DataError(_NO_LABELS)
            given[name] = examples.labels
        elif name in columns:
            given[name] = examples.values[:, columns.index(name)].astype(np.float64)
        else:
            raise DataError(
                f"condition: '{name}' is nothing that could be given; {suggestion(name, ['label', *columns])}"
            )
    kept = [index for index, name in enumerate(columns) if name not in given]
    if len(kept) == len(columns):
        return replace(examples, given=given)
    if not kept:
        raise DataError("condition: every column is given, and none is left to be modelled")
    values = examples.values[:, kept]
    kept_columns = tuple(schema.columns[index] for index in kept)
    if zero_one(values):
        schema, values = replace(schema, levels=2, binary=True), values.astype(np.uint8)
    return replace(
        examples, values=values, schema=replace(schema, shape=(len(kept),), columns=kept_columns), given=given
    )


_NO_LABELS = (
    "condition: this data has no labels. A folder of images has them where each class has a folder of its own; arrays "
    'as {"x": images, "y": labels} or in an .npz file with these keys; MNIST\'s folder and digits have them'
)
