"""How every figure looks: fonts, colours, resolution. The one place to change it."""

import io
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

__all__ = [
    "BEST",
    "BOTH",
    "CATEGORIES",
    "DOTS_PER_INCH",
    "FAINT",
    "INK",
    "PRIMARY",
    "SECONDARY",
    "STYLE",
    "drawn",
    "empty_note",
    "fit_any_page",
    "hide_frame",
    "new_figure",
    "plain",
    "text_width",
]

DOTS_PER_INCH = 192
"""Two pixels for each pixel of the page, so that figures are sharp on dense screens."""

INK = "#2b2f36"
FAINT = "#c3c8d0"
PRIMARY = "#2563b0"
SECONDARY = "#d9720d"
BEST = "#5b6270"
BOTH = "#7b818c"
"""Ink that reads on white and on a nearly black page, for figures that are transparent."""

CATEGORIES = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
"""Ten colours that stay apart under the common colour-vision deficiencies (Petroff, arXiv:2107.02270)."""

STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.hspace": 0.09,
    "figure.constrained_layout.wspace": 0.05,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # a column may be called "$x$"
    "axes.edgecolor": "#9aa1ad",
    "axes.facecolor": "white",
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#e8eaee",
    "grid.linewidth": 0.8,
    "xtick.color": "#9aa1ad",
    "ytick.color": "#9aa1ad",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}

P = ParamSpec("P")


def drawn(make: Callable[P, Figure]) -> Callable[P, bytes]:
    """Turn a function that builds a figure into one that returns it as PNG bytes.

    The style applies while the figure is built and drawn, on top of matplotlib's own defaults: a user's
    ``matplotlibrc`` neither shows in the report nor is changed by it. Equal arguments give equal bytes.
    """

    @wraps(make)
    def as_png(*args: P.args, **kwargs: P.kwargs) -> bytes:
        with matplotlib.style.context(STYLE, after_reset=True):
            figure = make(*args, **kwargs)
            buffer = io.BytesIO()
            # The library's version is left out of the file: it would change the bytes and says nothing.
            FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
        return buffer.getvalue()

    return as_png


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` x ``height`` inches (96 pixels of the page an inch)."""
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH)


def plain(text: str, limit: int = 24) -> str:
    """User text for a figure: one line, at most ``limit`` characters, ``?`` for what the font cannot draw."""
    line = " ".join(text.split())
    short = line if len(line) <= limit else line[: limit - 1] + "…"
    return "".join(sign if ord(sign) in _signs() else "?" for sign in short)


def text_width(text: str, points: float) -> int:
    """Pixels that a line of text takes, in the figures' font at this size."""
    font = get_font(findfont(STYLE["font.family"]))
    font.set_size(points, DOTS_PER_INCH)
    font.set_text(text, 0.0)
    width: int = font.get_width_height()[0]
    return width // 64 + 1


@cache
def _signs() -> frozenset[int]:
    # matplotlib warns at each sign it cannot draw; other fonts would make figures differ between machines.
    font = get_font(findfont(STYLE["font.family"]))
    return frozenset(font.get_charmap())


def fit_any_page(figure: Figure) -> None:
    """Make a figure transparent and its ink readable on light and dark, its colours kept as they are."""
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.tick_params(labelcolor=BOTH)
        axes.xaxis.label.set_color(BOTH)
        axes.yaxis.label.set_color(BOTH)
        axes.set_title(axes.get_title(loc="left"), loc="left", color=BOTH)


def hide_frame(axes: Any) -> None:
    """Take ticks and frame away from axes that only carry a picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def empty_note(axes: Any, text: str) -> None:
    """Write ``text`` in the middle of axes that have nothing to show."""
    hide_frame(axes)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=BEST)
