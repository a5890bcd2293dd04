"""Posteriors against the closed form: ``python -m reproductions.exact``.

The decoder of a linear-Gaussian model is given and does not move, so that ``log p(x)`` is known. A posterior that can
be the true one should leave no gap; one of independent dimensions leaves a gap that has a closed form as well.
"""

import math
from typing import Any

from reparam import vae
from reproductions.experiment import main
from tests.true_posteriors import CORRELATED, DIAGONAL, LOW_RANK, gaps_after_training, least_gap_of_diagonal, two_levels


def measure(*, steps: int = 600) -> dict[str, Any]:
    """Train each posterior on a linear-Gaussian model whose decoder is known."""
    levels, prior_of_levels = two_levels()
    short = least_gap_of_diagonal(CORRELATED)
    cases = (
        ("diagonal Normal, latents independent in truth", vae.DiagonalNormal(), DIAGONAL, 0.0, ()),
        ("diagonal Normal, latents that depend on each other", vae.DiagonalNormal(), CORRELATED, short, ()),
        ("full Normal", vae.FullNormal(2), CORRELATED, 0.0, ()),
        ("low-rank Normal, one common factor in truth", vae.LowRankNormal(3, 1), LOW_RANK, 0.0, ()),
        ("inverse autoregressive flow", _flow("iaf"), CORRELATED, 0.0, ()),
        ("spline flow", _flow("spline"), CORRELATED, 0.0, ()),
        ("two levels", levels, DIAGONAL, 0.0, (prior_of_levels, vae.FirstLevel(2))),
    )
    found = []
    for what, family, covariance, expected, more in cases:
        gaps = gaps_after_training(family, covariance, *more, steps=steps)
        error = gaps.mean(0).std().item() / math.sqrt(gaps.shape[1])
        found.append(
            {"posterior": what, "gap_nats": gaps.mean().item(), "standard_error_nats": error, "expected_nats": expected}
        )
    return {"steps": steps, "posteriors": found}


def section(result: dict[str, Any]) -> str:
    """Of the page of results."""
    lines = [
        f"The decoder is that of a linear-Gaussian model and given; a linear encoder learns for {result['steps']} "
        "steps, from the prior. The gap is what the bound falls short of the exact log-likelihood. Gap to expect: 0 "
        "where the truth is among the posteriors, else the KL of the best of them, in closed form.",
        "",
        "| posterior | gap to expect, nats | gap found, nats |",
        "|---|---|---|",
    ]
    for found in result["posteriors"]:
        gap = round(found["gap_nats"], 4) + 0.0  # not -0.0
        lines.append(
            f"| {found['posterior']} | {found['expected_nats']:.4f} | {gap:.4f} ± {found['standard_error_nats']:.4f} |"
        )
    return "\n".join(lines)


def _flow(kind: Any) -> vae.FlowFamily:
    return vae.FlowFamily(2, kind, context_dim=0, hidden=(16,))


if __name__ == "__main__":
    main("exact", measure)
