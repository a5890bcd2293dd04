"""``reparam reconstruct``: examples through the model and back."""

from reparam.cli._shared import AsJson, Data, Device, Out, RunPath, emit, load_run

__all__ = ["reconstruct"]


def reconstruct(run: RunPath, out: Out, source: Data = None, device: Device = "auto", as_json: AsJson = False) -> None:
    """Send examples through the model and back.

    Images become a folder of PNG files, one .png sheet or a .npy array; rows a .csv, .tsv, .parquet or .npy table.

    Example: reparam reconstruct runs/digits --out reconstructions
    """
    from reparam.data.writing import check_target, write_examples

    model = load_run(run, device)
    check_target(out, model.schema)
    examples = model.examples(source)
    values = model.reconstruct(examples)
    given = examples.given if model.schema.kind == "table" else None
    write_examples(out, values, model.schema, names=examples.names, extra=given)
    emit({"out": str(out), "num_examples": len(values)}, [f"{len(values):,} reconstructions in {out}"], as_json)
