import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from reparam.errors import InputOutputError, RunError, UsageError
from reparam.runs import FORMAT_VERSION, Run, files, next_free
from tests.runs.faults import Fault, in_child, kill, no_space, snapshot

DESCRIPTION = {"status": "training", "name": "digits", "settings": {"seed": 0}, "notes": ["größe"]}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power is cut here, so that waiting for the disk would only take time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "digits", DESCRIPTION)


def train(run: Run, first: int, last: int) -> None:
    """A pretended training: metrics each step, a checkpoint each second step, the best at step 4."""
    for step in range(first, last + 1):
        run.append_metrics([{"step": step, "elbo_nats": -1.0 / step}])
        if step % 2 == 0:
            progress = {"metrics_bytes": run.metrics_size()}
            run.write_checkpoint(step, {"w": torch.full((3,), float(step))}, {}, progress, best=step <= 4)


def resume(path: Path, last: int) -> None:
    run = Run.open(path)
    with run.lock():
        run.clean()
        checkpoint, messages = run.load_latest_good()
        assert messages == []
        run.truncate_metrics(checkpoint.progress["metrics_bytes"] if checkpoint else 0)
        train(run, checkpoint.step + 1 if checkpoint else 1, last)
        run.update(status="finished")


# Making and opening


def test_create_then_open(run: Run) -> None:
    assert run.description["format_version"] == FORMAT_VERSION
    assert DESCRIPTION.items() <= run.description.items()
    assert Run.open(run.path).description == run.description
    assert Run.open(str(run.path)).path == run.path
    assert snapshot(run.path.parent).keys() == {"digits", "digits/run.json"}
    assert str(run.path) in repr(run)


def test_create_makes_parents(tmp_path: Path) -> None:
    assert Run.create(tmp_path / "a" / "b" / "c", {}).path.is_dir()


def test_create_refuses_what_exists(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    untouched = snapshot(tmp_path)
    with pytest.raises(RunError, match=r"holds a run: go on .*`reparam train --resume .*digits`, or .* --out"):
        Run.create(run.path, {})
    with pytest.raises(RunError, match=r"file exists and is a file; choose another name with --out"):
        Run.create(tmp_path / "file", {})
    with pytest.raises(RunError, match=r"empty exists and is not a run directory; choose .* --out"):
        Run.create(tmp_path / "empty", {})
    with pytest.raises(RunError, match=r"dangling exists and is a file"):
        Run.create(tmp_path / "dangling", {})
    assert snapshot(tmp_path) == untouched


def test_create_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputOutputError, match=r"cannot create the run directory .*/file\. .*`--out` chooses"):
        Run.create(tmp_path / "file" / "run", {})


def test_create_where_writing_is_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: int = 0o777) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    said = r"cannot create the run directory .*x: Permission denied: .*Check who owns.*`--out` chooses"
    with pytest.raises(InputOutputError, match=said):
        Run.create(tmp_path / "x", {})
    with pytest.raises(InputOutputError, match=said):
        Run.create(tmp_path / "parent" / "x", {})
    assert os.listdir(tmp_path) == []


def test_create_failing_or_killed_at_any_call_shows_all_or_nothing(tmp_path: Path) -> None:
    ends: list[int] = []
    while 0 not in ends:
        fault = Fault(len(ends) + 1, no_space)
        with pytest.MonkeyPatch.context() as patch, suppress(InputOutputError):
            fault.install(patch)
            Run.create(tmp_path / f"failed {len(ends)}", DESCRIPTION)
        assert not list(tmp_path.glob(f"{files.TEMPORARY}*"))
        path = tmp_path / f"killed {len(ends)}"

        def work(path: Path = path) -> None:
            Fault(len(ends) + 1, kill).install(pytest.MonkeyPatch())
            Run.create(path, DESCRIPTION)

        ends.append(in_child(work))
        if path.exists():
            assert DESCRIPTION.items() <= Run.open(path).description.items()
        for leftover in tmp_path.glob(f"{files.TEMPORARY}*"):
            files.remove_tree(leftover)
    assert ends == [-9] * 7 + [0]


