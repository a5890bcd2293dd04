"""Figures for tables: are the samples distributed as the data are, column by column and pair by pair?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reparam.report.style import FAINT, PRIMARY, SECONDARY, drawn, empty_note, fit_any_page, new_figure, plain

__all__ = ["MAX_CORRELATED", "MAX_MARGINALS", "correlations", "correlations_of", "marginals"]

MAX_MARGINALS = 12
MAX_CORRELATED = 30


def bin_edges(data: NDArray[Any]) -> NDArray[Any]:
    """Edges of the bins of a histogram of one column, ``[N]``, in the column's own units.

    A column with few different values gets one bin a value; any other gets equal bins from its 0.5 % to its
    99.5 % quantile, so that one far outlier does not squeeze everything into a single bar.

    Example:
        >>> bin_edges(np.array([0.0, 1.0, 1.0, 3.0]))
        array([-0.5,  0.5,  2. ,  4. ])
    """
    values = np.unique(data)
    if len(values) == 1:
        half = abs(values[0]) * 0.05 or 0.5
        return np.array([values[0] - half, values[0] + half])
    if len(values) <= 12:
        middles = (values[1:] + values[:-1]) / 2
        return np.array([2 * values[0] - middles[0], *middles, 2 * values[-1] - middles[-1]])
    low, high = np.quantile(data, [0.005, 0.995])
    if low == high:
        low, high = values[0], values[-1]
    count = int(np.clip(np.sqrt(len(data)), 10, 32))
    edges: NDArray[Any] = np.linspace(low, high, count + 1)
    return edges


@drawn
def marginals(data: NDArray[Any], samples: NDArray[Any], names: Sequence[str]) -> Figure:
    """A small histogram for each column: data filled, samples from the prior as a line over it.

    Args:
        data: ``[n, D]``, in the user's own units.
        samples: ``[m, D]``.
        names: one a column. Only the first ``MAX_MARGINALS`` columns are drawn.
    """
    count = min(len(names), MAX_MARGINALS)
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = new_figure(9.6 if columns > 1 else 5.0, 0.35 + 1.75 * rows)
    for index in range(count):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.set_title(plain(names[index], 34))
        edges = bin_edges(data[:, index])
        # Shares of all examples in each bin, so that what lies outside the edges is not hidden by rescaling.
        shares = [np.histogram(part[:, index], edges)[0] / len(part) for part in (data, samples)]
        axes.stairs(shares[0], edges, fill=True, color=PRIMARY, alpha=0.35, label="data")
        axes.stairs(shares[1], edges, color=SECONDARY, linewidth=1.6, label="samples")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    return figure


def correlations_of(values: NDArray[Any]) -> NDArray[Any]:
    """Pearson correlations ``[D, D]`` of the columns of ``[n, D]``; NaN for a column that does not vary.

    Example:
        >>> correlations_of(np.array([[0.0, 1.0], [1.0, -1.0], [2.0, -3.0]])).round(6)
        array([[ 1., -1.],
               [-1.,  1.]])
    """
    exact = values.astype(np.float64)
    centred = exact - exact.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    # Rounding leaves a tiny spread in a constant column of large values.
    varies = scale > 1e-6 * np.abs(exact).max(axis=0) * np.sqrt(len(exact))
    unit = np.divide(centred, scale, out=np.full_like(centred, np.nan), where=varies)
    matrix: NDArray[Any] = np.clip(unit.T @ unit, -1.0, 1.0)
    return matrix


@drawn
def correlations(data: NDArray[Any], samples: NDArray[Any], names: Sequence[str]) -> Figure:
    """The correlation of each pair of columns, in the data and in the samples, on one colour scale.

    Transparent, as the map of the latent space is.

    Args:
        data: ``[D, D]`` correlations; NaN is drawn grey.
        samples: ``[D, D]``.
        names: one a column, at most ``MAX_CORRELATED``.
    """
    figure = new_figure(9.6, 4.9)
    panels = figure.subplots(1, 2)
    shown = [plain(name, 14) for name in names]
    colours = colormaps["RdBu_r"].with_extremes(bad=FAINT)
    size = 8 if len(names) <= 14 else 6
    for axes, matrix, title in zip(panels, (data, samples), ("Data", "Samples"), strict=True):
        axes.set_title(title)
        if not np.isfinite(matrix).any():
            empty_note(axes, "no column varies")
            continue
        picture = axes.imshow(matrix, cmap=colours, vmin=-1, vmax=1)
        axes.set_xticks(range(len(shown)), shown, rotation=90, fontsize=size)
        axes.set_yticks(range(len(shown)), shown if axes is panels[0] else [""] * len(shown), fontsize=size)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if len(names) <= 8:
            _write_numbers(axes, matrix)
        if axes is panels[1]:
            figure.colorbar(picture, ax=panels, shrink=0.7, aspect=30, label="correlation")
    fit_any_page(figure)
    return figure


def _write_numbers(axes: Any, matrix: NDArray[Any]) -> None:
    for (row, column), value in np.ndenumerate(matrix):
        if np.isfinite(value) and row != column:
            colour = "white" if abs(value) > 0.6 else "black"
            number = f"{value:.2f}".replace("-", "−")
            axes.text(column, row, number, ha="center", va="center", fontsize=7.5, color=colour)
