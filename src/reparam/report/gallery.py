"""The part of the page that shows what the model makes of the data: images as images, tables as tables."""

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reparam.data.schema import Schema
from reparam.report import pictures, tableplots
from reparam.report.elements import Picture, Section, count, figure, notice, number, section
from reparam.report.reading import Contents, Gallery
from reparam.report.style import plain

__all__ = ["examples_section"]

TITLE = "What the model makes"
MAX_COLUMNS = 12


def examples_section(contents: Contents) -> Section:
    """Reconstructions, samples and variations, or a sentence that says why there are none."""
    gallery = contents.gallery
    if gallery is None:
        missing = notice(
            "There are no examples to show yet: `reparam evaluate RUN` draws them, "
            "`reparam report RUN` then writes this page again."
        )
        return Section(section("examples", TITLE, missing))
    parts = _images(contents.schema, gallery) if contents.schema.kind == "image" else _table(contents.schema, gallery)
    if not parts:
        parts = [Section(notice("The gallery of this run is empty: there is nothing to show here."))]
    return Section(
        section("examples", TITLE, *(part.html for part in parts)),
        tuple(picture for part in parts for picture in part.pictures),
    )


def _shown(caption: str, name: str, png: bytes, alt: str, title: str, *, chart: bool) -> Section:
    picture = Picture(name, png, alt, chart)
    return Section(figure([picture], caption, title), (picture,))


def _first(shown: int, total: int) -> str:
    return f" Shown are the first {shown} of {total}." if shown < total else ""


def _images(schema: Schema, gallery: Gallery) -> list[Section]:
    value_range = None
    if schema.levels is None:
        reference = gallery.originals if gallery.originals is not None else gallery.samples
        if reference is None:
            return []
        value_range = (float(reference.min()), float(reference.max()))

    def pixels(images: NDArray[Any]) -> NDArray[np.uint8]:
        return pictures.to_pixels(images, schema.levels, value_range)

    parts = []
    channels = "" if schema.shape[0] in (1, 3) else f" Of {schema.shape[0]} channels only the first are shown."
    if gallery.originals is not None and gallery.reconstructions is not None:
        caption = (
            "Each image above its reconstruction: what is left of it after it has passed through the "
            "latent code. Look for what gets lost: fine strokes, texture, rare shapes. Slightly soft is "
            "normal; the same picture everywhere means that the code is ignored."
        ) + _first(min(len(gallery.originals), pictures.MAX_PAIRS), len(gallery.originals))
        png = pictures.pairs(pixels(gallery.originals), pixels(gallery.reconstructions))
        alt = "Rows of original images, each above its reconstruction"
        parts.append(_shown(caption + channels, "reconstructions.png", png, alt, "Reconstructions", chart=False))
    if gallery.samples is not None and gallery.sample_classes:
        caption = (
            "New examples of each class, decoded from random points of the prior; no original is involved. A row "
            "should show its class, each time in another way: as the class is given, the latent code is free for what "
            "differs within it."
        )
        classes = [plain(name, 20) for name in gallery.sample_classes]
        png = pictures.samples_by_class(pixels(gallery.samples), classes)
        alt = "Rows of generated images, a row for each class"
        parts.append(_shown(caption + channels, "samples.png", png, alt, "Samples of each class", chart=False))
    elif gallery.samples is not None:
        caption = (
            "New examples, decoded from random points of the prior; no original is involved. Look for "
            "variety, and for whether they could pass for data. Good reconstructions with poor samples "
            "mean that the encoder uses regions that the prior seldom visits."
        ) + _first(min(len(gallery.samples), pictures.MAX_SAMPLES), len(gallery.samples))
        png = pictures.samples(pixels(gallery.samples))
        parts.append(_shown(caption, "samples.png", png, "A grid of generated images", "Samples", chart=False))
    if gallery.originals is not None and gallery.variations is not None:
        caption = (
            "Each row starts with an original; the rest are new examples made from points close to its "
            "place in the latent space. They should stay recognisably related, yet not be copies."
        )
        png = pictures.variations(pixels(gallery.originals), pixels(gallery.variations))
        alt = "Rows of images: an original, then generated images close to it"
        parts.append(_shown(caption, "variations.png", png, alt, "Variations", chart=False))
    return parts


