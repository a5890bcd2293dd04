"""Fixed nodes for integrals of smooth integrands over a finite interval."""

from functools import lru_cache

import numpy as np
from torch import Tensor

__all__ = ["gauss_legendre"]


def gauss_legendre(count: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes and weights of the Gauss-Legendre rule with ``count`` nodes on [0, 1].

    They lie along a new first dimension, before those of ``like``, which gives dtype and device.

    Example:
        >>> nodes, weights = gauss_legendre(3, torch.zeros((), dtype=torch.float64))
        >>> round((weights * nodes**5).sum().item(), 12) == round(1 / 6, 12)
        True
    """
    nodes, weights = _rule(count)
    shape = (count,) + (1,) * like.dim()
    return like.new_tensor(nodes).reshape(shape), like.new_tensor(weights).reshape(shape)


@lru_cache
def _rule(count: int) -> tuple[list[float], list[float]]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()
