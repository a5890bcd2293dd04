"""Decoded values as pictures: grey or colour values of 8 bits, one beside the other."""

from math import ceil, prod, sqrt
from typing import Any

import numpy as np

from reparam.data.image_decoding import MAX_PIXELS
from reparam.data.schema import Schema
from reparam.errors import DataError, UsageError

__all__ = [
    "check_finite",
    "check_pictures",
    "contact_sheet",
    "image_grid",
    "to_levels",
    "to_uint8",
]

Array = np.ndarray[Any, Any]

_GAP = 2
_GAP_GREY = 128


def to_uint8(values: Array, schema: Schema) -> Array:
    """Values of any shape as grey or colour values 0 to 255 (``uint8``) for showing.

    With levels ``0 .. L - 1``: rounded, clipped, times ``255 / (L - 1)``. Real values: stretched so that the
    least of all is 0 and the greatest 255 (0 where all are equal).

    Raises:
        DataError: values that are not finite.

    Example:
        >>> to_uint8(np.array([0.0, 0.6, 1.0, 7.0]), Schema("image", (1, 2, 2), levels=2)).tolist()
        [0, 255, 255, 255]
    """
    check_finite(values)
    if schema.levels is not None:
        scaled = to_levels(values, schema.levels).astype(np.float64) * (255 / max(schema.levels - 1, 1))
    else:
        wide = values.astype(np.float64)
        low, high = (wide.min(), wide.max()) if wide.size else (0.0, 0.0)
        scaled = (wide - low) * (255 / (high - low) if high > low else 0.0)
    return scaled.round().astype(np.uint8)


def to_levels(values: Array, levels: int) -> Array:
    """Values rounded and clipped to ``0 .. levels - 1``: ``uint8``, or ``int64`` above 256 levels."""
    kind = np.uint8 if levels <= 256 else np.int64
    return np.rint(values.astype(np.float64)).clip(0, levels - 1).astype(kind)


def image_grid(values: Array, columns: int) -> Array:
    """Images side by side, ``columns`` to a row, with lines of grey between them.

    Shapes: values ``uint8`` ``[num_images, channels, height, width]`` with 1 or 3 channels; result ``[H, W]``
    or ``[H, W, 3]``. Places left over in the last row are grey.

    Raises:
        UsageError: another shape or type, no images, or ``columns`` below 1.

    Example:
        >>> image_grid(np.zeros((3, 1, 4, 4), np.uint8), columns=2).shape
        (10, 10)
    """
    check_pictures(values)
    if columns < 1:
        raise UsageError(f"expected at least 1 column, got {columns}")
    _, channels, height, width = values.shape
    columns = min(columns, len(values))
    grid = np.full((*_grid_size(values, columns), channels), _GAP_GREY, np.uint8)
    for index, image in enumerate(values):
        top, left = index // columns * (height + _GAP), index % columns * (width + _GAP)
        grid[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    return grid[:, :, 0] if channels == 1 else grid


def contact_sheet(pictures: Array) -> Array:
    """All pictures in a grid about as high as wide; shapes as in :func:`image_grid`.

    Raises:
        UsageError: other shapes or types, or more than ``image_decoding.MAX_PIXELS`` pixels in all.

    Example:
        >>> contact_sheet(np.zeros((4, 3, 5, 5), np.uint8)).shape
        (12, 12, 3)
    """
    check_pictures(pictures)
    count, _, height, width = pictures.shape
    columns = min(ceil(sqrt(count * height / width)), count)
    size = _grid_size(pictures, columns)
    if prod(size) > MAX_PIXELS:
        raise UsageError(
            f"a contact sheet of {count} images would be {size[0]} x {size[1]} pixels, at most {MAX_PIXELS} "
            "are allowed; choose fewer images, .npy, or a name without an ending for a folder of PNG files"
        )
    return image_grid(pictures, columns)


def _grid_size(values: Array, columns: int) -> tuple[int, int]:
    count, _, height, width = values.shape
    return ceil(count / columns) * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP


def check_finite(values: Array) -> None:
    """Nothing if all values are finite.

    Raises:
        DataError: otherwise; tells how many are not, and where the first is.
    """
    wrong = ~np.isfinite(values)
    if wrong.any():
        first = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise DataError(f"expected finite values, {int(wrong.sum())} are not, the first at {first}: {values[first]}")


def check_pictures(values: Array) -> None:
    """Nothing if ``values`` are grey or colour images.

    Raises:
        UsageError: otherwise.
    """
    if values.ndim != 4 or values.dtype != np.uint8 or values.shape[1] not in (1, 3) or len(values) == 0:
        wanted = "uint8 images [num_images, channels, height, width] with 1 or 3 channels, at least one"
        raise UsageError(f"expected {wanted}, got {values.dtype} {list(values.shape)}; write other channels as .npy")
