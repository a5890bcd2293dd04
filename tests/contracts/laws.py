"""The registry of laws: a new law adds a row and inherits every test of ``test_laws.py``."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributions as td
from scipy import stats

from reparam.distributions import (
    Bernoulli,
    DiscretizedLogistic,
    Implicit,
    Law,
    Logistic,
    Normal,
    Pathwise,
    Reparameterized,
)


@dataclass(frozen=True)
class Row:
    """A law, its parameters at an asymmetric point (two batch elements), and an independent reference.

    Args:
        make: the law from its parameters (tensors of one dtype) and ``validate_args=``.
        parameters: name to values, one entry for each of the two batch elements.
        reference: the scipy law of batch element ``i`` (continuous laws on the line).
        values: all values in order (laws on a few values).
        instead: what the refusal of ``rsample`` must name (laws whose draws jump).
    """

    name: str
    make: Callable[..., td.Distribution]
    parameters: dict[str, tuple]
    reference: Callable[[int], stats.rv_continuous] | None = None
    values: tuple[float, ...] = ()
    instead: str = ""

    def tensors(self, dtype=torch.float64, requires_grad=False):
        return {
            name: torch.tensor(values, dtype=dtype, requires_grad=requires_grad)
            for name, values in self.parameters.items()
        }

    def law(self, dtype=torch.float64, **options):
        return self.make(**self.tensors(dtype), **options)

    def __str__(self):
        return self.name

    @property
    def has_noise(self):
        """Whether its draws can be made from noise: a closed map, or a quantile function."""
        law = self.law()
        return isinstance(law, Pathwise) or (isinstance(law, Implicit) and type(law)._quantile is not Law._quantile)


LOC, SCALE = (0.7, -2.0), (1.3, 0.2)

ROWS = (
    Row(
        "Normal",
        Normal,
        {"loc": LOC, "scale": SCALE},
        reference=lambda i: stats.norm(LOC[i], SCALE[i]),
    ),
    Row(
        "Logistic",
        Logistic,
        {"loc": LOC, "scale": SCALE},
        reference=lambda i: stats.logistic(LOC[i], SCALE[i]),
    ),
    Row(
        "DiscretizedLogistic",
        lambda **options: DiscretizedLogistic(levels=6, **options),
        {"loc": (0.35, 1.2), "scale": (0.15, 0.4)},
        values=tuple(np.linspace(0, 1, 6).tolist()),
        instead="score function",
    ),
    Row(
        "Bernoulli(logits)",
        lambda logits, **options: Bernoulli(logits=logits, **options),
        {"logits": (0.8, -3.0)},
        values=(0.0, 1.0),
        instead="enumeration",
    ),
    Row(
        "Bernoulli(probs)",
        Bernoulli,
        {"probs": (0.3, 0.95)},
        values=(0.0, 1.0),
        instead="RelaxedBernoulli",
    ),
)
REPARAMETERIZED = tuple(row for row in ROWS if isinstance(row.law(), Reparameterized))
WITH_NOISE = tuple(row for row in REPARAMETERIZED if row.has_noise)
PATHWISE = tuple(row for row in REPARAMETERIZED if isinstance(row.law(), Pathwise))
UNIVARIATE = tuple(row for row in ROWS if row.reference)
DISCRETE = tuple(row for row in ROWS if row.values)
JUMPING = tuple(row for row in ROWS if row.instead)
