"""A map of the latent space: where the encoder puts the examples, seen from its two widest sides."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reparam.report.style import BOTH, CATEGORIES, FAINT, INK, PRIMARY, drawn, fit_any_page, new_figure, plain

__all__ = ["Groups", "Projection", "group_labels", "latent_map", "project"]

MARKERS = {"o": 1.0, "s": 0.85, "^": 1.2, "D": 0.75, "v": 1.2}
"""Shapes that tell apart what colours alone might not, with factors that make them look equally large."""


@dataclass(frozen=True)
class Projection:
    """Examples on one or two axes.

    Args:
        coordinates: ``[N, 1]`` or ``[N, 2]``.
        axes: what each axis is, in words.
        explained: share of the variance of the posterior means that the axes hold; ``None`` where they are
            dimensions of the latent space itself.
    """

    coordinates: NDArray[Any]
    axes: tuple[str, ...]
    explained: float | None


def project(latent_loc: NDArray[Any], active: NDArray[np.bool_]) -> Projection | None:
    """The two first principal components of the posterior means over the active dimensions.

    A latent space of one or two dimensions is shown as it is, and so is a single active dimension.

    Args:
        latent_loc: ``[N, D]``, posterior means.
        active: ``[D]``.

    Returns:
        ``None`` where no dimension is active: there is nothing to see.

    Example:
        >>> loc = np.array([[3.0, 0.0, 1.0], [-3.0, 0.0, 1.0], [0.0, 0.0, -2.0]])
        >>> project(loc, np.array([True, False, True])).coordinates.shape
        (3, 2)
    """
    dimensions = np.flatnonzero(active)
    if not len(dimensions):
        return None
    if latent_loc.shape[1] <= 2 or len(dimensions) == 1:
        kept = np.arange(latent_loc.shape[1]) if latent_loc.shape[1] <= 2 else dimensions
        return Projection(latent_loc[:, kept], tuple(f"latent dimension {index}" for index in kept), None)
    centred = latent_loc[:, dimensions].astype(np.float64)
    centred = centred - centred.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    # A component's sign is arbitrary: the largest entry is made positive, so that the map does not flip.
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    names = ("first principal component", "second principal component")[: len(directions)]
    explained = float((lengths[:2] ** 2).sum() / (lengths**2).sum())
    return Projection(centred @ directions.T, names, explained)


@dataclass(frozen=True)
class Groups:
    """Examples sorted into at most ten coloured groups.

    Args:
        membership: ``[N]``, index into ``names``.
        names: one name a group; the most frequent labels, in the order of the labels.
        others: number of labels gathered in the last group, 0 where every label has its own.
    """

    membership: NDArray[Any]
    names: tuple[str, ...]
    others: int


def group_labels(labels: NDArray[Any], label_names: tuple[str, ...]) -> Groups:
    """One group a label up to ten; with more, the nine most frequent labels and one group for the rest.

    Example:
        >>> group_labels(np.array([2, 0, 2]), ("a", "b", "c")).names
        ('a', 'c')
    """
    present, counts = np.unique(labels, return_counts=True)
    if len(present) <= len(CATEGORIES):
        membership = np.searchsorted(present, labels)
        return Groups(membership, tuple(label_names[label] for label in present), 0)
    frequent = present[np.sort(np.argsort(-counts, kind="stable")[: len(CATEGORIES) - 1])]
    place = np.searchsorted(frequent, labels).clip(max=len(frequent) - 1)
    membership = np.where(frequent[place] == labels, place, len(frequent))
    others = len(present) - len(frequent)
    return Groups(membership, (*(label_names[label] for label in frequent), f"{others} others"), others)


def _colours(groups: Groups | None) -> list[str]:
    if groups is None:
        return [PRIMARY]
    colours = list(CATEGORIES[: len(groups.names)])
    return [*colours[:-1], FAINT] if groups.others else colours


@drawn
def latent_map(projection: Projection, groups: Groups | None) -> Figure:
    """Examples on the axes of the projection, coloured by group: points in two dimensions, counts in one.

    Transparent, with ink that reads on white and on nearly black: turning the colours around for a dark
    page would bring groups closer together.

    Args:
        projection: ``[N, 2]`` or ``[N, 1]`` coordinates.
        groups: ``[N]`` memberships, or ``None`` for examples without labels.
    """
    flat = projection.coordinates.shape[1] == 1
    figure = new_figure(9.6, 3.2 if flat else 6.4)
    axes: Any = figure.add_subplot()
    axes.set_xlabel(projection.axes[0])
    if flat:
        _draw_counts(axes, projection.coordinates[:, 0], groups)
    else:
        axes.set_ylabel(projection.axes[1])
        _draw_points(axes, projection.coordinates, groups)
    if groups is not None:
        handles, names = axes.get_legend_handles_labels()
        order = slice(None) if flat else slice(None, None, -1)
        place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
        legend = axes.legend(handles[order], names[order], markerscale=1.5, labelcolor=BOTH, **place)
        for handle in legend.legend_handles:
            handle.set_alpha(1.0)
    fit_any_page(figure)
    return figure


def _draw_points(axes: Any, points: NDArray[Any], groups: Groups | None) -> None:
    size = float(np.clip(24000 / len(points), 8, 30))
    alpha = 0.8 if len(points) <= 3000 else 0.5
    axes.grid(True, color=BOTH, alpha=0.18)
    axes.set_aspect("equal", adjustable="datalim")
    if groups is None:
        axes.scatter(*points.T, s=size, color=PRIMARY, alpha=alpha, linewidths=0)
        return
    # Drawn from the last to the first, so that the rest of the labels stays in the background.
    for index in reversed(range(len(groups.names))):
        marker, factor = list(MARKERS.items())[index % len(MARKERS)]
        axes.scatter(
            *points[groups.membership == index].T,
            s=size * factor,
            color=_colours(groups)[index],
            alpha=alpha,
            linewidths=0,
            marker=marker,
            label=plain(groups.names[index]),
        )
    _name_groups(axes, points, groups)


def _name_groups(axes: Any, points: NDArray[Any], groups: Groups) -> None:
    """Write each label in the middle of its group, unless it would cover another; the legend has them all."""
    apart = 0.06 * np.ptp(points, axis=0).max()
    placed: list[NDArray[Any]] = []
    for index in range(len(groups.names) - bool(groups.others)):
        middle = np.median(points[groups.membership == index], axis=0)
        if any(np.hypot(*(middle - other)) < apart for other in placed):
            continue
        placed.append(middle)
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": _colours(groups)[index]}
        axes.text(
            *middle,
            plain(groups.names[index], 14),
            ha="center",
            va="center",
            weight="bold",
            color=INK,
            zorder=5,
            bbox=box | {"linewidth": 1.6},
        )


def _draw_counts(axes: Any, values: NDArray[Any], groups: Groups | None) -> None:
    parts = [values] if groups is None else [values[groups.membership == i] for i in range(len(groups.names))]
    labels = None if groups is None else [plain(name) for name in groups.names]
    axes.hist(parts, bins=40, stacked=True, color=_colours(groups), label=labels)
    axes.grid(axis="y", color=BOTH, alpha=0.18)
    axes.set_ylabel("examples")
