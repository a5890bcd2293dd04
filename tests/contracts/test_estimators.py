"""Every estimator, on every law of its row: value and gradient within Monte Carlo error of the truth."""

import pytest
import torch

from tests.contracts.estimating import EstimatorRow, limit, standard_errors
from tests.contracts.estimator_rows import ROWS

DRAWS = 100_000


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_value_and_gradient_are_right(row: EstimatorRow) -> None:
    for function in row.functions:
        mean, gradient = row.truth(function)
        values, gradients = row.estimates(function, DRAWS)
        errors = torch.cat([standard_errors(values, mean)[None], standard_errors(gradients, gradient)])
        assert errors.max() < limit(len(errors) * len(row.functions)), (function, errors, gradients.mean(0), gradient)
