"""Row of the Kumaraswamy law."""

import numpy as np
from scipy import integrate, special

from reparam.distributions import Kumaraswamy
from tests.contracts.row import Row

A, B = (1.7, 0.8), (2.5, 3.2)


class Reference:
    """What scipy would say if it knew this law: textbook formulas, the entropy by quadrature."""

    def __init__(self, a, b):
        self.a, self.b = a, b

    def cdf(self, x):
        return -np.expm1(self.b * np.log1p(-(np.asarray(x) ** self.a)))

    def ppf(self, u):
        return (-np.expm1(np.log1p(-np.asarray(u)) / self.b)) ** (1 / self.a)

    def logpdf(self, x):
        a, b = self.a, self.b
        return np.log(a * b) + (a - 1) * np.log(x) + (b - 1) * np.log1p(-(np.asarray(x) ** a))

    def mean(self):
        return self.b * special.beta(1 + 1 / self.a, self.b)

    def var(self):
        return self.b * special.beta(1 + 2 / self.a, self.b) - self.mean() ** 2

    def std(self):
        return np.sqrt(self.var())

    def entropy(self):
        return integrate.quad(lambda u: -self.logpdf(self.ppf(u)), 0, 1, epsabs=1e-12, epsrel=1e-12, limit=200)[0]


ROWS = (
    Row(
        "Kumaraswamy",
        Kumaraswamy,
        {"concentration1": A, "concentration0": B},
        reference=lambda i: Reference(A[i], B[i]),
    ),
)
