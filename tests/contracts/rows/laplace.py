"""Rows of laws with two exponential tails."""

from scipy import stats

from reparam.distributions import AsymmetricLaplace, Laplace
from tests.contracts.row import Row

LOC, SCALE, ASYMMETRY = (0.7, -2.0), (1.3, 0.2), (0.4, 1.7)

ROWS = (
    Row(
        "Laplace",
        Laplace,
        {"loc": LOC, "scale": SCALE},
        reference=lambda i: stats.laplace(LOC[i], SCALE[i]),
    ),
    Row(
        "AsymmetricLaplace",
        AsymmetricLaplace,
        {"loc": LOC, "scale": SCALE, "asymmetry": ASYMMETRY},
        reference=lambda i: stats.laplace_asymmetric(ASYMMETRY[i], LOC[i], SCALE[i]),
    ),
)
