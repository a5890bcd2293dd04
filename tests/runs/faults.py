"""Faults on purpose: the Nth change of the disk fails or is the last one; work in a child that may die."""

import errno
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reparam.runs import files

CHANGES = ("make_directory", "create", "write", "fsync", "replace", "remove", "truncate")


class Fault:
    """Lets call number ``first`` of the disk-changing functions fail; all later ones too if ``for_good``.

    A failing write has written half of its bytes, as on a full disk.
    """

    def __init__(self, first: int, then: Callable[[str], None], *, for_good: bool = False) -> None:
        self.first, self.then, self.for_good = first, then, for_good
        self.calls: list[tuple[str, Any]] = []

    @property
    def struck(self) -> bool:
        return len(self.calls) >= self.first

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in CHANGES:
            monkeypatch.setattr(files, name, self._wrapped(name, getattr(files, name)))

    def _wrapped(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any) -> Any:
            self.calls.append((name, arguments))
            number = len(self.calls)
            if number == self.first or (self.for_good and number > self.first):
                if name == "write":
                    original(arguments[0], arguments[1][: len(arguments[1]) // 2])
                self.then(name)
            return original(*arguments)

        return change


def no_space(name: str) -> None:
    """The disk is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def kill(name: str) -> None:
    """The process is gone at once, as when the power goes or a scheduler loses patience."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked process; 0 if it returned, 1 if it raised, minus the signal that ended it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: the child only writes files
        child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - the child must end here whatever happened
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every name below a folder, with the bytes of the files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
