"""Rows of relaxed laws, and of those that lend their gradient to a discrete draw."""

from scipy import stats

from reparam.distributions import (
    ExpRelaxedCategorical,
    LogitRelaxedBernoulli,
    OneHotCategoricalStraightThrough,
    RelaxedBernoulli,
    RelaxedBernoulliStraightThrough,
    RelaxedOneHotCategorical,
    RelaxedOneHotCategoricalStraightThrough,
)
from tests.contracts.row import Row

TEMPERATURE = (0.6, 1.7)
CHANCE, LOG_ODDS = (0.3, 0.95), (0.8, -3.0)
PROBS = ((0.2, 0.5, 0.3), (0.05, 0.05, 0.9))
LOGITS = ((0.3, -1.0, 2.0), (-4.0, 1.0, 0.5))


def by_logits(law):
    return lambda temperature, logits, **options: law(temperature, logits=logits, **options)


ROWS = (
    Row(
        "LogitRelaxedBernoulli",
        by_logits(LogitRelaxedBernoulli),
        {"temperature": TEMPERATURE, "logits": LOG_ODDS},
        reference=lambda i: stats.logistic(LOG_ODDS[i] / TEMPERATURE[i], 1 / TEMPERATURE[i]),
    ),
    Row("RelaxedBernoulli(probs)", RelaxedBernoulli, {"temperature": TEMPERATURE, "probs": CHANCE}),
    Row(
        "RelaxedBernoulli(logits)",
        by_logits(RelaxedBernoulli),
        {"temperature": TEMPERATURE, "logits": LOG_ODDS},
    ),
    Row(
        "RelaxedBernoulliStraightThrough",
        RelaxedBernoulliStraightThrough,
        {"temperature": TEMPERATURE, "probs": CHANCE},
        values=(0.0, 1.0),
    ),
    Row("ExpRelaxedCategorical", ExpRelaxedCategorical, {"temperature": TEMPERATURE, "probs": PROBS}),
    Row("RelaxedOneHotCategorical(probs)", RelaxedOneHotCategorical, {"temperature": TEMPERATURE, "probs": PROBS}),
    Row(
        "RelaxedOneHotCategorical(logits)",
        by_logits(RelaxedOneHotCategorical),
        {"temperature": TEMPERATURE, "logits": LOGITS},
    ),
    Row(
        "RelaxedOneHotCategoricalStraightThrough",
        RelaxedOneHotCategoricalStraightThrough,
        {"temperature": TEMPERATURE, "probs": PROBS},
    ),
    Row("OneHotCategoricalStraightThrough", OneHotCategoricalStraightThrough, {"probs": PROBS}),
)
