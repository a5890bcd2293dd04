"""Rows of the continuous Bernoulli law: it is the truncated exponential law, or its mirror image."""

import numpy as np
from scipy import stats

from reparam.distributions import ContinuousBernoulli
from tests.contracts.row import Row

LOGITS, PROBS = (-1.4, -7.0), (0.3, 0.02)

ROWS = (
    Row(
        "ContinuousBernoulli(logits)",
        lambda logits, **options: ContinuousBernoulli(logits=logits, **options),
        {"logits": LOGITS},
        reference=lambda i: stats.truncexpon(-LOGITS[i], scale=-1 / LOGITS[i]),
    ),
    Row(
        "ContinuousBernoulli(probs)",
        ContinuousBernoulli,
        {"probs": PROBS},
        reference=lambda i: stats.truncexpon(
            -np.log(PROBS[i] / (1 - PROBS[i])), scale=-1 / np.log(PROBS[i] / (1 - PROBS[i]))
        ),
    ),
)
