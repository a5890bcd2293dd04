"""What settings mean that were left open: by preset, and by the kind of data."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reparam.data.schema import Schema
from reparam.training.settings import Settings

__all__ = ["PRESETS", "resolved"]

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "standard": {
        "image": {"network": "convolutional", "width": 16, "num_blocks": 1, "latent_dim": 32},
        "table": {"network": "residual-mlp", "width": 128, "num_blocks": 2},
    },
}


def resolved(settings: Settings, schema: Schema) -> Settings:
    """The settings with what was left open filled in from their preset."""
    values = dict(PRESETS[settings.preset][schema.kind])
    values.setdefault("latent_dim", min(-(-schema.num_values // 2), 32))
    return replace(settings, **{name: value for name, value in values.items() if getattr(settings, name) is None})
