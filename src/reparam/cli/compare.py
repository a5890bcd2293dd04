"""``reparam compare``: every way to estimate the gradient of an expectation, side by side."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reparam.cli._expressions import law_of
from reparam.cli._shared import AsJson, Seed, emit
from reparam.errors import RunError, UsageError, suggestion

if TYPE_CHECKING:
    from reparam.estimators.base import Function

__all__ = ["compare"]


def compare(
    law: Annotated[
        str | None,
        typer.Option(
            metavar="<law>",
            help="normal, gamma, bernoulli, mixture, or MODULE:EXPRESSION. [default: those four]",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="<loss>",
            help="linear, quadratic, cosine, network, or an expression of y. [default: those four]",
            show_default=False,
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option(metavar="<int>", min=100, help="Estimates that are made for each row of a table.")
    ] = 100_000,
    samples: Annotated[int, typer.Option(metavar="<int>", min=1, help="Samples that one estimate averages.")] = 2,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to create. [default: first free of comparisons/1, ...]", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare all ways to estimate the gradient of an expectation.

    Bias, variance and cost of each estimator against the exact gradient, as a table, a figure and an HTML page.

    Example: reparam compare --law normal --loss 'torch.relu(y)'
    """
    from reparam.comparison.cases import LAWS
    from reparam.comparison.overview import overview
    from reparam.comparison.page import write_comparison
    from reparam.runs.run import next_free

    laws = dict(LAWS) if law is None else {law: LAWS[law] if law in LAWS else lambda: law_of(_law(law))}
    losses = _losses(loss)
    folder = next_free(Path("comparisons")) if out is None else out
    if folder.exists():
        raise RunError(f"{folder} exists; give --out a folder that does not")
    measured = overview(
        laws,
        losses,
        samples=samples,
        repeats=draws,
        seed=seed,
        watch=_say,
    )
    page = write_comparison(measured, folder)
    emit({**measured.to_dict(), "page": str(page)}, [*measured.lines(), "", f"page in {page}"], as_json)


def _say(what: str) -> None:
    sys.stderr.write(f"measuring {what}\n")


def _law(text: str) -> str:
    from reparam.comparison.cases import LAWS

    if ":" not in text:
        raise UsageError(f"--law {text} is not known; {suggestion(text, LAWS)}, or give MODULE:EXPRESSION")
    return text


def _losses(text: str | None) -> "dict[str, tuple[str, Function]]":
    from reparam.comparison.cases import LOSSES

    known = {case.name: (case.formula, case.function) for case in LOSSES}
    if text is None:
        return known
    if text in known:
        return {text: known[text]}
    return {"your loss": (text, _function(text, list(known)))}


def _function(text: str, known: list[str]) -> "Function":
    """An expression of ``y``."""
    import torch

    names: dict[str, Any] = {"torch": torch}
    try:
        code = compile(text, "--loss", "eval")
    except SyntaxError as error:
        raise UsageError(f"--loss {text}: {error.msg}; give an expression of y, or one of {', '.join(known)}") from None
    unknown = sorted(set(code.co_names) - {"y", "torch"} - set(dir(torch)) - set(dir(torch.Tensor)))
    if unknown or "y" not in code.co_names:
        what = f"{unknown[0]} is not known" if unknown else "it does not use y"
        raise UsageError(f"--loss {text}: {what}; give an expression of y and torch, or one of {', '.join(known)}")

    def function(y: torch.Tensor) -> Any:
        try:
            return eval(code, names, {"y": y})
        except Exception as error:
            raise UsageError(f"--loss {text}: {type(error).__name__}: {error}") from error

    return function
