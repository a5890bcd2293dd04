"""Rows of truncated laws: with the mode inside, in both tails, on one side, and of other base laws."""

import math
from functools import cached_property

import numpy as np
import torch
from scipy import integrate, stats

from reparam.distributions import Exponential, Logistic, Truncated, TruncatedNormal
from tests.contracts.row import Row


def ordered(parameters):
    """``low`` below ``high``, apart by at least a hundredth of either."""
    low, high = (
        torch.minimum(parameters["low"], parameters["high"]),
        torch.maximum(parameters["low"], parameters["high"]),
    )
    return {**parameters, "low": low, "high": high + 0.01 * high.abs() + 0.01}


class Part:
    """The part of a scipy law between two ends, moments by quadrature; from the tail in which it lies."""

    def __init__(self, law, low, high):
        self.law, self.low, self.high = law, low, high
        self.upper = law.sf(low) < 0.5
        self.mass = law.sf(low) - law.sf(high) if self.upper else law.cdf(high) - law.cdf(low)

    def cdf(self, x):
        below = self.law.sf(self.low) - self.law.sf(x) if self.upper else self.law.cdf(x) - self.law.cdf(self.low)
        return below / self.mass

    def ppf(self, u):
        if self.upper:
            point = self.law.isf(self.law.sf(self.low) - u * self.mass)
        else:
            point = self.law.ppf(self.law.cdf(self.low) + u * self.mass)
        return np.clip(point, self.low, self.high)

    def logpdf(self, x):
        return self.law.logpdf(x) - np.log(self.mass)

    def expect(self, f):
        end = min(self.high, self.law.isf(1e-17 * self.law.sf(self.low)))
        return integrate.quad(lambda x: f(x) * np.exp(self.logpdf(x)), self.low, end, epsabs=1e-13, epsrel=1e-13)[0]

    @cached_property
    def centre(self):
        return self.expect(lambda x: x)

    def mean(self):
        return self.centre

    def var(self):
        return self.expect(lambda x: (x - self.centre) ** 2)

    def std(self):
        return np.sqrt(self.var())

    def entropy(self):
        return self.expect(lambda x: -self.logpdf(x))


def normal(loc, scale, low, high, name):
    """A row of ``TruncatedNormal``; each argument for two batch elements."""
    return Row(
        name,
        TruncatedNormal,
        {"loc": loc, "scale": scale, "low": low, "high": high},
        reference=lambda i: Part(stats.norm(loc[i], scale[i]), low[i], high[i]),
        infinite=("low", "high"),
        sorted=ordered,
    )


LOC, SCALE, LOW, HIGH = (0.7, -2.0), (1.3, 0.2), (0.1, -2.5), (3.0, -1.7)
RATE, START, END = (1.3, 0.4), (0.5, 2.0), (3.0, 9.0)

ROWS = (
    normal(LOC, SCALE, LOW, HIGH, "TruncatedNormal"),
    normal((-7.0, 3.3), (1.3, 0.5), (0.4, -4.0), (5.0, -0.1), "TruncatedNormal(tails)"),
    Row(
        "TruncatedNormal(one-sided)",
        lambda loc, scale, low, **options: TruncatedNormal(loc, scale, low, math.inf, **options),
        {"loc": LOC, "scale": SCALE, "low": (4.1, -3.0)},
        reference=lambda i: Part(stats.norm(LOC[i], SCALE[i]), (4.1, -3.0)[i], math.inf),
        infinite=("low",),
    ),
    Row(
        "Truncated(Logistic)",
        lambda loc, scale, low, high, **options: Truncated(Logistic(loc, scale, **options), low, high, **options),
        {"loc": LOC, "scale": SCALE, "low": LOW, "high": HIGH},
        reference=lambda i: Part(stats.logistic(LOC[i], SCALE[i]), LOW[i], HIGH[i]),
        infinite=("low", "high"),
        sweep={"scale": (1e-3, 1e3)},
        sorted=ordered,
    ),
    Row(
        "Truncated(Exponential)",
        lambda rate, low, high, **options: Truncated(Exponential(rate, **options), low, high, **options),
        {"rate": RATE, "low": START, "high": END},
        reference=lambda i: stats.truncexpon(RATE[i] * (END[i] - START[i]), START[i], 1 / RATE[i]),
        infinite=("low", "high"),
        sweep={"rate": (1e-3, 1e3), "low": (1e-3, 1e3), "high": (1e-3, 1e3)},
        sorted=ordered,
    ),
)
