"""What settings mean that were left open: by preset, and by the kind of data."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from reparam.data.schema import Schema
from reparam.training.schedule import DEFAULT_STEPS
from reparam.training.settings import Settings

__all__ = ["PRESETS", "Preset", "preset", "resolved"]


class Preset(NamedTuple):
    """What is taken where a setting was left open.

    Args:
        values: by the names of settings.
        num_steps: length of a run whose ``epochs`` were left open; fewer for large images.
    """

    values: Mapping[str, Any]
    num_steps: int = DEFAULT_STEPS


_COMMON = {"posterior": "diagonal-normal", "prior": "standard", "precision": "float32", "weight_decay": 0.0}
_BEST = {"prior": "realnvp", "precision": "auto"}

PRESETS: Mapping[str, Mapping[str, Preset]] = {
    "standard": {
        "image": Preset(_COMMON | {"network": "convolutional", "width": 16, "num_blocks": 1, "latent_dim": 32}),
        "table": Preset(_COMMON | {"network": "residual-mlp", "width": 128, "num_blocks": 2}),
    },
    "best": {
        "image": Preset(
            _COMMON
            | _BEST
            | {
                "network": "convolutional",
                "width": 32,
                "num_blocks": 2,
                "dense_width": 0,
                "latent_dim": 40,
                "flow_width": 256,
                "weight_decay": 0.1,
            },
            45_000,
        ),
        "table": Preset(_COMMON | _BEST | {"network": "residual-mlp", "width": 256, "num_blocks": 3}, 26_000),
    },
}


def preset(settings: Settings, schema: Schema) -> Preset:
    """The preset of these settings for this kind of data."""
    return PRESETS[settings.preset][schema.kind]


def resolved(settings: Settings, schema: Schema) -> Settings:
    """The settings with what was left open filled in from their preset."""
    values = {"latent_dim": min(-(-schema.num_values // 2), 32), **preset(settings, schema).values}
    return replace(settings, **{name: value for name, value in values.items() if getattr(settings, name) is None})
