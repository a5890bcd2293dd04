"""The frame of every page: one file that needs nothing but itself."""

from html import escape
from importlib.resources import files

__all__ = ["document"]

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may load for the page: what is inside it, and nothing else."""


def document(title: str, body: str, footer: str) -> str:
    """A whole HTML page with its style inside, no scripts, no links and no dates.

    Args:
        title: of the window; escaped.
        body: HTML.
        footer: HTML.

    Example:
        >>> document("a < b", "<h1>a</h1>", "made here").count("a &lt; b")
        1
    """
    style = files("reparam.report").joinpath("page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
<footer>{footer}
</footer>
</main>
</body>
</html>
"""
