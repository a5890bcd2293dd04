"""All rows, a family a file."""

from tests.contracts.estimator_rows import control, discrete, general

ROWS = [*general.ROWS, *discrete.ROWS, *control.ROWS]
