"""``reparam sample``: new examples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from reparam.cli._shared import AsJson, Device, Out, RunPath, Seed, emit, free_name, load_run
from reparam.errors import UsageError

__all__ = ["sample"]


def sample(
    run: RunPath,
    out: Out,
    num: Annotated[int, typer.Option("--num", metavar="<int>", min=1, help="How many, for each given row.")] = 64,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="VALUE",
            help="What the model is given: NAME=VALUE for each name, or a table of rows. "
            "[default: as in the training rows]",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Make new examples.

    Images (the decoder's means) become a folder of PNG files, one .png sheet or a .npy array; rows (draws) a .csv,
    .tsv, .parquet or .npy table. What a model is given stands beside: in columns of the table, or as a folder of
    images for each class.

    Example: reparam sample runs/digits --num 100 --out samples.png
    """
    import numpy as np

    from reparam.data.given import read_given
    from reparam.data.writing import check_target, write_examples

    model = load_run(run, device)
    check_target(out, model.schema)
    source = _source(given or [])
    values = model.sample(num, given=source, seed=seed).reshape(-1, *model.schema.shape)
    if source is None:
        columns = model.draw_given(num, seed=seed)
    else:
        rows = model.condition.columns_of(read_given(source, model.condition.names)[0])
        columns = {name: np.repeat(column, num) for name, column in rows.items()}
    if model.schema.kind == "image":
        write_examples(out, values, model.schema, names=_names(columns, len(values)))
    else:
        if isinstance(source, str):
            taken = [*columns, *(entry.name for entry in model.schema.columns)]
            columns = {free_name("row", taken): np.arange(len(values)) // num, **columns}
        write_examples(out, values, model.schema, extra=columns)
    emit({"out": str(out), "num_examples": len(values)}, [f"{len(values):,} samples in {out}"], as_json)


def _source(words: Sequence[str]) -> dict[str, str] | str | None:
    """Values by name, or the path of a table."""
    if not words:
        return None
    if len(words) == 1 and Path(words[0]).exists():
        return words[0]
    values: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise UsageError(f"--given {word}: expected NAME=VALUE, once for each name, or the path of one table")
        if name in values:
            raise UsageError(
                f"--given {name}= was said twice; for several rows give the path of a table with a column '{name}'"
            )
        values[name] = value
    return values


def _names(columns: dict[str, Any], count: int) -> list[str]:
    """A folder for each class of images, if a class is given."""
    folders = [f"{name}/" for name in next(iter(columns.values()))] if columns else [""] * count
    return [f"{folder}{index:06}" for index, folder in enumerate(folders)]
