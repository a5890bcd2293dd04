"""Rows of laws on an interval."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import integrate, stats
from scipy.special import expit, log_expit, logit

from reparam.distributions import LogitNormal, Uniform
from tests.contracts.row import Row

LOC, SCALE = (0.7, -2.0), (1.3, 0.2)
LOW, HIGH = (0.7, -2.0), (2.5, -1.9)


@dataclass(frozen=True)
class LogitNormalReference:
    """What scipy has no law for, by adaptive quadrature over the logit."""

    loc: float
    scale: float

    def _expectation(self, function):
        def integrand(noise):
            return stats.norm.pdf(noise) * function(self.loc + self.scale * noise)

        return integrate.quad(integrand, -12, 12, epsabs=1e-13, epsrel=1e-12, limit=500)[0]

    def cdf(self, y):
        return stats.norm.cdf(logit(np.asarray(y)), self.loc, self.scale)

    def ppf(self, level):
        return expit(stats.norm.ppf(level, self.loc, self.scale))

    def logpdf(self, y):
        return stats.norm.logpdf(logit(y), self.loc, self.scale) - np.log(y) - np.log1p(-y)

    def mean(self):
        return self._expectation(expit)

    def var(self):
        mean = self.mean()
        return self._expectation(lambda x: (expit(x) - mean) ** 2)

    def std(self):
        return math.sqrt(self.var())

    def entropy(self):
        return stats.norm.entropy(self.loc, self.scale) + self._expectation(lambda x: log_expit(x) + log_expit(-x))


ROWS = (
    Row(
        "Uniform",
        Uniform,
        {"low": LOW, "high": HIGH},
        reference=lambda i: stats.uniform(LOW[i], HIGH[i] - LOW[i]),
        sorted=lambda p: {"low": torch.minimum(p["low"], p["high"]), "high": torch.maximum(p["low"], p["high"])},
    ),
    Row(
        "LogitNormal",
        LogitNormal,
        {"loc": LOC, "scale": SCALE},
        reference=lambda i: LogitNormalReference(LOC[i], SCALE[i]),
    ),
)
