"""``reparam sample``: new examples."""

from typing import Annotated

import typer

from reparam.cli._shared import AsJson, Device, Out, RunPath, Seed, emit, load_run

__all__ = ["sample"]


def sample(
    run: RunPath,
    out: Out,
    num: Annotated[int, typer.Option("--num", metavar="<int>", min=1, help="How many examples.")] = 64,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Make new examples.

    Images (the decoder's means) become a folder of PNG files, one .png sheet or a .npy array; rows (draws) a .csv,
    .tsv, .parquet or .npy table.

    Example: reparam sample runs/digits --num 100 --out samples.png
    """
    from reparam.data.writing import check_target, write_examples

    model = load_run(run, device)
    check_target(out, model.schema)
    values = model.sample(num, seed=seed)
    write_examples(out, values, model.schema)
    emit({"out": str(out), "num_examples": len(values)}, [f"{len(values):,} samples in {out}"], as_json)
