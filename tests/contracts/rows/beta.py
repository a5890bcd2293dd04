"""Rows of the beta law and of the laws that are made of it."""

from scipy import stats

from reparam.distributions import Beta, FisherSnedecor, StudentT
from tests.contracts.row import Row

A, B = (0.7, 3.5), (2.2, 2.4)
DF1, DF2 = (3.0, 7.5), (9.5, 12.0)
DF, LOC, SCALE = (5.0, 9.5), (0.7, -2.0), (1.3, 0.2)

ROWS = (
    Row(
        "Beta",
        Beta,
        {"concentration1": A, "concentration0": B},
        reference=lambda i: stats.beta(A[i], B[i]),
    ),
    Row(
        "FisherSnedecor",
        FisherSnedecor,
        {"df1": DF1, "df2": DF2},
        reference=lambda i: stats.f(DF1[i], DF2[i]),
    ),
    Row(
        "StudentT",
        StudentT,
        {"df": DF, "loc": LOC, "scale": SCALE},
        reference=lambda i: stats.t(DF[i], LOC[i], SCALE[i]),
    ),
)
