"""A folder of image files as one array of 8-bit values, or a message that names what is in the way."""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reparam.data import image_findings as findings
from reparam.data.image_decoding import MAX_PIXELS, BadImage, Header, decode, decoder_warnings, read_header
from reparam.data.image_files import ImageFile, find_images
from reparam.data.schema import Examples, Schema
from reparam.errors import UsageError

__all__ = ["MAX_PIXELS", "parse_size", "read_images"]

_MAX_WORKERS = 4


def parse_size(text: str) -> tuple[int, int]:
    """``"48x64"`` as ``(height, width)``.

    Raises:
        UsageError: not two whole numbers of at least 1 with an ``x`` between, or more than :data:`MAX_PIXELS`
            pixels.

    Example:
        >>> parse_size("48x64")
        (48, 64)
    """
    match = re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})", text)
    if match is None:
        raise UsageError(f"expected an image size HEIGHTxWIDTH such as 48x64, got {text!r}")
    return _checked_size((int(match[1]), int(match[2])))


def read_images(
    folder: str | os.PathLike[str], *, resize: tuple[int, int] | None = None, skip_bad: bool = False
) -> Examples:
    """All PNG, JPEG, WebP and BMP images under ``folder``, in the order of their names.

    Shapes: values ``[num_images, channels, height, width]``, ``uint8``, 0 to 255; one channel where every
    file is of a grey type, else three (RGB). Headers are read first: different sizes and foreign files are
    reported before the long work of decoding. Images are turned upright as EXIF says; 16-bit values are
    scaled to 8 bits, transparency is shown on white, of several frames the first is used; each is noted with
    its count.

    Args:
        folder: searched with all its subfolders; where every image lies exactly one folder down and there are
            at least two such folders, their names become the labels.
        resize: ``(height, width)`` to which every image of another size is resampled (Lanczos; proportions
            may change).
        skip_bad: leave unreadable files out and name them in the notes, instead of refusing the folder.

    Raises:
        DataError: no such folder, no image, unreadable files, more than
            :data:`MAX_PIXELS` pixels in one, different sizes, or more than 80 % of the available memory
            needed.
        InputOutputError: a folder cannot be listed.
        UsageError: ``resize`` is no pair of positive integers.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> for index in range(10):
        ...     Image.new("L", (4, 3), 20 * index).save(folder / f"{index}.png")
        >>> read_images(folder).values.shape
        (10, 1, 3, 4)
    """
    target = None if resize is None else _checked_size(resize)
    root = Path(folder)
    found = find_images(root)
    reading = _scan(root, found.files, skip_bad)
    findings.refuse_none(root, len(reading.files), reading.bad)
    size = target or findings.common_size(root, reading.files, reading.headers)
    channels = 3 if any(header.color for header in reading.headers) else 1
    findings.refuse_too_large(root, (len(reading.files), channels, *size))
    values, outcomes = _decode_all(reading, channels, size, resize=target is not None)
    findings.refuse_none(root, len(values), reading.bad)
    names = tuple(file.name for file in reading.files)
    labels = _folder_labels(names)
    constant = [name for name, outcome in zip(names, outcomes, strict=True) if outcome.constant]
    schema = Schema(
        kind="image",
        shape=(channels, *size),
        levels=256,
        binary=all(outcome.binary for outcome in outcomes),
        label=None if labels is None else "folder",
    )
    notes = [*found.notes, *findings.notes(reading.bad, reading.headers, target, constant, reading.warned)]
    return Examples(values, schema, labels=labels, names=names, notes=tuple(notes))


@dataclass
class _Reading:
    """The state of one reading: files that are good so far and their headers, by row; the bad; warnings.

    ``bad`` maps names to reasons, ``warned`` texts of warnings to what they were first about.
    """

    root: Path
    skip_bad: bool
    total: int
    files: list[ImageFile]
    headers: list[Header]
    bad: dict[str, str]
    warned: dict[str, str]

    def refuse_bad(self) -> None:
        if not self.skip_bad:
            findings.refuse_bad(self.root, self.bad, self.total)


@dataclass(frozen=True)
class _Outcome:
    """What decoding one image showed: only 0 and 255 occur; all pixels are the same."""

    binary: bool
    constant: bool


def _scan(root: Path, files: Sequence[ImageFile], skip_bad: bool) -> _Reading:
    """The headers of all files, and what is wrong with those that have none."""
    reading = _Reading(root, skip_bad, len(files), files=[], headers=[], bad={}, warned={})
    with decoder_warnings() as recorded:
        for file in files:
            try:
                header = read_header(file.path)
            except BadImage as error:
                reading.bad[file.name] = str(error)
            else:
                reading.files.append(file)
                reading.headers.append(header)
            for warning in recorded:
                reading.warned.setdefault(str(warning.message), file.name)
            recorded.clear()
    reading.refuse_bad()
    return reading


def _decode_all(
    reading: _Reading, channels: int, size: tuple[int, int], *, resize: bool
) -> tuple[np.ndarray[Any, Any], list[_Outcome]]:
    """The pixels of all files, decoded side by side into one array; bad files leave ``reading``."""
    values = np.empty((len(reading.files), channels, *size), np.uint8)

    def decode_into(row: int) -> _Outcome | str:
        try:
            pixels = decode(reading.files[row].path, channels, size, resize=resize)
        except BadImage as error:
            return str(error)
        values[row] = pixels
        return _Outcome(
            binary=not ((pixels != 0) & (pixels != 255)).any(),
            constant=bool((pixels == pixels[:, :1, :1]).all()),
        )

    outcomes: dict[int, _Outcome] = {}
    pool = ThreadPoolExecutor(min(_MAX_WORKERS, os.cpu_count() or 1))
    try:
        with decoder_warnings() as recorded:
            for row, outcome in enumerate(pool.map(decode_into, range(len(values)))):
                if isinstance(outcome, _Outcome):
                    outcomes[row] = outcome
                else:
                    reading.bad[reading.files[row].name] = outcome
                    reading.refuse_bad()
            for warning in recorded:
                reading.warned.setdefault(str(warning.message), "the pixels of a file")
    finally:
        pool.shutdown(cancel_futures=True)
    for kept, row in enumerate(outcomes):
        if kept != row:
            values[kept] = values[row]
    reading.files = [reading.files[row] for row in outcomes]
    reading.headers = [reading.headers[row] for row in outcomes]
    return values[: len(outcomes)], list(outcomes.values())


def _folder_labels(names: Sequence[str]) -> np.ndarray[Any, Any] | None:
    folders = [name.split("/")[0] for name in names]
    one_level = all(name.count("/") == 1 for name in names)
    return np.array(folders) if one_level and len(set(folders)) > 1 else None


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    whole = len(size) == 2 and all(isinstance(length, int | np.integer) and length >= 1 for length in size)
    if not whole:
        raise UsageError(f"expected an image size of two whole numbers (height, width), at least 1, got {size!r}")
    height, width = (int(length) for length in size)
    if height * width > MAX_PIXELS:
        raise UsageError(f"image size {height}x{width} has more than {MAX_PIXELS} pixels; choose a smaller one")
    return height, width
