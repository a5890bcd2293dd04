"""``reparam evaluate``: how good is it, in nats, with error bars."""

from typing import Annotated

import typer

from reparam.cli._shared import (
    AsJson,
    Device,
    OwnData,
    RunPath,
    Seed,
    aligned,
    command,
    emit,
    evaluation_rows,
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
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure a run on its test rows, in nats.

    Bound, rate and distortion, importance-weighted log-likelihood with its standard error, active units, and bits per
    dimension or a baseline where they apply. Also written to RUN/evaluation.json.

    Example: reparam evaluate runs/digits --samples 1000
    """
    from reparam.training.progress import console_watcher

    numbers = load_run(run, device).evaluate(source, num_samples=samples, seed=seed, say=console_watcher().say)
    emit(numbers, aligned([*evaluation_rows(numbers), ("next", command(context, "report", run))]), as_json)
