"""Functions of two variables by fitted polynomials: float32 accuracy at a tenth of the cost of an integral.

A fitted function is written as ``leading + weight · R(u, w)``. With the leading term and the weight, which are
elementary, goes what is singular or grows without bound; with the coordinates u and w, the shape of the domain. What
is left is a polynomial, ``R = Σ c_ij T_i(u) T_j(w)`` with Chebyshev's T, one for the whole domain: there is nothing to
look up and nowhere to branch. Outside -1 <= u <= 1 nothing is known of R, and the exact function takes over.

The coefficients are made from our own float64 functions, by ``fitting.py``.
"""

import functools
import threading
from collections.abc import Callable
from importlib import resources
from typing import NamedTuple

import numpy as np
import torch
from numpy.polynomial.chebyshev import cheb2poly
from torch import Tensor

__all__ = ["Fit", "Terms", "applies", "coefficients_text", "evaluate"]

_PIECE = 8192  # elements at a time: their rows are a megabyte


class Terms(NamedTuple):
    """``leading + weight · R(u, w)``; where u leaves [-1, 1] by at most ``slack``, for rounding, R is that of the end.

    u grows with the first argument; w falls, from 1 to -1, while the second goes from 0 to infinity.
    """

    leading: Tensor
    weight: Tensor
    u: Tensor
    w: Tensor
    slack: Tensor


class Fit(NamedTuple):
    """A fitted function: the name of its coefficients, and its terms as a function of both arguments."""

    name: str
    terms: Callable[[Tensor, Tensor], Terms]


def applies(like: Tensor) -> bool:
    """Whether fits are for tensors like this one.

    Not where looking at values waits for the device, and matrix products are as precise as settings say.
    """
    return like.dtype == torch.float32 and like.device.type == "cpu"


def evaluate(fit: Fit, exact: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor) -> Tensor:
    """The function of two vectors; where they are outside of what was fitted, by ``exact``, in float64."""
    leading, weight, u, w, slack = fit.terms(first, second)
    beyond = u.abs().sub_(1).sub_(slack)
    residual = _polynomial(_coefficients(fit.name), u.clamp_(-1, 1), w.clamp_(-1, 1))
    value = leading.addcmul_(weight, residual)
    if len(beyond) > 0 and not beyond.amax() <= 0:  # the largest of numbers with a NaN among them is NaN
        (index,) = (beyond > 0).nonzero(as_tuple=True)
        value[index] = exact(first[index].double(), second[index].double()).to(value.dtype)
    return value


def _polynomial(coefficients: Tensor, u: Tensor, w: Tensor) -> Tensor:
    """``Σ c_ij u^i B_j(w)`` for vectors u and w, with :func:`_basis`; in pieces, in memory that stays in the cache."""
    result = torch.empty_like(u)
    rows, columns = coefficients.shape
    scratch = _scratch.take((columns + rows) * min(_PIECE, len(u)))
    for part_u, part_w, total in zip(*(whole.split(_PIECE) for whole in (u, w, result)), strict=True):
        count = len(total)
        basis, lines = scratch[: (columns + rows) * count].view(columns + rows, count).split([columns, rows])
        # Into a tensor that is there, as autocast would round the factors of a new one.
        torch.mm(coefficients, _basis(part_w, basis), out=lines)
        *others, next_highest, highest = lines.unbind(0)
        torch.addcmul(next_highest, highest, part_u, out=total)
        for line in reversed(others):
            torch.addcmul(line, total, part_u, out=total)
    return result


def _basis(x: Tensor, values: Tensor) -> Tensor:
    """Fill in Chebyshev's ``± T_n(x)``, with signs such that each follows from two before by one multiply-add."""
    rows, double = values.unbind(0), x + x
    rows[0].fill_(1.0)
    rows[1].copy_(x)
    for n in range(2, len(rows)):
        torch.addcmul(rows[n - 2], rows[n - 1], double, value=1.0 if n % 2 else -1.0, out=rows[n])
    return values


class _Scratch(threading.local):
    """Memory of a thread's own to work in: memory that is new to a process costs as much as what is done in it here."""

    def __init__(self) -> None:
        self.memory = torch.empty(0, dtype=torch.float32)

    def take(self, count: int) -> Tensor:
        if len(self.memory) < count:
            with torch.inference_mode(False):
                self.memory = torch.empty(count, dtype=torch.float32)
        return self.memory


_scratch = _Scratch()


def coefficients_text(name: str) -> str:
    """The file of that name: ``c_ij``, a row for each i."""
    return resources.files("reparam.special").joinpath("coefficients", f"{name}.txt").read_text("utf-8")


@functools.cache
def _coefficients(name: str) -> Tensor:
    """From ``T_i(u) T_j(w)`` to ``± u^i T_j(w)``: with powers the sum costs half as much, and loses no digits here."""
    chebyshev = np.loadtxt(coefficients_text(name).splitlines())
    of_powers = np.array([np.pad(cheb2poly(row), (0, n)) for n, row in enumerate(np.eye(len(chebyshev))[::-1])])[::-1]
    signs = [-1.0 if n % 4 in (2, 3) else 1.0 for n in range(chebyshev.shape[1])]
    return torch.tensor(of_powers.T @ chebyshev * signs, dtype=torch.float32)
