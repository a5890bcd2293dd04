"""One self-contained HTML page about a comparison, with its figures and its numbers beside it."""

import json
import math
from html import escape
from pathlib import Path

from reparam.comparison.comparing import Comparison
from reparam.comparison.overview import Overview
from reparam.comparison.plots import parts_of_the_gradient, time_to_precision
from reparam.report.document import document
from reparam.report.elements import Picture, details, figure, number, section

__all__ = ["write_comparison"]

_CAPTION = (
    "How long each estimator computes until the standard error of its gradient is 1 % of the gradient: the shorter the "
    "better, each line a thousand times longer than the one before. Hatched: the estimator is biased, and no time is "
    "enough. No gradient: a draw made in this way is right, but it is only a number."
)
_CHAIN = (
    "dL/dw for every weight w of a small network that gives loc(x) and scale(x). y = loc + scale·ε carries the "
    "gradient back along both ways; the two bars add up to the whole gradient, the black mark. A draw that is only a "
    "number carries it along neither."
)


def write_comparison(overview: Overview, folder: Path) -> Path:
    """Write ``index.html``, two figures as PNG and ``comparison.json`` into a folder, which is made.

    Returns:
        The path of the page.
    """
    folder.mkdir(parents=True)
    pictures = [
        Picture("estimators.png", time_to_precision(overview.grid), "Time to a precise gradient, for each estimator."),
        Picture("chain-rule.png", parts_of_the_gradient(overview.chain), "The gradient by way of loc and scale."),
    ]
    for picture in pictures:
        (folder / picture.name).write_bytes(picture.png)
    (folder / "comparison.json").write_text(json.dumps(overview.to_dict(), indent=1, allow_nan=False), "utf-8")
    tables = [
        details(f"{law}, {loss}: f(y) = {overview.formulas[loss]}", _table(comparison))
        for law, comparisons in overview.grid.items()
        for loss, comparison in comparisons.items()
    ]
    body = "\n".join(
        [
            '<header><p class="over">Comparison</p><h1>The gradient of an expectation</h1>'
            '<ul class="line"><li>y is drawn from a law with parameters</li><li>f(y) is the loss</li>'
            "<li>every way to estimate the gradient of E f(y), side by side</li></ul></header>",
            section("estimators", "Which estimator", figure(pictures[:1], _CAPTION)),
            section("numbers", "All numbers", *tables),
            section("chain", "The chain rule", figure(pictures[1:], _CHAIN)),
        ]
    )
    page = folder / "index.html"
    page.write_text(document("The gradient of an expectation", body, "Made by <code>reparam compare</code>."), "utf-8")
    return page


def _table(comparison: Comparison) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("bias", "± error", "z", "variance", "calls of f", "µs", "1 % after"))
    rows = []
    for row in comparison.rows:
        known = not math.isnan(row.bias)
        cells = [
            f"{number(100 * row.bias)} %" if known else "",
            f"{number(100 * row.uncertainty)} %" if known else "",
            number(min(row.z, 9999.0), 1) if known else "",
            f"{row.total_variance:.3g}",
            number(row.evaluations, 0),
            number(row.microseconds),
            comparison.verdict(row),
        ]
        columns = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row"><code>{escape(row.name)}</code></th>{columns}</tr>')
    body = f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    direct = "".join(f"<p>{escape(f'direct draw, {way}')}</p>" for way in comparison.direct)
    return f'<div class="scroll"><table class="rows">{body}</table></div>{direct}'
