import errno
import os
import resource
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from reparam.errors import InputOutputError, RunError, UsageError
from reparam.runs import files
from reparam.runs.checkpoints import Checkpoints
from tests.runs.faults import Fault, in_child, kill, no_space, snapshot

MAX_CALLS = 100


def add(folder: Path, step: int, *, best: bool = False, value: float | None = None) -> None:
    number = float(step) if value is None else value
    model = {"weight": torch.full((4, 5), number)}
    training = {"optimizer.moment": torch.full((4, 5), -number), "rng": torch.arange(16, dtype=torch.uint8)}
    Checkpoints(folder).write(step, model, training, {"epoch": step // 100, "value": number}, best=best)


def steps(folder: Path) -> list[int]:
    return Checkpoints(folder).steps()


def assert_all_is_well(folder: Path, *allowed: int) -> int:
    """What a reader or a resumed training sees right after the fault, before anything was tidied up."""
    checkpoint, messages = Checkpoints(folder).load_latest_good()
    assert checkpoint is not None
    assert messages == []
    assert checkpoint.step in allowed
    for found in (checkpoint, Checkpoints(folder).load("latest"), Checkpoints(folder).load("best")):
        assert torch.equal(found.model["weight"], torch.full((4, 5), float(found.step)))
        assert torch.equal(found.training["optimizer.moment"], -found.model["weight"])
        assert found.progress == {"epoch": found.step // 100, "value": float(found.step)}
    return checkpoint.step


def tidy(folder: Path) -> None:
    """The part of ``Run.clean`` that concerns checkpoints."""
    Checkpoints(folder).recover()
    for leftover in folder.rglob(f"{files.TEMPORARY}*"):
        files.discard(leftover)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power is cut here, so that waiting for the disk would only take time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def before(tmp_path: Path) -> Path:
    folder = tmp_path / "before"
    folder.mkdir()
    add(folder, 100, best=True)
    add(folder, 200)
    return folder


@pytest.fixture(params=[False, True], ids=["another", "best"])
def best(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def straight(before: Path, tmp_path: Path, best: bool) -> dict[str, bytes | None]:
    """The files after a third checkpoint was written without any fault."""
    shutil.copytree(before, tmp_path / "straight")
    add(tmp_path / "straight", 300, best=best)
    return snapshot(tmp_path / "straight")


def test_what_was_written_is_loaded(before: Path) -> None:
    assert assert_all_is_well(before, 200) == 200
    assert Checkpoints(before).load("best").step == 100
    assert Checkpoints(before).load(100).step == 100
    assert (before / "latest").read_bytes() == b"200\n"
    assert sorted(os.listdir(before)) == ["best", "checkpoints", "latest"]


def test_equal_inputs_give_equal_bytes(before: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    add(other, 100, best=True)
    add(other, 200)
    assert snapshot(other) == snapshot(before)


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
def test_an_error_at_any_call(
    before: Path, tmp_path: Path, straight: dict[str, bytes | None], best: bool, for_good: bool
) -> None:
    for number in range(1, MAX_CALLS):
        folder = shutil.copytree(before, tmp_path / f"run {number}")
        fault = Fault(number, no_space, for_good=for_good)
        with pytest.MonkeyPatch.context() as patch:
            fault.install(patch)
            if number == 1:
                with pytest.raises(InputOutputError, match=r"cannot write the checkpoint of step 300: No space"):
                    add(folder, 300, best=best)
            with suppress(InputOutputError):
                add(folder, 300, best=best)
        assert_all_is_well(folder, 200, 300)
        tidy(folder)
        if assert_all_is_well(folder, 200, 300) == 200:
            add(folder, 300, best=best)
        assert snapshot(folder) == straight
        if not fault.struck:
            break
    assert 15 < number < MAX_CALLS


def test_a_kill_at_any_call(before: Path, tmp_path: Path, straight: dict[str, bytes | None], best: bool) -> None:
    ends, seen = [], []
    while 0 not in ends:
        folder = shutil.copytree(before, tmp_path / f"run {len(ends)}")

        def work(folder: Path = folder) -> None:
            Fault(len(ends) + 1, kill).install(pytest.MonkeyPatch())
            add(folder, 300, best=best)

        ends.append(in_child(work))
        seen.append(assert_all_is_well(folder, 200, 300))
        tidy(folder)
        if assert_all_is_well(folder, 200, 300) == 200:
            add(folder, 300, best=best)
        assert snapshot(folder) == straight
    assert ends == [-9] * (len(ends) - 1) + [0]
    assert len(ends) > 15
    assert seen == sorted(seen), "once visible, a checkpoint stays"


def test_a_kill_while_tidying_up_after_a_kill(
    before: Path, tmp_path: Path, straight: dict[str, bytes | None], best: bool
) -> None:
    def renamed() -> None:
        replace = files.replace

        def then_die(source: Path, target: Path) -> None:
            replace(source, target)
            kill("replace")

        files.replace = then_die
        add(killed, 300, best=best)

    killed = shutil.copytree(before, tmp_path / "killed")
    assert in_child(renamed) == -9
    assert (killed / "latest").read_bytes() == b"200\n"
    ends: list[int] = []
    while 0 not in ends:
        folder = shutil.copytree(killed, tmp_path / f"run {len(ends)}")

        def work(folder: Path = folder) -> None:
            Fault(len(ends) + 1, kill).install(pytest.MonkeyPatch())
            tidy(folder)

        ends.append(in_child(work))
        assert assert_all_is_well(folder, 300) == 300
        tidy(folder)
        assert snapshot(folder) == straight
    assert len(ends) > 5


def test_a_kill_at_any_call_of_the_first_checkpoint(tmp_path: Path) -> None:
    ends: list[int] = []
    while 0 not in ends:
        folder = tmp_path / f"run {len(ends)}"
        folder.mkdir()

        def work(folder: Path = folder) -> None:
            Fault(len(ends) + 1, kill).install(pytest.MonkeyPatch())
            add(folder, 100, best=True)

        ends.append(in_child(work))
        checkpoint, messages = Checkpoints(folder).load_latest_good()
        assert messages == []
        tidy(folder)
        if checkpoint is None:
            add(folder, 100, best=True)
        assert_all_is_well(folder, 100)
        assert sorted(os.listdir(folder)) == ["best", "checkpoints", "latest"]
        assert os.listdir(folder / "checkpoints") == ["100"]


def test_a_kill_at_any_call_of_writing_the_only_checkpoint_anew(tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    add(before, 100, best=True)
    ends: list[int] = []
    while 0 not in ends:
        folder = shutil.copytree(before, tmp_path / f"run {len(ends)}")

        def work(folder: Path = folder) -> None:
            Fault(len(ends) + 1, kill).install(pytest.MonkeyPatch())
            add(folder, 100, value=7.0, best=True)

        ends.append(in_child(work))
        tidy(folder)
        for which in ("latest", "best"):
            loaded = Checkpoints(folder).load(which)
            assert loaded.model["weight"][0, 0] == loaded.progress["value"]
            assert loaded.progress["value"] in (100.0, 7.0)
    assert loaded.progress["value"] == 7.0


def test_an_error_at_any_call_of_writing_the_only_checkpoint_anew(tmp_path: Path) -> None:
    for number in range(1, MAX_CALLS):
        add(tmp_path, 100, best=True)
        fault = Fault(number, no_space)
        with pytest.MonkeyPatch.context() as patch, suppress(InputOutputError):
            fault.install(patch)
            add(tmp_path, 100, value=7.0, best=True)
        assert Checkpoints(tmp_path).load("latest").progress["value"] in (100.0, 7.0)
        tidy(tmp_path)
        assert os.listdir(tmp_path / "checkpoints") == ["100"]
        if not fault.struck:
            break
    assert 15 < number < MAX_CALLS


def test_everything_is_on_the_disk_before_it_gets_its_name(before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault(MAX_CALLS, no_space)
    fault.install(monkeypatch)
    add(before, 300, best=True)
    calls = [name if name != "replace" else Path(arguments[1]).name for name, arguments in fault.calls]
    file = ["create", "write", "fsync"]
    removed = [f".tmp-gone-100-{os.getpid()}", *["remove"] * 4]
    pointers = [*file, "best", "fsync", *file, "latest", "fsync"]
    assert calls == ["make_directory", *file * 3, "fsync", "300", "fsync", *pointers, *removed]
    created = [Path(arguments[0]).name for name, arguments in fault.calls if name == "create"]
    assert created[:3] == ["model.safetensors", "training.safetensors", "manifest.json"]


def test_a_limit_on_the_size_of_files(before: Path) -> None:
    untouched = snapshot(before)

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        with pytest.raises(
            InputOutputError,
            match=r"cannot write the checkpoint of step 300: File too large: .*model\.safetensors "
            r"\(0\.0 MB needed, .* free on the disk\)\. Raise the limit on .* \(`ulimit -f`\)\. "
            r"Earlier checkpoints are intact: go on with `reparam train --resume .*before`\.$",
        ):
            Checkpoints(before).write(300, {"weight": torch.ones(1000)}, {}, {}, best=True)

    assert in_child(work) == 0
    assert snapshot(before) == untouched


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("replace", errno.EXDEV, "cannot rename here"),
        ("make_directory", errno.EACCES, "Permission denied"),
        ("create", errno.EROFS, "read-only"),
    ],
)
def test_a_system_that_refuses(before: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int, said: str) -> None:
    def refuse(*arguments: Path) -> None:
        raise OSError(code, os.strerror(code), str(arguments[0]))

    untouched = snapshot(before)
    monkeypatch.setattr(files, name, refuse)
    with pytest.raises(InputOutputError, match=rf"step 300: .*{said}.*Earlier checkpoints are intact"):
        add(before, 300)
    assert snapshot(before) == untouched


def test_a_run_directory_removed_during_training(before: Path) -> None:
    shutil.rmtree(before)
    with pytest.raises(InputOutputError, match=r"step 300: No such file or directory: .*before/checkpoints"):
        add(before, 300)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", [flip, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_is_passed_over_and_reported(
    before: Path, name: str, damage: Callable[[Path], None]
) -> None:
    add(before, 300)
    damage(before / "checkpoints" / "300" / name)
    with pytest.raises(RunError, match=rf"checkpoints/300/{name}"):
        Checkpoints(before).load("latest")
    tidy(before)
    checkpoint, messages = Checkpoints(before).load_latest_good()
    assert checkpoint is not None
    assert checkpoint.step == 200
    assert len(messages) == 1
    assert f"checkpoints/300/{name}" in messages[0]


def test_files_swapped_between_two_checkpoints_condemn_both(before: Path) -> None:
    one, two = (before / "checkpoints" / step / "model.safetensors" for step in ("100", "200"))
    here, there = one.read_bytes(), two.read_bytes()
    one.write_bytes(there)
    two.write_bytes(here)
    checkpoint, messages = Checkpoints(before).load_latest_good()
    assert checkpoint is None
    assert ["checkpoints/200/model" in messages[0], "checkpoints/100/model" in messages[1]] == [True, True]


def test_writing_again_after_falling_back_gives_the_files_of_a_straight_run(before: Path, tmp_path: Path) -> None:
    straight = shutil.copytree(before, tmp_path / "straight")
    add(before, 250)
    add(before, 300)
    for step in ("250", "300"):
        flip(before / "checkpoints" / step / "model.safetensors")
    tidy(before)
    checkpoint, messages = Checkpoints(before).load_latest_good()
    assert checkpoint is not None
    assert (checkpoint.step, len(messages)) == (100, 2)  # 200 went when 250 and 300 were good
    for folder in (before, straight):
        for step in (200, 300, 400):
            add(folder, step)
    assert snapshot(before) == snapshot(straight)


def test_an_abandoned_later_course_goes(before: Path) -> None:
    add(before, 300)
    add(before, 250)
    assert steps(before) == [100, 200, 250]
    assert Checkpoints(before).load("latest").step == 250


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ([(1, True), (2, True), (3, True)], [2, 3]),
        ([(1, False), (2, False), (3, False)], [2, 3]),
        ([(1, True), (2, False), (3, False), (4, False)], [1, 3, 4]),
        ([(1, True), (2, False), (3, True), (4, False), (5, False), (6, False)], [3, 5, 6]),
        ([(9, True), (10, False), (11, False)], [9, 10, 11]),
        ([(0, True), (1, True)], [0, 1]),
    ],
)
def test_the_latest_two_and_the_best_are_kept(tmp_path: Path, written: list[tuple[int, bool]], kept: list[int]) -> None:
    for step, best in written:
        add(tmp_path, step, best=best)
    assert steps(tmp_path) == kept
    assert not list(tmp_path.rglob(f"{files.TEMPORARY}*"))


def test_nothing_is_removed_before_two_others_verify(tmp_path: Path) -> None:
    for step in (1, 2):
        add(tmp_path, step)
    flip(tmp_path / "checkpoints" / "2" / "model.safetensors")
    add(tmp_path, 3)
    assert steps(tmp_path) == [1, 3]


def test_a_checkpoint_that_cannot_be_read_back_removes_nothing(before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.write
    monkeypatch.setattr(files, "write", lambda descriptor, data: write(descriptor, data.replace(b"\0", b"\1")))
    add(before, 300)
    with pytest.raises(RunError, match=r"checkpoints/400/model\.safetensors: its content does not match"):
        add(before, 400)
    assert steps(before) == [100, 200, 300, 400]


def test_the_same_checkpoint_again_changes_nothing_but_what_is_best(before: Path) -> None:
    untouched = snapshot(before)
    add(before, 200)
    assert snapshot(before) == untouched
    add(before, 200, best=True)
    assert snapshot(before) == untouched | {"best": b"200\n"}


def test_another_checkpoint_of_the_same_step_takes_its_place(before: Path) -> None:
    add(before, 200, value=7.0)
    assert Checkpoints(before).load("latest").progress["value"] == 7.0
    assert steps(before) == [100, 200]
    assert not list(before.rglob(f"{files.TEMPORARY}*"))


def test_leftovers_of_a_process_with_our_number_are_no_hindrance(before: Path) -> None:
    for name in (f".tmp-300-{os.getpid()}", f".tmp-old-300-{os.getpid()}", f".tmp-gone-100-{os.getpid()}"):
        (before / "checkpoints" / name).mkdir()
        (before / "checkpoints" / name / "model.safetensors").write_bytes(b"half")
    add(before, 300, best=True)
    assert sorted(os.listdir(before / "checkpoints")) == ["200", "300"]


def test_without_checkpoints(tmp_path: Path) -> None:
    assert steps(tmp_path) == []
    assert Checkpoints(tmp_path).load_latest_good() == (None, [])
    Checkpoints(tmp_path).recover()
    with pytest.raises(RunError, match=r"has no 'latest' checkpoint: training stopped before .*--resume"):
        Checkpoints(tmp_path).load("latest")
    with pytest.raises(RunError, match=r"checkpoints/3 does not exist\. Checkpoints that do: none"):
        Checkpoints(tmp_path).load(3)


def test_a_pointer_to_nowhere_names_what_is_there(before: Path) -> None:
    (before / "latest").write_bytes(b"900\n")
    with pytest.raises(RunError, match=r"900, which .*latest names, does not exist.*that do: 100, 200"):
        Checkpoints(before).load("latest")


@pytest.mark.parametrize("text", [b"", b"../../x", b"0100\n", b"100\n\n", b"-1", b"\xff", b"1" * 30, "١".encode()])
def test_a_damaged_pointer_is_named(before: Path, text: bytes) -> None:
    (before / "best").write_bytes(text)
    with pytest.raises(RunError, match=r"before/best is damaged: .* write the step of a checkpoint into it \(100, 200"):
        Checkpoints(before).load("best")
    with pytest.raises(RunError, match=r"before/best is damaged"):
        add(before, 300)
    assert steps(before) == [100, 200, 300]


def test_foreign_names_among_the_checkpoints_are_left_alone(before: Path) -> None:
    for name in ("notes", "0100", "-1", "1e3", "٣"):
        (before / "checkpoints" / name).mkdir()
    add(before, 300, best=True)
    assert steps(before) == [200, 300]
    assert (before / "checkpoints" / "notes").exists()


@pytest.mark.parametrize("step", [-1, 1.0, True, "1", None])
def test_a_step_is_a_natural_number(tmp_path: Path, step: int) -> None:
    with pytest.raises(UsageError, match="a checkpoint's step is a number of updates"):
        Checkpoints(tmp_path).write(step, {}, {}, {}, best=False)
    assert os.listdir(tmp_path) == []


def test_a_value_without_a_form_changes_nothing(before: Path) -> None:
    untouched = snapshot(before)
    with pytest.raises(RunError, match=r"manifest\.json: value\.progress\.loss is nan"):
        Checkpoints(before).write(300, {}, {}, {"loss": float("nan")}, best=False)
    assert snapshot(before) == untouched