def test_open_says_what_is_wrong(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"run directory .*none does not exist; check the path"):
        Run.open(tmp_path / "none")
    with pytest.raises(RunError, match=r"run\.json is not a directory; give the run directory"):
        Run.open(run.path / "run.json")
    with pytest.raises(RunError, match=r"empty is not a run directory: it has no run\.json"):
        Run.open(tmp_path / "empty")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"run\.json is not strict JSON"),
        (b'{"format_version": 2, "seed"', r"run\.json is not strict JSON: .*line 1 column"),
        (b'{"format_version": 2, "a": 1, "a": 2}', r"run\.json is not strict JSON: the key 'a' occurs twice"),
        (b"[]", r"run\.json holds a JSON list, not an object"),
        (b"{}", r"run\.json has no usable format_version"),
        (b'{"format_version": 3, "anything": "else"}', r"run\.json has format 3, .* upgrade reparam \(`pip"),
        (
            b'{"format_version": 1, "anything": "else"}',
            r"run\.json has format 1, .* an earlier one wrote it",
        ),
        (b" " * 16_000_001, r"run\.json has 16000001 bytes, more than"),
    ],
)
def test_open_refuses_a_description_that_is_damaged_or_of_another_format(run: Run, data: bytes, said: str) -> None:
    (run.path / "run.json").write_bytes(data)
    with pytest.raises(RunError, match=said):
        Run.open(run.path)


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        " leading",
        "größe-数字-🎲",
        "line\nbreak",
        "'quoted\" $HOME;",
        "x" * 200,
        "é" * 127,
        "n" * 255,
        "-o",
    ],
)
def test_any_name_a_directory_can_have(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    train(Run.create(path, DESCRIPTION), 1, 2)
    run = Run.open(path)
    with run.lock():
        assert run.clean() == []
    run.write_bytes("report/index.html", b"<html>")
    assert run.load_checkpoint("latest").step == 2
    assert os.listdir(tmp_path) == [name]
    with pytest.raises(RunError, match="exists and holds a run"):
        Run.create(path, {})


def test_a_name_too_long(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match=r"File name too long.*Choose a shorter name"):
        Run.create(tmp_path / ("x" * 256), {})


def test_a_run_behind_a_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run.path)
    linked = Run.open(tmp_path / "link")
    train(linked, 1, 4)
    assert run.load_checkpoint("latest").step == 4
    assert (tmp_path / "link").is_symlink()


def test_nothing_depends_on_locale_time_zone_or_clock(tmp_path: Path) -> None:
    code = (
        "import sys; from reparam.runs import Run; "
        "run = Run.create(sys.argv[1], {'name': 'gr\\u00f6\\u00dfe'}); "
        "run.append_metrics([{'step': 1, 'note': '\\u6570'}]); "
        "run.write_checkpoint(1, {}, {}, {'x': '\\u00e9'}, best=True); "
        "assert Run.open(sys.argv[1]).metrics()[0]['note'] == '\\u6570'"
    )
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "TZ": "Asia/Tokyo",
    }
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], env=environment, check=True)
    run = Run.create(tmp_path / "here", {"name": "größe"})
    run.append_metrics([{"step": 1, "note": "数"}])
    run.write_checkpoint(1, {}, {}, {"x": "é"}, best=True)
    assert snapshot(tmp_path / "here") == snapshot(tmp_path / "there")


def test_next_free_is_the_first_number_not_in_use(tmp_path: Path) -> None:
    assert next_free(tmp_path / "runs") == tmp_path / "runs" / "1"
    for name in ("1", "2", "4"):
        (tmp_path / name).mkdir()
    assert next_free(tmp_path) == tmp_path / "3"
    (tmp_path / "3").symlink_to(tmp_path / "nowhere")
    assert next_free(tmp_path) == tmp_path / "5"


# Killed and resumed


def test_killed_anywhere_and_resumed_gives_the_same_files(tmp_path: Path) -> None:
    resume(Run.create(tmp_path / "straight", DESCRIPTION).path, 7)
    straight = snapshot(tmp_path / "straight")
    assert {"latest", "best", "metrics.jsonl", "checkpoints/4", "checkpoints/6"} <= straight.keys()
    assert ".lock" not in straight
    number, kills = 1, 0
    while True:
        path = Run.create(tmp_path / f"run {number}", DESCRIPTION).path

        def work(path: Path = path, number: int = number) -> None:
            Fault(number, kill).install(pytest.MonkeyPatch())
            resume(path, 7)

        end = in_child(work)
        kills += end == -9
        resume(path, 7)
        assert snapshot(path) == straight
        if end == 0:
            break
        number += 5  # each kind of call is hit; every single one is in test_checkpoints.py
    assert kills > 10


