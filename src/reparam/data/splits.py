"""Which rows train, which choose, which judge."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from reparam.errors import DataError, UsageError

__all__ = ["Split", "split_rows"]

MAX_VALIDATION = 10_000
"""Most validation rows: more would slow every check and tell no more."""


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of the three parts: ``int64``, sorted, disjoint, together every row.

    Args:
        train: ``[num_train]``, fitted to.
        validation: ``[num_validation]``, chooses the best checkpoint.
        test: ``[num_test]``, used once, for the reported numbers.
    """

    train: np.ndarray[Any, Any]
    validation: np.ndarray[Any, Any]
    test: np.ndarray[Any, Any]


def split_rows(
    num_rows: int, *, num_test: int, seed: int, validation_fraction: float = 0.1, test_fraction: float = 0.1
) -> Split:
    """Split rows at random, the same way for the same arguments.

    The source's own test rows (its last ``num_test``) are the test split; without them, ``test_fraction`` of
    the rows is drawn. ``validation_fraction`` of the rows outside the source's test split is drawn for
    validation, at most 10,000. Each part gets at least one row, the test split two: the mean of one has no error bar.

    Args:
        num_rows: all rows, the source's test rows included.
        num_test: the source's own test rows at the end; 0 if it has none.
        seed: at least 0; seeds the PCG64 generator of numpy.
        validation_fraction: in (0, 1).
        test_fraction: in (0, 1); the two together below 1. Unused where the source has test rows.

    Raises:
        DataError: too few rows for the parts, or a source's own test split of a single row.
        UsageError: a fraction, ``seed`` or ``num_test`` out of range.

    Example:
        >>> split = split_rows(10, num_test=3, seed=0)
        >>> split.test, len(split.validation), len(split.train)
        (array([7, 8, 9]), 1, 6)
    """
    for name, value, low in (("num_test", num_test, 0), ("seed", seed, 0)):
        if value < low:
            raise UsageError(f"{name} must be at least {low}, got {value}")
    for name, fraction in (("validation_fraction", validation_fraction), ("test_fraction", test_fraction)):
        if not 0 < fraction < 1:
            raise UsageError(f"{name} must lie between 0 and 1, got {fraction}")
    if validation_fraction + test_fraction >= 1:
        raise UsageError(
            "validation_fraction and test_fraction must leave rows for training: together below 1, "
            f"got {validation_fraction} and {test_fraction}"
        )
    if num_test == 1:
        raise DataError("the source's own test split is a single row; at least 2 are needed for an error bar")
    free = num_rows - num_test
    num_drawn = 0 if num_test else max(2, round(test_fraction * free))
    num_validation = max(1, min(MAX_VALIDATION, round(validation_fraction * free)))
    if free - num_drawn - num_validation < 1:
        own = f", {num_test} of them the source's own test rows," if num_test else ""
        raise DataError(f"{num_rows} rows{own} are too few to split into training, validation and test")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(free).astype(np.int64)
    drawn, validation, train = np.split(order, [num_drawn, num_drawn + num_validation])
    test = np.arange(free, num_rows, dtype=np.int64) if num_test else np.sort(drawn)
    return Split(train=np.sort(train), validation=np.sort(validation), test=test)
