"""The entry point: exit codes, errors as sentences, and the world around a process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import reparam as package
from reparam.cli import main as entry
from reparam.cli import sample
from reparam.cli.main import main
from tests.cli.conftest import snapshot

PROGRAM = "from reparam.cli.main import run; run()"


def process(words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A shell command in which ``$REPARAM`` is the program."""
    call = f"'{sys.executable}' -c '{PROGRAM}'"
    script = f"set -o pipefail; {words.replace('$REPARAM', call)}"
    home = str(Path(package.__file__).parents[1])
    given = {"PYTHONPATH": home, "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]} | environment
    return subprocess.run(["bash", "-c", script], cwd=folder, env=given, capture_output=True, text=True, check=False)


def test_without_arguments_it_shows_its_help(reparam: Any) -> None:
    alone, asked = reparam(), reparam("--help")
    assert alone == asked
    assert alone.code == 0
    assert alone.out.startswith("Usage: reparam ")
    assert alone.err == ""


def test_a_usage_error_names_the_help_of_its_verb(reparam: Any) -> None:
    assert reparam("sample", "--nun", "3").err.endswith("see: reparam sample --help\n")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory; a smaller --batch-size"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 1, "out of memory; a smaller --batch-size"),
        (PermissionError(13, "Permission denied", "x.csv"), 6, "Permission denied: x.csv"),
        (ZeroDivisionError("by zero"), 1, "unexpected ZeroDivisionError: by zero; --debug"),
    ],
)
def test_every_error_becomes_one_sentence_and_an_exit_code(
    error: BaseException, code: int, message: str, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise error

    monkeypatch.setattr(sample, "load_run", fail)
    result = reparam("sample", "run", "--out", "a.png")
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(f"error: {message}")
    assert "Traceback" not in result.err
    debugged = reparam("sample", "run", "--out", "a.png", "--debug")
    assert debugged.code == code
    assert "Traceback" in debugged.err
    assert type(error).__name__ in debugged.err


def test_messages_quote_commands_by_the_name_that_works_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"], program=".venv/bin/reparam") == 2
    assert "`.venv/bin/reparam train digits" in capsys.readouterr().err
    assert main(["train", "--epoch"], program=".venv/bin/reparam") == 2
    assert "see: .venv/bin/reparam train --help" in capsys.readouterr().err


def test_the_program_is_called_by_its_name_only_where_the_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my tools"
    folder.mkdir()
    script = folder / "reparam"
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert entry._program(str(script)) == "reparam"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert entry._program(str(script)) == f"'{script}'"
    other = tmp_path / "reparam"
    other.touch(mode=0o755)
    assert entry._program(str(script)) == f"'{script}'"
    monkeypatch.chdir(tmp_path)
    assert entry._program("./reparam") == "reparam"
    assert entry._program("-c") == "reparam"


def test_a_reader_that_leaves_early_is_no_error(runs: Path, tmp_path: Path) -> None:
    line = f"$REPARAM sample '{runs / 'digits'}' --out a.png | head -c 0; $REPARAM train --help | head -c 0"
    result = process(line, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "a.png").exists()


def test_a_full_disk_behind_stdout_is_an_error_without_a_traceback(runs: Path, tmp_path: Path) -> None:
    result = process(f"$REPARAM sample '{runs / 'digits'}' --out a.png --num 2 > /dev/full", tmp_path)
    assert result.returncode == 6
    assert result.stderr == "error: No space left on device\n"


def test_it_works_without_stdout_home_locale_or_width(runs: Path, tmp_path: Path) -> None:
    run = tmp_path / "ein schöner Lauf"
    shutil.copytree(runs / "table", run)
    plain = {"LANG": "C", "PYTHONIOENCODING": "ascii", "COLUMNS": "1"}
    line = f"$REPARAM evaluate '{run.name}' --samples 2; $REPARAM report '{run.name}' >&-; $REPARAM --help > help"
    result = process(line, tmp_path, **plain)
    assert (result.returncode, result.stderr) == (0, "")
    assert "test log-likelihood" in result.stdout
    assert (run / "report" / "index.html").exists()
    assert "encode" in (tmp_path / "help").read_text()


def test_help_and_import_load_neither_torch_nor_anything_heavy(tmp_path: Path) -> None:
    heavy = "{'torch', 'numpy', 'pyarrow', 'PIL', 'sklearn', 'matplotlib', 'accelerate'}"
    of_import = f"import sys, reparam; print(sorted({heavy} & set(sys.modules)))"
    of_help = (
        f"import sys; from reparam.cli.main import main; main(['--help']); main(['train', '--help']); "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    for code in (of_import, of_help):
        result = process(f'"{sys.executable}" -c "{code}"', tmp_path)
        assert result.returncode == 0
        assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_first_and_says_how_to_go_on(number: signal.Signals, code: int, tmp_path: Path) -> None:
    (tmp_path / "often.toml").write_text("epochs = 5000\nevaluate_every = 5\nlatent_dim = 2\nwidth = 4\n")
    words = ["train", "digits", "--out", "a run", "--config", "often.toml"]
    home = str(Path(package.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": home, "OMP_NUM_THREADS": "1"}
    training = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "a run/metrics.jsonl").exists():
        assert training.poll() is None, training.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    training.send_signal(number)
    out, err = training.communicate(timeout=60)
    assert training.returncode == code, err
    assert out == ""
    assert f"stopped by {number.name} after step " in err
    assert err.endswith("checkpoint saved\nto go on: reparam train --resume 'a run'\n")
    assert "Traceback" not in err


def test_an_interruption_before_the_run_exists_leaves_nothing(
    tmp_path: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reparam import pipeline

    def interrupted(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "fit", interrupted)
    result = reparam("train", "digits", "--out", tmp_path / "run")
    assert (result.code, result.err) == (130, "error: interrupted\n")
    assert snapshot(tmp_path) == {}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").touch()
    result = reparam("train", "digits", "--out", tmp_path / "run")
    assert result.code == 130
    assert result.err == f"error: interrupted\nto go on: reparam train --resume {tmp_path / 'run'}\n"
