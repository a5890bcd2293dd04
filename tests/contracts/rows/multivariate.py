"""Rows of laws of vectors."""

from reparam.distributions import LogisticNormal, LowRankMultivariateNormal, MultivariateNormal, MultivariateStudentT
from tests.contracts.row import Row

LOC = ((0.7, -2.0, 0.1), (-1.0, 0.3, 2.0))
SCALE_TRIL = (
    ((1.3, 0.0, 0.0), (0.4, 0.8, 0.0), (-0.5, 0.3, 1.1)),
    ((0.6, 0.0, 0.0), (-0.7, 1.5, 0.0), (0.2, 0.9, 0.7)),
)
COVARIANCE = (
    ((1.5, 0.4, -0.3), (0.4, 0.8, 0.2), (-0.3, 0.2, 1.1)),
    ((0.6, -0.2, 0.1), (-0.2, 1.5, 0.5), (0.1, 0.5, 0.7)),
)


def symmetric(matrix):
    """The symmetric matrix with this lower triangle: what moves when one entry of a covariance moves."""
    return matrix.tril() + matrix.tril(-1).mT


FACTOR = (((1.0, 0.2), (-0.5, 0.7), (0.3, 0.4)), ((0.1, -0.6), (0.9, 0.3), (0.5, 1.2)))

ROWS = (
    Row(
        "MultivariateNormal(scale_tril)",
        lambda loc, scale_tril, **options: MultivariateNormal(loc, scale_tril=scale_tril, **options),
        {"loc": LOC, "scale_tril": SCALE_TRIL},
    ),
    Row(
        "MultivariateNormal(covariance_matrix)",
        lambda loc, covariance_matrix, **options: MultivariateNormal(loc, symmetric(covariance_matrix), **options),
        {"loc": LOC, "covariance_matrix": COVARIANCE},
    ),
    Row(
        "MultivariateNormal(precision_matrix)",
        lambda loc, precision_matrix, **options: MultivariateNormal(
            loc, precision_matrix=symmetric(precision_matrix), **options
        ),
        {"loc": LOC, "precision_matrix": COVARIANCE},
    ),
    Row(
        "LowRankMultivariateNormal",
        LowRankMultivariateNormal,
        {"loc": LOC, "cov_factor": FACTOR, "cov_diag": ((0.5, 1.2, 0.8), (0.9, 0.3, 1.5))},
    ),
    Row(
        "LogisticNormal",
        LogisticNormal,
        {"loc": LOC, "scale": ((0.5, 1.2, 0.8), (0.9, 0.3, 1.5))},
    ),
    Row(
        "MultivariateStudentT",
        MultivariateStudentT,
        {"df": (7.0, 11.5), "loc": LOC, "scale_tril": SCALE_TRIL},
    ),
)
