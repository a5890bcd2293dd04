"""What the report shows of a trained model: originals, reconstructions, samples, variations, latents."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from reparam.data.conditions import ConditionSchema
from reparam.data.schema import Examples, Schema

__all__ = ["make_gallery"]

Array = np.ndarray[Any, Any]

# A sheet of samples has a row of ten for each class, and no more rows than fit on a page.
SAMPLES_OF_A_CLASS, MOST_CLASSES = 10, 20


class Model(Protocol):
    """The part of :class:`reparam.TrainedVAE` that pictures are made with."""

    @property
    def schema(self) -> Schema: ...

    @property
    def condition(self) -> ConditionSchema | None: ...

    def encode(self, x: Any) -> tuple[Array, Array]: ...

    def reconstruct(self, x: Any) -> Array: ...

    def sample(self, num_examples: int, *, given: Any = None, seed: int = 0) -> Array: ...

    def draw_given(self, num_rows: int, *, seed: int = 0) -> Mapping[str, Array]: ...

    def vary(self, x: Any, num_examples: int, *, seed: int = 0) -> Array: ...


def make_gallery(
    model: Model, examples: Examples, test: Array, *, seed: int
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and texts of ``gallery.safetensors``, in the user's own units.

    Args:
        examples: of the run; test: numbers of its test rows.
        seed: decides samples and variations.
    """
    images = model.schema.kind == "image"
    rows = test[:5000]
    shown = rows[:16] if images else rows[:1000]
    loc, scale = model.encode(examples.take(rows))
    tensors = {
        "originals": examples.values[shown],
        "reconstructions": model.reconstruct(examples.take(shown)),
        "variations": model.vary(examples.take(rows[:4]), 8, seed=seed),
        "latent_loc": loc,
        "latent_scale": scale,
    }
    metadata = {}
    given = _classes_shown(model.condition) if images else {}
    if given:
        tensors["samples"] = model.sample(SAMPLES_OF_A_CLASS, given=given, seed=seed).reshape(-1, *model.schema.shape)
        metadata["sample_classes"] = json.dumps([str(name) for classes in given.values() for name in classes])
    else:
        tensors["samples"] = model.sample(64 if images else 1000, seed=seed)
    if not images and model.condition is not None:
        # The samples above were made for these very rows: both follow from the seed.
        drawn = model.draw_given(len(tensors["samples"]), seed=seed)
        numbers = [column.name for column in model.condition.columns if not column.classes]
        if numbers:
            tensors["given"] = np.stack([examples.given[name][shown] for name in numbers], axis=1)
            tensors["samples_given"] = np.stack([drawn[name] for name in numbers], axis=1)
            metadata["given_names"] = json.dumps(numbers)
    if examples.labels is not None:
        names, codes = np.unique(examples.labels[rows], return_inverse=True)
        metadata["label_names"] = json.dumps([str(name) for name in names])
    gallery = {name: torch.from_numpy(np.ascontiguousarray(value)).float() for name, value in tensors.items()}
    if examples.labels is not None:
        gallery["labels"] = torch.from_numpy(codes.astype(np.int64))
    return gallery, metadata


def _classes_shown(condition: ConditionSchema | None) -> dict[str, list[Any]]:
    """The most frequent classes, in their order, by the name of their column, where one class is all that is given."""
    if condition is None or not condition.only_classes:
        return {}
    counts = dict(zip(condition.rows[0], condition.counts, strict=True))
    frequent = sorted(condition.only_classes, key=lambda name: -counts[name])[:MOST_CLASSES]
    return {condition.names[0]: [name for name in condition.only_classes if name in frequent]}
