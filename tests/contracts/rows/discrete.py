"""Rows of laws on a few values."""

import numpy as np

from reparam.distributions import Bernoulli, DiscretizedLogistic, GridCategorical
from tests.contracts.row import Row

ROWS = (
    Row(
        "DiscretizedLogistic",
        lambda **options: DiscretizedLogistic(levels=6, **options),
        {"loc": (0.35, 1.2), "scale": (0.15, 0.4)},
        values=tuple(np.linspace(0, 1, 6).tolist()),
        instead="ScoreFunction",
    ),
    Row(
        "GridCategorical",
        GridCategorical,
        {"logits": ((0.3, -1.2, 0.8, 0.1), (2.0, 0.4, -0.7, -3.0))},
        values=tuple(np.linspace(0, 1, 4).tolist()),
        instead="ScoreFunction",
    ),
    Row(
        "Bernoulli(logits)",
        lambda logits, **options: Bernoulli(logits=logits, **options),
        {"logits": (0.8, -3.0)},
        values=(0.0, 1.0),
        instead="Enumerate",
    ),
    Row(
        "Bernoulli(probs)",
        Bernoulli,
        {"probs": (0.3, 0.95)},
        values=(0.0, 1.0),
        instead="RelaxedBernoulli",
    ),
)
