"""``compare``: every estimator that fits a law and a function, side by side."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributions as td

from reparam.checking.subject import seeded
from reparam.checking.taking_apart import subjects_of_law
from reparam.comparison.candidates import candidates
from reparam.comparison.direct import DirectDraws, direct_draws
from reparam.comparison.measured import FALSE_ALARM, Measured, measure
from reparam.comparison.truth import truth
from reparam.errors import EstimatorError
from reparam.estimators import Estimator
from reparam.estimators.base import Function, Integrand

__all__ = ["Comparison", "compare", "duration"]

_UNITS = (("µs", 1.0), ("ms", 1e3), ("s", 1e6))


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` measured; ``print(comparison)`` shows the table.

    Args:
        law: how the law is called.
        parameters: at which it was measured.
        rows: one for each estimator, the one of least work first.
        direct: draws made directly, which carry no gradient; none if the estimators were named.
        left_out: estimators that do not fit, and why.
        samples: of one estimate.
        seed: repeats everything but the times.
    """

    law: str
    parameters: dict[str, Any]
    rows: tuple[Measured, ...]
    direct: tuple[DirectDraws, ...]
    left_out: tuple[tuple[str, str], ...]
    samples: int
    seed: int

    @property
    def limit(self) -> float:
        """So many standard errors one of all rows exceeds by chance, once in a million comparisons."""
        tests = sum(len(row.labels) for row in self.rows)
        return -float(torch.special.ndtri(torch.tensor(FALSE_ALARM / 2 / max(1, tests), dtype=torch.float64)))

    def is_biased(self, row: Measured) -> bool:
        """Whether a row's mean is further from the truth than chance explains."""
        return row.z > self.limit

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        given = ", ".join(f"{name}={_show(value)}" for name, value in self.parameters.items())
        yield f"{self.law}({given}), {self.samples} samples an estimate"
        exact = self.rows[0].exact if self.rows else None
        if exact is not None:
            sides = zip(self.rows[0].labels, exact.gradient.tolist(), strict=True)
            yield "  exact gradient: " + ", ".join(f"{label} {round(value, 12):.4g}" for label, value in sides)
        width = max([len("estimator"), *(len(row.name) for row in self.rows)])
        yield f"  {'estimator':<{width}}  {'bias':>17}  {'z':>6}  {'variance':>9}  {'calls':>5}  {'µs':>7}  1 % after"
        for row in self.rows:
            bias = "" if math.isnan(row.bias) else f"{row.bias:7.2%} ± {row.uncertainty:6.2%}"
            z = "" if math.isnan(row.z) else f"{min(row.z, 9999.0):.1f}"
            yield (
                f"  {row.name:<{width}}  {bias:>17}  {z:>6}  {row.total_variance:9.3g}  {row.evaluations:5.0f}  "
                f"{row.microseconds:7.2f}  {self.verdict(row)}"
            )
        yield from (f"  direct draw, {way}" for way in self.direct)
        if self.left_out:
            yield "  do not fit: " + ", ".join(name for name, _ in self.left_out)

    def verdict(self, row: Measured) -> str:
        """How long it takes to know the gradient to 1 %, in words; for a biased one, that it never will be."""
        if self.is_biased(row):
            return "never: BIASED"
        return duration(row.microseconds_to_one_percent)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the same as in the attributes."""
        exact = self.rows[0].exact if self.rows else None
        return {
            "law": self.law,
            "parameters": self.parameters,
            "samples": self.samples,
            "seed": self.seed,
            "exact": None if exact is None else dict(zip(self.rows[0].labels, exact.gradient.tolist(), strict=True)),
            "rows": [{**row.to_dict(), "biased": self.is_biased(row)} for row in self.rows],
            "direct": [way.to_dict() for way in self.direct],
            "left_out": dict(self.left_out),
        }


def compare(
    f: Function,
    law: td.Distribution,
    estimators: Iterable[Estimator] | None = None,
    *,
    samples: int = 2,
    repeats: int = 20_000,
    seed: int = 0,
) -> Comparison:
    """Bias, variance and cost of estimators of ``∇E f(y)`` for one law, against the exact gradient.

    Each estimator makes ``repeats`` independent estimates, each with its own copy of the law's parameters. The truth is
    a sum over all values of a discrete law, or quadrature of the density on a line; for other laws it stays unknown.

    Args:
        f: draws ``[S, R, *event]`` of R copies of the law to values ``[S, R]``: it must not mix the copies.
        law: one law (batch shape ``()``), anybody's; its parameters need no gradient.
        estimators: None takes all of ``reparam.estimators`` that fit.
        samples: of one estimate; two at least, where a baseline is to have something to compare with.
        repeats: how many estimates; the standard error of a bias falls as its root.
        seed: repeats everything but the times.

    Raises:
        EstimatorError: the law is a batch; an estimator that was named does not fit.
        ParameterError: the law does not tell how it was made.

    Example:
        >>> from reparam.distributions import Bernoulli
        >>> comparison = compare(lambda y: (y - 0.45) ** 2, Bernoulli(0.7), repeats=1000)
        >>> sorted(row.name for row in comparison.rows if row.total_variance < 1e-30)
        ['Enumerate()', 'MeasureValued()']
    """
    if law.batch_shape:
        raise EstimatorError(
            f"one law is compared at a time, and this is a batch of shape {tuple(law.batch_shape)}; "
            "Independent makes one law of many"
        )
    (subject,) = subjects_of_law(law, seed)
    sketch = subject.copies(2).law
    with seeded(subject.seed, "compare", "shapes"), torch.no_grad():
        Integrand(f, sketch)(sketch.sample(torch.Size((3,))))  # f is refused before anything is measured
    exact = truth(f, subject)
    rows, left_out = [], []
    for number, estimator in enumerate(candidates() if estimators is None else estimators):
        reason = estimator.refusal(subject.sketch)
        if not reason:
            try:
                rows.append(
                    measure(f, subject, estimator, exact=exact, samples=samples, repeats=repeats, stream=str(number))
                )
                continue
            except EstimatorError as error:
                reason = str(error)
        if estimators is not None:
            raise EstimatorError(f"{estimator!r} does not fit {subject.name}: {reason}")
        left_out.append((repr(estimator), reason))
    rows.sort(key=lambda row: row.total_variance * row.microseconds)
    direct = direct_draws(f, subject, exact) if estimators is None else ()
    return Comparison(subject.name, subject.shown(), tuple(rows), direct, tuple(left_out), samples, subject.seed)


def duration(microseconds: float) -> str:
    """A time in the unit that fits.

    Example:
        >>> duration(0.12), duration(4.2e4), duration(float("nan"))
        ('0.12 µs', '42 ms', '')
    """
    if math.isnan(microseconds):
        return ""
    unit, size = next(((unit, size) for unit, size in _UNITS if microseconds < 1000 * size), _UNITS[-1])
    amount = microseconds / size
    return f"{amount:.2g} {unit}" if amount < 99.5 else f"{amount:.0f} {unit}"


def _show(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_show, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
