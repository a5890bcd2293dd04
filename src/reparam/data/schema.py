"""What one example is: the contract between reading, scaling, models and writing.

A schema is inferred when data is read, stored with every run as JSON, and decides how decoded values come out again:
images as images, tables as tables. It says nothing about models.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

__all__ = ["Column", "Examples", "Schema"]


@dataclass(frozen=True)
class Column:
    """One column of a table: its name and the kind of its values (``"real"``: plain floats, the only kind so far)."""

    name: str
    kind: Literal["real"] = "real"


@dataclass(frozen=True)
class Schema:
    """The type of one example.

    Args:
        kind: ``"image"`` or ``"table"``.
        shape: shape of one example: ``(channels, height, width)`` or ``(num_columns,)``.
        levels: values are the integers ``0 .. levels - 1`` (256 for 8-bit images); ``None`` for real values.
        binary: only the lowest and the highest level occur (black-and-white images, 0/1 tables).
        columns: one entry a column for tables, empty for images.
        label: where the labels came from (a column's name, ``"folder"``, ``"file"``), or ``None``.
    """

    kind: Literal["image", "table"]
    shape: tuple[int, ...]
    levels: int | None = None
    binary: bool = False
    columns: tuple[Column, ...] = ()
    label: str | None = None

    @property
    def num_values(self) -> int:
        """Number of values in one example (pixels times channels, or columns)."""
        return int(np.prod(self.shape))

    def describe(self) -> str:
        """One line for people, e.g. ``images, 28 x 28, 1 channel, 256 levels``."""
        if self.kind == "image":
            channels, height, width = self.shape
            values = "real values" if self.levels is None else f"{self.levels} levels"
            plural = "" if channels == 1 else "s"
            return f"images, {height} x {width}, {channels} channel{plural}, {values}"
        values = "real values" if self.levels is None else f"{self.levels} levels"
        names = ", ".join(column.name for column in self.columns[:6])
        more = ", ..." if len(self.columns) > 6 else ""
        plural = "" if self.shape[0] == 1 else "s"
        return f"rows of {self.shape[0]} column{plural}, {values}: {names}{more}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` makes an equal schema."""
        return asdict(self) | {"shape": list(self.shape), "columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Schema":
        """The schema that :meth:`to_json` described."""
        columns = tuple(Column(**column) for column in entry["columns"])
        return cls(**{**entry, "shape": tuple(entry["shape"]), "columns": columns})


@dataclass(frozen=True)
class Examples:
    """Examples as they were read, in the user's own units, before any scaling.

    Args:
        values: ``[num_rows, *schema.shape]``; ``uint8`` where the schema has levels (at most 256), else ``float64``
            for tables and ``float32`` for images. Finite.
        schema: what one row is.
        labels: ``[num_rows]`` integers or strings, or ``None``. Not shown to the model, unless they are given to it.
        given: what is known of each row besides, and given to the model: ``[num_rows]`` values by name, ``float64``
            numbers, or classes as labels are.
        names: one name a row (file names), or empty.
        num_test: the last ``num_test`` rows are the source's own test split; 0 if it has none.
        notes: what a person should know about the reading (skipped files, counts of sizes), one line each.
    """

    values: np.ndarray[Any, Any]
    schema: Schema
    labels: np.ndarray[Any, Any] | None = None
    given: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    num_test: int = 0
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray[Any, Any]) -> "Examples":
        """Some of the rows, by their numbers, with what is known of each."""
        return replace(
            self,
            values=self.values[rows],
            labels=None if self.labels is None else self.labels[rows],
            given={name: column[rows] for name, column in self.given.items()},
            names=tuple(self.names[row] for row in rows) if self.names else (),
            num_test=0,
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what the model learns from: equal data, equal fingerprint. Computed once."""
        digest = hashlib.sha256(f"{self.values.dtype.str} {self.values.shape} {self.num_test}".encode())
        digest.update(np.ascontiguousarray(self.values).data)
        for name, column in self.given.items():
            digest.update(f"{name} {column.dtype.str}".encode())
            digest.update(np.ascontiguousarray(column).data)
        return digest.hexdigest()
