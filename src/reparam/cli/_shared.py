"""What the verbs share: their common options, and the way results are printed."""

import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "AsJson",
    "Data",
    "Device",
    "Out",
    "OwnData",
    "RunPath",
    "Seed",
    "aligned",
    "command",
    "emit",
    "evaluation_rows",
    "free_name",
    "load_run",
]

RunPath = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run directory made by `reparam train`.", show_default=False)
]
Data = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="Examples like those of training. [default: what the run was trained on]",
        show_default=False,
    ),
]
OwnData = Annotated[
    str | None,
    typer.Argument(metavar="SOURCE", help="The run's own data. [default: read from where it was]", show_default=False),
]
Out = Annotated[Path, typer.Option("--out", help="Where to write; must not exist yet.", show_default=False)]
Seed = Annotated[int, typer.Option("--seed", metavar="<int>", min=0, help="Decides the draws.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object. [default: off]")]


def load_run(path: Path, device: str) -> Any:
    """The trained model of a run directory."""
    from reparam.trained import load

    return load(path, device=device)


def command(context: typer.Context, *words: str | Path) -> str:
    """A command to try next, ready to be pasted: the program as it was called, the words quoted."""
    return " ".join([str(context.find_root().info_name), *(shlex.quote(str(word)) for word in words)])


def emit(result: dict[str, Any], lines: list[str], as_json: bool) -> None:
    """Print a result on stdout, for a program or for a person."""
    text = json.dumps(result, allow_nan=False) if as_json else "\n".join(lines)
    sys.stdout.write(text + "\n")


def aligned(rows: list[tuple[str, str]]) -> list[str]:
    """Names and values in two columns.

    Example:
        >>> aligned([("a", "1"), ("long", "2")])
        ['a     1', 'long  2']
    """
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """The first of ``wanted``, ``wanted_2``, ``wanted_3``, ... that is not taken.

    Example:
        >>> free_name("row", ["a", "row"])
        'row_2'
    """
    used = set(taken)
    return next(
        name for name in (wanted, *(f"{wanted}_{number}" for number in range(2, len(used) + 3))) if name not in used
    )


def evaluation_rows(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    """The numbers of an evaluation for people: names and values, with their error and how they were obtained."""
    value, baseline, shift = numbers["log_likelihood_nats"], numbers["baseline"], numbers["log_scale_nats"]
    of = "" if shift is None else ", standardised values"
    rows = [("test log-likelihood", f"{value:,.2f} ± {numbers['standard_error_nats']:,.2f} nats (standard error){of}")]
    if shift is not None:
        rows.append(("in the data's units", f"{value - shift:,.2f} nats"))
    if numbers["bits_per_dim"] is not None:
        rows.append(("bits per dimension", f"{numbers['bits_per_dim']:.3f}"))
    if baseline is not None:
        ahead = value - baseline["log_likelihood_nats"]
        compared = f"model: {abs(ahead):,.2f} {'better' if ahead > 0 else 'worse'}"
        rows.append(("baseline", f"{baseline['log_likelihood_nats']:,.2f} nats, {baseline['name']} ({compared})"))
    terms = f"distortion {numbers['distortion_nats']:,.2f} + rate {numbers['rate_nats']:,.2f}"
    effective = f"{numbers['effective_sample_size']:,.1f} effective"
    return [
        *rows,
        ("bound (ELBO)", f"{numbers['elbo_nats']:,.2f} nats = -({terms})"),
        ("active units", f"{numbers['active_units']} of {numbers['latent_dim']}"),
        ("importance samples", f"{numbers['num_samples']:,} a row, {effective}; on average a lower bound"),
        ("protocol", _protocol(numbers)),
        *(("warning", finding["title"]) for finding in numbers["health"] if finding["level"] == "warning"),
    ]


def _protocol(numbers: dict[str, Any]) -> str:
    protocol = numbers["protocol"]
    which = "all" if protocol["num_examples"] == numbers["num_rows"] else f"{protocol['num_examples']:,} of"
    how = protocol["binarize"]
    binarized = "" if how == "none" else f", binarised once ({how} in training)"
    given = f", given {', '.join(protocol['given'])}" if "given" in protocol else ""
    return f"{which} {numbers['num_rows']:,} {protocol['split']} rows, seed {protocol['seed']}{binarized}{given}"
