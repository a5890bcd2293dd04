"""What is minimised: an objective by the names that settings have, ready for the rows of a feed."""

from dataclasses import dataclass

import torch
from torch import nn

from reparam.errors import UsageError
from reparam.training.protocols import Rows
from reparam.training.settings import Settings
from reparam.vae import Condition, Elbo, ImportanceWeighted, Objective, Terms

__all__ = ["FeedLoss", "condition_of", "make_objective"]

# Importance samples of iwae and dreg, unless a setting says otherwise.
DEFAULT_IMPORTANCE_DRAWS = 16


@dataclass(frozen=True)
class FeedLoss:
    """An objective as training calls it: of a model and rows, with what is known about them."""

    objective: Objective

    def __call__(self, model: nn.Module, rows: Rows, *, beta: float, generator: torch.Generator) -> Terms:
        given = model.given(condition_of(rows))  # type: ignore[operator]
        return self.objective(given, rows.x, beta=beta, generator=generator)


def condition_of(rows: Rows) -> Condition | None:
    """What is known of the rows besides themselves."""
    if rows.features is None and rows.exposure is None:
        return None
    features = rows.x.new_zeros(len(rows.x), 0) if rows.features is None else rows.features
    return Condition(features, rows.exposure)


def make_objective(settings: Settings) -> Objective:
    """The objective that settings name.

    Raises:
        UsageError: settings that do not go together.
    """
    name, draws, noise = settings.objective, settings.draws, settings.draw_noise
    if name in ("iwae", "dreg"):
        if settings.beta != 1 or settings.free_bits:
            raise UsageError(
                f"objective {name} is a bound of its own: beta must be 1 and free_bits 0, got beta={settings.beta:g} "
                f"and free_bits={settings.free_bits:g}; use objective elbo"
            )
        gradient = "pathwise" if name == "iwae" else "doubly-reparameterized"
        return ImportanceWeighted(draws or DEFAULT_IMPORTANCE_DRAWS, gradient=gradient, noise=noise)  # type: ignore[arg-type]
    return Elbo(
        draws or 1,
        free_bits=settings.free_bits,
        sticking_the_landing=name == "stl",
        noise=noise,  # type: ignore[arg-type]
    )
