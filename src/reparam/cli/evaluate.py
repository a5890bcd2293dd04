"""``reparam evaluate``: how good is it, in nats, with error bars."""

from typing import Annotated

import typer

from reparam.cli._shared import AsJson, Data, Device, RunPath, Seed, emit, evaluation_lines, load_run

__all__ = ["evaluate"]


def evaluate(
    run: RunPath,
    source: Data = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Importance samples an example. [default: the run's, 500]", show_default=False),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Bound, rate, distortion, importance-weighted log-likelihood with its error, active units; on all test rows.

    Example: reparam evaluate runs/digits --samples 1000
    """
    numbers = load_run(run, device).evaluate(source, num_samples=samples, seed=seed)
    emit(numbers, evaluation_lines(numbers), as_json)
