"""``reparam vary``: new examples close to given ones."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any

import typer

from reparam.cli._shared import AsJson, Data, Device, Out, RunPath, Seed, emit, free_name, load_run

__all__ = ["vary"]


def vary(
    run: RunPath,
    out: Out,
    source: Data = None,
    num: Annotated[
        int, typer.Option("--num", metavar="<int>", min=1, help="How many new examples for each given one.")
    ] = 8,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Make new examples close to given ones.

    They are draws from the posterior of each given example, decoded. Written as `reparam sample` does; images are
    named after the given ones, tables get a first column `row`: the given row, counted from 0.

    Example: reparam vary runs/digits digits --num 4 --out variations
    """
    import numpy as np

    from reparam.data.writing import check_target, write_examples

    model = load_run(run, device)
    check_target(out, model.schema)
    examples = model.examples(source)
    values = model.vary(examples, num, seed=seed)
    flat = values.reshape(-1, *model.schema.shape)
    result: dict[str, Any] = {"out": str(out), "num_examples": len(flat)}
    lines = [f"{len(flat):,} variations of {len(values):,} examples in {out}"]
    if model.schema.kind == "image":
        names = examples.names or [f"{row:06}" for row in range(len(values))]
        write_examples(out, flat, model.schema, names=_variation_names(names, num))
    else:
        result["row_column"] = column = free_name(
            "row", [*examples.given, *(entry.name for entry in model.schema.columns)]
        )
        if column != "row":
            lines.append(f"the given row is in column '{column}', as the table has a column 'row' of its own")
        given = {name: np.repeat(known, num) for name, known in examples.given.items()}
        write_examples(out, flat, model.schema, extra={column: np.repeat(np.arange(len(values)), num), **given})
    emit(result, lines, as_json)


def _variation_names(names: Sequence[str], num: int) -> list[str]:
    """``folder/cat.jpg`` as ``folder/cat_000.jpg``, ``folder/cat_001.jpg``, ..."""
    paths = [PurePosixPath(name) for name in names]
    return [str(path.with_name(f"{path.stem}_{index:03}{path.suffix}")) for path in paths for index in range(num)]
