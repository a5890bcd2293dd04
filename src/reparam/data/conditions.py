"""What is known of each example besides itself, and given to the model: classes and numbers, as networks see them.

A :class:`ConditionSchema` is fitted on the training rows, stored with the run as JSON, and reads every condition that
comes later by the same rules. It keeps what was given in training too, so that new examples can be made for conditions
as they come in the data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from reparam.data.checks import as_labels
from reparam.data.scaling import Scaling
from reparam.data.schema import Column, Schema
from reparam.errors import DataError, UsageError, suggestion

__all__ = ["ConditionColumn", "ConditionSchema"]

Array = np.ndarray[Any, Any]

MAX_ROWS = 1000
"""Most rows of training conditions that are kept: all that differ with how often they occur, or evenly spaced ones."""

MAX_CLASSES = 1000
"""Most classes of one column: each is an input of the networks."""


@dataclass(frozen=True)
class ConditionColumn:
    """One thing that is given: a class, as one-hot numbers, or a number, standardised.

    Args:
        name: of the column, or ``"label"``.
        classes: all of them, sorted, whole numbers or texts; empty for numbers.
        offset, scale: of numbers, in their own units.
    """

    name: str
    classes: tuple[int, ...] | tuple[str, ...] = ()
    offset: float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(cls, name: str, values: Array) -> "ConditionColumn":
        """From the training rows, ``[N]``.

        Raises:
            DataError: one value only, or more than a thousand classes.
        """
        found = np.unique(values)
        if len(found) == 1:
            raise DataError(
                f"condition '{name}' is {found[0]} in all {len(values)} training rows, so it tells nothing; leave it "
                "out of the condition"
            )
        if values.dtype.kind == "f":
            scaling = Scaling.fit(values[:, None], Schema("table", (1,), columns=(Column(name),)))
            return cls(name, (), scaling.offset[0], scaling.scale[0])
        if len(found) > MAX_CLASSES:
            raise DataError(
                f"condition '{name}' has {len(found)} classes in {len(values)} training rows, more than the limit of "
                f"{MAX_CLASSES}; is it a number (give the column by its name), or does it name the rows?"
            )
        return cls(name, tuple(found.tolist()))

    @property
    def num_features(self) -> int:
        """Numbers a network sees of it."""
        return len(self.classes) or 1

    def describe(self) -> str:
        """For people, e.g. ``label (10 classes)``."""
        return f"{self.name} ({len(self.classes)} classes)" if self.classes else self.name

    def features(self, values: Array) -> Array:
        """``[N, num_features]`` ``float32`` of ``[N]`` values that :meth:`read` gave."""
        if self.classes:
            return np.eye(len(self.classes), dtype=np.float32)[np.searchsorted(np.array(self.classes), values)]
        return Scaling((self.offset,), (self.scale,), (1.0,)).apply(values[:, None])

    def read(self, values: Array) -> Array:
        """``[N]`` values of any type in the type of training.

        Raises:
            DataError: a class that the training rows do not have, or what is no finite number.
        """
        return np.array(self.classes)[self._codes(values)] if self.classes else self._numbers(values)

    def _numbers(self, values: Array) -> Array:
        try:
            numbers = values.astype(np.float64)
        except ValueError:
            shown = ", ".join(repr(word) for word in values.tolist()[:3])
            raise DataError(f"condition '{self.name}': expected numbers, got {shown}") from None
        finite = np.isfinite(numbers)
        if not finite.all():
            raise DataError(
                f"condition '{self.name}': row {finite.argmin()} (from 0) is {numbers[finite.argmin()]}, which is not "
                "a finite number"
            )
        return numbers

    def _codes(self, values: Array) -> Array:
        # A class is known by how it is written: 3, 3.0 and "3" are one, whatever type a file gives it.
        place = {str(name): code for code, name in enumerate(self.classes)}
        if values.dtype.kind != "U":
            values = as_labels(values, len(values), f"condition '{self.name}'")
        written = [str(value).strip() for value in values.tolist()]
        unknown = next((word for word in written if word not in place), None)
        if unknown is not None:
            near = suggestion(unknown, list(place)[:20])
            raise DataError(
                f"condition '{self.name}': '{unknown}' is none of the {len(place)} classes of the training rows; {near}"
            )
        return np.array([place[word] for word in written], dtype=np.int64)


@dataclass(frozen=True)
class ConditionSchema:
    """What is given of each example, and how it becomes features.

    Args:
        columns: in the order of the features.
        rows: what was given in training, a tuple of values for each column: every combination if there are at most a
            thousand, else a thousand evenly spaced rows.
        counts: how often each of these occurs.

    Example:
        >>> given = {"label": np.array([0, 1, 1]), "age": np.array([20.0, 30.0, 40.0])}
        >>> schema = ConditionSchema.fit(given)
        >>> schema.describe(), schema.num_features
        ('label (2 classes), age', 3)
        >>> schema.features({"label": [1], "age": [30]})
        array([[0., 1., 0.]], dtype=float32)
    """

    columns: tuple[ConditionColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    counts: tuple[int, ...]

    @classmethod
    def fit(cls, given: Mapping[str, Array]) -> "ConditionSchema":
        """The schema of training rows: columns ``[N]`` by name, of whole numbers or text (classes) or floats.

        Raises:
            DataError: a column of one value only, or of too many classes.
        """
        columns = tuple(ConditionColumn.fit(name, values) for name, values in given.items())
        codes = np.stack([np.unique(values, return_inverse=True)[1] for values in given.values()], axis=1)
        _, first, counts = np.unique(codes, axis=0, return_index=True, return_counts=True)
        if len(first) > MAX_ROWS:
            first = np.linspace(0, len(codes) - 1, MAX_ROWS).round().astype(np.int64)
            counts = np.ones(MAX_ROWS, dtype=np.int64)
        return cls(columns, tuple(tuple(values[first].tolist()) for values in given.values()), tuple(counts.tolist()))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def num_features(self) -> int:
        """Numbers a network sees of each example besides itself."""
        return sum(column.num_features for column in self.columns)

    @property
    def only_classes(self) -> tuple[int, ...] | tuple[str, ...]:
        """The classes, where nothing but one class is given; else empty."""
        return self.columns[0].classes if len(self.columns) == 1 else ()

    def describe(self) -> str:
        """For people, e.g. ``label (10 classes), age``."""
        return ", ".join(column.describe() for column in self.columns)

    def features(self, given: Mapping[str, Any]) -> Array:
        """What networks see, ``[N, num_features]`` ``float32``, of ``[N]`` values for each column.

        Raises: see :meth:`columns_of`.
        """
        columns = self.columns_of(given)
        return np.concatenate([column.features(columns[column.name]) for column in self.columns], axis=1)

    def columns_of(self, given: Mapping[str, Any]) -> dict[str, Array]:
        """Values ``[N]`` for each column in the types of training: numbers, or classes as they were written there.

        Raises:
            UsageError: a column is missing or unknown, or they are not of one length.
            DataError: a class that the training rows do not have, or what is no finite number.
        """
        columns = self._named(given)
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            raise UsageError(f"given: expected one value for each row in every column, got {said}")
        return {column.name: column.read(columns[column.name]) for column in self.columns}

    def _named(self, given: Mapping[str, Any]) -> dict[str, Array]:
        for name in given:
            if name not in self.names:
                raise UsageError(f"given: '{name}' is nothing this model is given; {suggestion(name, self.names)}")
        missing = [f"'{name}'" for name in self.names if name not in given]
        if missing:
            are = "is" if len(missing) == 1 else "are"
            raise UsageError(f"given: {', '.join(missing)} {are} missing; the model is given {self.describe()}")
        columns = {name: np.asarray(given[name]) for name in self.names}
        for name, values in columns.items():
            if values.ndim != 1 or not len(values):
                raise UsageError(f"given: '{name}' must have one value for each row, [N], got shape {values.shape}")
        return {name: _text(values) if values.dtype.kind == "O" else values for name, values in columns.items()}

    def training_rows(self, which: Array) -> dict[str, Array]:
        """Rows as they were given in training, by their numbers in ``rows``: ``[N]`` values for each column."""
        return {name: np.array(values)[which] for name, values in zip(self.names, self.rows, strict=True)}

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` makes an equal schema."""
        columns = [asdict(column) | {"classes": list(column.classes)} for column in self.columns]
        return {"columns": columns, "rows": [list(values) for values in self.rows], "counts": list(self.counts)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "ConditionSchema":
        """The schema that :meth:`to_json` described."""
        columns = tuple(
            ConditionColumn(**{**column, "classes": tuple(column["classes"])}) for column in entry["columns"]
        )
        return cls(columns, tuple(tuple(values) for values in entry["rows"]), tuple(entry["counts"]))


def _text(values: Array) -> Array:
    words = cast(Sequence[Any], values.tolist())
    return np.array([str(word) for word in words])
