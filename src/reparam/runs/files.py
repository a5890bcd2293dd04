"""Changing a disk so that a kill at any moment leaves either the old state or the new one, never a mixture.

The recipe is always the same: write under a temporary name, fsync, rename over the final name, fsync the
folder. The first seven functions are the only ones that change the disk; everything else is made of them,
so a test can let the Nth of them fail, or be the last thing the process did.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

from reparam.errors import InputOutputError, RunError

__all__ = [
    "TEMPORARY",
    "append",
    "create",
    "discard",
    "explained",
    "fsync",
    "make_directory",
    "read",
    "remove",
    "remove_tree",
    "replace",
    "sync_directory",
    "sync_file",
    "temporary_sibling",
    "truncate",
    "write",
    "write_atomic",
    "write_new",
]

TEMPORARY = ".tmp-"
"""How the name of everything unfinished begins; what carries it after a kill can be deleted."""

_ADVICE = {
    errno.EACCES: "Check who owns the folder and its permissions, or choose another folder",
    errno.EPERM: "Check who owns the folder and its permissions, or choose another folder",
    errno.EROFS: "The file system is read-only: choose another folder",
    errno.ENOSPC: "Free some space there",
    errno.EDQUOT: "Free some space there, or have your quota raised",
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`)",
    errno.EXDEV: "This file system cannot rename here (network share, container layer): use a local disk",
    errno.ENOTDIR: "A part of that path is a file, not a folder: choose another folder",
    errno.ENOTEMPTY: "Another process made it in the meantime: choose another name",
    errno.ENAMETOOLONG: "Choose a shorter name",
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def make_directory(path: Path) -> None:
    """Make one folder, which must not exist yet."""
    os.mkdir(path)


def create(path: Path) -> FileIO:
    """Open a file that must not exist yet, unbuffered, for writing."""
    return open(path, "xb", buffering=0)


def write(descriptor: int, data: bytes) -> None:
    """Write all of ``data``: one system call unless the system takes only a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def fsync(descriptor: int) -> None:
    """Return only when what was written has reached the disk."""
    os.fsync(descriptor)


def replace(source: Path, target: Path) -> None:
    """Rename, atomically taking the place of a file (or an empty folder) of that name."""
    os.replace(source, target)


def remove(path: Path) -> None:
    """Delete one file, link or empty folder."""
    if path.is_dir() and not path.is_symlink():
        os.rmdir(path)
    else:
        os.unlink(path)


def truncate(path: Path, size: int) -> None:
    """Cut a file back to its first ``size`` bytes."""
    os.truncate(path, size)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an error of the operating system say which file it is about; calls on descriptors do not know."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextmanager
def explained(action: str, path: Path, *, hint: str = "", num_bytes: int = 0) -> Iterator[None]:
    """Turn any error of the operating system into one that says what failed, where, why and what to do.

    Args:
        action: what was being done, as in ``"cannot <action>"``.
        path: the place it is about; the error's own file is named where it has one.
        hint: a last sentence: what is still intact and which command goes on.
        num_bytes: how much room was needed, told when there is too little.

    Raises:
        InputOutputError: in place of any ``OSError``; that one is its ``__cause__``.

    Example:
        >>> with explained("read the list", Path("list"), hint="Make it first."):
        ...     raise PermissionError(errno.EACCES, "Permission denied", "list")
        Traceback (most recent call last):
        ...
        reparam.errors.InputOutputError: cannot read the list: Permission denied: list. Check who \
owns the folder and its permissions, or choose another folder. Make it first.
    """
    try:
        yield
    except InputOutputError:
        raise
    except OSError as error:
        where = error.filename or str(path)
        reason = f"{error.strerror or error}: {where}"
        if error.errno in _NO_ROOM:
            reason += f" ({_megabytes(num_bytes)} needed, {_megabytes(_free_bytes(path))} free on the disk)"
        advice = _ADVICE.get(error.errno or 0, "")
        sentences = [f"cannot {action}: {reason}", advice, hint.rstrip(".")]
        raise InputOutputError(". ".join(filter(None, sentences)) + ".") from error


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"


def _free_bytes(path: Path) -> int:
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(nearest).free


def temporary_sibling(path: Path) -> Path:
    """A fresh temporary name in the same folder: short whatever the length of the final name."""
    return path.with_name(TEMPORARY + secrets.token_hex(6))


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet and wait until it is on the disk; its name is not synced."""
    with _named(path), create(path) as handle:
        write(handle.fileno(), data)
        fsync(handle.fileno())


def sync_file(path: Path) -> None:
    """Wait until what was appended to a file is on the disk."""
    with _named(path), open(path, "rb+", buffering=0) as handle:
        fsync(handle.fileno())


def sync_directory(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name == "nt":  # Windows has no handle on a folder that could be synced
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with _named(path):
            fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network shares cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file or replace it: whoever reads sees all of the old or all of the new.

    Raises:
        OSError: the old file is then untouched and nothing temporary is left.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomic(Path(folder) / "latest", b"100")
        ...     write_atomic(Path(folder) / "latest", b"200")
        ...     read(Path(folder) / "latest", limit=10)
        b'200'
    """
    temporary = temporary_sibling(path)
    with ExitStack() as undo:
        undo.callback(discard, temporary)
        write_new(temporary, data)
        replace(temporary, path)
        undo.pop_all()
    sync_directory(path.parent)


def append(path: Path, data: bytes) -> None:
    """Add to the end of a file in one write, without waiting for the disk; half a write is taken back."""
    with _named(path), open(path, "ab", buffering=0) as handle, ExitStack() as undo:
        undo.callback(_cut_back, path, os.fstat(handle.fileno()).st_size)
        write(handle.fileno(), data)
        undo.pop_all()


def _cut_back(path: Path, size: int) -> None:
    with suppress(OSError):  # the error that led here is the one to report
        truncate(path, size)


def remove_tree(path: Path) -> None:
    """Delete a file, or a folder and all it holds; links are deleted, not followed."""
    if path.is_dir() and not path.is_symlink():
        for entry in sorted(path.iterdir()):
            remove_tree(entry)
    remove(path)


def discard(path: Path) -> None:
    """Delete something temporary if that is possible: for use while an earlier error is on its way up."""
    with suppress(OSError):
        remove_tree(path)


def read(path: Path, *, limit: int) -> bytes:
    """All of a file of at most ``limit`` bytes.

    Raises:
        RunError: there is no such file, it is not a plain file, or it is larger than ``limit``.
        InputOutputError: the operating system refuses.
    """
    with explained("read a file", path):
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RunError(f"{path} does not exist") from error
        if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
            raise RunError(f"{path} is not a plain file")
        if status.st_size > limit:
            raise RunError(f"{path} has {status.st_size} bytes, more than the {limit} expected: it is not ours")
        with open(path, "rb") as handle:
            return handle.read(status.st_size)
