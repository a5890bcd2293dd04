"""What a person sees of training: terms in nats and the time left, on stderr alone."""

import io
import re
import sys
import time

import pytest

from reparam.training.progress import BarWatcher, LineWatcher, SilentWatcher, console_watcher, terms_text

RECORDS = [
    {"step": 1500, "split": "train", "bound_nats": -89.004, "distortion_nats": 64.0, "rate_nats": 25.004},
    {"step": 1500, "split": "validation", "bound_nats": -90.126, "distortion_nats": 65.0, "rate_nats": 25.126},
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
    text = "validation bound -90.13 nats (distortion 65.00, rate 25.13; training -89.00)"
    assert terms_text(RECORDS, best=True) == f"{text}, best so far"
    assert terms_text(RECORDS, best=False) == text


def test_large_terms_are_told_with_separators() -> None:
    large = [{name: value if isinstance(value, str) else 1000 * value for name, value in RECORDS[0].items()}] * 2
    assert terms_text(large, best=False) == (
        "validation bound -89,004.00 nats (distortion 64,000.00, rate 25,004.00; training -89,004.00)"
    )


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
    assert err == f"step 1,500/2,000, {left} left: {terms_text(RECORDS, True)}\n"


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
    assert "1,500/2,000 steps, " in text
    assert terms_text(RECORDS, best=True) in text


def test_in_a_narrow_terminal_sentences_break_between_words_and_paths_and_terms_stay_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = open_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "40")
    watcher = BarWatcher()
    path = "/a/rather-long/path/to-a/run-directory/of-mine"
    watcher.say(f"run directory: {path} and more words after it, :smile: too")
    assert terminal.getvalue() == f"run directory:\n{path}\nand more words after it, :smile: too\n"
    watcher.start(0, 20_000)
    watcher.evaluated(RECORDS, best=True)
    watcher.stop()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert terms_text(RECORDS, best=True) in " ".join(shown.split())
    assert max(len(line) for line in re.split(r"[\r\n]+", shown) if path not in line) <= 40


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


def test_lines_go_on_when_their_reader_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    LineWatcher().say("data: 10 rows")


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = SilentWatcher()
    watcher.say("x")
    watcher.start(0, 1)
    watcher.step(1)
    watcher.evaluated(RECORDS, best=True)
    watcher.stop()
    assert capsys.readouterr() == ("", "")
