"""What training knows of models, data and run directories: these protocols, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

__all__ = ["Checkpoint", "Feed", "Loss", "LossTerms", "Record", "Rows", "Watcher"]


class Rows(NamedTuple):
    """A batch as the model sees it, and what is known of each row besides.

    Shapes:
        x: ``[B, *X]``; features: ``[B, C]`` or ``None``; exposure: ``[B]``, positive, or ``None``.
    """

    x: Tensor
    features: Tensor | None = None
    exposure: Tensor | None = None


class LossTerms(Protocol):
    """A bound, its two parts, ``[B]``, in nats, and what is minimised, ``[]``."""

    @property
    def distortion(self) -> Tensor: ...

    @property
    def rate(self) -> Tensor: ...

    @property
    def bound(self) -> Tensor: ...

    @property
    def loss(self) -> Tensor: ...


class Loss(Protocol):
    """What is minimised; without gradients, the exact bound."""

    def __call__(self, model: nn.Module, rows: Rows, *, beta: float, generator: torch.Generator) -> LossTerms: ...


class Feed(Protocol):
    """Rows as the model sees them, on its device; ``row_numbers`` are theirs in the data they come from."""

    row_numbers: Tensor

    def __len__(self) -> int: ...

    def gather(self, rows: Tensor, generator: torch.Generator | None) -> Rows: ...

    def in_order(self, batch_size: int) -> Iterator[Rows]: ...


class Checkpoint(Protocol):
    """A moment of a run, as it was read back."""

    @property
    def step(self) -> int: ...

    @property
    def model(self) -> Mapping[str, Tensor]: ...

    @property
    def training(self) -> Mapping[str, Tensor]: ...

    @property
    def progress(self) -> Mapping[str, Any]: ...


class Record(Protocol):
    """Where a run is written."""

    def append_metrics(self, records: Sequence[Mapping[str, Any]]) -> None: ...

    def metrics_size(self) -> int: ...

    def truncate_metrics(self, size: int) -> None: ...

    def write_checkpoint(
        self,
        step: int,
        model: Mapping[str, Tensor],
        training: Mapping[str, Tensor],
        progress: Mapping[str, Any],
        *,
        best: bool,
    ) -> None: ...


class Watcher(Protocol):
    """Someone who wants to know how training goes."""

    def step(self, step: int) -> None: ...

    def evaluated(self, records: Sequence[Mapping[str, Any]], *, best: bool) -> None: ...