def test_clean_removes_and_names_what_is_temporary(run: Run) -> None:
    train(run, 1, 4)
    untouched = snapshot(run.path)
    (run.path / "report").mkdir()
    for name in (".tmp-one", "report/.tmp-two", "checkpoints/.tmp-6-1/model.safetensors"):
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).write_bytes(b"half")
    assert run.clean() == [".tmp-one", "checkpoints/.tmp-6-1", "report/.tmp-two"]
    assert run.clean() == []
    assert snapshot(run.path) == untouched | {"report": None}


def test_clean_says_what_the_system_refuses(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (run.path / ".tmp-x").write_bytes(b"")
    monkeypatch.setattr(files, "remove", refuse)
    with pytest.raises(InputOutputError, match=r"cannot tidy up .*digits: Permission denied: .*\.tmp-x"):
        run.clean()


def test_a_damaged_checkpoint_is_reported_and_the_one_before_used(run: Run) -> None:
    train(run, 1, 6)
    (run.path / "checkpoints/6/model.safetensors").write_bytes(b"not a checkpoint")
    run.clean()
    assert run.checkpoint_steps() == [4, 6]
    checkpoint, messages = run.load_latest_good()
    assert checkpoint is not None
    assert checkpoint.step == 4
    assert [message.partition(":")[0] for message in messages] == [f"{run.path}/checkpoints/6/model.safetensors"]


def test_metrics_reach_the_disk_before_the_checkpoint_that_counts_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(1000, no_space)
    fault.install(monkeypatch)
    train(run, 1, 2)
    assert [name for name, _ in fault.calls][:4] == ["write", "write", "fsync", "make_directory"]


def test_metrics_through_the_run(run: Run) -> None:
    run.append_metrics([{"step": 1}, {"step": 2}])
    size = run.metrics_size()
    with open(run.path / "metrics.jsonl", "ab") as handle:
        handle.write(b'{"step": 3}\n{"st')
    assert run.metrics() == [{"step": 1}, {"step": 2}, {"step": 3}]
    run.truncate_metrics(size)
    assert run.metrics() == [{"step": 1}, {"step": 2}]


# The lock


def try_lock(path: Path) -> None:
    with Run.open(path).lock():
        pass


def test_a_second_process_is_refused(run: Run) -> None:
    def second() -> None:
        with pytest.raises(RunError, match=r"digits is being written by another process; wait .*--out"):
            try_lock(run.path)

    with run.lock():
        assert in_child(second) == 0
        with pytest.raises(RunError, match="is being written by another process"):
            try_lock(run.path)
    assert in_child(lambda: try_lock(run.path)) == 0
    assert os.listdir(run.path) == ["run.json"]


def test_the_lock_of_a_killed_process_does_not_count(run: Run) -> None:
    code = (
        "import sys, time; from reparam.runs import Run\n"
        "with Run.open(sys.argv[1]).lock(): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(run.path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="is being written by another process"):
            try_lock(run.path)
        process.send_signal(signal.SIGKILL)
    assert (run.path / ".lock").exists()
    try_lock(run.path)
    assert os.listdir(run.path) == ["run.json"]


def test_the_lock_goes_when_the_work_fails(run: Run) -> None:
    with pytest.raises(ZeroDivisionError), run.lock():
        raise ZeroDivisionError
    try_lock(run.path)


def test_never_two_holders_though_the_file_comes_and_goes(run: Run) -> None:
    inside = run.path / "inside"

    def worker() -> None:
        until = time.monotonic() + 0.5
        held = 0
        while time.monotonic() < until or not held:
            with suppress(RunError), run.lock():
                inside.mkdir()  # fails if another holder is inside
                inside.rmdir()
                held += 1

    def both() -> None:
        child = os.fork()
        if child == 0:
            os._exit(in_child(worker))
        worker()
        assert os.waitpid(child, 0)[1] == 0

    assert in_child(both) == 0


def test_a_lock_where_writing_is_not_allowed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path).endswith(".lock"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    with (
        pytest.raises(InputOutputError, match=r"cannot lock .*digits: Permission denied: .*\.lock"),
        run.lock(),
    ):
        pass


# Files by name


def test_update_changes_entries(run: Run) -> None:
    run.update(status="finished", best={"step": 4, "bound_nats": -1.5})
    assert Run.open(run.path).description == run.description
    assert run.description == {
        **run.description,
        "status": "finished",
        "name": "digits",
        "best": {"step": 4, "bound_nats": -1.5},
    }


def test_update_that_fails_changes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match=r"run\.json: value\.best is nan"):
        run.update(best=float("nan"))
    Fault(1, no_space, for_good=True).install(monkeypatch)
    with pytest.raises(InputOutputError, match=r"cannot write run\.json: No space"):
        run.update(status="finished")
    assert run.description["status"] == "training"
    assert Run.open(run.path).description == run.description


def test_files_by_name(run: Run) -> None:
    run.write_bytes("report/index.html", b"<html>")
    run.write_json("evaluation.json", {"elbo_nats": -1.5})
    run.write_tensors("gallery.safetensors", {"labels": torch.arange(3)}, {"label_names": json.dumps(["a", "é"])})
    assert (run.path / "report" / "index.html").read_bytes() == b"<html>"
    assert run.read_json("evaluation.json") == {"elbo_nats": -1.5}
    tensors, texts = run.read_tensors("gallery.safetensors")
    assert torch.equal(tensors["labels"], torch.arange(3))
    assert json.loads(texts["label_names"]) == ["a", "é"]


def test_missing_files_name_the_command_that_makes_them(run: Run) -> None:
    for read, name in ((run.read_json, "evaluation.json"), (run.read_tensors, "gallery.safetensors")):
        with pytest.raises(RunError, match=rf"digits has no {name}: .*`reparam evaluate .*digits`"):
            read(name)


def test_damaged_files_are_named(run: Run) -> None:
    (run.path / "evaluation.json").write_bytes(b'{"elbo_nats": NaN}')
    with pytest.raises(RunError, match=r"digits/evaluation\.json is not strict JSON: it contains NaN"):
        run.read_json("evaluation.json")
    run.write_tensors("gallery.safetensors", {"samples": torch.ones(9)}, {})
    (run.path / "gallery.safetensors").write_bytes((run.path / "gallery.safetensors").read_bytes()[:-1])
    with pytest.raises(RunError, match=r"digits/gallery\.safetensors is not a safetensors file: it is damaged"):
        run.read_tensors("gallery.safetensors")


def test_a_pickle_under_another_name_is_refused_and_not_executed(run: Run) -> None:
    trap = run.path / "executed"
    payload = pickle.dumps(Payload(trap))
    train(run, 1, 2)
    for name in ("gallery.safetensors", "checkpoints/2/model.safetensors"):
        (run.path / name).write_bytes(payload)
    with pytest.raises(RunError, match=r"gallery\.safetensors is not a safetensors file: it looks like"):
        run.read_tensors("gallery.safetensors")
    with pytest.raises(RunError, match=r"checkpoints/2/model\.safetensors: it has \d+ bytes where"):
        run.load_checkpoint("latest")
    with pytest.raises(RunError, match=r"not strict JSON"):
        run.read_json("gallery.safetensors")
    assert not trap.exists()
    pickle.loads(payload)
    assert trap.exists(), "the payload must be one that works"


class Payload:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/../../x", "/etc/x", "a\0b"])
def test_names_stay_inside_the_run(run: Run, name: str) -> None:
    untouched = snapshot(run.path.parent)
    with pytest.raises(UsageError, match="is not the name of a file inside a run directory"):
        run.write_bytes(name, b"")
    with pytest.raises(UsageError, match="is not the name of a file inside a run directory"):
        run.read_json(name)
    assert snapshot(run.path.parent) == untouched


def test_writing_a_file_that_fails_leaves_the_old_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.write_bytes("report/index.html", b"old")
    untouched = snapshot(run.path)
    Fault(2, no_space).install(monkeypatch)
    with pytest.raises(InputOutputError, match=r"cannot write report/index\.html: No space left"):
        run.write_bytes("report/index.html", b"new")
    assert snapshot(run.path) == untouched


def test_a_run_without_code_or_clock_in_it(run: Run) -> None:
    train(run, 1, 4)
    text = b"".join(data or b"" for data in snapshot(run.path).values())
    for trace in (str(run.path).encode(), os.uname().nodename.encode(), str(os.getpid()).encode() + b" "):
        assert trace not in text
