"""Rows of Weibull, Pareto and generalized Pareto."""

from scipy import stats

from reparam.distributions import GeneralizedPareto, Pareto, Weibull
from tests.contracts.row import Row

LOC, SCALE = (0.7, -2.0), (1.3, 0.2)
CONCENTRATION, ALPHA, SHAPE = (0.8, 3.5), (9.0, 12.5), (0.1, -0.35)

ROWS = (
    Row(
        "Weibull",
        Weibull,
        {"scale": SCALE, "concentration": CONCENTRATION},
        reference=lambda i: stats.weibull_min(CONCENTRATION[i], scale=SCALE[i]),
    ),
    Row(
        "Pareto",
        Pareto,
        {"scale": SCALE, "alpha": ALPHA},
        reference=lambda i: stats.pareto(ALPHA[i], scale=SCALE[i]),
    ),
    Row(
        "GeneralizedPareto",
        GeneralizedPareto,
        {"loc": LOC, "scale": SCALE, "concentration": SHAPE},
        reference=lambda i: stats.genpareto(SHAPE[i], loc=LOC[i], scale=SCALE[i]),
    ),
)
