"""All rows, a family a file."""

from tests.contracts.estimator_rows import general, rejection

ROWS = [*general.ROWS, *rejection.ROWS]
