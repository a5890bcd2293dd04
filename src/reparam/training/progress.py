"""Telling a person how training goes: a live bar on a terminal, plain lines elsewhere; always on stderr."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["BarWatcher", "LineWatcher", "SilentWatcher", "console_watcher"]


class SilentWatcher:
    """Says nothing."""

    def say(self, sentence: str) -> None:
        """A decision or an event worth a line."""

    def start(self, step: int, total: int) -> None:
        """Training goes on from ``step``; it ends at ``total`` at the latest."""

    def step(self, step: int) -> None:
        """Step ``step`` is done."""

    def evaluated(self, records: Sequence[Mapping[str, Any]], *, best: bool) -> None:
        """An evaluation was made and a checkpoint written."""

    def stop(self) -> None:
        """Training ended, one way or another."""


class LineWatcher(SilentWatcher):
    """One plain line for each evaluation, with the time left."""

    def __init__(self) -> None:
        self.total = 1
        self.first = 0
        self.began = 0.0

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()

    def start(self, step: int, total: int) -> None:
        """Start the clock."""
        self.first, self.total, self.began = step, total, time.monotonic()

    def evaluated(self, records: Sequence[Mapping[str, Any]], *, best: bool) -> None:
        """Print the terms."""
        step = records[0]["step"]
        left = (time.monotonic() - self.began) / max(step - self.first, 1) * (self.total - step)
        self.say(f"step {step:>6,}/{self.total:,}  {terms_text(records, best)}  {_duration(left)} left")


class BarWatcher(SilentWatcher):
    """A live progress bar by ``rich``, with the terms of the last evaluation."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.console = Console(stderr=True, highlight=False)
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("[cyan]{task.fields[terms]}"),
            console=self.console,
            transient=False,
            speed_estimate_period=60,
        )
        self.task = self.bar.add_task("training", terms="", visible=False)

    def say(self, sentence: str) -> None:
        """Print a sentence above the bar."""
        self.console.print(sentence, markup=False, soft_wrap=True)

    def start(self, step: int, total: int) -> None:
        """Show the bar."""
        self.bar.update(self.task, total=total, completed=step, visible=True)
        self.bar.start()

    def step(self, step: int) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=step)

    def evaluated(self, records: Sequence[Mapping[str, Any]], *, best: bool) -> None:
        """Show the terms."""
        self.bar.update(self.task, terms=terms_text(records, best))

    def stop(self) -> None:
        """Leave the bar as it is."""
        self.bar.stop()


def console_watcher() -> SilentWatcher:
    """A bar if stderr is a terminal that can show one, lines if not."""
    from rich.console import Console

    console = Console(stderr=True)
    return BarWatcher() if console.is_terminal and not console.is_dumb_terminal else LineWatcher()


def terms_text(records: Sequence[Mapping[str, Any]], best: bool) -> str:
    """``bound -90.1 = -(distortion 65.0 + rate 25.1) nats, training -89.0``."""
    train, validation = records
    return (
        f"validation bound {validation['elbo_nats']:.2f} nats{' *' if best else '  '}"
        f"(distortion {validation['distortion_nats']:.2f}, rate {validation['rate_nats']:.2f}; training "
        f"{train['elbo_nats']:.2f})"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
