"""Targets whose moments are known: a correlated Gaussian, a banana, and a skewed one. Two dimensions, float64."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from reparam.noise import generator, standard_normal, uniform

_LIKE = torch.zeros((), dtype=torch.float64)
_CHOLESKY = torch.tensor([[1.0, 0.0], [1.6, 1.2]], dtype=torch.float64)  # scales 1 and 2, correlation 0.8
EULER = 0.5772156649015329


@dataclass(frozen=True)
class Target:
    """A log density, ``[chains, 2]`` to ``[chains]``, with its moments and exact draws."""

    name: str
    log_density: Callable[[Tensor], Tensor]
    mean: tuple[float, float]
    variance: tuple[float, float]
    draw: Callable[[int, int], Tensor]

    def __str__(self) -> str:
        return self.name


def _gaussian(x: Tensor) -> Tensor:
    whitened = torch.linalg.solve_triangular(_CHOLESKY, x.T, upper=False)
    return -whitened.square().sum(0) / 2


def _banana(x: Tensor) -> Tensor:
    """``x_0 ~ N(0, 1)``, ``x_1 ~ N(x_0²/2, 1)``."""
    return -(x[:, 0] ** 2) / 2 - (x[:, 1] - x[:, 0] ** 2 / 2) ** 2 / 2


def _gumbel(x: Tensor) -> Tensor:
    """The logarithm of a unit exponential, with the sign turned; scales 1 and 3."""
    z = x / torch.tensor([1.0, 3.0], dtype=x.dtype)
    return -(z + torch.exp(-z)).sum(-1)


def _normals(count: int, seed: int) -> Tensor:
    return standard_normal((count, 2), like=_LIKE, generator=generator(seed, "target"))


def _draw_banana(count: int, seed: int) -> Tensor:
    z = _normals(count, seed)
    return torch.stack([z[:, 0], z[:, 1] + z[:, 0] ** 2 / 2], 1)


def _draw_gumbel(count: int, seed: int) -> Tensor:
    u = uniform((count, 2), like=_LIKE, generator=generator(seed, "target"))
    return -torch.log(-torch.log(u)) * torch.tensor([1.0, 3.0], dtype=torch.float64)


GAUSSIAN = Target("gaussian", _gaussian, (0.0, 0.0), (1.0, 4.0), lambda n, seed: _normals(n, seed) @ _CHOLESKY.T)
BANANA = Target("banana", _banana, (0.0, 0.5), (1.0, 1.5), _draw_banana)
GUMBEL = Target("gumbel", _gumbel, (EULER, 3 * EULER), (math.pi**2 / 6, 9 * math.pi**2 / 6), _draw_gumbel)
TARGETS = [GAUSSIAN, BANANA, GUMBEL]
