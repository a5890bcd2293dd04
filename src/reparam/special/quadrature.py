"""Fixed nodes for integrals of smooth integrands over a finite interval."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
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

    def of_two(
        self, integrands: Callable[[Tensor | float], tuple[Tensor, Tensor]], like: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Integrals over [0, 1] of both integrands, of the shape of ``like``.

        All nodes are one operation where derivatives are wanted, and one after the other, in less memory, elsewhere.
        """
        if torch.is_grad_enabled():
            nodes, weights = self.along_first(like)
            first, second = integrands(nodes)
            return (weights * first).sum(0), (weights * second).sum(0)
        totals = torch.zeros_like(like), torch.zeros_like(like)
        for node, weight in zip(self.nodes, self.weights, strict=True):
            for total, value in zip(totals, integrands(node), strict=True):
                total.add_(value, alpha=weight)
        return totals


def gauss_legendre(count: int) -> Rule:
    """The Gauss-Legendre rule with ``count`` nodes on [0, 1].

    Example:
        >>> rule = gauss_legendre(3)  # exact up to the fifth power
        >>> round(sum(w * x**5 for x, w in zip(*rule)), 12) == round(1 / 6, 12)
        True
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return Rule(((nodes + 1) / 2).tolist(), (weights / 2).tolist())
