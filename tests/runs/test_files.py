import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from reparam.errors import InputOutputError, RunError
from reparam.runs import files
from tests.runs.faults import Fault, in_child, kill, no_space, snapshot


def test_write_atomic_replaces_the_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "x"
    files.write_atomic(target, b"a" * 1000)
    files.write_atomic(target, b"b")
    assert snapshot(tmp_path) == {"x": b"b"}


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    files.write_atomic(tmp_path / "x", b"1")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


@pytest.mark.parametrize("for_good", [False, True])
def test_write_atomic_failing_at_any_call_leaves_old_or_new(tmp_path: Path, for_good: bool) -> None:
    target = tmp_path / "x"
    for number in range(1, 100):
        files.write_atomic(target, b"old")
        fault = Fault(number, no_space, for_good=for_good)
        with pytest.MonkeyPatch.context() as patch:
            fault.install(patch)
            with suppress(OSError):
                files.write_atomic(target, b"new!")
        content = target.read_bytes()
        assert content in (b"old", b"new!")
        leftovers = [name for name in snapshot(tmp_path) if name != "x"]
        if for_good:
            for name in leftovers:
                assert name.startswith(files.TEMPORARY)
                (tmp_path / name).unlink()
        else:
            assert leftovers == []
        if not fault.struck:
            break
    assert number == 6  # create, write, fsync, replace, fsync of the folder: five chances to fail


def test_write_atomic_killed_at_any_call_leaves_old_or_new(tmp_path: Path) -> None:
    target = tmp_path / "x"
    ends = []
    for number in range(1, 7):
        files.write_atomic(target, b"old")

        def work(number: int = number) -> None:
            Fault(number, kill).install(pytest.MonkeyPatch())
            files.write_atomic(target, b"new!")

        ends.append(in_child(work))
        assert target.read_bytes() in (b"old", b"new!")
    assert ends == [-9] * 5 + [0]


def test_nothing_gets_its_name_before_it_is_on_the_disk(tmp_path: Path) -> None:
    fault = Fault(1000, no_space)
    with pytest.MonkeyPatch.context() as patch:
        fault.install(patch)
        files.write_atomic(tmp_path / "x", b"1")
    assert [name for name, _ in fault.calls] == ["create", "write", "fsync", "replace", "fsync"]


def test_write_goes_on_after_a_partial_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    files.write_atomic(tmp_path / "x", b"0123456789")
    assert (tmp_path / "x").read_bytes() == b"0123456789"


def test_append_takes_back_half_a_write(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    files.append(path, b"one\n")
    with pytest.MonkeyPatch.context() as patch:
        Fault(1, no_space).install(patch)
        with pytest.raises(OSError, match="No space"):
            files.append(path, b"two\n")
    assert path.read_bytes() == b"one\n"


def test_remove_tree_deletes_links_and_not_what_they_lead_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(b"1")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "kept")
    files.remove_tree(tmp_path / "gone")
    assert snapshot(tmp_path) == {"kept": None, "kept/file": b"1"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EACCES, "Permission denied.*Check who owns"),
        (errno.EROFS, "read-only: choose another folder"),
        (errno.ENOSPC, r"3\.0 MB needed, \d+\.\d MB free.*Free some space"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EXDEV, "cannot rename here.*use a local disk"),
        (errno.ENAMETOOLONG, "Choose a shorter name"),
        (errno.EIO, r"cannot write it: .*error: .*place\. Then go on\.$"),
    ],
)
def test_explained_names_reason_place_and_remedy(tmp_path: Path, code: int, said: str) -> None:
    place = tmp_path / "place"
    with (
        pytest.raises(InputOutputError, match=said) as caught,
        files.explained("write it", place, hint="Then go on", num_bytes=3_000_000),
    ):
        raise OSError(code, os.strerror(code))
    assert str(place) in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)


def test_explained_keeps_what_was_explained_already(tmp_path: Path) -> None:
    with (
        pytest.raises(InputOutputError, match=r"^cannot do the inner thing"),
        files.explained("do the outer thing", tmp_path),
        files.explained("do the inner thing", tmp_path),
    ):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_read_refuses_what_is_no_plain_file_of_moderate_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(RunError, match=r"pipe is not a plain file"):
        files.read(tmp_path / "pipe", limit=10)
    with pytest.raises(RunError, match=r"large has 11 bytes, more than the 10 expected"):
        files.read(tmp_path / "large", limit=10)
    with pytest.raises(RunError, match=r"none does not exist"):
        files.read(tmp_path / "none", limit=10)
    with pytest.raises(RunError, match=r"below does not exist"):
        files.read(tmp_path / "large" / "below", limit=10)


@pytest.mark.parametrize(("code", "raised"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_sync_directory_bears_shares_that_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, raised: bool
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files, "fsync", refuse)
    if raised:
        with pytest.raises(OSError, match="error"):
            files.sync_directory(tmp_path)
    else:
        files.sync_directory(tmp_path)
