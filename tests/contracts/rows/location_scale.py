"""Rows of laws of a location and a scale."""

from scipy import stats

from reparam.distributions import Cauchy, Gumbel, Logistic, Normal
from tests.contracts.row import Row

LOC, SCALE = (0.7, -2.0), (1.3, 0.2)

ROWS = (
    Row(
        "Normal",
        Normal,
        {"loc": LOC, "scale": SCALE},
        reference=lambda i: stats.norm(LOC[i], SCALE[i]),
    ),
    Row(
        "Logistic",
        Logistic,
        {"loc": LOC, "scale": SCALE},
        reference=lambda i: stats.logistic(LOC[i], SCALE[i]),
    ),
    Row(
        "Cauchy",
        Cauchy,
        {"loc": LOC, "scale": SCALE},
        reference=lambda i: stats.cauchy(LOC[i], SCALE[i]),
    ),
    Row(
        "Gumbel",
        Gumbel,
        {"loc": LOC, "scale": SCALE},
        reference=lambda i: stats.gumbel_r(LOC[i], SCALE[i]),
    ),
)
