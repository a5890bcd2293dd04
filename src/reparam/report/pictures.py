"""Figures of images: originals beside reconstructions, samples, and variations, pixel for pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from reparam.report.style import BOTH, DOTS_PER_INCH, drawn, text_width

__all__ = ["MAX_PAIRS", "MAX_SAMPLES", "MAX_VARIED", "pairs", "samples", "samples_by_class", "to_pixels", "variations"]

MAX_PAIRS = 20
MAX_SAMPLES = 40
MAX_VARIED = 6
MAX_VARIATIONS = 8

PER_ROW = 10
GAP = 6
TARGET = 128
LARGEST = 180
LABEL_WIDTH = 230
LABEL_HEIGHT = 44
FONT_POINTS = 9.5

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class _Label:
    text: str
    left: float
    top: float
    align: str = "left"


def to_pixels(images: NDArray[Any], levels: int | None, value_range: tuple[float, float] | None = None) -> Pixels:
    """Images in the user's own units as 8-bit colours.

    Args:
        images: ``[..., channels, height, width]``; one channel is grey, the first three of several are
            colours, and of two only the first is shown.
        levels: values reach from 0 to ``levels - 1``; ``None`` for real values.
        value_range: darkest and brightest value, needed for real values only.

    Returns:
        ``[..., height, width, 3]``.

    Raises:
        ValueError: real values without a range.

    Example:
        >>> to_pixels(np.array([[[0.0, 8.0, 16.0]]]), levels=17)[..., 0]
        array([[  0, 128, 255]], dtype=uint8)
    """
    if levels is not None:
        value_range = (0.0, float(levels - 1))
    if value_range is None:
        raise ValueError("expected value_range for images of real values, got None: give (darkest, brightest)")
    low, high = value_range
    scaled = (images.astype(np.float64) - low) / ((high - low) or 1.0)
    bytes_ = np.rint(np.clip(scaled, 0.0, 1.0) * 255).astype(np.uint8)
    channels = bytes_[..., :3, :, :] if bytes_.shape[-3] >= 3 else bytes_[..., :1, :, :]
    colours = np.moveaxis(channels, -3, -1)
    return np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:-1], 3)))


def _resized(image: Pixels) -> Pixels:
    """The image at the size it is shown: small ones enlarged pixel by pixel, large ones averaged."""
    height, width = image.shape[:2]
    largest = max(height, width)
    if largest > LARGEST:
        size = (max(1, round(width * LARGEST / largest)), max(1, round(height * LARGEST / largest)))
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    factor = max(1, round(TARGET / largest))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _canvas(width: int, height: int) -> Pixels:
    return np.zeros((height, width, 4), dtype=np.uint8)


def _paste(canvas: Pixels, image: Pixels, left: int, top: int) -> None:
    height, width = image.shape[:2]
    canvas[top : top + height, left : left + width, :3] = image
    canvas[top : top + height, left : left + width, 3] = 255


@drawn
def _labelled(canvas: Pixels, labels: list[_Label]) -> Figure:
    height, width = canvas.shape[:2]
    figure = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), dpi=DOTS_PER_INCH, facecolor="none")
    figure.set_layout_engine("none")
    figure.figimage(canvas, origin="upper")
    for label in labels:
        place = (label.left / width, 1 - label.top / height)
        figure.text(*place, label.text, ha=label.align, va="center", color=BOTH, fontsize=FONT_POINTS)
    return figure


def pairs(originals: Pixels, reconstructions: Pixels) -> bytes:
    """Rows of originals, each with the row of their reconstructions right below it.

    Args:
        originals: ``[n, height, width, 3]``; the first ``MAX_PAIRS`` are shown.
        reconstructions: ``[n, height, width, 3]``.
    """
    count = min(len(originals), MAX_PAIRS)
    upper = [_resized(image) for image in originals[:count]]
    lower = [_resized(image) for image in reconstructions[:count]]
    height, width = upper[0].shape[:2]
    columns = min(count, PER_ROW)
    blocks = -(-count // columns)
    block_height = 2 * height + GAP // 2 + 5 * GAP
    size = (LABEL_WIDTH + columns * (width + GAP) - GAP, blocks * block_height - 5 * GAP)
    canvas, labels = _canvas(*size), []
    for index, (original, reconstruction) in enumerate(zip(upper, lower, strict=True)):
        block, column = divmod(index, columns)
        left, top = LABEL_WIDTH + column * (width + GAP), block * block_height
        below = top + height + GAP // 2
        _paste(canvas, original, left, top)
        _paste(canvas, reconstruction, left, below)
        if column == 0:
            right = LABEL_WIDTH - 3 * GAP
            labels.append(_Label("original", right, top + height / 2, "right"))
            labels.append(_Label("reconstruction", right, below + height / 2, "right"))
    return _labelled(canvas, labels)


def samples(images: Pixels) -> bytes:
    """The first ``MAX_SAMPLES`` of ``[m, height, width, 3]`` in rows."""
    tiles = [_resized(image) for image in images[:MAX_SAMPLES]]
    height, width = tiles[0].shape[:2]
    columns = min(len(tiles), PER_ROW)
    rows = -(-len(tiles) // columns)
    canvas = _canvas(columns * (width + GAP) - GAP, rows * (height + GAP) - GAP)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        _paste(canvas, tile, column * (width + GAP), row * (height + GAP))
    return _labelled(canvas, [])


def samples_by_class(images: Pixels, classes: Sequence[str]) -> bytes:
    """A row for each class, named at its left, of ``[m, height, width, 3]``: equally many of each, in order."""
    count = len(images) // len(classes)
    tiles = [_resized(image) for image in images]
    height, width = tiles[0].shape[:2]
    first = max(text_width(name, FONT_POINTS) for name in classes) + 4 * GAP
    row_height = max(height + GAP, LABEL_HEIGHT)
    canvas, labels = _canvas(first + count * (width + GAP) - GAP, len(classes) * row_height - GAP), []
    for row, name in enumerate(classes):
        for column in range(count):
            _paste(canvas, tiles[row * count + column], first + column * (width + GAP), row * row_height)
        labels.append(_Label(name, first - 3 * GAP, row * row_height + height / 2, "right"))
    return _labelled(canvas, labels)


def variations(originals: Pixels, varied: Pixels) -> bytes:
    """A row for each original: the original, a space, and the new examples close to it.

    Args:
        originals: ``[n, height, width, 3]``, of which the first ``k`` belong to ``varied``.
        varied: ``[k, v, height, width, 3]``; the first ``MAX_VARIED`` rows are shown, and of each the first
            ``MAX_VARIATIONS``.
    """
    varied = varied[:MAX_VARIED, :MAX_VARIATIONS]
    rows, count = varied.shape[:2]
    height, width = _resized(originals[0]).shape[:2]
    first = max(width, 100) + 5 * GAP
    size = (max(first + count * (width + GAP) - GAP, first + 320), LABEL_HEIGHT + rows * (height + GAP) - GAP)
    canvas = _canvas(*size)
    for row in range(rows):
        top = LABEL_HEIGHT + row * (height + GAP)
        _paste(canvas, _resized(originals[row]), 0, top)
        for column in range(count):
            _paste(canvas, _resized(varied[row, column]), first + column * (width + GAP), top)
    middle = LABEL_HEIGHT / 2 - 4
    return _labelled(canvas, [_Label("original", 0, middle), _Label("new examples close to it", first, middle)])
