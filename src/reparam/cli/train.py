"""``reparam train``: from data to a trained, evaluated model."""

import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from reparam.cli._evaluation import evaluation_rows
from reparam.cli._shared import AsJson, aligned, command, emit
from reparam.errors import Interrupted, UsageError

__all__ = ["train"]


def _option(meaning: str, default: str, metavar: str | None = None) -> Any:
    return typer.Option(help=f"{meaning} [default: {default}]", show_default=False, metavar=metavar)


def train(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="digits; a folder of images; a .csv, .tsv, .parquet, .npy or .npz file; a folder of Parquet or CSV "
            "parts; an IDX file or MNIST's folder. Not needed with --resume.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path | None, _option("Run directory to create.", "first free of runs/1, runs/2, ...")] = None,
    config: Annotated[
        Path | None, _option("TOML file whose keys are names of settings; options given here win.", "none")
    ] = None,
    resume: Annotated[Path | None, _option("Go on with a run that was stopped.", "none", "RUN")] = None,
    preset: Annotated[
        str | None,
        _option("For what is left open: standard; or best, larger and longer.", "standard"),
    ] = None,
    epochs: Annotated[
        int | None, _option("Passes through the data.", "enough for 13,000 steps (best: more), fewer for large images")
    ] = None,
    batch_size: Annotated[int | None, _option("Examples a step.", "128, fewer for fewer than 2,048 rows")] = None,
    latent_dim: Annotated[
        int | None, _option("Latent dimensions.", "32 for images (best: 40), half the columns for tables")
    ] = None,
    learning_rate: Annotated[float | None, _option("Peak step size.", "0.002")] = None,
    seed: Annotated[int | None, _option("Decides everything random.", "0")] = None,
    device: Annotated[str | None, _option("auto, cpu, cuda, cuda:N or mps.", "auto")] = None,
    precision: Annotated[
        str | None, _option("Of the networks: float32, bfloat16 or auto.", "float32 (best: auto)")
    ] = None,
    posterior: Annotated[
        str | None,
        _option(
            "Law of the latents given an example: diagonal-normal, full-normal, iaf, gamma, ...", "diagonal-normal"
        ),
    ] = None,
    prior: Annotated[
        str | None,
        _option("Law of the latents: standard, mixture, vampprior, realnvp, spline-flow.", "standard (best: realnvp)"),
    ] = None,
    objective: Annotated[str | None, _option("Bound that is raised: elbo, iwae, dreg or stl.", "elbo")] = None,
    likelihood: Annotated[
        str | None,
        _option(
            "Law of a value given the latents: gaussian, student-t, bernoulli, negative-binomial, ...", "from the data"
        ),
    ] = None,
    library_size: Annotated[
        bool,
        typer.Option(
            "--library-size", help="Counts: those expected are proportional to the total of each row. [default: off]"
        ),
    ] = False,
    binarize: Annotated[
        str | None, _option("Take grey values as probabilities of white: dynamic, static or none.", "from --likelihood")
    ] = None,
    condition: Annotated[
        str | None,
        _option("Columns of a table to give the model, comma-separated; label: the classes.", "nothing", "NAMES"),
    ] = None,
    resize: Annotated[str | None, _option("Bring all images to this size.", "as they are", "HxW")] = None,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out unreadable images, and list them. [default: off]"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a VAE on your data, evaluate it, write its report.

    Everything is decided from the data unless an option says otherwise, and said aloud. Ctrl-C saves a checkpoint;
    --resume goes on as if nothing had happened.

    Example: reparam train digits --out runs/digits
    """
    given: dict[str, Any] = {
        "preset": preset,
        "epochs": epochs,
        "batch_size": batch_size,
        "latent_dim": latent_dim,
        "learning_rate": learning_rate,
        "seed": seed,
        "device": device,
        "precision": precision,
        "posterior": posterior,
        "prior": prior,
        "objective": objective,
        "likelihood": likelihood,
        "library_size": library_size or None,
        "binarize": binarize,
        "condition": None if condition is None else tuple(name.strip() for name in condition.split(",")),
        "resize": resize,
        "skip_bad": skip_bad or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if resume is not None and out is not None:
        raise UsageError("--resume goes on in its own directory: leave --out out")
    if resume is None and source is None:
        raise UsageError("SOURCE is missing: what to train on, e.g. `reparam train digits --out runs/digits`")

    from reparam import pipeline
    from reparam.runs import next_free
    from reparam.training.settings import Settings, read_config

    for name, value in given.items():
        try:
            Settings(**{name: value})
        except UsageError as error:
            raise UsageError(str(error).replace(name, f"--{name.replace('_', '-')}", 1)) from None
    entries = (read_config(config) if config is not None else {}) | given
    path = resume or out or next_free(Path("runs"))
    try:
        if resume is not None:
            trained = pipeline.resume(path, source, settings=entries)
        else:
            trained = pipeline.fit(source, Settings.from_mapping(entries), out=path)
    except (Interrupted, KeyboardInterrupt) as error:
        if not (path / "run.json").is_file():
            raise
        again = f"to go on: {command(context, 'train', '--resume', path)}"
        if isinstance(error, Interrupted):
            raise Interrupted(f"{error}\n{again}", error.signal_number) from None
        raise Interrupted(f"interrupted\n{again}", signal.SIGINT) from None
    numbers = trained.run.read_json("evaluation.json")
    report = path / "report" / "index.html"
    samples = path.with_name(path.name + ("-samples.png" if trained.schema.kind == "image" else "-samples.csv"))
    rows = [
        *evaluation_rows(numbers),
        ("report", str(report)),
        ("next", command(context, "sample", path, "--out", samples)),
    ]
    emit(numbers | {"run": str(path), "report": str(report)}, aligned(rows), as_json)
