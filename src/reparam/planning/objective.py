"""What is minimised: an objective by the names that settings have, ready for the rows of a feed."""

from dataclasses import dataclass

import torch
from torch import nn

from reparam.errors import UsageError
from reparam.training.protocols import Rows
from reparam.training.settings import Settings
from reparam.vae import (
    ESTIMATORS,
    POSTERIORS,
    Architecture,
    Condition,
    Elbo,
    ImportanceWeighted,
    Objective,
    Terms,
    check_objective,
)

__all__ = ["FeedLoss", "condition_of", "make_objective", "own_objective"]

# Importance samples of iwae and dreg, unless a setting says otherwise.
DEFAULT_IMPORTANCE_DRAWS = 16

# Draws of coins or classes that are compared with each other, likewise.
DEFAULT_DRAWS_COMPARED = 4
_OF_ONE_DRAW = {"bernoulli": "disarm", "categorical": "rebar"}


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


def make_objective(settings: Settings, architecture: Architecture | None = None) -> Objective:
    """The objective that settings name.

    Args:
        architecture: of a built-in model, which has to fit; ``None`` for one of the user's own.

    Raises:
        UsageError: settings that do not go together, or not with the model.
    """
    name, draws, noise = settings.objective, settings.draws, settings.draw_noise
    estimator = settings.estimator
    if architecture is not None:
        check_objective(
            architecture,
            objective=name,
            free_bits=settings.free_bits,
            draw_noise=noise,
            draws=draws,
            estimator=estimator,
        )
        estimator, draws = _for_fixed_draws(architecture, estimator, draws)
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
        estimator=None if estimator is None else ESTIMATORS[estimator](),
    )


def own_objective(settings: Settings, objective: Objective) -> Objective:
    """An objective of the user's own, where the settings name no other.

    Raises:
        UsageError: they do.
    """
    usual = Settings()
    named = ("objective", "draws", "draw_noise", "estimator", "free_bits")
    changed = [name for name in named if getattr(settings, name) != getattr(usual, name)]
    if changed:
        raise UsageError(
            f"an objective of your own decides {', '.join(changed)} itself: leave these settings out, or the objective"
        )
    return objective


def _for_fixed_draws(
    architecture: Architecture, estimator: str | None, draws: int | None
) -> tuple[str | None, int | None]:
    """Estimator and number of draws where draws cannot move; what is given otherwise."""
    usual = POSTERIORS[architecture.posterior].estimator
    if usual is None:
        return estimator, draws
    if estimator is None:
        # Of several draws, the mean of the others is the best baseline; one draw of classes has none.
        estimator = usual if draws is None else "leave-one-out" if draws > 1 else _OF_ONE_DRAW[architecture.posterior]
    return estimator, draws or (DEFAULT_DRAWS_COMPARED if estimator == "leave-one-out" else 1)
