"""The picture of a comparison: how long each estimator needs to know the gradient to 1 %."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reparam.comparison.chain import ChainRule
from reparam.comparison.comparing import Comparison, duration
from reparam.comparison.measured import Measured
from reparam.report.style import BEST, FAINT, INK, PRIMARY, SECONDARY, drawn, new_figure

__all__ = ["parts_of_the_gradient", "time_to_precision"]

_ROW = 0.21  # inches
_HEAD = 0.62


@drawn
def time_to_precision(grid: Mapping[str, Mapping[str, Comparison]]) -> Figure:
    """One row of panels for each law, one column for each loss; a bar for each estimator.

    Args:
        grid: law to loss to comparison; every law has the same losses.
    """
    laws, losses = list(grid), list(next(iter(grid.values())))
    names = {law: _names(list(comparisons.values())) for law, comparisons in grid.items()}
    heights = [_HEAD + _ROW * len(names[law]) for law in laws]
    figure = new_figure(2.5 + 1.95 * len(losses), sum(heights) + 0.35)
    panels: Any = figure.subplots(len(laws), len(losses), squeeze=False, gridspec_kw={"height_ratios": heights})
    low, high = _limits(grid)
    for row, law in enumerate(laws):
        for column, loss in enumerate(losses):
            axes = panels[row][column]
            _panel(axes, grid[law][loss], names[law], low, high)
            axes.set_title(f"{law}, {loss}")
            axes.set_yticks(range(len(names[law])), names[law] if column == 0 else [""] * len(names[law]))
            for label in axes.get_yticklabels():
                label.set_color(INK)
            if row == len(laws) - 1:
                axes.set_xlabel("time to 1 % precision")
    return figure


@drawn
def parts_of_the_gradient(chain: ChainRule) -> Figure:
    """Two bars for each weight, what flows through loc and through scale, and a mark at the whole gradient."""
    figure = new_figure(9.0, 3.1)
    axes: Any = figure.subplots()
    places = range(len(chain.weights))
    loc, scale = chain.through_loc.tolist(), chain.through_scale.tolist()
    beyond = [first if first * second > 0 else 0.0 for first, second in zip(loc, scale, strict=True)]
    axes.bar(places, loc, width=0.6, color=PRIMARY, label="through loc(x)")
    axes.bar(places, scale, width=0.6, bottom=beyond, color=SECONDARY, label="through scale(x)")
    axes.plot(places, chain.whole.tolist(), "_", color=INK, ms=17, mew=2, label="the whole gradient")
    axes.axhline(0, color=FAINT, lw=0.8, zorder=0)
    axes.set_xticks(list(places), [name.replace(" ", "\n", 1) for name in chain.weights])
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("dL/dw")
    axes.legend(loc="best")
    return figure


def _names(comparisons: Sequence[Comparison]) -> list[str]:
    """All estimators of a row of panels, the best on average first, and then the direct draws."""
    seen: dict[str, list[float]] = {}
    for comparison in comparisons:
        for row in comparison.rows:
            rank = math.inf if comparison.is_biased(row) else row.microseconds_to_one_percent
            seen.setdefault(row.name, []).append(math.log(min(max(rank, 1e-3), 1e12)))
    best_first = sorted(seen, key=lambda name: sum(seen[name]) / len(seen[name]))
    direct = dict.fromkeys(way.name for comparison in comparisons for way in comparison.direct)
    return [*best_first, *direct]


def _limits(grid: Mapping[str, Mapping[str, Comparison]]) -> tuple[float, float]:
    times = [
        row.microseconds_to_one_percent
        for comparisons in grid.values()
        for comparison in comparisons.values()
        for row in comparison.rows
        if math.isfinite(row.microseconds_to_one_percent) and not comparison.is_biased(row)
    ]
    return (min(times) / 3, max(times) * 2) if times else (1.0, 1e6)


def _panel(axes: Any, comparison: Comparison, names: list[str], low: float, high: float) -> None:
    rows: dict[str, Measured] = {row.name: row for row in comparison.rows}
    direct = {way.name: "a gradient" if way.has_gradient else "no gradient" for way in comparison.direct}
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(len(names) - 0.4, -0.6)
    ticks = [tick for tick in (1.0, 1e3, 1e6, 1e9) if low < tick < high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: duration(tick)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for place, name in enumerate(names):
        row = rows.get(name)
        if name in direct:
            axes.text(low * 1.3, place, direct[name], va="center", color=BEST, fontsize=7.5)
        elif row is None:
            axes.text(low * 1.3, place, "does not fit", va="center", color=FAINT, fontsize=7.5)
        elif comparison.is_biased(row):
            axes.barh(
                place, high - low, left=low, height=0.62, color="white", edgecolor=SECONDARY, hatch="////", lw=0.6
            )
            text = f"never: {row.bias:.0%} off" if row.bias >= 0.01 else f"never: {row.bias:.1%} off"
            note = axes.text(low * 1.6, place, text, va="center", color=SECONDARY, fontsize=7.5)
            note.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.2})
        else:
            time = row.microseconds_to_one_percent
            axes.barh(place, time - low, left=low, height=0.62, color=PRIMARY)
            outside = math.log(time / low) < 0.62 * math.log(high / low)
            axes.text(
                time * 1.25 if outside else time / 1.25,
                place,
                duration(time),
                va="center",
                ha="left" if outside else "right",
                color=BEST if outside else "white",
                fontsize=7.5,
            )
