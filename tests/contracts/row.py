"""One law under contract: what the tests need to know of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.distributions as td
from scipy import stats


@dataclass(frozen=True)
class Row:
    """A law, its parameters at an asymmetric point (two batch elements), and an independent reference.

    Args:
        make: the law from its parameters (tensors of one dtype) and ``validate_args=``.
        parameters: name to values, one entry for each of the two batch elements.
        reference: the scipy law of batch element ``i`` (continuous laws on the line).
        values: all values in order (laws on a few values).
        circular: whether mean and variance are those of angles, which no sum of draws gives.
        instead: what the refusal of ``rsample`` must name (laws whose draws jump).
        sweep: by parameter, the interval of a sweep where its constraint does not say it (log-uniform if positive).
        infinite: the parameters that may be infinite.
        has_density: whether it has a ``log_prob``.
        sorted: brings swept parameters into an order that the law accepts (``low < high``).
    """

    name: str
    make: Callable[..., td.Distribution]
    parameters: dict[str, tuple]
    reference: Callable[[int], stats.rv_continuous] | None = None
    values: tuple[float, ...] = ()
    circular: bool = False
    instead: str = ""
    sweep: dict[str, tuple[float, float]] = field(default_factory=dict)
    infinite: tuple[str, ...] = ()
    has_density: bool = True
    sorted: Callable[[dict], dict] | None = None

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
        try:
            self.law().noise()
        except NotImplementedError:
            return False
        return True
