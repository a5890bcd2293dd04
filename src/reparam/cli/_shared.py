"""What the verbs share: their common options, and the way results are printed."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["AsJson", "Data", "Device", "Out", "RunPath", "Seed", "emit", "evaluation_lines", "load_run"]

RunPath = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run directory made by `reparam train`.", show_default=False)
]
Data = Annotated[
    str | None,
    typer.Argument(metavar="[SOURCE]", help="Data; default: what the run was trained on.", show_default=False),
]
Out = Annotated[Path, typer.Option("--out", help="Where to write; must not exist yet.", show_default=False)]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides the draws.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def load_run(path: Path, device: str) -> Any:
    """The trained model of a run directory."""
    from reparam.trained import load

    return load(path, device=device)


def emit(result: dict[str, Any], lines: list[str], as_json: bool) -> None:
    """Print a result on stdout, for a program or for a person."""
    text = json.dumps(result, allow_nan=False) if as_json else "\n".join(lines)
    sys.stdout.write(text + "\n")


def evaluation_lines(numbers: dict[str, Any]) -> list[str]:
    """The numbers of an evaluation for people, protocol included."""
    protocol, baseline = numbers["protocol"], numbers["baseline"]
    binarize = "" if protocol["binarize"] == "none" else f", binarised ({protocol['binarize']} in training, fixed here)"
    lines = [
        f"test log-likelihood  {numbers['log_likelihood_nats']:.2f} ± {numbers['standard_error_nats']:.2f} nats"
        f"  (at least: {numbers['num_samples']} importance samples, effective {numbers['effective_sample_size']:.1f})",
        f"bound                {numbers['elbo_nats']:.2f} nats = -(distortion {numbers['distortion_nats']:.2f} + "
        f"rate {numbers['rate_nats']:.2f})",
        f"active units         {numbers['active_units']} of {numbers['latent_dim']}",
    ]
    if numbers["bits_per_dim"] is not None:
        lines.insert(1, f"bits per dimension   {numbers['bits_per_dim']:.3f}")
    if baseline is not None:
        lines.append(f"{baseline['name']}  {baseline['log_likelihood_nats']:.2f} nats on the same rows")
    if numbers["log_scale_nats"] is not None:
        shift = numbers["log_scale_nats"]
        lines.append(
            f"scale                nats of the standardised columns; subtract {shift:.2f} for the data's own units"
        )
    lines.append(
        f"protocol             {protocol['num_examples']:,} of {numbers['num_rows']:,} {protocol['split']} rows, "
        f"seed {protocol['seed']}{binarize}"
    )
    return lines
