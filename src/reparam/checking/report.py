"""What a check has to say: findings, one verdict over all of them, and how they read."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from reparam.checking.statistics import FALSE_ALARM

__all__ = ["CHECKS", "Finding", "Report", "failed", "judge", "measured", "passed", "skipped"]

# Every check there is, in the order of the report, and what it asks.
CHECKS = {
    "draws": "draws are finite, inside the support, and have a finite log_prob",
    "atoms": "no value comes up more often than its probability",
    "normalisation": "the density integrates to 1",
    "distribution": "draws follow the density",
    "tails": "both tails are as heavy as the density says, and not cut",
    "independence": "draws are not repeated and not correlated with the one before",
    "density gradient": "the gradient of log_prob is its derivative",
    "refusal": "a law that has no pathwise gradient says so",
    "gradient": "the gradient of every parameter exists, is finite, and is not zero throughout",
    "velocity": "each draw moves as the continuity equation says, dy/dθ = -(dF/dθ)/p",
    "expectations": "gradients of expectations are right",
    "score": "pathwise gradients agree with the score function",
    "second derivative": "second derivatives are right, or refused",
    "shapes": "sample shapes, batches, empty batches, and the backward pass through many draws",
    "transforms": "vmap and forward mode agree with the backward pass, or refuse",
    "float32": "float32 draws and gradients are those of float64, as far as float32 goes",
    "elsewhere": "draws and gradients stay sane at extreme parameters",
}
Status = Literal["passed", "failed", "skipped", "warning"]
_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        check: which check, a key of ``CHECKS``.
        status: ``passed``, ``failed``, ``skipped`` (``message`` says why), or ``warning``: wrong, but at other
            parameters than those given.
        message: what was seen, a sentence without full stop.
        parameter: the parameter concerned, with index.
        expected: what should have come.
        came: what came.
        where: dtype, draw, test function, parameters: whatever is needed to see it again.
        p_value: for statistical checks, the probability (an upper bound) that a correct law gives this or worse.
        tolerance: for deterministic checks, what was allowed.
    """

    check: str
    status: Status
    message: str = ""
    parameter: str | None = None
    expected: float | str | None = None
    came: float | str | None = None
    where: dict[str, Any] = field(default_factory=dict)
    p_value: float | None = None
    tolerance: float | None = None

    def __str__(self) -> str:
        parts = [self.message or CHECKS[self.check]]
        if self.parameter is not None:
            parts[0] = f"{self.parameter}: {parts[0]}"
        if self.expected is not None or self.came is not None:
            parts.append(f"expected {_show(self.expected)}, came {_show(self.came)}")
        if self.where:
            parts.append("at " + ", ".join(f"{name} {_show(value)}" for name, value in self.where.items()))
        if self.p_value is not None:
            parts.append(f"chance in a correct law {'below 1e-300' if self.p_value == 0 else f'{self.p_value:.1e}'}")
        if self.tolerance is not None:
            parts.append(f"allowed {self.tolerance:.1e}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Report:
    """What :func:`check_rsample` found; ``print(report)`` reads it aloud.

    ``ok`` concerns the law at the parameters given. ``warnings`` are defects of the same class of laws at other,
    extreme parameters; they do not make a report bad.

    Args:
        law: how the law is called.
        parameters: at which it was checked.
        seed: repeats the report exactly.
        num_draws: draws of the main checks.
        findings: everything that was looked at, in order.
        notes: what a reader should know besides.
    """

    law: str
    parameters: dict[str, Any]
    seed: int
    num_draws: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """What failed."""
        return self._with("failed")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is wrong at other parameters than those given."""
        return self._with("warning")

    def _with(self, status: Status) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.status == status)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        tests = sum(finding.p_value is not None for finding in self.findings)
        verdict = "ok" if self.ok else f"{len(self.failures)} FAILED"
        if self.warnings:
            verdict += f", {len(self.warnings)} warnings elsewhere"
        given = ", ".join(f"{name}={_show(value)}" for name, value in self.parameters.items())
        yield f"{self.law}({given}): {verdict}"
        yield (
            f"  {self.num_draws:,} draws, seed {self.seed}; {tests} statistical tests that together raise a false "
            f"alarm in {FALSE_ALARM:g} of reports"
        )
        for check, question in CHECKS.items():
            found = [finding for finding in self.findings if finding.check == check]
            if found:
                yield f"  {_verdict(found):<8} {check}: {question}"
                yield from (f"             {text}" for text in _details(found))
        yield from (f"  note: {note}" for note in self.notes)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the same as in the attributes; numbers that are not finite as text."""
        return {
            "law": self.law,
            "parameters": self.parameters,
            "ok": self.ok,
            "seed": self.seed,
            "num_draws": self.num_draws,
            "false_alarm": FALSE_ALARM,
            "failures": [_plain(asdict(finding)) for finding in self.failures],
            "warnings": [_plain(asdict(finding)) for finding in self.warnings],
            "findings": [_plain(asdict(finding)) for finding in self.findings],
            "notes": list(self.notes),
        }


def passed(check: str, message: str = "", **details: Any) -> Finding:
    """A finding that is as it should be."""
    return Finding(check, "passed", message, **details)


def failed(check: str, message: str, **details: Any) -> Finding:
    """A finding that needs no statistics to be wrong."""
    return Finding(check, "failed", message, **details)


def skipped(check: str, reason: str, **details: Any) -> Finding:
    """What could not be looked at, and why."""
    return Finding(check, "skipped", reason, **details)


def measured(check: str, p_value: float, message: str, **details: Any) -> Finding:
    """The outcome of one statistical test; :func:`judge` says what it means."""
    return Finding(check, "passed", message, p_value=p_value, **details)


def judge(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Statistical tests share ``FALSE_ALARM`` equally: those below their share failed."""
    found = tuple(findings)
    share = FALSE_ALARM / max(1, sum(finding.p_value is not None for finding in found))
    return tuple(
        replace(finding, status="failed") if finding.p_value is not None and not finding.p_value >= share else finding
        for finding in found
    )


def _verdict(found: list[Finding]) -> str:
    for status, word in (("failed", "FAILED"), ("warning", "warning"), ("passed", "ok")):
        if any(finding.status == status for finding in found):
            return word
    return "skipped"


def _details(found: list[Finding]) -> Iterator[str]:
    for status in ("failed", "warning"):
        bad = [finding for finding in found if finding.status == status]
        bad.sort(key=lambda finding: finding.p_value or 0)
        yield from (str(finding) for finding in bad[:_SHOWN])
        if len(bad) > _SHOWN:
            yield f"... and {len(bad) - _SHOWN} more"
    said = [finding.message for finding in found if finding.status == "passed" and finding.p_value is None]
    yield from dict.fromkeys(message for message in said if message)
    reasons = dict.fromkeys(finding.message for finding in found if finding.status == "skipped")
    yield from (f"skipped: {reason}" for reason in reasons)


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_show, value)) + "]"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name}={_show(entry)}" for name, entry in value.items()) + ")"
    return str(value)


def _plain(value: Any) -> Any:
    """JSON knows no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    return value
