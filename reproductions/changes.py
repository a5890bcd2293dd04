"""What the budget setting of a row changes, in words made from the settings themselves."""

from collections.abc import Mapping
from typing import Any

from reproductions.row import NEVER, Row

# Whatever a row's budget changes has words here.
WORDS: Mapping[str, str] = {
    "batch_size": "rows in a batch",
    "epochs": "epochs",
    "evaluate_every": "steps between evaluations",
    "kl_warmup_steps": "steps of KL warm-up",
    "learning_rate": "peak step size",
    "num_blocks": "residual blocks at each size",
    "num_samples": "importance samples of the evaluation",
    "patience": "evaluations of patience",
    "width": "width",
}


def changes(row: Row) -> list[str]:
    """How the budget setting differs from the full one, a phrase a setting.

    Example:
        >>> from reproductions.rows import ROWS
        >>> changes(ROWS["xu-residual-realnvp"])[0]
        'epochs: 50 instead of 1,000'
    """
    full = row.full.to_json()
    return [
        f"{WORDS[name]}: {_in_words(value)} instead of {_in_words(full[name])}"
        for name, value in sorted(row.budget.items())
        if value != full[name]
    ]


def shared(phrases: list[list[str]]) -> list[str]:
    """The phrases that all rows have, in order."""
    return [phrase for phrase in phrases[0] if all(phrase in others for others in phrases)]


def _in_words(value: Any) -> str:
    if value is None:
        return "the preset's"
    if value == NEVER:
        return "no end"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
