"""The training loop: from a state to the end of its schedule, resumable after any step.

Every random number is a function of (seed, purpose, index), so a run killed and resumed draws what the straight run
drew, and its weights, moments and metrics are the same to the last bit on the same machine.
"""

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import Any

import torch

from reparam import noise
from reparam.errors import DivergedError, Interrupted
from reparam.training.device import reproducible_kernels
from reparam.training.protocols import Feed, Loss, Record, Watcher
from reparam.training.schedule import Schedule
from reparam.training.state import TrainingState
from reparam.training.step import update

__all__ = ["exact_terms", "train"]


def train(
    state: TrainingState,
    *,
    schedule: Schedule,
    seed: int,
    patience: int,
    gradient_clip: float,
    loss: Loss,
    rows: Feed,
    validation: Feed,
    accelerator: Any,
    record: Record,
    watcher: Watcher,
) -> None:
    """Train until the schedule ends or patience runs out; a checkpoint follows every evaluation.

    Args:
        state: at step 0 or restored from a checkpoint; at the end of the run when this returns.
        loss: what is minimised, and reported without its weights.
        rows, validation: the training rows, and the rows that selection looks at.
        record: where metrics and checkpoints go.
        watcher: is told of every step and evaluation.

    Raises:
        DivergedError: a term or gradient is not finite; the last checkpoint is good.
        Interrupted: SIGINT or SIGTERM came; a checkpoint was written first. A second Ctrl-C stops at once.
    """
    progress = state.progress
    record.truncate_metrics(progress.metrics_size)
    if progress.step == 0:
        _checkpoint(state, record, best=False)
    order, order_epoch = torch.empty(0, dtype=torch.long), -1
    with _signals() as received, _global_randomness_restored(), reproducible_kernels():
        while progress.step < schedule.total_steps and not progress.stopped_early:
            step = progress.step
            epoch, position = schedule.epoch_and_position(step)
            if epoch != order_epoch:
                order_epoch = epoch
                order = noise.permutation(len(rows), generator=noise.generator(seed, "order", epoch))
            batch = order[position * schedule.batch_size :][: schedule.batch_size]
            generator = noise.generator(seed, "step", step, device=accelerator.device)
            noise.seed_global(seed, "network", step)
            update(
                state,
                accelerator,
                loss,
                rows.gather(batch, generator),
                rows.row_numbers[batch],
                learning_rate=schedule.learning_rate_at(step),
                beta=schedule.beta_at(step),
                gradient_clip=gradient_clip,
                generator=generator,
            )
            watcher.step(progress.step)
            if schedule.evaluates_after(step):
                _evaluate(state, schedule, loss, validation, patience, seed, record, watcher)
            elif received:
                _checkpoint(state, record, best=False)
            if received:
                raise Interrupted(
                    f"stopped by {received[0].name} after step {progress.step}, checkpoint saved", received[0]
                )


@torch.no_grad()
def exact_terms(
    model: torch.nn.Module, loss: Loss, feed: Feed, *, seed: int, batch_size: int = 1000
) -> tuple[float, float, float]:
    """Mean distortion, rate and bound in nats over all rows of a feed, in float32, with draws fixed by the seed."""
    device = next(model.parameters()).device
    generator = noise.generator(seed, "bound", device=device)
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    was_training = model.training
    model.eval()
    for batch in feed.in_order(batch_size):
        terms = loss(model, batch, beta=1.0, generator=generator)
        sums += torch.stack([part.double().sum() for part in (terms.distortion, terms.rate, terms.bound)])
    model.train(was_training)
    distortion, rate, bound = (sums / len(feed)).tolist()
    return distortion, rate, bound


def _evaluate(
    state: TrainingState,
    schedule: Schedule,
    loss: Loss,
    validation: Feed,
    patience: int,
    seed: int,
    record: Record,
    watcher: Watcher,
) -> None:
    progress = state.progress
    step = progress.step
    epoch = schedule.epoch_and_position(step - 1)[0] + 1
    distortion, rate, bound = (state.sums[:3] / state.sums[3]).tolist()
    learning = {"beta": schedule.beta_at(step - 1), "learning_rate": schedule.learning_rate_at(step - 1)}
    training_record = _terms_record(step, epoch, "train", distortion, rate, bound) | learning
    validation_record = _terms_record(
        step, epoch, "validation", *exact_terms(state.average.module, loss, validation, seed=seed)
    )
    state.sums.zero_()
    if not math.isfinite(validation_record["bound_nats"]):
        raise DivergedError(
            f"step {step}: the validation bound is not finite (distortion {validation_record['distortion_nats']}, rate "
            f"{validation_record['rate_nats']}); the last checkpoint is good. Look at the validation rows for extreme "
            "values"
        )

    bound = validation_record["bound_nats"]
    best = progress.best_bound_nats is None or bound > progress.best_bound_nats
    if best:
        progress.best_step, progress.best_bound_nats, progress.evaluations_since_best = step, bound, 0
    elif step >= schedule.kl_warmup:
        # Before that the weights aim at something else than the bound, and a worse one is no reason to stop.
        progress.evaluations_since_best += 1
    progress.stopped_early = progress.evaluations_since_best >= patience and step < schedule.total_steps
    records = [training_record, validation_record]
    record.append_metrics(records)
    _checkpoint(state, record, best=best)
    watcher.evaluated(records, best=best)


def _terms_record(step: int, epoch: int, split: str, distortion: float, rate: float, bound: float) -> dict[str, Any]:
    return {
        "step": step,
        "epoch": epoch,
        "split": split,
        "bound_nats": bound,
        "elbo_nats": -(distortion + rate),
        "distortion_nats": distortion,
        "rate_nats": rate,
    }


def _checkpoint(state: TrainingState, record: Record, *, best: bool) -> None:
    state.progress.metrics_size = record.metrics_size()
    record.write_checkpoint(
        state.progress.step,
        state.averaged_weights(),
        state.training_tensors(),
        asdict(state.progress),
        best=best,
    )


@contextmanager
def _signals() -> Iterator[list[signal.Signals]]:
    """Notes SIGINT and SIGTERM instead of dying of them; a second SIGINT is a KeyboardInterrupt."""
    received: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _global_randomness_restored() -> Iterator[None]:
    """Networks may use torch's global generator (dropout): the run seeds it step by step, and gives it back."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield
