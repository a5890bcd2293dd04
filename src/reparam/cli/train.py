"""``reparam train``: from data to a trained, evaluated model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from reparam.cli._shared import AsJson, emit, evaluation_lines
from reparam.errors import UsageError

__all__ = ["train"]


def train(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="digits; a folder of images; a .csv, .tsv, .parquet, .npy or .npz file; a folder of Parquet or CSV "
            "parts; "
            "an IDX file or MNIST's folder.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run directory to create. [default: runs/1, runs/2, ...]", show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with settings; options given here win.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a stopped run.", show_default=False)
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes through the data. [default: enough for 13,000 steps]", show_default=False),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Examples a step. [default: from the data, 128 at most]", show_default=False)
    ] = None,
    latent_dim: Annotated[
        int | None, typer.Option(help="Latent dimensions. [default: from the data]", show_default=False)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak step size. [default: 0.002]", show_default=False)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Decides everything random. [default: 0]", show_default=False)
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps. [default: auto]", show_default=False)
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="float32 or bfloat16, of the networks. [default: float32]", show_default=False),
    ] = None,
    likelihood: Annotated[
        str | None,
        typer.Option(help="bernoulli, discretized-logistic or gaussian. [default: from the data]", show_default=False),
    ] = None,
    binarize: Annotated[
        str | None,
        typer.Option(help="Grey values as probabilities: dynamic, static or none.", show_default=False),
    ] = None,
    resize: Annotated[
        str | None, typer.Option(metavar="HxW", help="Bring all images to this size.", show_default=False)
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out unreadable images, and list them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a VAE on your data, evaluate it on held-out rows, write its report.

    Example: reparam train digits --out runs/digits
    """
    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "latent_dim": latent_dim,
        "learning_rate": learning_rate,
        "seed": seed,
        "device": device,
        "precision": precision,
        "likelihood": likelihood,
        "binarize": binarize,
        "resize": resize,
        "skip_bad": skip_bad or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if resume is not None and out is not None:
        raise UsageError("--resume goes on in its own directory: leave --out out")
    if resume is None and source is None:
        raise UsageError("SOURCE is missing: what to train on, e.g. `reparam train digits --out runs/digits`")

    from reparam import pipeline
    from reparam.training.settings import Settings, read_config

    entries: dict[str, Any] = (read_config(config) if config is not None else {}) | given
    settings = Settings.from_mapping(entries)
    if resume is not None:
        trained = pipeline.resume(resume, source, settings=entries)
    else:
        trained = pipeline.fit(source, settings, out=out)
    path = trained.run.path
    numbers = trained.run.read_json("evaluation.json")
    report = path / "report" / "index.html"
    lines = [
        *evaluation_lines(numbers),
        f"report               {report}",
        f"next                 reparam sample {path} --out samples",
    ]
    emit(numbers | {"run": str(path), "report": str(report)}, lines, as_json)
