"""What stands in the way of using a folder of images, as errors; what to know about it, as notes."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path

from reparam.data.image_decoding import Header
from reparam.data.image_files import ImageFile
from reparam.errors import DataError

__all__ = ["common_size", "notes", "refuse_bad", "refuse_none", "refuse_too_large"]

_MEMORY_SHARE = 0.8
_MAX_LISTED = 8
_MAX_NAMED = 20


def refuse_bad(root: Path, bad: Mapping[str, str], total: int) -> None:
    """Nothing if ``bad`` (names of files and what is wrong with them) is empty.

    Raises:
        DataError: otherwise; names up to eight files.
    """
    if not bad:
        return
    remedy = "mend or remove them, or pass --skip-bad, which leaves such files out"
    if len(bad) == 1:
        name, reason = next(iter(bad.items()))
        raise DataError(f"image {root / name} {reason}; {remedy.replace('them', 'it', 1)}")
    lines = [f"  {name} {reason}" for name, reason in list(bad.items())[:_MAX_LISTED]]
    more = [f"  and {len(bad) - _MAX_LISTED} more"] if len(bad) > _MAX_LISTED else []
    headline = f"{len(bad)} of {total} image files in {root} are bad:"
    raise DataError("\n".join([headline, *lines, *more, remedy]))


def refuse_none(root: Path, count: int, bad: Mapping[str, str]) -> None:
    """Nothing if there is an image.

    Raises:
        DataError: otherwise.
    """
    if count:
        return
    left_out = f" ({_examples(list(bad), 3)} left out as bad)" if bad else ""
    raise DataError(f"expected images in {root}, found none that can be read{left_out}")


def common_size(root: Path, files: Sequence[ImageFile], headers: Sequence[Header]) -> tuple[int, int]:
    """The ``(height, width)`` that all images share.

    Raises:
        DataError: they differ; shows up to eight sizes, the most frequent first, each with its count and one
            file.
    """
    counts = Counter(header.size for header in headers)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) == 1:
        return headers[0].size
    first = {header.size: file.name for file, header in reversed(list(zip(files, headers, strict=True)))}
    rows = [(f"{height}x{width}", count, first[height, width]) for (height, width), count in ranked[:_MAX_LISTED]]
    lines = [f"  {size:>11}  {count:>7} images, first {name}" for size, count, name in rows]
    more = [f"  and {len(ranked) - _MAX_LISTED} more sizes"] if len(ranked) > _MAX_LISTED else []
    headline = f"images in {root} have {len(ranked)} different sizes (height x width); one is needed:"
    remedy = f"pass --resize HEIGHTxWIDTH, for example --resize {rows[0][0]}, to bring all to one size"
    raise DataError("\n".join([headline, *lines, *more, remedy]))


def refuse_too_large(root: Path, shape: tuple[int, ...]) -> None:
    """Nothing if a ``uint8`` array of this shape leaves a fifth of the available memory, if that is known.

    Raises:
        DataError: otherwise.
    """
    needed, available = prod(shape), _available_memory()
    if available is None or needed <= _MEMORY_SHARE * available:
        return
    count, channels, height, width = shape
    kind = "grey" if channels == 1 else "colour"
    half = f"{max(height // 2, 1)}x{max(width // 2, 1)}"
    raise DataError(
        f"{count} {kind} images of {height}x{width} in {root} need {_gigabytes(needed)} of memory, "
        f"{_gigabytes(available)} are available; choose a smaller size, for example --resize {half}"
    )


def notes(
    bad: Mapping[str, str],
    headers: Sequence[Header],
    resized_to: tuple[int, int] | None,
    constant: Sequence[str],
    warned: Mapping[str, str],
) -> Iterator[str]:
    """One line for each thing about the images read that is worth knowing.

    Args:
        bad: names of the files left out, and why.
        headers: of the images read.
        resized_to: ``(height, width)`` where images were resampled.
        constant: names of images that show one colour.
        warned: Pillow's warnings, each with what it was first about.
    """
    if bad:
        yield f"left out, because they cannot be read: {_examples(list(bad), _MAX_NAMED)}"
    colored = sum(header.color for header in headers)
    if 0 < colored < len(headers):
        yield f"grey images: {len(headers) - colored}, images with colours: {colored}; all were read as RGB"
    if resized_to is not None:
        resized = sum(header.size != resized_to for header in headers)
        height, width = resized_to
        yield f"{resized} of {len(headers)} images: resized to {height}x{width} (height x width)"
    traits = Counter(trait for header in headers for trait in header.traits)
    for trait, count in sorted(traits.items()):
        yield f"{count} of {len(headers)} images: {trait}"
    if constant:
        yield f"images of one single colour: {_examples(constant, _MAX_LISTED)}"
    for text, about in list(warned.items())[:_MAX_LISTED]:
        yield f"Pillow warns of {about}: {' '.join(text.split())}"


def _examples(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _available_memory() -> int | None:
    """Bytes of memory that can be had now: what Linux counts as available, elsewhere all there is."""
    statistics = Path("/proc/meminfo")
    if statistics.exists():
        for line in statistics.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
