"""Fixed nodes for integrals of smooth integrands over a finite interval."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

__all__ = ["Rule", "gauss_legendre"]


class Rule(NamedTuple):
    """A quadrature rule on [0, 1]."""

    nodes: list[float]
    weights: list[float]

    def along_first(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Nodes and weights along a new first dimension, before those of ``like``, in its dtype and on its device.

        Along the first, as the elements then stay next to each other in memory, and a broadcast costs nothing.
        """
        shape = (len(self.nodes),) + (1,) * like.dim()
        return like.new_tensor(self.nodes).reshape(shape), like.new_tensor(self.weights).reshape(shape)


def gauss_legendre(count: int) -> Rule:
    """The Gauss-Legendre rule with ``count`` nodes on [0, 1].

    Example:
        >>> rule = gauss_legendre(3)  # exact up to the fifth power
        >>> round(sum(w * x**5 for x, w in zip(*rule)), 12) == round(1 / 6, 12)
        True
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return Rule(((nodes + 1) / 2).tolist(), (weights / 2).tolist())
