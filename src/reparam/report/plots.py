"""Figures of numbers that every run has: the curves of training, and the KL of each latent dimension.

Every function takes numpy arrays and returns the bytes of a PNG; equal arrays give equal bytes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from reparam.report.style import BEST, FAINT, PRIMARY, SECONDARY, drawn, empty_note, new_figure

__all__ = ["Curve", "active_kl", "rate_parts", "training_bound", "training_terms", "value_limits"]

Curve = tuple[NDArray[Any], NDArray[Any]]
"""Steps ``[T]`` and values ``[T]`` (nats) of one term on one split."""

MAX_POINTS = 160
COLOURS = {"train": PRIMARY, "validation": SECONDARY}


def value_limits(curves: Mapping[str, Curve]) -> tuple[float, float] | None:
    """Limits of the value axis that show where training went, not the huge values of its first steps.

    The first tenth of the steps is left out, then the outer 1 % of what remains; 8 % is added on either side.

    Returns:
        Lowest and highest value to show (nats), or ``None`` where no curve has a point.

    Example:
        >>> steps = np.arange(100.0)
        >>> low, high = value_limits({"train": (steps, np.where(steps < 5, -1e6, -90.0 + steps / 100))})
        >>> -90 < low < high < -88
        True
    """
    values = []
    for steps, heights in curves.values():
        if len(steps):
            values.append(heights[steps >= steps[0] + 0.1 * (steps[-1] - steps[0])])
    if not values:
        return None
    low, high = np.quantile(np.concatenate(values), [0.01, 0.99])
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return float(low - margin), float(high + margin)


def _averaged(curve: Curve) -> Curve:
    """The curve with neighbouring points averaged, so that at most ``MAX_POINTS`` remain."""
    steps, values = curve
    if len(steps) <= MAX_POINTS:
        return curve
    parts = np.array_split(np.arange(len(steps)), MAX_POINTS)
    return np.array([steps[part].mean() for part in parts]), np.array([values[part].mean() for part in parts])


def _draw_curves(axes: Any, curves: Mapping[str, Curve], *, legend: bool) -> None:
    for split, curve in curves.items():
        steps, values = curve
        if not len(steps):
            continue
        if len(steps) > MAX_POINTS:
            axes.plot(steps, values, color=COLOURS[split], alpha=0.22, linewidth=0.8)
        marker = "o" if len(steps) <= 12 else ""
        axes.plot(*_averaged(curve), color=COLOURS[split], label=split, marker=marker, markersize=3.5)
    limits = value_limits(curves)
    if limits is None:
        empty_note(axes, "nothing recorded yet")
        return
    axes.set_ylim(limits)
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}".replace(",", " ")))
    if legend:
        axes.legend(loc="lower right")


@drawn
def training_bound(curves: Mapping[str, Curve], best: tuple[int, float] | None) -> Figure:
    """The bound (nats per example) against the step, for each split, with the best step marked.

    Args:
        curves: ``"train"`` and ``"validation"`` to steps and values; either may be empty.
        best: step and bound of the best checkpoint.
    """
    figure = new_figure(6.2, 4.2)
    axes = figure.add_subplot()
    axes.set_title("Bound, nats per example (higher is better)")
    _draw_curves(axes, curves, legend=True)
    axes.set_xlabel("step")
    if best is not None and any(len(steps) for steps, _ in curves.values()):
        step, bound = best
        axes.axvline(step, color=BEST, linewidth=0.9, linestyle=(0, (3, 3)))
        axes.plot([step], [bound], "o", color=SECONDARY, markersize=7, markeredgecolor="white", zorder=5)
        left, right = axes.get_xlim()
        inwards = -6 if step > (left + right) / 2 else 6
        axes.annotate(
            f"best: step {step:,}".replace(",", " "),
            (step, 0.30),
            xycoords=axes.get_xaxis_transform(),
            xytext=(inwards, 0),
            textcoords="offset points",
            ha="right" if inwards < 0 else "left",
            color=BEST,
            fontsize=8.5,
        )
    return figure


@drawn
def training_terms(distortion: Mapping[str, Curve], rate: Mapping[str, Curve]) -> Figure:
    """The two costs whose sum is the negative ELBO, in nats per example, one above the other."""
    figure = new_figure(3.5, 4.2)
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.set_title("Distortion, nats")
    _draw_curves(upper, distortion, legend=False)
    lower.set_title("Rate, nats")
    _draw_curves(lower, rate, legend=False)
    lower.set_xlabel("step")
    return figure


@drawn
def active_kl(kl: NDArray[Any], active: NDArray[np.bool_] | None) -> Figure:
    """The KL of each latent dimension (nats, mean over examples) as bars, largest first.

    Args:
        kl: ``[D]``.
        active: ``[D]``, which dimensions carry information; ``None`` where that is not known.
    """
    order = np.argsort(-kl, kind="stable")
    known = np.ones(len(kl), dtype=bool) if active is None else active
    figure = new_figure(9.6, 3.0)
    axes = figure.add_subplot()
    axes.set_title("KL of each latent dimension, nats per example")
    positions = np.arange(len(kl))
    width = 0.78 if len(kl) <= 100 else 1.0
    for flag, colour, name in ((True, PRIMARY, "active"), (False, FAINT, "not active")):
        chosen = known[order] == flag
        if chosen.any():
            label = name if active is not None else None
            axes.bar(positions[chosen], kl[order][chosen], width=width, color=colour, label=label)
    axes.set_xlim(-0.7, max(len(kl), 8) - 0.3)
    axes.set_ylim(0, max(float(kl.max()) * 1.06, 1e-3))
    axes.grid(axis="y")
    if len(kl) <= 40:
        axes.set_xticks(positions, [str(dimension) for dimension in order], fontsize=7.5 if len(kl) > 24 else 8)
        axes.set_xlabel("latent dimension, largest KL first")
    else:
        axes.set_xlabel("rank of the latent dimension, largest KL first")
    if active is not None:
        axes.legend(loc="upper right")
    return figure


@drawn
def rate_parts(information: float, gap: float) -> Figure:
    """The two parts of the rate (nats) as one bar; a part below 0, by the error of its draws, is drawn as 0.

    Args:
        information: what tells examples apart; gap: what lies between posteriors together and prior.
    """
    figure = new_figure(9.6, 1.15)
    axes = figure.add_subplot()
    sizes = max(information, 0.0), max(gap, 0.0)
    for left, size, colour, name in (
        (0.0, sizes[0], PRIMARY, "tells examples apart"),
        (sizes[0], sizes[1], SECONDARY, "gap to the prior"),
    ):
        axes.barh([0], [size], left=left, color=colour, label=name, height=0.8)
    axes.set_xlim(0, max(sum(sizes) * 1.02, 1e-3))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("nats per example")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.0)
    return figure
