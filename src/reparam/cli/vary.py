"""``reparam vary``: new examples close to given ones."""

from typing import Annotated

import numpy as np
import typer

from reparam.cli._shared import AsJson, Data, Device, Out, RunPath, Seed, emit, load_run

__all__ = ["vary"]


def vary(
    run: RunPath,
    out: Out,
    source: Data = None,
    num: Annotated[int, typer.Option("--num", help="How many new examples for each given one.")] = 8,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """New examples close to each given one: draws from its posterior, decoded. Tables get a column `row`.

    Example: reparam vary runs/digits some_images --num 4 --out variations
    """
    from reparam.data.writing import write_examples

    model = load_run(run, device)
    values = model.vary(model.examples(source), num, seed=seed)
    flat = values.reshape(-1, *model.schema.shape)
    rows = np.repeat(np.arange(len(values)), num)
    names = [f"{row:06}_{index:03}" for row in range(len(values)) for index in range(num)]
    write_examples(out, flat, model.schema, names=names, extra={"row": rows})
    emit(
        {"out": str(out), "num_examples": len(flat)},
        [f"{len(flat):,} variations of {len(values):,} examples in {out}"],
        as_json,
    )
