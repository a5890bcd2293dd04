"""Rows of mixtures: on the line, and of independent coordinates."""

import numpy as np
import torch
import torch.distributions as td
from scipy import optimize, special, stats

from reparam.distributions import Independent, MixtureSameFamily, Normal
from tests.contracts.row import Row

LOGITS = ((0.9, -0.5, 0.3), (-1.0, 0.2, 0.4))
LOC = ((-1.0, 0.7, 2.0), (0.3, -2.0, 1.1))
SCALE = ((0.6, 1.3, 0.8), (0.9, 1.2, 0.5))
VECTORS = (((-1.0, 0.4), (0.7, 1.9), (2.0, -0.3)), ((0.3, 1.0), (-2.0, 0.2), (1.1, -0.9)))
WIDTHS = (((0.6, 1.1), (1.3, 0.7), (0.8, 1.4)), ((0.9, 0.5), (1.2, 1.0), (0.5, 0.8)))


def mixture(logits, component, **options):
    # torch's Categorical normalizes its logits in their own dtype: in a half type that would round the weights.
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32)) if logits.is_floating_point() else logits
    weights = td.Categorical(logits=wide, validate_args=False)
    # The contract is about this gradient, far apart too.
    return MixtureSameFamily(weights, component, estimator="implicit", **options)


class Reference:
    """A mixture of laws of scipy; each quantile from the tail it lies in."""

    def __init__(self, weights, parts):
        self.weights, self.parts = weights, parts

    def _total(self, method, points):
        log_weights = np.log(self.weights)[:, None]
        return special.logsumexp(
            [getattr(part, method)(np.atleast_1d(points)) for part in self.parts] + log_weights, axis=0
        )

    def logpdf(self, points):
        return self._total("logpdf", points)

    def cdf(self, points):
        return np.exp(self._total("logcdf", points))

    def ppf(self, levels):
        return np.array([self._quantile(level) for level in levels])

    def _quantile(self, level):
        method, target = ("logcdf", np.log(level)) if level < 0.5 else ("logsf", np.log1p(-level))
        ends = [part.ppf(level) for part in self.parts]
        return optimize.brentq(
            lambda y: self._total(method, y)[0] - target, min(ends) - 1e-9, max(ends) + 1e-9, xtol=1e-13
        )

    def mean(self):
        return self.weights @ np.array([part.mean() for part in self.parts])

    def var(self):
        return self.weights @ np.array([part.var() + (part.mean() - self.mean()) ** 2 for part in self.parts])

    def std(self):
        return np.sqrt(self.var())


SWEEP = {"logits": (-30.0, 30.0), "loc": (-100.0, 100.0), "scale": (1e-3, 1e3)}

ROWS = (
    Row(
        "MixtureSameFamily(Normal)",
        lambda logits, loc, scale, **options: mixture(logits, Normal(loc, scale, **options), **options),
        {"logits": LOGITS, "loc": LOC, "scale": SCALE},
        reference=lambda i: Reference(
            special.softmax(LOGITS[i]), [stats.norm(*at) for at in zip(LOC[i], SCALE[i], strict=True)]
        ),
        sweep=SWEEP,
    ),
    Row(
        "MixtureSameFamily(Independent)",
        lambda logits, loc, scale, **options: mixture(logits, Independent(Normal(loc, scale, **options), 1), **options),
        {"logits": LOGITS, "loc": VECTORS, "scale": WIDTHS},
        sweep=SWEEP,
    ),
)
