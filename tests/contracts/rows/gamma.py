"""Rows of the gamma law and its relatives."""

import math

from scipy import stats

from reparam.distributions import Chi2, Dirichlet, Gamma, GeneralizedNormal, InverseGamma, LogGamma
from tests.contracts.row import Row

SHAPE, RATE = (0.7, 9.0), (1.3, 0.2)

ROWS = (
    Row(
        "Gamma",
        Gamma,
        {"concentration": SHAPE, "rate": RATE},
        reference=lambda i: stats.gamma(SHAPE[i], scale=1 / RATE[i]),
    ),
    Row(
        "LogGamma",
        LogGamma,
        {"concentration": SHAPE, "rate": RATE},
        reference=lambda i: stats.loggamma(SHAPE[i], loc=-math.log(RATE[i])),
    ),
    Row("Chi2", Chi2, {"df": (0.9, 12.5)}, reference=lambda i: stats.chi2((0.9, 12.5)[i])),
    Row(
        "InverseGamma",
        InverseGamma,
        {"concentration": (9.5, 12.0), "rate": RATE},
        reference=lambda i: stats.invgamma((9.5, 12.0)[i], scale=RATE[i]),
    ),
    Row("Dirichlet", Dirichlet, {"concentration": ((0.4, 2.0, 1.1), (30.0, 0.7, 6.0))}),
    Row(
        "GeneralizedNormal",
        GeneralizedNormal,
        {"loc": (0.7, -2.0), "scale": (1.3, 0.2), "power": (1.4, 5.0)},
        reference=lambda i: stats.gennorm((1.4, 5.0)[i], loc=(0.7, -2.0)[i], scale=(1.3, 0.2)[i]),
    ),
)
