"""``reparam encode``: examples to posteriors."""

from reparam.cli._shared import AsJson, Data, Device, Out, RunPath, emit, load_run

__all__ = ["encode"]


def encode(run: RunPath, out: Out, source: Data = None, device: Device = "auto", as_json: AsJson = False) -> None:
    """Posterior mean and scale of each example, to .parquet, .csv, .tsv or .npy; one row an example.

    Example: reparam encode runs/digits --out latents.parquet
    """
    from reparam.data.writing import write_columns

    model = load_run(run, device)
    examples = model.examples(source)
    loc, scale = model.encode(examples)
    columns = {f"loc_{index}": loc[:, index] for index in range(loc.shape[1])}
    columns |= {f"scale_{index}": scale[:, index] for index in range(scale.shape[1])}
    write_columns(out, columns)
    emit(
        {"out": str(out), "num_examples": len(loc), "latent_dim": loc.shape[1]},
        [f"{len(loc):,} encodings in {out}"],
        as_json,
    )
