"""Rows of laws of matrices."""

from reparam.distributions import InverseWishart, LKJCholesky, MatrixNormal, Wishart
from tests.contracts.row import Row

SCALE_TRIL = (((1.3, 0.0), (0.4, 0.8)), ((0.6, 0.0), (-0.7, 1.5)))

ROWS = (
    Row(
        "MatrixNormal",
        MatrixNormal,
        {
            "loc": (((0.7, -2.0, 0.1), (0.4, 1.0, -0.6)), ((-1.0, 0.3, 2.0), (1.5, -0.2, 0.8))),
            "scale_tril_row": SCALE_TRIL,
            "scale_tril_column": (
                ((0.9, 0.0, 0.0), (-0.4, 1.2, 0.0), (0.5, 0.3, 0.7)),
                ((1.6, 0.0, 0.0), (0.3, 0.5, 0.0), (-0.2, 0.6, 1.1)),
            ),
        },
    ),
    Row(
        "Wishart",
        lambda df, scale_tril, **options: Wishart(df, scale_tril=scale_tril, **options),
        {"df": (7.5, 12.0), "scale_tril": SCALE_TRIL},
        sweep={"df": (4.0, 1000.0)},
    ),
    Row(
        "InverseWishart",
        InverseWishart,
        {"df": (24.5, 30.0), "scale_tril": SCALE_TRIL},
        sweep={"df": (4.0, 1000.0)},
    ),
    Row(
        "LKJCholesky",
        lambda concentration, **options: LKJCholesky(3, concentration, **options),
        {"concentration": (0.8, 3.0)},
    ),
)
