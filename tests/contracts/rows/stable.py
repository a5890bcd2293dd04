"""Rows of stable laws: around α = 1 and away from it."""

from reparam.distributions import Stable
from tests.contracts.row import Row

SWEEP = {"stability": (0.01, 2.0), "skew": (-1.0, 1.0)}

ROWS = (
    Row(
        "Stable",
        Stable,
        {"stability": (1.6, 0.7), "skew": (0.4, -0.8), "loc": (0.7, -2.0), "scale": (1.3, 0.2)},
        has_density=False,
        sweep=SWEEP,
    ),
    Row(
        "Stable(near 1)",
        Stable,
        {"stability": (1.0, 1 + 1e-9), "skew": (0.4, -0.8), "loc": (0.7, -2.0), "scale": (1.3, 0.2)},
        has_density=False,
        sweep={"stability": (0.99, 1.01), "skew": (-1.0, 1.0)},
    ),
)
