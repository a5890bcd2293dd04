"""Rows of laws on K classes."""

from reparam.distributions import Categorical, OneHotCategorical
from tests.contracts.row import Row

PROBS = ((0.2, 0.5, 0.3), (0.05, 0.05, 0.9))
LOGITS = ((0.3, -1.0, 2.0), (-4.0, 1.0, 0.5))

ROWS = tuple(
    row
    for law in (Categorical, OneHotCategorical)
    for row in (
        Row(f"{law.__name__}(probs)", law, {"probs": PROBS}, instead="Enumerate"),
        Row(
            f"{law.__name__}(logits)",
            lambda logits, law=law, **options: law(logits=logits, **options),
            {"logits": LOGITS},
            instead="RelaxedOneHotCategorical",
        ),
    )
)
