"""A run that stopped goes on bit for bit, and refuses to go on as something else."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import reparam
from reparam import pipeline, vae
from reparam.cli.main import main
from reparam.errors import Interrupted, RunError, UsageError
from reparam.runs import Run
from reparam.training.progress import SilentWatcher
from tests.runs.faults import snapshot
from tests.training.small import TABLE, Crash, CrashAfter, SignalAfter, make_state, make_vae, run_training
from tests.vae.small import small_vae

# In the middle of an epoch and of an interval between evaluations, at an evaluation, at the end of an epoch, before the
# first evaluation, after the last step.
STOPS = [1, 6, 7, 8, 10, 14, 23, 30, 39, 40]


def go_on(path: Path, watcher: SilentWatcher | None = None) -> None:
    """Start or resume the small run as the pipeline does."""
    run = Run.open(path) if path.exists() else Run.create(path, {})
    state = make_state()
    run.clean()
    checkpoint, damaged = run.load_latest_good()
    assert damaged == []
    if checkpoint is not None:
        state.restore(checkpoint)
    run_training(state, run, watcher)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes | None]:
    path = tmp_path_factory.mktemp("straight") / "run"
    go_on(path)
    return snapshot(path)


@pytest.mark.parametrize("stop", STOPS)
def test_a_crash_after_any_step_changes_no_bit(tmp_path: Path, straight: dict[str, bytes | None], stop: int) -> None:
    with pytest.raises(Crash):
        go_on(tmp_path / "run", CrashAfter(stop))
    go_on(tmp_path / "run")
    assert snapshot(tmp_path / "run") == straight


def test_many_crashes_change_no_bit(tmp_path: Path, straight: dict[str, bytes | None]) -> None:
    for stop in STOPS:
        with pytest.raises(Crash):
            go_on(tmp_path / "run", CrashAfter(stop))
    go_on(tmp_path / "run")
    assert snapshot(tmp_path / "run") == straight


def test_a_crash_between_metrics_and_checkpoint_changes_no_bit(
    tmp_path: Path, straight: dict[str, bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*arguments: Any, **more: Any) -> None:
        raise Crash

    with pytest.raises(Crash):
        go_on(tmp_path / "run", CrashAfter(8))
    monkeypatch.setattr(Run, "write_checkpoint", crash)
    with pytest.raises(Crash):
        go_on(tmp_path / "run")
    monkeypatch.undo()
    assert [record["step"] for record in Run.open(tmp_path / "run").metrics()] == [7, 7, 14, 14]
    go_on(tmp_path / "run")
    assert snapshot(tmp_path / "run") == straight


def test_the_comparison_sees_a_draw_of_dropout(tmp_path: Path, straight: dict[str, bytes | None]) -> None:
    """Without dropout the bytes differ."""
    run = Run.create(tmp_path / "run", {})
    run_training(make_state(make_vae(dropout=0.0)), run)
    assert snapshot(run.path) != straight


# Through the whole pipeline

SETTINGS = reparam.Settings(epochs=4, batch_size=20, evaluate_every=3, num_samples=5, width=8, learning_rate=0.01)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "table.npy"
    np.save(path, TABLE.draw(100).numpy())
    return path


def interrupt(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    monkeypatch.setattr(pipeline, "SilentWatcher", lambda: SignalAfter(step, signal.SIGTERM))


@pytest.fixture
def interrupted(tmp_path: Path, table: Path) -> Path:
    """A run stopped after step 7 of 16."""
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, 7)
        with pytest.raises(Interrupted, match="stopped by SIGTERM after step 7"):
            reparam.fit(table, SETTINGS, out=tmp_path / "run", progress=False)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    path = tmp_path_factory.mktemp("finished") / "run"
    reparam.fit(table, SETTINGS, out=path, progress=False)
    return path


def test_an_interrupted_run_ends_as_the_straight_one(interrupted: Path, finished: Path) -> None:
    assert Run.open(interrupted).description["status"] == "training"
    reparam.resume(interrupted, progress=False)
    assert snapshot(interrupted) == snapshot(finished)


def test_a_model_of_your_own_with_dropout_resumes_bit_for_bit(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reparam.fit(table, SETTINGS, out=tmp_path / "a" / "run", model=make_vae(), progress=False)
    interrupt(monkeypatch, 7)
    with pytest.raises(Interrupted):
        reparam.fit(table, SETTINGS, out=tmp_path / "b" / "run", model=make_vae(), progress=False)
    monkeypatch.undo()
    with pytest.raises(RunError, match=r"started with your own model: resume\(path, model=\.\.\.\) needs the same"):
        reparam.resume(tmp_path / "b" / "run", progress=False)
    other = small_vae((4,), width=8)
    with pytest.raises(
        RunError, match=r"checkpoint 7 is of another model: expected 'model\.encoder\.network\.1\.stem\.weight'"
    ):
        reparam.resume(tmp_path / "b" / "run", model=other, progress=False)
    reparam.resume(tmp_path / "b" / "run", model=make_vae(), progress=False)
    assert snapshot(tmp_path / "b" / "run") == snapshot(tmp_path / "a" / "run")


class Scaled:
    """The bound, and a loss of its own that uses a parameter of the model."""

    def __call__(self, model: Any, x: torch.Tensor, **options: Any) -> vae.Terms:
        terms = vae.Elbo()(model, x, **options)
        return replace(terms, loss=terms.loss + model.decoder.family.offset.square().sum())


def test_an_objective_of_your_own_resumes_bit_for_bit(
    tmp_path: Path, table: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = reparam.fit(table, SETTINGS, out=tmp_path / "a" / "run", objective=Scaled(), progress=False)
    assert "objective: your own" in straight.run.description["notes"]
    usual = Run.open(finished).description["best"]["bound_nats"]
    assert straight.run.description["best"]["bound_nats"] != usual
    interrupt(monkeypatch, 7)
    with pytest.raises(Interrupted):
        reparam.fit(table, SETTINGS, out=tmp_path / "b" / "run", objective=Scaled(), progress=False)
    monkeypatch.undo()
    with pytest.raises(RunError, match=r"your own objective: resume\(path, objective=\.\.\.\) needs the same"):
        reparam.resume(tmp_path / "b" / "run", progress=False)
    with pytest.raises(RunError, match=r"not started with your own model: resume\(path\) without it"):
        reparam.resume(tmp_path / "b" / "run", objective=Scaled(), model=make_vae(), progress=False)
    reparam.resume(tmp_path / "b" / "run", objective=Scaled(), progress=False)
    assert snapshot(tmp_path / "b" / "run") == snapshot(tmp_path / "a" / "run")


def test_data_that_was_an_array_is_needed_again(
    tmp_path: Path, table: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.load(table)
    interrupt(monkeypatch, 7)
    with pytest.raises(Interrupted):
        reparam.fit(rows, SETTINGS, out=tmp_path / "run", progress=False)
    monkeypatch.undo()
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match=r"was trained on an array: resume\(path, x\)"):
        reparam.resume(tmp_path / "run", progress=False)
    with pytest.raises(RunError, match=r"the data is not what .* was started with: its content differs"):
        reparam.resume(tmp_path / "run", rows[::-1], progress=False)
    assert snapshot(tmp_path) == before
    reparam.resume(tmp_path / "run", rows, progress=False)
    ours, theirs = snapshot(tmp_path / "run"), snapshot(finished)
    differ = {name for name in theirs if ours[name] != theirs[name]}
    assert differ <= {"run.json", "report/index.html"}  # the source's name stands there


# What is refused


def refuse(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    """A command that fails with this exit code; what it says."""
    assert main(["train", *map(str, arguments)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "5"], "epochs was 4, now 5"),
        (["--learning-rate", "0.5"], "learning_rate was 0.01, now 0.5"),
        (["--latent-dim", "2"], "latent_dim was None, now 2"),
        (["--likelihood", "gaussian", "--seed", "1"], "seed was 0, now 1, likelihood was None, now 'gaussian'"),
    ],
)
def test_other_settings_are_refused_with_the_values_before_and_now(
    interrupted: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    before = snapshot(interrupted)
    said = refuse(capsys, 4, "--resume", interrupted, *options)
    assert f"error: {interrupted} was started with other settings: {message}. Leave them out to resume" in said
    assert snapshot(interrupted) == before


def test_the_same_settings_may_be_said_again(interrupted: Path, finished: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text("epochs = 4\nbatch_size = 20\n")
    assert main(["train", "--resume", str(interrupted), "--config", str(config), "--learning-rate", "0.01"]) == 0
    assert snapshot(interrupted) == snapshot(finished)


def test_other_data_is_refused(
    interrupted: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.load(table)
    rows[-1, -1] = np.nextafter(rows[-1, -1], 9)
    np.save(tmp_path / "other.npy", rows)
    before = snapshot(interrupted)
    said = refuse(capsys, 4, tmp_path / "other.npy", "--resume", interrupted)
    assert "the data is not what" in said
    assert "Bring the data back, or start a new run with another --out" in said
    assert snapshot(interrupted) == before


def test_the_same_data_in_another_place_is_accepted(
    interrupted: Path, table: Path, finished: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "moved.npy", np.load(table))
    assert main(["train", str(tmp_path / "moved.npy"), "--resume", str(interrupted)]) == 0
    assert snapshot(interrupted) == snapshot(finished)


def test_a_finished_run_says_so_and_changes_nothing(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(finished)
    assert main(["train", "--resume", str(finished)]) == 0
    out, err = capsys.readouterr()
    assert f"{finished} is finished after 16 steps: nothing to do" in err
    assert "test log-likelihood" in out
    assert snapshot(finished) == before
    assert main(["train", "--resume", str(finished), "--epochs", "9"]) == 4
    assert snapshot(finished) == before


def test_nothing_to_resume_is_said_in_four_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    before = snapshot(tmp_path)
    assert "does not exist" in refuse(capsys, 4, "--resume", tmp_path / "nothing")
    assert "is not a run directory: it has no run.json" in refuse(capsys, 4, "--resume", tmp_path / "empty")
    assert "is not a directory" in refuse(capsys, 4, "--resume", tmp_path / "file")
    assert "leave --out out" in refuse(capsys, 2, "--resume", tmp_path / "empty", "--out", tmp_path / "x")
    assert snapshot(tmp_path) == before


def test_a_run_of_another_process_is_left_alone(interrupted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys\nfrom reparam.runs import Run\n"
        "with Run.open(sys.argv[1]).lock():\n    print('locked', flush=True)\n    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(interrupted)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        before = snapshot(interrupted)
        said = refuse(capsys, 4, "--resume", interrupted)
        assert "is being written by another process" in said
        assert snapshot(interrupted) == before
        holder.communicate()
    assert holder.returncode == 0


def test_a_damaged_checkpoint_is_named_and_the_one_before_used(
    interrupted: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = interrupted / "checkpoints" / "7" / "training.safetensors"
    damaged = bytearray(file.read_bytes())
    damaged[-5] ^= 1
    file.write_bytes(damaged)
    assert main(["train", "--resume", str(interrupted)]) == 0
    said = capsys.readouterr().err
    assert str(file) in said
    assert "going on after step 6" in said
    assert snapshot(interrupted) == snapshot(finished)


def test_another_environment_is_said_aloud(interrupted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    description: dict[str, Any] = json.loads((interrupted / "run.json").read_text())
    description["environment"] |= {"torch": "2.10.0", "num_threads": 64}
    Run.open(interrupted).update(environment=description["environment"])
    assert main(["train", "--resume", str(interrupted)]) == 0
    said = capsys.readouterr().err
    assert f"torch was 2.10.0 and is {torch.__version__} now: the result will not be bit-identical" in said
    assert "num_threads was 64 and is" in said
    assert "device was" not in said
