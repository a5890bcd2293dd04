"""A run in a process of its own that is killed again and again, and the same run left in peace.

The kills are aimed: at start-up, between steps of training, into the writing of a checkpoint, and into the evaluation
and report at the end. A kill in training waits until the process has got one checkpoint further, so a run that is
killed many times still ends.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from reparam.runs import Run
from tests.linear_gaussian import LinearGaussian

MOMENTS = ("start-up", "training", "checkpoint", "finishing")
ROWS, BATCH, STEPS_PER_EVALUATION = 640, 64, 7
EVALUATIONS_PER_KILL = 8
PATIENCE_S = 120.0


def prepare(folder: Path, num_kills: int) -> None:
    """Data and settings of a run with a few evaluations for each kill, most of them in the middle of an epoch."""
    table = LinearGaussian().draw(ROWS).numpy()
    np.savetxt(folder / "table.csv", table, delimiter=",", header="a,b,c,d,e", comments="", fmt="%.3f")
    steps_per_epoch = round(0.8 * ROWS) // BATCH
    epochs = -(-(6 + EVALUATIONS_PER_KILL * num_kills) * STEPS_PER_EVALUATION // steps_per_epoch)
    (folder / "settings.toml").write_text(
        f"epochs = {epochs}\nbatch_size = {BATCH}\nevaluate_every = {STEPS_PER_EVALUATION}\npatience = 100000\n"
        "width = 16\nnum_samples = 20\n"
    )


def run_straight(folder: Path) -> Path:
    """The run that nobody disturbs; returns its directory."""
    run = folder / "straight" / "run"
    process = _start(folder, run)
    _require(process.wait(PATIENCE_S) == 0, folder)
    return run


def run_killed(folder: Path, moments: Sequence[str], seed: int) -> tuple[Path, list[str]]:
    """The run that is killed at each of these moments; its directory, and where each kill was seen to land."""
    run, chance, landed = folder / "killed" / "run", random.Random(seed), []
    for moment in moments:
        process = _start(folder, run)
        place = _kill(process, run, moment, chance)
        _require(process.wait(PATIENCE_S) == -signal.SIGKILL, folder)
        landed.append(place)
        if (run / "run.json").exists():
            damaged = Run.open(run).load_latest_good()[1]
            assert not damaged, f"a kill in {place} left damage in sight: {damaged}"
    process = _start(folder, run)
    _require(process.wait(PATIENCE_S) == 0, folder)
    return run, landed


def moments_of(num_kills: int, seed: int) -> list[str]:
    """Moments in random order, those of the end at the end: a fifth each at start-up and the end."""
    chance, few = random.Random(seed), max(num_kills // 5, 1)
    early = ["start-up"] * few + [MOMENTS[1 + index % 2] for index in range(num_kills - 2 * few)]
    chance.shuffle(early)
    return early + ["finishing"] * few


def _start(folder: Path, run: Path) -> subprocess.Popen[bytes]:
    fresh = ["table.csv", "--config", "settings.toml", "--out", str(run)]
    arguments = ["--resume", str(run)] if (run / "run.json").exists() else fresh
    with open(folder / "stderr.txt", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", "from reparam.cli.main import run; run()", "train", *arguments],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )


def _kill(process: subprocess.Popen[bytes], run: Path, moment: str, chance: random.Random) -> str:
    begun, started = _newest_step(run), time.monotonic()

    def further() -> bool:
        return _newest_step(run) > begun or _finishing(run)

    if moment == "start-up":
        delay = chance.uniform(0.0, 3.0)
        _wait(process, lambda: time.monotonic() - started > delay or further())
    elif moment == "training":
        _wait(process, further)
        time.sleep(chance.uniform(0.0, 0.1))
    elif moment == "checkpoint":
        _wait(process, further)
        _wait(process, lambda: _writing(run) or _finishing(run), pause=0.0)
        time.sleep(chance.uniform(0.0, 0.003))
    else:
        _wait(process, lambda: _finishing(run))
        time.sleep(chance.uniform(0.0, 1.0))
    process.kill()
    process.wait()
    if _finishing(run):
        return "finishing"
    if _writing(run):
        return "checkpoint"
    return "training" if _newest_step(run) > begun else "start-up"


def _wait(process: subprocess.Popen[bytes], condition: Callable[[], bool], pause: float = 0.002) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(pause)


def _newest_step(run: Path) -> int:
    return max((int(name) for name in _names(run) if name.isdigit()), default=-1)


def _writing(run: Path) -> bool:
    return any(name.startswith(".tmp-") for name in _names(run))


def _names(run: Path) -> list[str]:
    try:
        return os.listdir(run / "checkpoints")
    except FileNotFoundError:
        return []


def _finishing(run: Path) -> bool:
    try:
        return "steps_done" in json.loads((run / "run.json").read_text())
    except FileNotFoundError:
        return False


def _require(as_expected: bool, folder: Path) -> None:
    assert as_expected, f"the process did not end as expected:\n{(folder / 'stderr.txt').read_text()[-3000:]}"