def _table(schema: Schema, gallery: Gallery) -> list[Section]:
    names = [column.name for column in schema.columns]
    parts = []
    if gallery.originals is not None and gallery.samples is not None:
        parts.append(_marginals(gallery.originals, gallery.samples, names))
        parts.append(_correlations(gallery, names))
    if gallery.originals is not None and gallery.reconstructions is not None:
        caption = "A few rows, each with its reconstruction through the latent code, in the data's own units."
        groups = [
            [("original", original), ("reconstruction", reconstruction)]
            for original, reconstruction in zip(gallery.originals[:5], gallery.reconstructions[:5], strict=True)
        ]
        parts.append(_rows("Reconstructions", caption, groups, names, gallery.originals))
    if gallery.originals is not None and gallery.variations is not None:
        caption = (
            "New rows made from points close to an original's place in the latent space: related to it, yet not copies."
        )
        groups = [
            [("original", original), *(("new", row) for row in varied[:4])]
            for original, varied in zip(gallery.originals[:2], gallery.variations[:2], strict=False)
        ]
        parts.append(_rows("Variations", caption, groups, names, gallery.originals))
    return parts


def _marginals(originals: NDArray[Any], samples: NDArray[Any], names: list[str]) -> Section:
    caption = (
        f"Each column on its own: {count(len(originals), 'row')} of data (filled) and "
        f"{count(len(samples), 'sample')} from the prior (line), as shares of all rows. The line should "
        "follow the filled shape: look for missing peaks, and for tails cut short."
    ) + _first_columns(tableplots.MAX_MARGINALS, names)
    png = tableplots.marginals(originals, samples, names)
    alt = "Histograms of each column, of data and of samples"
    return _shown(caption, "marginals.png", png, alt, "Column by column", chart=True)


def _first_columns(shown: int, names: list[str]) -> str:
    return f" Shown are the first {shown} of {len(names)} columns." if shown < len(names) else ""


def _correlations(gallery: Gallery, names: list[str]) -> Section:
    originals, samples, given = gallery.originals, gallery.samples, ""
    assert originals is not None
    assert samples is not None
    if gallery.given is not None and gallery.samples_given is not None:
        originals, samples = np.hstack([gallery.given, originals]), np.hstack([gallery.samples_given, samples])
        given = f" What is given to the model comes first: {', '.join(gallery.given_names)}."
        names = [*gallery.given_names, *names]
    if len(names) == 1:
        return Section(notice("With a single column there are no correlations to compare."))
    if min(len(originals), len(samples)) < 3:
        return Section(notice("Fewer than three rows are too few to compare correlations."))
    kept = tableplots.MAX_CORRELATED
    data, drawn = (tableplots.correlations_of(values[:, :kept]) for values in (originals, samples))
    caption = (
        "How each pair of columns goes together: the two pictures should look alike. Columns that do not vary are grey."
        + given
    )
    difference = np.abs(data - drawn)
    if np.isfinite(difference).any():
        row, column = np.unravel_index(np.nanargmax(difference), difference.shape)
        caption += (
            f" The largest difference is between {names[row]} and {names[column]}: "
            f"{number(data[row, column])} in the data, {number(drawn[row, column])} in the samples."
        )
    png = tableplots.correlations(data, drawn, names[:kept])
    alt = "Two heat maps of correlations, of data and of samples"
    return _shown(caption + _first_columns(kept, names), "correlations.png", png, alt, "Pair by pair", chart=False)


def _rows(
    title: str,
    caption: str,
    groups: list[list[tuple[str, NDArray[Any]]]],
    names: list[str],
    reference: NDArray[Any],
) -> Section:
    shown = names[:MAX_COLUMNS]
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in shown)
    digits = [_digits(reference[:, index]) for index in range(len(shown))]
    bodies = []
    for group in groups:
        rows = []
        for kind, row in group:
            cells = "".join(f"<td>{number(row[i], digits[i])}</td>" for i in range(len(shown)))
            rows.append(f'<tr class="{kind}"><th scope="row">{kind}</th>{cells}</tr>')
        bodies.append(f"<tbody>{''.join(rows)}</tbody>")
    head = f"<thead><tr><td></td>{heads}</tr></thead>"
    note = escape(caption + _first_columns(MAX_COLUMNS, names))
    return Section(
        f'<figure><h3>{title}</h3><div class="scroll">'
        f'<table class="rows">{head}{"".join(bodies)}</table></div>'
        f"<figcaption>{note}</figcaption></figure>"
    )


def _digits(column: NDArray[Any]) -> int:
    """Digits after the point that show three figures of the column's spread."""
    spread = float(column.std(dtype=np.float64)) or float(np.abs(column).max()) or 1.0
    return int(np.clip(2 - np.floor(np.log10(spread)), 0, 8))
