"""``reparam check``: is a law's sampler right, and is its gradient right?"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from reparam.cli._expressions import law_of
from reparam.cli._shared import AsJson, Seed, emit

if TYPE_CHECKING:
    from reparam.checking import Report

__all__ = ["check"]


def check(
    law: Annotated[
        str | None,
        typer.Argument(
            metavar="LAW",
            help="MODULE:EXPRESSION, evaluated with the names of the module and torch. [default: every law of reparam]",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    draws: Annotated[
        int | None,
        typer.Option(
            metavar="<int>",
            min=1000,
            help="Draws of the main checks. [default: 100000 on a line, 40000 elsewhere]",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check whether a law's draws and gradients are right.

    Any torch distribution, or a function without arguments that makes one. Exit code 1 if something is wrong.

    Example: reparam check 'torch.distributions:Laplace(0.0, 1.0)'
    """
    reports = list(_own(seed, draws)) if law is None else [_one(law, seed, draws)]
    lines = [str(report) for report in reports] if law is not None else list(_briefly(reports))
    results = [report.to_dict() for report in reports]
    emit(results[0] if law is not None else {"laws": results}, lines, as_json)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _own(seed: int, draws: int | None) -> "Iterator[Report]":
    from dataclasses import replace

    from reparam.checking import check_rsample
    from reparam.checking.examples import EXAMPLES

    for example in EXAMPLES:
        sys.stderr.write(f"checking {example.name}\n")
        report = check_rsample(example.make, example.tensors(), seed=seed, num_draws=draws)
        yield replace(report, law=example.name)


def _briefly(reports: "list[Report]") -> Iterator[str]:
    """One line a law that is right, everything about the others."""
    for report in reports:
        text = str(report)
        yield text if report.failures or report.warnings else text.partition("\n")[0]


def _one(text: str, seed: int, draws: int | None) -> "Report":
    from reparam.checking import check_rsample

    return check_rsample(law_of(text), seed=seed, num_draws=draws)
