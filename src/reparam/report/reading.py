"""What the report reads from a run directory, checked once, with ``None`` for what is not there yet."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from reparam.data.schema import Schema
from reparam.errors import RunError

__all__ = ["ACTIVE_THRESHOLD", "Contents", "Gallery", "ReadableRun", "read_contents"]

ACTIVE_THRESHOLD = 0.01
"""A latent dimension is active where the variance of its posterior mean exceeds this share of the prior's variance.

Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders" (2016), section 5.3.
"""


class ReadableRun(Protocol):
    """The part of a run directory that the report needs; ``reparam.runs.Run`` satisfies it."""

    @property
    def path(self) -> Path:
        """The run directory."""

    @property
    def description(self) -> dict[str, Any]:
        """The content of ``run.json``."""

    def metrics(self) -> list[dict[str, Any]]:
        """The records of ``metrics.jsonl``, oldest first."""

    def read_json(self, name: str) -> Any:
        """The value in a JSON file of the run."""

    def read_tensors(self, name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
        """The tensors and the metadata in a safetensors file of the run."""

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a file of the run atomically; ``name`` may contain a folder."""


@dataclass(frozen=True)
class Gallery:
    """Examples of what the model does, in the user's own units; a part that was not made is ``None``.

    Args:
        originals: ``[n, *shape]``.
        reconstructions: ``[n, *shape]``.
        samples: ``[m, *shape]``, draws from the prior, decoded.
        sample_classes: where a class is given, the samples are equally many of each of these, one after the other.
        given, samples_given: ``[n, C]``, ``[m, C]``: the numbers that are given of the originals and the samples.
        given_names: one a column of these.
        variations: ``[k, v, *shape]``, new examples close to the first ``k`` originals.
        latent_loc: ``[N, D]``, posterior means.
        labels: ``[N]`` integers, an index into ``label_names``.
        label_names: one name a label.
    """

    originals: NDArray[Any] | None = None
    reconstructions: NDArray[Any] | None = None
    samples: NDArray[Any] | None = None
    variations: NDArray[Any] | None = None
    sample_classes: tuple[str, ...] = ()
    given: NDArray[Any] | None = None
    samples_given: NDArray[Any] | None = None
    given_names: tuple[str, ...] = ()
    latent_loc: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    label_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contents:
    """Everything the page shows, as it was read.

    Args:
        description: the content of ``run.json``.
        schema: what one example is.
        metrics: the records of ``metrics.jsonl``.
        evaluation: the content of ``evaluation.json``, or ``None`` before the run was evaluated.
        gallery: the content of ``gallery.safetensors``, or ``None`` before it was written.
    """

    description: Mapping[str, Any]
    schema: Schema
    metrics: tuple[Mapping[str, Any], ...]
    evaluation: Mapping[str, Any] | None
    gallery: Gallery | None

    @property
    def given(self) -> tuple[str, ...]:
        """Names of what is given to the model."""
        condition = self.description.get("condition")
        return () if condition is None else tuple(str(column["name"]) for column in condition["columns"])

    def curve(self, split: str, term: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Steps ``[T]`` and values ``[T]`` of one term (nats) on one split, in the order of the steps."""
        points = sorted((r["step"], r[term]) for r in self.metrics if r["split"] == split)
        return np.array([p[0] for p in points], dtype=float), np.array([p[1] for p in points], dtype=float)

    def best(self) -> tuple[int, float] | None:
        """Step and validation bound (nats) of the best checkpoint; ``None`` without validation records."""
        if "best" in self.description:
            return self.description["best"]["step"], self.description["best"]["bound_nats"]
        steps, values = self.curve("validation", "bound_nats")
        if not len(steps):
            return None
        return int(steps[values.argmax()]), float(values.max())

    def active(self) -> NDArray[np.bool_] | None:
        """Which latent dimensions are active, ``[D]``: by the evaluation, else by the gallery's posterior means.

        ``None`` without both.
        """
        if self.evaluation is not None and "activity" in self.evaluation:
            return np.array(self.evaluation["activity"]) > ACTIVE_THRESHOLD
        if self.gallery is None or self.gallery.latent_loc is None:
            return None
        variances: NDArray[Any] = self.gallery.latent_loc.var(axis=0)
        return variances > ACTIVE_THRESHOLD


def read_contents(run: ReadableRun) -> Contents:
    """Read a run for its report.

    Raises:
        RunError: a file is damaged (from the run), or the gallery does not fit the schema or its label names.
    """
    description = run.description
    schema = Schema.from_json(description["schema"])
    has_evaluation = (run.path / "evaluation.json").is_file()
    has_gallery = (run.path / "gallery.safetensors").is_file()
    return Contents(
        description=description,
        schema=schema,
        metrics=tuple(run.metrics()),
        evaluation=run.read_json("evaluation.json") if has_evaluation else None,
        gallery=_read_gallery(run, schema) if has_gallery else None,
    )


def _read_gallery(run: ReadableRun, schema: Schema) -> Gallery:
    tensors, metadata = run.read_tensors("gallery.safetensors")
    # An empty tensor means the same as an absent one: there is nothing to show.
    arrays = {name: tensor.numpy() for name, tensor in tensors.items() if tensor.numel()}
    for name, leading in (("originals", 1), ("reconstructions", 1), ("samples", 1), ("variations", 2)):
        if name in arrays and arrays[name].shape[leading:] != schema.shape:
            raise RunError(
                f"gallery.safetensors in {run.path}: expected examples of shape {schema.shape} in '{name}' "
                f"(from the schema in run.json), got shape {arrays[name].shape}; evaluate the run again"
            )
    label_names, sample_classes, given_names = (
        tuple(str(name) for name in json.loads(metadata.get(key, "[]")))
        for key in ("label_names", "sample_classes", "given_names")
    )
    labels = arrays.get("labels")
    if labels is not None and not (labels.min() >= 0 and labels.max() < len(label_names)):
        raise RunError(
            f"gallery.safetensors in {run.path}: expected labels from 0 to {len(label_names) - 1} "
            f"(one a name in label_names), got {labels.min()} to {labels.max()}; evaluate the run again"
        )
    return Gallery(
        originals=arrays.get("originals"),
        reconstructions=arrays.get("reconstructions"),
        samples=arrays.get("samples"),
        variations=arrays.get("variations"),
        sample_classes=sample_classes,
        given=arrays.get("given"),
        samples_given=arrays.get("samples_given"),
        given_names=given_names,
        latent_loc=arrays.get("latent_loc"),
        labels=labels,
        label_names=label_names,
    )
