"""``reparam sample``: new examples."""

from typing import Annotated

import typer

from reparam.cli._shared import AsJson, Device, Out, RunPath, Seed, emit, load_run

__all__ = ["sample"]


def sample(
    run: RunPath,
    out: Out,
    num: Annotated[int, typer.Option("--num", help="How many examples.")] = 64,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """New examples from the prior: images (the decoder's mean) to PNGs, a .png sheet or .npy; rows (draws) to a table.

    Example: reparam sample runs/digits --num 100 --out samples.png
    """
    from reparam.data.writing import write_examples

    model = load_run(run, device)
    values = model.sample(num, seed=seed)
    write_examples(out, values, model.schema)
    emit({"out": str(out), "num_examples": len(values)}, [f"{len(values):,} samples in {out}"], as_json)
