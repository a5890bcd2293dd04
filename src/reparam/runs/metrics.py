"""The record of a training: one JSON object a line, added to, and cut back to a checkpoint on resuming."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reparam.errors import RunError
from reparam.runs import files, formats

__all__ = ["append", "read", "size", "sync", "truncate"]


def append(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Add one line a record, in one write; :func:`sync` waits for the disk.

    Raises:
        RunError: a number is not finite, or a value has no form in JSON; nothing is written.
        InputOutputError: the system refused; what was there before is intact.
    """
    lines = b"".join(formats.dump_json(record, str(path), indent=None) for record in records)
    if lines:
        with files.explained("write the metrics", path, num_bytes=len(lines)):
            files.append(path, lines)


def sync(path: Path) -> None:
    """Wait until all lines are on the disk; without a file there is nothing to wait for.

    Raises:
        InputOutputError: the system refused.
    """
    with files.explained("write the metrics", path):
        if path.exists():
            files.sync_file(path)


def size(path: Path) -> int:
    """Size in bytes; 0 without a file.

    Raises:
        InputOutputError: the system refuses.
    """
    with files.explained("read the metrics", path):
        return path.stat().st_size if path.exists() else 0


def truncate(path: Path, num_bytes: int) -> None:
    """Cut the file back to its first ``num_bytes`` bytes, which must be whole lines.

    Raises:
        RunError: the file is shorter, or no line ends there: it was changed since its size was noted.
        InputOutputError: the system refused.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "metrics.jsonl"
        ...     append(path, [{"step": 1}])
        ...     noted = size(path)
        ...     append(path, [{"step": 2}])
        ...     truncate(path, noted)
        ...     read(path)
        [{'step': 1}]
    """
    there = size(path)
    if not 0 <= num_bytes <= there:
        raise RunError(f"{path} has {there} bytes, but had {num_bytes} when the checkpoint was written; restore a copy")
    if there == num_bytes:
        return
    with files.explained("cut back the metrics", path):
        with open(path, "rb") as handle:
            handle.seek(max(num_bytes - 1, 0))
            if num_bytes and handle.read(1) != b"\n":
                raise RunError(f"{path}: no line ends at byte {num_bytes}, where one did before; restore a copy")
        files.truncate(path, num_bytes)
        files.sync_file(path)


def read(path: Path) -> list[dict[str, Any]]:
    """All records; a last line without an end (the writer was killed, or is at work) is left out.

    Raises:
        RunError: a line is damaged, named by its number.
        InputOutputError: the system refuses.
    """
    records: list[dict[str, Any]] = []
    with files.explained("read the metrics", path):
        if not path.exists():
            return records
        with open(path, "rb") as handle:
            while line := handle.readline(formats.MAX_JSON_BYTES + 1):
                if not line.endswith(b"\n") and len(line) <= formats.MAX_JSON_BYTES:
                    break
                records.append(formats.load_object(line, f"{path}, line {len(records) + 1}"))
    return records
