"""Makes the coefficients of the fitted functions: ``python -m reparam.special.fitting``.

The residual R of a fit (``fits.py``) is known at any point from the exact float64 function. It is fitted at Chebyshev
nodes by least squares of the *relative* error of the function, whose weights are raised where the error is largest
(Lawson's algorithm, 1961), which leads towards the smallest largest error.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray
from torch import Tensor

from reparam.special import gamma_integrals
from reparam.special.fits import Fit
from reparam.special.gamma_fit import SCALED_VELOCITY
from reparam.special.student import SCALED_STUDENT_VELOCITY, scaled_student_velocity

__all__ = ["FITTED", "fit", "points", "write"]

Exact = Callable[[Tensor, Tensor], Tensor]
Array = NDArray[np.float64]


#: Each fit, the function it stands for, and its degrees in u and w.
FITTED: list[tuple[Fit, Exact, tuple[int, int]]] = [
    (SCALED_VELOCITY, gamma_integrals.scaled_velocity, (15, 14)),
    (SCALED_STUDENT_VELOCITY, scaled_student_velocity, (11, 13)),
]


def points(fitted: Fit, along_u: int, along_w: int) -> tuple[Tensor, Tensor]:
    """Both arguments at Chebyshev nodes of w and, for each, of the u there are."""
    w = _nodes(along_w).clamp(max=1 - 1e-9)
    second = _solve(lambda log_second: -fitted.terms(torch.zeros_like(w), log_second.exp()).w, -w, -80.0, 80.0).exp()
    second = second.unsqueeze(-1).expand(along_w, along_u)
    lowest = fitted.terms(torch.full_like(second, -1000.0), second).u.clamp(min=-1)
    highest = fitted.terms(torch.full_like(second, 700.0), second).u.clamp(max=1)
    u = lowest + (highest - lowest) * (_nodes(along_u) + 1) / 2
    first = _solve(lambda first: fitted.terms(first, second).u, u, -1000.0, 700.0)
    return first.flatten(), second.flatten()


def _nodes(count: int) -> Tensor:
    return torch.cos(torch.pi * (torch.arange(count, dtype=torch.float64) + 0.5) / count)


def _solve(increasing: Callable[[Tensor], Tensor], goal: Tensor, low: float, high: float) -> Tensor:
    """By bisection."""
    lower, upper = torch.full_like(goal, low), torch.full_like(goal, high)
    for _ in range(70):
        middle = (lower + upper) / 2
        below = increasing(middle) < goal
        lower, upper = torch.where(below, middle, lower), torch.where(below, upper, middle)
    return (lower + upper) / 2


def fit(fitted: Fit, exact: Exact, degrees: tuple[int, int], rounds: int = 10) -> tuple[Array, float]:
    """The coefficients, ``[degree + 1, degree + 1]``, and the largest relative error at the points of the fit."""
    first, second = points(fitted, 60, 40)
    value, terms = exact(first, second), fitted.terms(first, second)
    u, w = (chebvander(x.numpy(), degree) for x, degree in zip((terms.u, terms.w), degrees, strict=True))
    relative = (terms.weight / value).numpy()
    matrix = (u[:, :, None] * w[:, None, :]).reshape(len(value), -1) * relative[:, None]
    goal = ((value - terms.leading) / value).numpy()
    best, least, emphasis = np.zeros(matrix.shape[1]), np.inf, np.ones_like(goal)
    for _ in range(rounds):
        root = np.sqrt(emphasis)
        found, *_ = np.linalg.lstsq(matrix * root[:, None], goal * root, rcond=1e-11)
        error = np.abs(matrix @ found - goal)
        if error.max() < least:
            best, least = found, error.max()
        emphasis *= np.sqrt(error / error.max()) + 0.01
        emphasis /= emphasis.mean()
    return best.reshape(u.shape[1], w.shape[1]), float(least)


def write(folder: Path) -> None:
    """Fit everything, one text file each."""
    for fitted, exact, degrees in FITTED:
        coefficients, error = fit(fitted, exact, degrees)
        header = f"python -m reparam.special.fitting; largest relative error {error:.1e}"
        np.savetxt(folder / f"{fitted.name}.txt", coefficients, fmt="%.9e", header=header)


if __name__ == "__main__":
    write(Path(__file__).parent / "coefficients")
