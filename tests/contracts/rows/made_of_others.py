"""Rows of laws that are made of other laws: a function of a draw, and two draws of which one depends on the other."""

import torch
import torch.distributions as td
from torch.distributions import constraints

from reparam.distributions import Chained, Independent, Normal, Transformed
from tests.contracts.row import Row


class Sheared(td.Transform):
    """``(x, y)`` to ``(x, x + y·exp(tanh x))``: both in one pass, as a flow does it."""

    domain = codomain = constraints.real_vector
    bijective = True

    def call_and_ladj(self, x):
        first, rest = x.split([1, 1], -1)
        return torch.cat([first, first + rest * first.tanh().exp()], -1), first.tanh().squeeze(-1)

    def _call(self, x):
        return self.call_and_ladj(x)[0]

    def _inverse(self, y):
        first, rest = y.split([1, 1], -1)
        return torch.cat([first, (rest - first) * (-first.tanh()).exp()], -1)

    def log_abs_det_jacobian(self, x, y):
        return x[..., 0].tanh()


def second(a, slope):
    """A normal law whose location and scale depend on a, not linearly."""
    loc = torch.stack([a[:, 0] * slope, a.sum(-1).sin(), a[:, 1] - 1], -1)
    return Independent(Normal(loc, 0.4 + torch.sigmoid(a[:, :1])), 1)


ROWS = (
    Row(
        "Transformed(Normal)",
        lambda loc, scale, **options: Transformed(Normal(loc, scale, **options), td.ExpTransform(), **options),
        {"loc": (0.7, -2.0), "scale": (1.3, 0.2)},
        sweep={"loc": (-30.0, 30.0), "scale": (1e-3, 10.0)},
    ),
    Row(
        "Transformed(Independent)",
        lambda loc, scale, **options: Transformed(
            Independent(Normal(loc, scale, **options), 1, **options), Sheared(), **options
        ),
        {"loc": ((0.7, -1.0), (-0.4, 0.3)), "scale": ((1.3, 0.2), (0.6, 0.8))},
        sweep={"loc": (-5.0, 5.0), "scale": (1e-3, 1e2)},
    ),
    Row(
        "Chained",
        lambda loc, scale, **options: Chained(
            Independent(Normal(loc, scale, **options), 1),
            second,
            sizes=(2, 3),
            given=[torch.full(loc.shape[:-1], 0.75, dtype=loc.dtype, device=loc.device)],
            **options,
        ),
        {"loc": ((0.7, -1.0), (-0.4, 0.3)), "scale": ((1.3, 0.2), (0.6, 0.8))},
        sweep={"scale": (1e-3, 1e3)},
    ),
)
