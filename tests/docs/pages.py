"""Pages of documentation taken apart: code blocks, headings, pictures, links, rows of tables."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced piece of code."""

    language: str
    code: str


def blocks(text, language=None):
    """The code blocks of a page, or those of one language."""
    found = [Block(*match) for match in _FENCE.findall(text)]
    return [block for block in found if language in (None, block.language)]


def prose(text):
    """The page without its code blocks."""
    return _FENCE.sub("", text)


def heading_levels(text):
    """The depth of each heading, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(text), re.MULTILINE)]


def targets(text):
    """What the page links to or shows, in order, other pages of the web left out."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    return [target for target in found if not target.startswith(("http:", "https:"))]


def anchors(text):
    """What a link to a heading of the page may say after ``#``."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def pictures(text):
    """The pictures the page shows, in order."""
    return re.findall(r"!\[[^\]]+\]\(([^)\s]+)\)", prose(text))


def rows(text, first):
    """The cells of the table rows whose first cell matches ``first`` as a whole."""
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [cells for cells in table if re.fullmatch(first, cells[0])]
