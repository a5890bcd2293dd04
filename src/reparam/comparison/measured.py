"""One estimator on one law and one function: what it gives, how it scatters, what it costs."""

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.checking.subject import Subject, seeded
from reparam.comparison.truth import Truth
from reparam.estimators import Estimator, expectation
from reparam.estimators.base import Function

__all__ = ["FALSE_ALARM", "Measured", "measure"]

FALSE_ALARM = 1e-6  # how often the rows of one comparison call an unbiased estimator biased
_CHUNK = 10_000


@dataclass(frozen=True)
class Measured:
    """What many independent estimates of one gradient say; each estimate averages ``samples`` samples.

    Args:
        name: how the estimator was written.
        unbiased: whether it claims to be.
        labels: the directions in which the parameters move, ``[directions]``.
        mean: of the gradients, ``[directions]``.
        variance: of one gradient, ``[directions]``.
        repeats: how many estimates.
        value: mean of the estimates of ``E f(y)``.
        evaluations: of f, for one estimate.
        microseconds: for one estimate with its gradient, of ten thousand that are made at once; the fastest such batch.
        exact: the truth, where it is known.
        rounding: the relative error that f's own dtype, and quadrature, may leave in anything.
    """

    name: str
    unbiased: bool
    labels: tuple[str, ...]
    mean: Tensor
    variance: Tensor
    repeats: int
    value: float
    evaluations: float
    microseconds: float
    exact: Truth | None
    rounding: float

    @property
    def standard_error(self) -> Tensor:
        """Of the mean, ``[directions]``."""
        return (self.variance / self.repeats).sqrt()

    @property
    def bias(self) -> float:
        """Distance of the mean from the truth, relative to the truth's length (absolute where that is 0)."""
        if self.exact is None:
            return math.nan
        size = self.exact.gradient.norm().item()
        return float((self.mean - self.exact.gradient).norm()) / (size or 1.0)

    @property
    def uncertainty(self) -> float:
        """Standard error of the bias, in its units."""
        size = self.exact.gradient.norm().item() if self.exact is not None else 1.0
        return float(self.standard_error.norm()) / (size or 1.0)

    @property
    def z(self) -> float:
        """The largest deviation from the truth, in standard errors; what rounding explains counts as none."""
        if self.exact is None:
            return math.nan
        off = (self.mean - self.exact.gradient).abs()
        off = torch.where(off <= self.rounding * (1 + self.exact.gradient.abs()), 0.0, off)
        ratio = off / self.standard_error
        return torch.where(off == 0, 0.0, ratio).max().item() if len(off) else 0.0

    @property
    def total_variance(self) -> float:
        """Summed over the directions."""
        return self.variance.sum().item()

    @property
    def microseconds_to_one_percent(self) -> float:
        """How long it takes until the standard error of the mean gradient is 1 % of the length of the gradient.

        At least the time of one estimate; NaN where the truth is not known, infinite where it is 0.
        """
        if self.exact is None:
            return math.nan
        size = self.exact.gradient.norm().item()
        estimates = self.total_variance / (0.01 * size) ** 2 if size else math.inf
        return self.microseconds * max(1.0, estimates)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "estimator": self.name,
            "unbiased": self.unbiased,
            "gradient": dict(zip(self.labels, self.mean.tolist(), strict=True)),
            "variance": dict(zip(self.labels, self.variance.tolist(), strict=True)),
            "value": self.value,
            "bias": _finite(self.bias),
            "z": _finite(self.z),
            "repeats": self.repeats,
            "evaluations": self.evaluations,
            "microseconds": self.microseconds,
            "variance_times_microseconds": self.total_variance * self.microseconds,
            "microseconds_to_one_percent": _finite(self.microseconds_to_one_percent),
        }


def measure(
    f: Function,
    subject: Subject,
    estimator: Estimator,
    *,
    exact: Truth | None,
    samples: int,
    repeats: int,
    stream: str,
) -> Measured:
    """Make ``repeats`` independent estimates, one for each copy of the law's parameters.

    Raises:
        EstimatorError: the estimator does not fit the law or f.
    """
    counted = _Counted(f)
    with seeded(subject.seed, "compare", stream):  # the first call imports and allocates
        expectation(f, subject.copies(2).law, estimator=estimator, samples=samples)
    values, gradients, fastest = [], [], math.inf
    for start in range(0, repeats, _CHUNK):
        count = min(_CHUNK, repeats - start)
        copies = subject.copies(count)
        with seeded(subject.seed, "compare", stream, start):
            began = time.perf_counter()
            value = expectation(counted, copies.law, estimator=estimator, samples=samples)
            gradient = copies.gradients(value)
            fastest = min(fastest, (time.perf_counter() - began) / count)
        values.append(value.detach())
        gradients.append(gradient)
    gradient = torch.cat(gradients)
    return Measured(
        name=repr(estimator),
        unbiased=estimator.unbiased and getattr(subject.sketch, "unbiased", True),
        labels=tuple(way.label for way in subject.along),
        mean=gradient.mean(0),
        variance=gradient.var(0),
        repeats=repeats,
        value=torch.cat(values).mean().item(),
        evaluations=counted.draws / math.ceil(repeats / _CHUNK),
        microseconds=fastest * 1e6,
        exact=exact,
        rounding=max(1e-8, 16 * torch.finfo(values[0].dtype).eps),
    )


def _finite(value: float) -> float | None:
    """JSON knows no NaN and no infinity."""
    return value if math.isfinite(value) else None


class _Counted:
    """A function that counts how many draws of the law it is given."""

    def __init__(self, function: Function) -> None:
        self.function, self.draws = function, 0

    def __call__(self, draws: Tensor) -> Tensor:
        self.draws += len(draws)
        return self.function(draws)
