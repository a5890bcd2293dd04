"""What a person sees of training: terms in nats and the time left, on stderr alone."""

import io
import sys
import time

import pytest

from reparam.training.progress import BarWatcher, LineWatcher, SilentWatcher, console_watcher, terms_text

RECORDS = [
    {"step": 1500, "split": "train", "elbo_nats": -89.004, "distortion_nats": 64.0, "rate_nats": 25.004},
    {"step": 1500, "split": "validation", "elbo_nats": -90.126, "distortion_nats": 65.0, "rate_nats": 25.126},
]


class Terminal(io.StringIO):
    """A stderr that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch, kind: str = "xterm-256color") -> Terminal:
    """Called in the test itself: pytest sets stderr anew between fixtures and test."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setenv("COLUMNS", "200")
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_the_terms_are_told_with_the_best_marked() -> None:
    text = "validation bound -90.13 nats *(distortion 65.00, rate 25.13; training -89.00)"
    assert terms_text(RECORDS, best=True) == text
    assert terms_text(RECORDS, best=False) == text.replace(" *", "  ")


@pytest.mark.parametrize(
    ("elapsed", "first", "left"), [(30.0, 0, "0:10"), (30.0, 1000, "0:30"), (36_000.0, 0, "3:20:00"), (0.0, 0, "0:00")]
)
def test_a_line_has_the_terms_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], elapsed: float, first: int, left: str
) -> None:
    clock = iter([100.0, 100.0 + elapsed])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    watcher = LineWatcher()
    watcher.start(first, 2000)
    watcher.step(1500)
    watcher.evaluated(RECORDS, best=True)
    watcher.stop()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"step  1,500/2,000  {terms_text(RECORDS, True)}  {left} left\n"


def test_a_bar_moves_shows_the_terms_and_keeps_sentences_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    watcher = console_watcher()
    assert isinstance(watcher, BarWatcher)
    watcher.say("run directory: runs/[bold]1[/bold]")
    watcher.start(100, 2000)
    watcher.step(1500)
    watcher.evaluated(RECORDS, best=True)
    watcher.say("checkpoint [/x] saved")
    watcher.stop()
    text = terminal.getvalue()
    assert "run directory: runs/[bold]1[/bold]\n" in text
    assert "checkpoint [/x] saved" in text
    assert "1500/2000" in text
    assert "validation bound -90.13 nats *(distortion 65.00, rate 25.13; training -89.00)" in text


def test_a_bar_that_is_never_started_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    watcher = console_watcher()
    watcher.say("data: 10 rows")
    watcher.stop()
    assert terminal.getvalue().strip() == "data: 10 rows"


def test_without_a_terminal_there_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(console_watcher()) is LineWatcher


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch, kind="dumb")
    assert type(console_watcher()) is LineWatcher
    assert terminal.getvalue() == ""


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = SilentWatcher()
    watcher.say("x")
    watcher.start(0, 1)
    watcher.step(1)
    watcher.evaluated(RECORDS, best=True)
    watcher.stop()
    assert capsys.readouterr() == ("", "")
