"""Rows of laws of matrices."""

from reparam.distributions import MatrixNormal
from tests.contracts.row import Row

ROWS = (
    Row(
        "MatrixNormal",
        MatrixNormal,
        {
            "loc": (((0.7, -2.0, 0.1), (0.4, 1.0, -0.6)), ((-1.0, 0.3, 2.0), (1.5, -0.2, 0.8))),
            "scale_tril_row": (((1.3, 0.0), (0.4, 0.8)), ((0.6, 0.0), (-0.7, 1.5))),
            "scale_tril_column": (
                ((0.9, 0.0, 0.0), (-0.4, 1.2, 0.0), (0.5, 0.3, 0.7)),
                ((1.6, 0.0, 0.0), (0.3, 0.5, 0.0), (-0.2, 0.6, 1.1)),
            ),
        },
    ),
)
