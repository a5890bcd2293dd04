"""Every law over a sweep of its parameters: no draw and no gradient that is not a number.

``python -m tests.contracts.sweeping --draws 10000000`` is the long run; the suite runs a short one (``test_sweep.py``).
"""

import argparse
import math
from collections.abc import Callable

import torch
from torch.distributions import constraints

from reparam.distributions.parameters import above_zero, below_one, open_unit_interval, unit_vector, weights
from reparam.noise import generator
from tests.contracts.laws import REPARAMETERIZED
from tests.contracts.row import Row

CHUNK = 100_000


def random_parameters(row: Row, count: int, randomness: torch.Generator, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """``count`` points of the row's parameters: what its own ``sweep`` says, else by constraint."""

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(count, *shape, generator=randomness, dtype=torch.float64)

    made = {}
    law = row.law()
    for name, value in row.tensors().items():
        shape, constraint = value.shape[1:], law.arg_constraints.get(name)
        while isinstance(constraint, constraints.independent):
            constraint = constraint.base_constraint
        if name in row.sweep:
            low, high = row.sweep[name]
            drawn = torch.exp(uniform(math.log(low), math.log(high), *shape)) if low > 0 else uniform(low, high, *shape)
        elif constraint is constraints.lower_cholesky:
            drawn = _triangles(uniform, shape)
        elif constraint is constraints.positive_definite:
            factor = _triangles(uniform, shape)
            drawn = factor @ factor.mT
        elif constraint is unit_vector:
            drawn = torch.nn.functional.normalize(uniform(-1, 1, *shape), dim=-1)
        elif constraint in (constraints.unit_interval, above_zero, below_one, open_unit_interval):
            drawn = torch.sigmoid(uniform(-15, 15, *shape))
        elif constraint in (constraints.simplex, weights):
            drawn = torch.softmax(uniform(-15, 15, *shape), -1)
        elif constraint in (constraints.positive, constraints.nonnegative):
            drawn = torch.exp(uniform(math.log(1e-3), math.log(1e3), *shape))
        else:
            sign = torch.where(uniform(-1, 1, *shape) < 0, -1.0, 1.0)
            drawn = sign * torch.exp(uniform(math.log(1e-2), math.log(1e2), *shape))
        made[name] = drawn.to(dtype)
    return row.sorted(made) if row.sorted else made


def _triangles(uniform: Callable, shape: tuple[int, ...]) -> torch.Tensor:
    """Lower triangles, conditioned so that float32 still knows them as positive-definite."""
    diagonal = torch.exp(uniform(math.log(0.1), math.log(10), shape[-1]))
    return torch.tril(uniform(-1, 1, *shape), -1) * diagonal[..., None] + torch.diag_embed(diagonal)


def failures(row: Row, draws: int, dtype: torch.dtype, seed: int = 0) -> list[str]:
    """What went wrong in ``draws`` draws, each at parameters of its own; empty if nothing did."""
    found, done, chunk = [], 0, 0
    while done < draws and not found:
        count = min(CHUNK, draws - done)
        randomness = generator(seed, row.name, chunk)
        parameters = random_parameters(row, count, randomness, dtype)
        for value in parameters.values():
            value.requires_grad_()
        law = row.make(**parameters)
        drawn = law.rsample(generator=randomness)
        gradients = torch.autograd.grad(drawn.sum(), list(parameters.values()))
        for name, value in {"draw": drawn.detach(), **dict(zip(parameters, gradients, strict=True))}.items():
            bad = ~value.isfinite().reshape(count, -1).all(-1)
            if name == "draw":
                bad = bad | ~law.support.check(value)
            if bad.any():
                index = int(bad.nonzero()[0])
                point = {key: parameter[index].tolist() for key, parameter in parameters.items()}
                what = "draw" if name == "draw" else f"gradient in {name}"
                found.append(f"{what}: {int(bad.sum())} of {count} bad, first {value[index].tolist()} at {point}")
        done, chunk = done + count, chunk + 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=10_000_000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    for row in REPARAMETERIZED:
        if options.only in row.name:
            for dtype in (torch.float32, torch.float64):
                print(row.name, dtype, failures(row, options.draws, dtype) or "no failure", flush=True)


if __name__ == "__main__":
    main()
