"""What the verbs share: their common options, and the way results are printed."""

import json
import shlex
import shutil
import sys
import textwrap
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
    """Names and values in two columns; in a terminal, long values go on below where they began.

    Example:
        >>> aligned([("a", "1"), ("long", "2")])
        ['a     1', 'long  2']
    """
    width = max(len(name) for name, _ in rows)
    columns = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else None
    return [line for name, value in rows for line in _wrapped(f"{name:<{width}}  ", value, columns)]


def _wrapped(name: str, value: str, columns: int | None) -> list[str]:
    """A name and its value in lines of at most so many columns; a command stays in one, to be copied."""
    if columns is None or name.strip() == "next":
        return [name + value]
    return textwrap.wrap(
        value,
        max(columns, len(name) + 20),
        initial_indent=name,
        subsequent_indent=" " * len(name),
        break_long_words=False,
        break_on_hyphens=False,
    )


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
