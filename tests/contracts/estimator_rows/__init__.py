"""All rows, a family a file."""

from tests.contracts.estimator_rows import control, discrete, general, measure, rejection

ROWS = [*general.ROWS, *discrete.ROWS, *control.ROWS, *measure.ROWS, *rejection.ROWS]
