"""Telling a person how training goes: a live bar on a terminal, plain lines elsewhere; always on stderr."""

import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

__all__ = ["BarWatcher", "LineWatcher", "SilentWatcher", "console_watcher", "tenths"]


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
        """Print a sentence; training goes on where its reader has left (``reparam ... 2>&1 | head``)."""
        with suppress(BrokenPipeError):
            sys.stderr.write(f"{sentence}\n")
            sys.stderr.flush()

    def start(self, step: int, total: int) -> None:
        """Start the clock."""
        self.first, self.total, self.began = step, total, time.monotonic()

    def evaluated(self, records: Sequence[Mapping[str, Any]], *, best: bool) -> None:
        """Print the terms."""
        step, total = records[0]["step"], f"{self.total:,}"
        left = (time.monotonic() - self.began) / max(step - self.first, 1) * (self.total - step)
        self.say(f"step {step:>{len(total)},}/{total}, {_duration(left)} left: {terms_text(records, best)}")


class BarWatcher(SilentWatcher):
    """A live progress bar by ``rich``, and below it the terms of the last evaluation."""

    def __init__(self) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.text import Text

        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.completed:,}/{task.total:,} steps,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self.console,
            speed_estimate_period=60,
        )
        self.task = self.bar.add_task("training", total=1)
        self.terms = Text("not evaluated yet", style="cyan")
        self.live = Live(Group(self.bar, self.terms), console=self.console)

    def say(self, sentence: str) -> None:
        """Print a sentence above the bar, broken between words; a path stays whole, to be copied."""
        lines = textwrap.wrap(sentence, self.console.width, break_long_words=False, break_on_hyphens=False)
        self.console.print("\n".join(lines), soft_wrap=True)

    def start(self, step: int, total: int) -> None:
        """Show the bar."""
        self.bar.update(self.task, total=total, completed=step)
        self.live.start()

    def step(self, step: int) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=step)

    def evaluated(self, records: Sequence[Mapping[str, Any]], *, best: bool) -> None:
        """Show the terms."""
        self.terms.plain = terms_text(records, best)

    def stop(self) -> None:
        """Leave the bar as it is."""
        self.live.stop()


def console_watcher() -> SilentWatcher:
    """A bar if stderr is a terminal that can show one, lines if not."""
    from rich.console import Console

    console = Console(stderr=True)
    return BarWatcher() if console.is_terminal and not console.is_dumb_terminal else LineWatcher()


def tenths(total: int, say: Callable[[str], None]) -> Callable[[int], None]:
    """A function to be told how many rows are done, which says so whenever another tenth of them is.

    Example:
        >>> watch = tenths(100, print)
        >>> watch(4); watch(50); watch(100)
        evaluated 50 of 100 rows
    """
    told = 0

    def watch(done: int) -> None:
        nonlocal told
        if done * 10 // total > told and done < total:
            told = done * 10 // total
            say(f"evaluated {done:,} of {total:,} rows")

    return watch


def terms_text(records: Sequence[Mapping[str, Any]], best: bool) -> str:
    """The terms of an evaluation in one line.

    Example:
        >>> terms = {"bound_nats": -90.5, "distortion_nats": 65.25, "rate_nats": 25.25}
        >>> terms_text([terms, terms], True)
        'validation bound -90.50 nats (distortion 65.25, rate 25.25; training -90.50), best so far'
    """
    train, validation = records
    return (
        f"validation bound {validation['bound_nats']:,.2f} nats (distortion {validation['distortion_nats']:,.2f}, rate "
        f"{validation['rate_nats']:,.2f}; training {train['bound_nats']:,.2f}){', best so far' if best else ''}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
