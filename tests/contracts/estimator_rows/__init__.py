"""All rows, a family a file."""

from tests.contracts.estimator_rows import general, measure

ROWS = [*general.ROWS, *measure.ROWS]
