"""Which files of a folder are images: found, named and put in a fixed order, nothing opened."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reparam.errors import DataError, InputOutputError

__all__ = ["EXTENSIONS", "FoundImages", "ImageFile", "find_images"]

EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
"""File name endings, in lower case, that are taken for images; upper case counts as well."""

_MAX_LISTED = 8


@dataclass(frozen=True)
class ImageFile:
    """One file: where it is, and its name for people, the path inside the folder with ``/`` between parts."""

    path: Path
    name: str


@dataclass(frozen=True)
class FoundImages:
    """The files of a folder in the order of their names, and what a person should know about the search."""

    files: tuple[ImageFile, ...]
    notes: tuple[str, ...]


def find_images(folder: Path) -> FoundImages:
    """All files under ``folder`` whose ending is in :data:`EXTENSIONS`, sorted by name.

    Links to folders are followed, but no folder is visited twice, so loops of links end. Names that start
    with a dot are skipped, files and folders alike.

    Raises:
        DataError: ``folder`` is missing or no folder, or holds no such file; the endings seen are counted.
        InputOutputError: a folder cannot be listed.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "b.PNG").write_bytes(b""), (folder / "a.jpg").write_bytes(b"")
        >>> [file.name for file in find_images(folder).files]
        ['a.jpg', 'b.PNG']
    """
    if not folder.is_dir():
        found = "it is a file" if folder.exists() else "it does not exist"
        raise DataError(f"expected a folder of images at {folder}, but {found}")
    notes: list[str] = []
    images: list[ImageFile] = []
    others: Counter[str] = Counter()
    for path in _walk(folder, notes):
        ending = path.suffix.lower()
        if ending in EXTENSIONS:
            images.append(ImageFile(path, _printable(path.relative_to(folder).as_posix())))
        else:
            others[ending or "(no extension)"] += 1
    if not images:
        raise DataError(_nothing_found(folder, others))
    if others:
        notes.append(f"not read, because by its extension no image: {_counts(others)}")
    return FoundImages(tuple(sorted(images, key=lambda file: file.name)), tuple(notes))


def _walk(folder: Path, notes: list[str]) -> Iterable[Path]:
    """The files under ``folder``: first those reached without links to folders, then those behind links."""
    waiting = deque([folder])
    visited: dict[tuple[int, int], Path] = {}
    while waiting:
        directory = waiting.popleft()
        status = directory.stat()
        earlier = visited.setdefault((status.st_dev, status.st_ino), directory)
        if earlier is not directory:
            same = _printable(earlier.relative_to(folder).as_posix())
            link = _printable(directory.relative_to(folder).as_posix())
            notes.append(f"folder {link} is a link to {same}, which was read already; not read twice")
            continue
        for path in _visible(directory):
            if not path.is_dir():
                yield path
            elif path.is_symlink():
                waiting.append(path)
            else:
                waiting.appendleft(path)


def _visible(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputOutputError(f"folder {directory} cannot be listed: {error.strerror or error}") from error


def _printable(name: str) -> str:
    """The name itself where it can be shown and stored as text, otherwise with its odd characters escaped."""
    return name if name.isprintable() else ascii(name)[1:-1]


def _nothing_found(folder: Path, others: Counter[str]) -> str:
    seen = f"extensions seen: {_counts(others)}" if others else "it holds no files (hidden ones are skipped)"
    remedy = "; convert them to PNG first" if others else ""
    return f"no images in {folder}: expected files ending in {', '.join(EXTENSIONS)}, but {seen}{remedy}"


def _counts(endings: Counter[str]) -> str:
    ranked = sorted(endings.items(), key=lambda item: (-item[1], item[0]))
    listed = [f"{_printable(ending)}: {count}" for ending, count in ranked[:_MAX_LISTED]]
    more = [f"and {len(ranked) - _MAX_LISTED} more"] if len(ranked) > _MAX_LISTED else []
    return ", ".join(listed + more)
