"""``reparam evaluate``: how good is it, in nats, with error bars."""

from typing import Annotated

import typer

from reparam.cli._evaluation import evaluation_rows
from reparam.cli._shared import (
    AsJson,
    Device,
    OwnData,
    RunPath,
    Seed,
    aligned,
    command,
    emit,
    load_run,
)

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    run: RunPath,
    source: OwnData = None,
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="<int>",
            min=1,
            help="Importance samples an example. [default: as the run's num_samples, 500]",
            show_default=False,
        ),
    ] = None,
    measures: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Measure more, comma-separated: probes, samples, annealing, disentanglement; or all. "
            "[default: nothing more]",
            show_default=False,
        ),
    ] = None,
    factors: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Known factors for disentanglement, comma-separated: columns of the table, or label. [default: label]",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Of the decoder's network in the log-likelihood: float32 or bfloat16.")
    ] = "float32",
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure a run on its test rows, in nats.

    Bound, rate and distortion, importance-weighted log-likelihood with its standard error, active units, what the rate
    is spent on, and bits per dimension or a baseline where they apply. More with --measures: probes (do the latents
    tell the labels?), samples (can they be told from test rows?), annealing (a second opinion on the log-likelihood),
    disentanglement (a latent for each factor?). Also written to RUN/evaluation.json.

    Example: reparam evaluate runs/digits --measures probes,samples
    """
    from reparam.training.progress import console_watcher

    trained = load_run(run, device)
    numbers = trained.evaluate(
        source,
        measures=_names(measures) if measures != "all" else "all",
        factors=_names(factors),
        num_samples=samples,
        precision=precision,
        seed=seed,
        say=console_watcher().say,
    )
    emit(numbers, aligned([*evaluation_rows(numbers), ("next", command(context, "report", run))]), as_json)


def _names(given: str | None) -> list[str]:
    return [] if given is None else [name.strip() for name in given.split(",")]
