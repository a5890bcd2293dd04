"""Files and folders that appear complete under their name or not at all, and never in place of another."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reparam.errors import InputOutputError

__all__ = ["new_path", "refuse_existing"]


@contextmanager
def new_path(target: Path) -> Iterator[Path]:
    """A free temporary path, with the ending of ``target``, to create a file or a folder at.

    When the block ends well, what stands there is renamed to ``target``; otherwise it is removed, and so are
    the folders above ``target`` that were missing and had to be created.

    Raises:
        InputOutputError: ``target`` exists, or the operating system refuses.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with new_path(folder / "a" / "b.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> (folder / "a" / "b.txt").read_text()
        'whole'
    """
    refuse_existing(target)
    missing = [parent for parent in target.parents if not parent.exists()]
    complete = False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".reparam-") as scratch:
            temporary = Path(scratch, "new").with_suffix(target.suffix)
            yield temporary
            refuse_existing(target)
            os.replace(temporary, target)
            complete = True
    except InputOutputError:
        raise
    except OSError as error:
        raise InputOutputError(
            f"{target} cannot be written: {error.strerror or error}; nothing was left; choose another --out"
        ) from error
    finally:
        if not complete:
            for parent in missing:
                with suppress(OSError):
                    parent.rmdir()


def refuse_existing(target: Path) -> None:
    """Nothing if ``target`` is free and lies in a folder, or could.

    Raises:
        InputOutputError: otherwise.
    """
    if os.path.lexists(target):
        raise InputOutputError(f"{target} exists; nothing was overwritten; choose another --out")
    existing = next(parent for parent in target.absolute().parents if parent.exists())
    if not existing.is_dir():
        raise InputOutputError(f"{target} cannot be written: {existing} is a file, not a folder; choose another --out")
