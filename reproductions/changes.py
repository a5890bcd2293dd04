"""What one setting of a row changes, in words made from the settings themselves."""

from collections.abc import Mapping
from typing import Any

from reproductions.row import Row

# Whatever a row's budget changes has words here.
WORDS: Mapping[str, str] = {
    "batch_size": "batches of {}",
    "epochs": "{} epochs",
    "evaluate_every": "an evaluation every {} steps",
    "kl_warmup_steps": "a KL warm-up of {} steps",
    "learning_rate": "a step size of at most {}",
    "num_blocks": "{} residual blocks at each size",
    "num_samples": "{} importance samples",
    "patience": "patience for {} evaluations",
    "width": "width {}",
}
ENDLESS_PATIENCE = 1_000_000


def changes(row: Row) -> list[str]:
    """How the budget setting differs from the full one, a phrase a setting."""
    full = row.full.to_json()
    return [
        f"{_in_words(name, value)} instead of {_value(name, full[name])}"
        for name, value in sorted(row.budget.items())
        if value != full[name]
    ]


def shared(phrases: list[list[str]]) -> list[str]:
    """The phrases that all rows have, in order."""
    return [phrase for phrase in phrases[0] if all(phrase in others for others in phrases)]


def _in_words(name: str, value: Any) -> str:
    if name == "patience" and value == ENDLESS_PATIENCE:
        return "no early stopping"
    return WORDS[name].format(_value(name, value))


def _value(name: str, value: Any) -> str:
    if name == "patience":
        return "none" if value == ENDLESS_PATIENCE else f"after {value} evaluations without a better one"
    if value is None:
        return "the preset's"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
