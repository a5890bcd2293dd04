"""A table as it lies in one file (or in memory): names, and columns by name, before anything is a number."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from reparam.errors import DataError

__all__ = ["Part", "check_names"]


@dataclass(frozen=True)
class Part:
    """One table of text or typed columns.

    Args:
        where: how messages name it: a path, or ``"table"``.
        names: column names in order; ``""`` for a column without one.
        num_rows: number of rows.
        column: the Arrow column of a name, read when asked for. Raises ``DataError`` if it cannot be read.
        line_of: the line of the file (from 1) on which a row (from 0) starts, for text files.
        notes: what a person should know about the reading.
    """

    where: str
    names: tuple[str, ...]
    num_rows: int
    column: Callable[[str], pa.ChunkedArray]
    line_of: Callable[[int], int] | None = None
    notes: tuple[str, ...] = ()

    def place(self, row: int) -> str:
        """Where a row (from 0) is, for people, who count rows from 1."""
        return f"row {row + 1}" + (f" (line {self.line_of(row)})" if self.line_of else "")


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse two columns of one name (columns without a name are a matter of which columns are kept).

    Raises:
        DataError: names all that occur more than once.

    Example:
        >>> check_names(["a", "b", "a"], "t.csv")
        Traceback (most recent call last):
        ...
        reparam.errors.DataError: t.csv: more than one column has the name 'a'; give each column its own name
    """
    twice = [f"'{name}'" for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise DataError(f"{where}: more than one column has the name {', '.join(twice)}; give each column its own name")
