"""One image file, from untrusted bytes to grey or colour values of 8 bits.

Only the formats of :data:`FORMATS` are tried, whatever the file's name says, and the number of pixels is
judged by the header before a single one is decoded. Everything a damaged file can make the decoder raise
becomes :class:`BadImage`.
"""

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

__all__ = ["FORMATS", "MAX_PIXELS", "BadImage", "Header", "decode", "decoder_warnings", "read_header"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
"""The decoders that may be used; Pillow has forty more, some of which start other programs."""

MAX_PIXELS = 64_000_000
"""Most pixels in one file: an 8000 x 8000 image, 192 MB in colour; a file of 20 KB can claim far more."""

_SIDEWAYS = (5, 6, 7, 8)
_PNG_ORIENTATION_KEYS = frozenset({"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"})
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class BadImage(Exception):
    """A file that cannot be read as an image; the message says why in words that follow the file's name."""


@dataclass(frozen=True)
class Header:
    """What is known of an image before its pixels are decoded.

    Args:
        size: ``(height, width)`` once turned upright.
        color: has colours; otherwise grey.
        traits: what reading will change, in words that follow a count (``"with transparency, shown on
            white"``).
    """

    size: tuple[int, int]
    color: bool
    traits: tuple[str, ...]


@contextmanager
def decoder_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect Pillow's warnings; the one on decompression bombs becomes an error. Restored at the end.

    Python keeps warning filters for the whole process, so this belongs around a pool of threads, not inside
    them.
    """
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield recorded


def read_header(path: Path) -> Header:
    """Size, colour and peculiarities of the image at ``path``; its pixels are not decoded.

    Call within :func:`decoder_warnings`.

    Raises:
        BadImage: unreadable, of another format, or more than :data:`MAX_PIXELS` pixels.
    """
    with _opened(path) as image:
        width, height = image.size
        orientation = _orientation(image)
        if orientation in _SIDEWAYS:
            width, height = height, width
        return Header((height, width), _has_color(image), tuple(_traits(image, orientation)))


def decode(path: Path, channels: int, size: tuple[int, int], *, resize: bool) -> np.ndarray[Any, Any]:
    """The pixels of the image at ``path``: ``uint8``, ``[channels, *size]``, ``size`` as ``(height, width)``.

    Turned upright as EXIF says, 16-bit grey divided by 257, palettes looked up, transparency composited on
    white, CMYK and YCbCr converted to RGB, then grey for one channel and RGB for three, and, where ``resize``
    is given and the size differs, resampled with Pillow's Lanczos filter. Call within
    :func:`decoder_warnings`.

    Raises:
        BadImage: truncated, damaged, or of another size where ``resize`` is false.
    """
    height, width = size
    with _opened(path) as image:
        upright = _to_eight_bits(ImageOps.exif_transpose(image)).convert("L" if channels == 1 else "RGB")
        if upright.size != (width, height):
            if not resize:
                found = f"{upright.height}x{upright.width} and not {height}x{width}"
                raise BadImage(f"turns out as {found} after rotation by metadata that follows its pixels")
            upright = upright.resize((width, height), Image.Resampling.LANCZOS)
        return np.asarray(upright).reshape(height, width, channels).transpose(2, 0, 1)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        if not path.is_file():
            raise BadImage("is a link to nothing" if path.is_symlink() else "is not a regular file")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage(f"has {image.height} x {image.width} pixels; at most {MAX_PIXELS} are allowed")
            _scale_transparent_key(image)
            yield image
    except UnidentifiedImageError as error:
        kind = "is empty" if os.path.getsize(path) == 0 else "is not a PNG, JPEG, WebP or BMP image inside"
        raise BadImage(kind) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(f"has too many pixels, at most {MAX_PIXELS} are allowed ({error})") from error
    except _DECODER_ERRORS as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        raise BadImage(f"cannot be read: {reason}") from error


def _scale_transparent_key(image: Image.Image) -> None:
    """Bring a PNG's transparent grey or colour to the scale of its pixels: Pillow scales only the pixels."""
    key, stored = image.info.get("transparency"), _raw_mode(image)
    if isinstance(key, int):
        image.info["transparency"] = key * {"L;2": 85, "L;4": 17}.get(stored, 1)
    elif isinstance(key, tuple) and stored == "RGB;16B":
        image.info["transparency"] = tuple(value // 256 for value in key)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8. A PNG must name metadata up front: to look behind, Pillow would decode it."""
    if image.format == "PNG" and not _PNG_ORIENTATION_KEYS & image.info.keys():
        return 1
    return int(image.getexif().get(ExifTags.Base.Orientation, 1))


def _raw_mode(image: Image.Image) -> str:
    """How the file stores its pixels, where the decoder says so: Pillow shows 16-bit colour as 8-bit."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _has_color(image: Image.Image) -> bool:
    if image.mode == "P" and image.palette is not None:
        raw_mode, data = image.palette.getdata()
        entries = np.frombuffer(bytes(data), np.uint8)
        entries = entries[: len(entries) // len(raw_mode) * len(raw_mode)].reshape(-1, len(raw_mode))
        return bool((entries[:, :1] != entries[:, 1:3]).any())
    return not (image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I") or _raw_mode(image).startswith("LA"))


def _traits(image: Image.Image, orientation: int) -> Iterator[str]:
    if orientation != 1:
        yield "turned upright as their EXIF orientation says"
    if image.mode.startswith("I") or _raw_mode(image).endswith(";16B"):
        yield "with 16 bits a value, scaled to 8 bits"
    if image.mode == "CMYK":
        yield "in CMYK, converted to RGB without a colour profile"
    if image.has_transparency_data:
        yield "with transparency, shown on white"
    if getattr(image, "n_frames", 1) > 1:
        yield "with several frames, of which the first is used"


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """The image in a mode of 8 bits a value and without transparency."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if "transparency" in image.info:
            values[values == image.info["transparency"]] = 65535
        return Image.fromarray(((values + 128) // 257).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB") if image.mode == "P" else image
