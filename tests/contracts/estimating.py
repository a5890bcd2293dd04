"""Estimators under contract: for every row and four functions, value and gradient against the exact ones.

``python -m tests.contracts.estimating --draws 1000000`` is the long run; the suite runs a short one
(``test_estimators.py``). The truth is a sum over all values, or quadrature of the density on a line.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.distributions as td
from scipy import stats

from reparam.checking.oracle import Oracle
from reparam.checking.subject import Subject
from reparam.checking.taking_apart import subject_of_function
from reparam.estimators import Estimator, expectation
from reparam.noise import generator

CHUNK = 100_000
FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "constant": lambda y: 0 * y + 3,
    "linear": lambda y: 2 * y - 1,
    "quadratic": lambda y: (y - 0.45) ** 2,
    "exponential": lambda y: torch.exp(y / 4),
}


@dataclass(frozen=True)
class EstimatorRow:
    """An estimator, a law it is for, and how the truth is found.

    Args:
        estimator: a new one; called once a chunk.
        make: the law from its parameters; batch shape () for the parameters given.
        parameters: where, by name; floats or lists.
        values: all values of a discrete law that matter, ``[V, *event]``; None for a law on a line.
        events: draws ``[..., *event]`` to the numbers that the functions are applied to.
        samples: what ``expectation`` is asked for.
        exact_for: the functions on which a biased estimator is exact all the same; None means all of them.
    """

    name: str
    estimator: Callable[[], Estimator]
    make: Callable[..., td.Distribution]
    parameters: dict
    values: torch.Tensor | None = None
    events: Callable[[torch.Tensor], torch.Tensor] = lambda y: y
    samples: int = 1
    exact_for: tuple[str, ...] | None = None

    @property
    def functions(self) -> tuple[str, ...]:
        return tuple(FUNCTIONS) if self.exact_for is None else self.exact_for

    def subject(self) -> Subject:
        tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in self.parameters.items()}
        return subject_of_function(self.make, tensors, 0)

    def truth(self, function: str) -> tuple[float, torch.Tensor]:
        """The expectation, and its derivative along each direction."""
        subject, f = self.subject(), FUNCTIONS[function]
        if self.values is None:
            draws = subject.sample(20_000, "truth")
            oracle = Oracle(subject, draws)
            mean = float((f(oracle.values.flatten()) * oracle.weighted[..., 0].flatten()).sum())
            return mean, oracle.gradient_of_mean(f)
        copies = subject.copies(1)
        values = self.values.to(torch.float64)
        log_prob = copies.law.log_prob(values.unsqueeze(1))  # [V, 1]
        total = (log_prob.exp() * f(self.events(values)).unsqueeze(1)).sum()
        return total.item(), copies.gradients(total)[0]

    def estimates(self, function: str, draws: int) -> tuple[torch.Tensor, torch.Tensor]:
        """``draws`` independent values, ``[draws]``, and gradients, ``[draws, directions]``."""
        subject, f, randomness = self.subject(), FUNCTIONS[function], generator(0, self.name, function)
        values, gradients = [], []
        for start in range(0, draws, CHUNK):
            copies = subject.copies(min(CHUNK, draws - start))
            value = expectation(
                lambda y: f(self.events(y)),
                copies.law,
                estimator=self.estimator(),
                samples=self.samples,
                generator=randomness,
            )
            values.append(value.detach())
            gradients.append(copies.gradients(value))
        return torch.cat(values), torch.cat(gradients)

    def __str__(self) -> str:
        return self.name


def standard_errors(estimates: torch.Tensor, truth: torch.Tensor | float) -> torch.Tensor:
    """By how many standard errors the mean is off; what is off by rounding alone counts as 0."""
    truth = torch.as_tensor(truth, dtype=torch.float64)
    off = (estimates.mean(0) - truth).abs()
    off = torch.where(off <= 1e-8 * (1 + truth.abs()), 0.0, off)
    return off / (estimates.std(0) / math.sqrt(len(estimates))).clamp(min=1e-300)


def limit(assertions: int) -> float:
    """How many standard errors one in a million such groups of tests exceeds."""
    return float(stats.norm.isf(1e-6 / 2 / assertions))


def main() -> None:
    from tests.contracts.estimator_rows import ROWS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    options = parser.parse_args()
    for row in ROWS:
        if options.only not in row.name:
            continue
        for function in row.functions:
            mean, gradient = row.truth(function)
            values, gradients = row.estimates(function, options.draws)
            worst = torch.cat([standard_errors(values, mean)[None], standard_errors(gradients, gradient)])
            print(f"{row.name:50s} {function:12s} worst {worst.max():6.2f} standard errors", flush=True)


if __name__ == "__main__":
    main()
