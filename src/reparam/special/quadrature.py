"""Fixed nodes for integrals of smooth integrands over a finite interval."""

from functools import lru_cache

import numpy as np
from torch import Tensor

__all__ = ["along_first", "gauss_legendre", "legendre_rule"]


def gauss_legendre(count: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes and weights of the Gauss-Legendre rule with ``count`` nodes on [0, 1].

    They lie along a new first dimension, before those of ``like``, which gives dtype and device.

    Example:
        >>> nodes, weights = gauss_legendre(3, torch.zeros((), dtype=torch.float64))
        >>> round((weights * nodes**5).sum().item(), 12) == round(1 / 6, 12)
        True
    """
    nodes, weights = legendre_rule(count)
    return along_first(nodes, like), along_first(weights, like)


def along_first(values: list[float], like: Tensor) -> Tensor:
    """The values along a new first dimension, before those of ``like``, which gives dtype and device.

    Example:
        >>> along_first([1.0, 2.0], torch.zeros(3, 4)).shape
        torch.Size([2, 1, 1])
    """
    return like.new_tensor(values).reshape((len(values),) + (1,) * like.dim())


@lru_cache
def legendre_rule(count: int) -> tuple[list[float], list[float]]:
    """Nodes and weights of :func:`gauss_legendre` as numbers: for a compiler to find them made."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()
