"""The measure-valued estimator, on every law that has a weak derivative."""

import torch

from reparam import distributions as law
from reparam.estimators import MeasureValued
from tests.contracts.estimating import EstimatorRow
from tests.contracts.estimator_rows.general import CLASSES, COUNTS, NORMAL, of_classes, one_hot_values

COIN = torch.tensor([0.0, 1.0])


def _row(name, make, parameters, **options):
    return EstimatorRow(f"MeasureValued, {name}", MeasureValued, make, parameters, **options)


ROWS = [
    _row("Normal", law.Normal, NORMAL),
    _row("Exponential", law.Exponential, {"rate": 1.3}),
    _row("Gamma", law.Gamma, {"concentration": 1.7, "rate": 1.3}),
    _row("Gamma, small concentration", law.Gamma, {"concentration": 0.1, "rate": 0.9}),
    _row("Gamma, large concentration", law.Gamma, {"concentration": 300.0, "rate": 90.0}),
    _row("Chi2", law.Chi2, {"df": 1.5}),
    _row("Beta", law.Beta, {"concentration1": 0.6, "concentration0": 2.4}),
    _row("Weibull", law.Weibull, {"scale": 1.2, "concentration": 1.6}),
    _row("Poisson", law.Poisson, {"rate": 2.3}, values=COUNTS),
    _row("Bernoulli of probs", law.Bernoulli, {"probs": 0.3}, values=COIN),
    _row("Bernoulli of logits", lambda logits: law.Bernoulli(logits=logits), {"logits": 0.8}, values=COIN),
    _row("Binomial of probs", lambda probs: law.Binomial(5, probs), {"probs": 0.3}, values=COUNTS[:6]),
    _row("Binomial of logits", lambda logits: law.Binomial(5, logits=logits), {"logits": 0.8}, values=COUNTS[:6]),
    _row("NegativeBinomial of probs", law.NegativeBinomial, {"total_count": 1.6, "probs": 0.3}, values=COUNTS),
    _row(
        "NegativeBinomial of logits",
        lambda total_count, logits: law.NegativeBinomial(total_count, logits=logits),
        {"total_count": 0.4, "logits": -0.5},
        values=COUNTS,
    ),
    _row("Geometric of probs", law.Geometric, {"probs": 0.6}, values=COUNTS),
    _row("Geometric of logits", lambda logits: law.Geometric(logits=logits), {"logits": 0.8}, values=COUNTS),
    _row(
        "Categorical of probs",
        law.Categorical,
        {"probs": [0.2, 0.5, 0.3]},
        values=torch.arange(3.0),
        events=lambda y: y.double(),
    ),
    _row(
        "OneHotCategorical of logits",
        lambda logits: law.OneHotCategorical(logits=logits),
        CLASSES,
        values=one_hot_values(3),
        events=of_classes,
    ),
]
