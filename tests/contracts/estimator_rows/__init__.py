"""All rows, a family a file."""

from tests.contracts.estimator_rows import control, discrete, general, measure

ROWS = [*general.ROWS, *discrete.ROWS, *control.ROWS, *measure.ROWS]
