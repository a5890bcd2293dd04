"""Row of the inverse Gaussian law."""

from scipy import stats

from reparam.distributions import InverseGaussian
from tests.contracts.row import Row

LOC, CONCENTRATION = (1.7, 0.4), (2.3, 5.0)

ROWS = (
    Row(
        "InverseGaussian",
        InverseGaussian,
        {"loc": LOC, "concentration": CONCENTRATION},
        reference=lambda i: stats.invgauss(LOC[i] / CONCENTRATION[i], scale=CONCENTRATION[i]),
    ),
)
