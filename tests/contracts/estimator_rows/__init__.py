"""All rows, a family a file."""

from tests.contracts.estimator_rows import discrete, general

ROWS = [*general.ROWS, *discrete.ROWS]
