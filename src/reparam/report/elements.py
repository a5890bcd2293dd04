"""The pieces of HTML that the page is built from. All text from outside passes through ``escape`` here."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from reparam.report.style import DOTS_PER_INCH

__all__ = [
    "Picture",
    "Section",
    "boxed",
    "card",
    "count",
    "details",
    "facts_table",
    "figure",
    "flatten",
    "marked",
    "notice",
    "number",
    "section",
    "values_table",
]


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Args:
        name: file name beside the page.
        png: the bytes of the file.
        alt: what it shows, for people who do not see it.
        chart: dark ink on white, to be turned light on dark in a dark scheme; pictures of data never are.
    """

    name: str
    png: bytes
    alt: str
    chart: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """Width and height on the page (the file has twice as many pixels)."""
        width, height = int.from_bytes(self.png[16:20], "big"), int.from_bytes(self.png[20:24], "big")
        return width * 96 // DOTS_PER_INCH, height * 96 // DOTS_PER_INCH


@dataclass(frozen=True)
class Section:
    """A part of the page and the figures in it."""

    html: str
    pictures: tuple[Picture, ...] = ()


def number(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """A number for people: a real minus sign, thousands apart, ``digits`` after the point.

    Example:
        >>> number(-123.456), number(3, 1, sign=True), number(-0.001)
        ('−123.46', '+3.0', '0.00')
    """
    rounded = round(value, digits) or 0.0
    text = f"{rounded:{'+' if sign else ''},.{digits}f}"
    return text.replace("-", "−").replace(",", "\N{NARROW NO-BREAK SPACE}")


def count(amount: int, noun: str, plural: str = "") -> str:
    """An amount and its noun.

    Example:
        >>> count(1, "example"), count(2, "example"), count(3, "copy", "copies")
        ('1 example', '2 examples', '3 copies')
    """
    return f"{number(amount, 0)} {noun if amount == 1 else plural or noun + 's'}"


def card(label: str, value: str, unit: str, detail: str, *, error: str = "", hero: bool = False) -> str:
    """One key number with its error and unit, and a line that says what it means. Escapes everything."""
    kind = "card hero" if hero else "card"
    unit_html = f' <span class="unit">{escape(unit)}</span>' if unit else ""
    if error:
        unit_html = f' <span class="error">± {escape(error)}</span>{unit_html}'
    return (
        f'<div class="{kind}"><div class="label">{escape(label)}</div>'
        f'<div class="value">{escape(value)}{unit_html}</div><div class="detail">{escape(detail)}</div></div>'
    )


def notice(text: str) -> str:
    """A sentence that says what is missing and how to get it; commands between backticks. Escapes."""
    return f'<p class="notice">{marked(text)}</p>'


def marked(text: str) -> str:
    """Escaped text in which what stands between two backticks is set as code.

    Example:
        >>> marked("a < b: `run` it")
        'a &lt; b: <code>run</code> it'
    """
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def figure(pictures: Sequence[Picture], caption: str, title: str = "") -> str:
    """One or more pictures side by side over one caption; ``caption`` and ``title`` are escaped."""
    images = []
    for picture in pictures:
        width, height = picture.size
        data = base64.b64encode(picture.png).decode("ascii")
        images.append(
            f'<img class="{"chart" if picture.chart else "photo"}" width="{width}" height="{height}" '
            f'alt="{escape(picture.alt)}" src="data:image/png;base64,{data}">'
        )
    # Shares of the width in proportion to the pictures, so that pictures side by side have one height.
    columns = " ".join(f"{picture.size[0]}fr" for picture in pictures)
    side_by_side = f'<div class="beside" style="--columns:{columns}">' if len(images) > 1 else '<div class="scroll">'
    return boxed(f"{side_by_side}{''.join(images)}</div>", caption, title)


def boxed(content: str, caption: str, title: str = "") -> str:
    """Something to look at over its caption; ``content`` is HTML already, ``caption`` and ``title`` are escaped."""
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    return f"<figure>{heading}{content}<figcaption>{escape(caption)}</figcaption></figure>"


def values_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns of values with a name before each row. Escapes.

    Example:
        >>> values_table(["", "a < b"], [["name", "1"]]).count("a &lt; b")
        1
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' if name else "<td></td>" for name in header)
    body = "".join(
        f'<tr class="original"><th scope="row">{escape(name)}</th>'
        f"{''.join(f'<td>{escape(value)}</td>' for value in values)}</tr>"
        for name, *values in rows
    )
    return f'<div class="scroll"><table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def section(identifier: str, title: str, *parts: str) -> str:
    """A titled part of the page; ``parts`` are HTML already."""
    return f'<section id="{identifier}"><h2>{escape(title)}</h2>{"".join(parts)}</section>'


def details(title: str, content: str) -> str:
    """A part that opens at a click; ``content`` is HTML already."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def facts_table(facts: Iterable[tuple[str, str]]) -> str:
    """Names and values in two columns. Escapes."""
    rows = "".join(f'<tr><th scope="row">{escape(key)}</th><td>{escape(text)}</td></tr>' for key, text in facts)
    return f'<div class="scroll"><table class="facts">{rows}</table></div>'


def flatten(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A JSON object as names (``outer.inner``) and values in words; long lists are cut short.

    Example:
        >>> flatten({"a": {"b": True, "c": [1, 2]}, "d": None})
        [('a.b', 'yes'), ('a.c', '1, 2'), ('d', 'not set')]
    """
    facts = []
    for key, entry in value.items():
        if isinstance(entry, Mapping):
            facts += flatten(entry, f"{prefix}{key}.")
        else:
            facts.append((f"{prefix}{key}", _in_words(entry)))
    return facts


def _in_words(entry: Any) -> str:
    if entry is None:
        return "not set"
    if isinstance(entry, bool):
        return "yes" if entry else "no"
    if isinstance(entry, float):
        return f"{entry:.6g}".replace("-", "−")
    if isinstance(entry, list):
        if not entry:
            return "none"
        shown = ", ".join(_in_words(item) for item in entry[:8])
        return shown if len(entry) <= 8 else f"{shown}, … ({len(entry)} in all)"
    return str(entry)
