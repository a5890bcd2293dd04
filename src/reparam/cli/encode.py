"""``reparam encode``: examples to posteriors."""

from reparam.cli._shared import AsJson, Data, Device, Out, RunPath, emit, load_run

__all__ = ["encode"]


def encode(run: RunPath, out: Out, source: Data = None, device: Device = "auto", as_json: AsJson = False) -> None:
    """Turn examples into the means and scales of their posteriors.

    One row an example, in columns loc_0, loc_1, ... and scale_0, scale_1, ... of a .parquet, .csv, .tsv or .npy file;
    where examples are files, a column `name` comes first (not in .npy).

    Example: reparam encode runs/digits --out latents.parquet
    """
    import numpy as np

    from reparam.data.writing import check_target, write_columns

    check_target(out)
    model = load_run(run, device)
    examples = model.examples(source)
    loc, scale = model.encode(examples)
    columns = {"name": np.array(examples.names)} if examples.names and out.suffix.lower() != ".npy" else {}
    columns |= {f"loc_{index}": loc[:, index] for index in range(loc.shape[1])}
    columns |= {f"scale_{index}": scale[:, index] for index in range(scale.shape[1])}
    write_columns(out, columns)
    emit(
        {"out": str(out), "num_examples": len(loc), "latent_dim": loc.shape[1]},
        [f"{len(loc):,} encodings in {out}"],
        as_json,
    )
