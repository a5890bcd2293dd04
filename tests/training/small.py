"""A training run small enough for a test, with every part in reach."""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from reparam import noise, vae
from reparam.planning import FeedLoss
from reparam.runs.checkpoints import Checkpoint
from reparam.training.device import accelerator_for
from reparam.training.feed import DeviceFeed
from reparam.training.loop import train
from reparam.training.progress import SilentWatcher
from reparam.training.protocols import Record
from reparam.training.schedule import Schedule
from reparam.training.settings import Settings
from reparam.training.state import TrainingState
from tests.linear_gaussian import LinearGaussian

TABLE = LinearGaussian(num_values=4, latent_dim=2)
NUM_ROWS = 60
SETTINGS = Settings(epochs=4, batch_size=6, evaluate_every=7, seed=3)  # 40 steps, 10 an epoch
LOSS = FeedLoss(vae.Elbo())
SCHEDULE = Schedule.plan(SETTINGS, NUM_ROWS, num_values=4)


def make_vae(dropout: float = 0.3) -> vae.VAE:
    """A VAE with dropout in its networks; always the same one."""
    with torch.random.fork_rng():
        noise.seed_global(0, "small")
        encoder = nn.Sequential(nn.Linear(4, 8), nn.Dropout(dropout), nn.SiLU(), nn.Linear(8, 4))
        decoder = nn.Sequential(nn.Linear(2, 8), nn.Dropout(dropout), nn.SiLU(), nn.Linear(8, 4))
    return vae.VAE(
        vae.Conditional(encoder, vae.DiagonalNormal()),
        vae.Conditional(decoder, vae.Gaussian((4,))),
        vae.StandardNormal(2),
    )


def make_feed(num_rows: int = NUM_ROWS, seed: int = 1) -> DeviceFeed:
    """Rows of the linear-Gaussian model."""
    return DeviceFeed(TABLE.draw(num_rows, seed=seed).float(), seed=0, name=f"rows {seed}")


def make_state(model: nn.Module | None = None, learning_rate: float = 1e-3) -> TrainingState:
    """A state at step 0."""
    model = make_vae() if model is None else model
    return TrainingState.start(model, average_decay=0.99, learning_rate=learning_rate, device=torch.device("cpu"))


def run_training(
    state: TrainingState,
    record: Record,
    watcher: SilentWatcher | None = None,
    schedule: Schedule = SCHEDULE,
    patience: int = 1000,
    **feeds: Any,
) -> None:
    """The loop, on the small data unless told otherwise."""
    train(
        state,
        schedule=schedule,
        seed=SETTINGS.seed,
        patience=patience,
        gradient_clip=200.0,
        loss=LOSS,
        rows=feeds.get("rows") or make_feed(),
        validation=feeds.get("validation") or make_feed(20, seed=2),
        accelerator=accelerator_for("cpu", "float32"),
        record=record,
        watcher=watcher or SilentWatcher(),
    )


@dataclass
class Memory:
    """A record of a run that is kept in memory."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    best: list[int] = field(default_factory=list)

    def append_metrics(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.lines += [dict(record) for record in records]

    def metrics_size(self) -> int:
        return len(self.lines)

    def truncate_metrics(self, size: int) -> None:
        del self.lines[size:]

    def write_checkpoint(
        self,
        step: int,
        model: Mapping[str, Tensor],
        training: Mapping[str, Tensor],
        progress: Mapping[str, Any],
        *,
        best: bool,
    ) -> None:
        copies = (
            {name: value.detach().clone().contiguous() for name, value in part.items()} for part in (model, training)
        )
        self.checkpoints.append(Checkpoint(step, *copies, dict(progress)))
        if best:
            self.best.append(step)

    def validation(self) -> dict[int, float]:
        """The validation bound by step."""
        return {line["step"]: line["bound_nats"] for line in self.lines if line["split"] == "validation"}


class Crash(Exception):
    """The process is gone, as far as the loop can tell."""


class CrashAfter(SilentWatcher):
    """Ends training without a word after a step."""

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, step: int) -> None:
        if step == self.at:
            raise Crash


class SignalAfter(SilentWatcher):
    """Sends this process signals after a step, as a person or a scheduler would."""

    def __init__(self, step: int, *signals: signal.Signals) -> None:
        self.at, self.signals = step, signals

    def step(self, step: int) -> None:
        if step == self.at:
            for number in self.signals:
                os.kill(os.getpid(), number)
