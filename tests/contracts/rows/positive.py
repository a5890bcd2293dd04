"""Rows of laws on the positive numbers."""

import math

from scipy import stats

from reparam.distributions import Exponential, HalfCauchy, HalfNormal, LogNormal
from tests.contracts.row import Row

LOC, SCALE = (0.7, -2.0), (0.8, 0.2)

ROWS = (
    Row(
        "LogNormal",
        LogNormal,
        {"loc": LOC, "scale": SCALE},
        reference=lambda i: stats.lognorm(SCALE[i], scale=math.exp(LOC[i])),
    ),
    Row("HalfNormal", HalfNormal, {"scale": SCALE}, reference=lambda i: stats.halfnorm(scale=SCALE[i])),
    Row("HalfCauchy", HalfCauchy, {"scale": SCALE}, reference=lambda i: stats.halfcauchy(scale=SCALE[i])),
    Row("Exponential", Exponential, {"rate": SCALE}, reference=lambda i: stats.expon(scale=1 / SCALE[i])),
)
