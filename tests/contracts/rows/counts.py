"""Rows of laws on the whole numbers; beyond the last value listed there is less than 1e-13."""

from reparam.distributions import Binomial, Geometric, NegativeBinomial, Poisson, ZeroInflated
from tests.contracts.row import Row

UP_TO_80 = tuple(float(k) for k in range(81))

ROWS = (
    Row("Poisson", Poisson, {"rate": (0.8, 20.0)}, values=UP_TO_80, instead="MeasureValued"),
    Row(
        "Binomial(probs)",
        Binomial,
        {"total_count": (7.0, 7.0), "probs": (0.3, 0.95)},
        values=UP_TO_80[:8],
        instead="Enumerate",
    ),
    Row(
        "Binomial(logits)",
        lambda total_count, logits, **options: Binomial(total_count, logits=logits, **options),
        {"total_count": (7.0, 7.0), "logits": (0.8, -3.0)},
        values=UP_TO_80[:8],
        instead="ScoreFunction",
    ),
    Row(
        "NegativeBinomial(probs)",
        NegativeBinomial,
        {"total_count": (0.7, 6.0), "probs": (0.3, 0.5)},
        values=UP_TO_80,
        instead="MeasureValued",
    ),
    Row(
        "NegativeBinomial(logits)",
        lambda total_count, logits, **options: NegativeBinomial(total_count, logits=logits, **options),
        {"total_count": (0.7, 6.0), "logits": (-1.0, -0.2)},
        values=UP_TO_80,
        instead="ScoreFunction",
    ),
    Row("Geometric(probs)", Geometric, {"probs": (0.35, 0.9)}, values=UP_TO_80, instead="MeasureValued"),
    Row(
        "Geometric(logits)",
        lambda logits, **options: Geometric(logits=logits, **options),
        {"logits": (0.8, -0.5)},
        values=UP_TO_80,
        instead="ScoreFunction",
    ),
    Row(
        "ZeroInflated(Poisson)",
        lambda rate, logits, **options: ZeroInflated(Poisson(rate, **options), logits, **options),
        {"rate": (0.8, 20.0), "logits": (0.4, -1.5)},
        values=UP_TO_80,
        instead="ScoreFunction",
    ),
    Row(
        "ZeroInflated(NegativeBinomial)",
        lambda total_count, probs, logits, **options: ZeroInflated(
            NegativeBinomial(total_count, probs, **options), logits, **options
        ),
        {"total_count": (0.7, 6.0), "probs": (0.3, 0.5), "logits": (0.4, -1.5)},
        values=UP_TO_80,
        instead="ScoreFunction",
    ),
)
