import os

import pytest

from reparam.data.new_paths import new_path
from reparam.errors import InputOutputError


def test_a_folder_appears_with_all_it_holds_and_usual_permissions(tmp_path):
    (tmp_path / "plain").mkdir()
    with new_path(tmp_path / "a" / "b" / "out") as temporary:
        temporary.mkdir()
        (temporary / "x").write_text("1")
        assert not (tmp_path / "a" / "b" / "out").exists()
    assert (tmp_path / "a" / "b" / "out" / "x").read_text() == "1"
    assert (tmp_path / "a" / "b" / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert os.listdir(tmp_path / "a" / "b") == ["out"]


def _fail_with(error, target):
    with new_path(target) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_failure_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        _fail_with(error, tmp_path / "a" / "b" / "out.txt")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path):
    (tmp_path / "a").mkdir()
    full = OSError(28, "No space left on device")
    with pytest.raises(InputOutputError, match=r"out\.txt cannot be written: No space left .*another --out"):
        _fail_with(full, tmp_path / "a" / "out.txt")
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == []


@pytest.mark.parametrize("kind", ["file", "folder", "dangling"])
def test_what_exists_is_never_overwritten(tmp_path, kind):
    target = tmp_path / "out"
    if kind == "file":
        target.write_text("old")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nothing")
    with (
        pytest.raises(InputOutputError, match="exists; nothing was overwritten; choose another --out"),
        new_path(target),
    ):
        pytest.fail("the block must not begin")


def _write_while_another_does(target):
    with new_path(target) as temporary:
        temporary.write_text("new")
        target.write_text("theirs")


def test_what_appears_meanwhile_is_not_overwritten_either(tmp_path):
    with pytest.raises(InputOutputError, match="exists"):
        _write_while_another_does(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["out"]


def test_a_file_where_a_folder_is_needed_is_named(tmp_path):
    (tmp_path / "a").write_text("")
    with (
        pytest.raises(InputOutputError, match="a is a file, not a folder"),
        new_path(tmp_path / "a" / "b" / "out"),
    ):
        pytest.fail("the block must not begin")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputOutputError, match="Permission denied"), new_path(tmp_path / "out"):
        pytest.fail("the block must not begin")
