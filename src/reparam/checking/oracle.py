"""The truth about a law on a line, by quadrature of nothing but its own density.

With ``p`` the density and θ a parameter, the CDF's derivative is ``∂F/∂θ(y) = ∫ ∂p/∂θ dx`` over everything below y,
less ``p(a)·da/dθ`` where the support begins at an ``a`` that moves. Both tails are summed from their own end, so that
nothing cancels, and a draw y whose law is kept has to move on average by ``v = -(∂F/∂θ)(y) / p(y)`` (the continuity
equation in one dimension; Figurnov, Mohamed & Mnih, arXiv:1805.08498).

Between panel edges the integrand is a Legendre series (16 Gauss points), panels are halved until the series has ended
to 1e-9 of its panel or 1e-11 of all; beyond the last panel, where float64 has no more values, tails are exponential.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from reparam.checking.coordinates import Coordinate, bounds, choose
from reparam.checking.subject import Subject, Unavailable

__all__ = ["Oracle", "Velocity"]

_POINTS = 16
_LOCAL, _GLOBAL = 1e-9, 1e-11
_ROUNDS, _MAX_PANELS = 48, 8000
_LEVELS = 96


def _gauss() -> tuple[Tensor, Tensor, Tensor]:
    """Nodes and weights on [-1, 1], and the matrix from values at the nodes to Legendre coefficients."""
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    degrees = np.arange(_POINTS)
    values = np.polynomial.legendre.legvander(nodes, _POINTS - 1)
    matrix = (2 * degrees[:, None] + 1) / 2 * weights[None] * values.T
    return torch.from_numpy(nodes), torch.from_numpy(weights), torch.from_numpy(matrix)


_NODES, _WEIGHTS, _TO_SERIES = _gauss()


@dataclass(frozen=True)
class Velocity:
    """How draws have to move, ``[n, directions]``.

    Args:
        value: the velocity.
        scale: its size without cancellation, ``∫|∂p/∂θ| / p`` over the nearer tail: what accuracy is relative to.
        uncertainty: how much it changes when the draw is rounded differently, and how much of it is extrapolated.
        log_prob: at the draws, ``[n]``.
        score: at the draws, ``[n, directions]``.
    """

    value: Tensor
    scale: Tensor
    uncertainty: Tensor
    log_prob: Tensor
    score: Tensor


class Oracle:
    """CDF, its derivative in every direction, and derivatives of expectations, of a law on a line.

    Args:
        subject: the law.
        draws: some of its draws, which say where to look.

    Raises:
        Unavailable: the law has no differentiable density, or one that moves in a way quadrature cannot follow.
    """

    def __init__(self, subject: Subject, draws: Tensor) -> None:
        draws = draws.detach().double()
        draws = draws[draws.isfinite()]
        if len(draws) < 100:
            raise Unavailable("there are hardly any finite draws")
        self.subject = subject
        self.coordinate = choose(subject.sketch, draws, _is_circle(subject, draws))
        self.limits = self.coordinate.limits()
        t = self.coordinate.inverse(draws)
        t = t[(t > self.limits[0]) & (t < self.limits[1])].sort().values
        if len(t) < 100:
            raise Unavailable("nearly all draws lie where float64 cannot tell them apart")
        self._sum_up(self._first_edges(t))

    # --- building ---

    def _integrand(self, t: Tensor) -> Tensor:
        """``[n, 1 + directions]``: density and its derivatives, per unit of t."""
        density = self.subject.density(self.coordinate.value(t))
        weight = (density.log_prob + self.coordinate.log_stretch(t)).exp()[:, None]
        columns = torch.cat([weight, torch.where(weight > 0, weight * density.score, 0.0)], 1)
        return columns.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)

    def _first_edges(self, t: Tensor) -> Tensor:
        if self.coordinate.kind == "circle":
            return torch.linspace(-math.pi, math.pi, 2 * _LEVELS + 1, dtype=torch.float64)
        ranks = torch.linspace(0, len(t) - 1, _LEVELS).round().long()
        inner = t[ranks].unique()
        spread = float(t[-1] - t[0]) or 1.0
        outward = spread / 30 * (1.3 ** torch.arange(1, 81, dtype=torch.float64) - 1) / 0.3
        above = self._until_negligible(inner[-1] + outward, inner[-1])
        below = self._until_negligible(inner[0] - outward, inner[0])
        return torch.cat([below.flip(0), inner, above])

    def _until_negligible(self, edges: Tensor, start: Tensor) -> Tensor:
        """Edges outward from ``start`` until the density there is 1e-17 of what it is at the start."""
        low, high = self.limits
        edges = edges.clamp(low, high).unique()
        edges = edges if len(edges) < 2 or edges[0] > start else edges.flip(0)
        edges = edges[edges != start]
        if not len(edges):
            return edges
        mass = self._integrand(torch.cat([start[None], edges]))[:, 0]
        negligible = (mass[1:] <= 1e-17 * mass[0]).nonzero()
        return edges[: int(negligible[0]) + 1] if len(negligible) else edges

    def _sum_up(self, edges: Tensor) -> None:
        left, right, series = _panels(self._integrand, self.coordinate, edges)
        order = left.argsort()
        self.left, self.right, self.series = left[order], right[order], series[order]
        half = (self.right - self.left) / 2
        self.nodes = ((self.left + self.right) / 2)[:, None] + half[:, None] * _NODES
        self.values = self.coordinate.value(self.nodes)
        at_nodes = torch.einsum("kd,pdc->pkc", torch.linalg.inv(_TO_SERIES), self.series)
        self.weighted = at_nodes * _WEIGHTS[:, None]
        panels, sizes = 2 * self.series[:, 0], (at_nodes.abs() * _WEIGHTS[:, None]).sum(1)
        low, high = self._ends()
        zero = panels.new_zeros(1, panels.shape[1])
        self._below = torch.cat([zero, panels.cumsum(0)]) + low[0]
        self._above = torch.cat([panels.flip(0).cumsum(0).flip(0), zero]) + high[0]
        self._size_below = torch.cat([zero, sizes.cumsum(0)]) + low[1]
        self._size_above = torch.cat([sizes.flip(0).cumsum(0).flip(0), zero]) + high[1]
        self.mass = float(self._above[0, 0] + low[0][0])
        self.outside = float(low[0][0]), float(high[0][0])
        self.uncertainty = sum(10 * mass * doubt for mass, doubt in zip(self.outside, self._doubts, strict=True))
        lost = (self._above[0] + low[0])[1:].abs() / (self._size_above[0] + low[1])[1:].clamp(min=1e-300)
        if self.coordinate.kind != "circle" and bool((lost > 1e-5).any()) and abs(self.mass - 1) < 1e-6:
            raise Unavailable(
                "the derivative of the density does not integrate to 0: it has a jump that moves with a parameter, or "
                "parameters that change its normalisation"
            )

    def _ends(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """What lies outside all panels, and its size: exponential tails, and the flux through ends that move."""
        self._flows = self._flux()
        found, self._doubts = [], list[float]()
        for end, inward, flow in ((self.left[0], 1.0, self._flows[0]), (self.right[-1], -1.0, self._flows[1])):
            total, doubt = _tail(self._integrand, end, inward, float(self.right[-1] - self.left[0]))
            self._doubts.append(doubt)
            if self.coordinate.kind == "circle":
                total = torch.zeros_like(total)
            total = torch.cat([total[:1], total[1:] + flow])
            found.append((total, total.abs()))
        return found[0], found[1]

    def _flux(self) -> tuple[Tensor, Tensor]:
        """``-p(a)·da/dθ`` and ``+p(b)·db/dθ`` along each direction."""
        ways = len(self.subject.along)
        copies = self.subject.copies(1)
        flows = []
        for end, t, sign in zip(bounds(copies.law), (self.left[0], self.right[-1]), (-1.0, 1.0), strict=True):
            moves = isinstance(end, Tensor) and end.requires_grad
            speed = copies.gradients(end, retain_graph=True)[0] if moves else torch.zeros(ways, dtype=torch.float64)
            if not speed.any():
                flows.append(speed)
                continue
            limit = t.new_tensor(self.limits[0] if sign < 0 else self.limits[1])
            steps = torch.stack([limit, limit - sign])
            log_prob = self.subject.density(self.coordinate.value(steps)).log_prob
            if log_prob[0] - log_prob[1] > 0.1:
                raise Unavailable("the density is infinite at an end that moves with a parameter")
            flows.append(sign * log_prob[0].exp() * speed)
        return flows[0], flows[1]

    # --- asking ---

    def resolvable(self, draws: Tensor) -> Tensor:
        """Which draws lie between the panels' ends, where float64 can tell them apart."""
        t = self.coordinate.inverse(draws)
        return (t > self.left[0]) & (t < self.right[-1])

    def _integrals(self, draws: Tensor, columns: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of the columns below and above each draw, and the sizes of the same."""
        t = self.coordinate.inverse(draws).clamp(self.left[0], self.right[-1])
        panel = (torch.searchsorted(self.left, t, right=True) - 1).clamp(0, len(self.left) - 1)
        half = (self.right - self.left)[panel] / 2
        local = ((t - self.left[panel]) / half - 1).clamp(-1, 1)
        up_to, beyond = _partial(self.series[..., columns], panel, local)
        share = ((local + 1) / 2)[:, None]
        size_below, size_above = self._size_below[:, columns], self._size_above[:, columns]
        size = size_below[panel + 1] - size_below[panel]
        return (
            self._below[panel, columns] + up_to,
            self._above[panel + 1, columns] + beyond,
            size_below[panel] + share * size,
            size_above[panel + 1] + (1 - share) * size,
        )

    def cdf(self, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Probability below and above each draw, each precise where it is small."""
        below, above, *_ = self._integrals(draws.detach().double(), slice(1))
        return below[:, 0].clamp(0, 1), above[:, 0].clamp(0, 1)

    def velocity(self, draws: Tensor) -> Velocity:
        """How each draw has to move; on a circle up to one constant flow through all of it."""
        draws = draws.detach().double()
        density = self.subject.density(draws)
        below, above, size_below, size_above = self._integrals(draws)
        from_below = (below[:, 0] < above[:, 0])[:, None]
        flow = torch.where(from_below, -below[:, 1:], above[:, 1:])
        height = density.log_prob.exp()[:, None]
        value = flow / height
        scale = torch.where(from_below, size_below[:, 1:], size_above[:, 1:]) / height
        unsure = torch.where(
            from_below[:, 0],
            self.outside[0] * self._doubts[0] / below[:, 0],
            self.outside[1] * self._doubts[1] / above[:, 0],
        )
        change = (density.score + value * density.slope[:, None]).abs()
        rounding = 64 * torch.finfo(torch.float64).eps * draws.abs()[:, None] * change
        return Velocity(value, scale, rounding + 10 * unsure[:, None] * scale, density.log_prob, density.score)

    def gradient_of_mean(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """``∂/∂θ E[φ(y)]`` along each direction, for φ that does not grow at the ends of the panels."""
        inside = (function(self.values.flatten())[:, None] * self.weighted[..., 1:].flatten(0, 1)).sum(0)
        ends = self.coordinate.value(torch.stack([self.left[0], self.right[-1]]))
        at_ends = function(ends)[:, None]
        return inside + at_ends[0] * self._below[0, 1:] + at_ends[1] * self._above[-1, 1:]

    def flows_of(self, function: Callable[[Tensor], Tensor], centre: float) -> Tensor:
        """What ends that move add to ``E[(φ - centre) ∂log p/∂θ]`` to make it the derivative of ``E[φ]``."""
        ends = self.coordinate.value(torch.stack([self.left[0], self.right[-1]]))
        parts = [(value - centre) * flow for value, flow in zip(function(ends), self._flows, strict=True) if flow.any()]
        return torch.stack(parts).sum(0) if parts else torch.zeros_like(self._flows[0])

    @cached_property
    def at_nodes(self) -> Velocity:
        """The velocity at the nodes."""
        return self.velocity(self.values.flatten())

    @cached_property
    def node_mass(self) -> Tensor:
        """The probability that each node stands for."""
        return self.weighted[..., 0].flatten().clamp(min=0)

    def tail_share(self, squares: Tensor, count: int) -> Tensor:
        """How much of ``E[squares]`` comes from the outermost 10 of ``count`` draws on either side.

        Args:
            squares: values at the nodes, ``[nodes, *]``.
            count: draws of the test whose variance is in question.
        """
        below, above = self.cdf(self.values.flatten())
        rare = torch.minimum(below, above) < 10 / count
        parts = squares.nan_to_num(nan=0.0, posinf=1e300) * self.node_mass[:, None]
        return parts[rare].sum(0) / parts.sum(0).clamp(min=1e-300)


def _is_circle(subject: Subject, draws: Tensor) -> bool:
    """Angles between -π and π whose density repeats after a full turn."""
    lower, upper = bounds(subject.sketch)
    if float(draws.abs().max()) > math.pi + 1e-9 or (lower is not None) != (upper is not None):
        return False
    if lower is not None and abs(float(upper) - float(lower) - 2 * math.pi) > 1e-9:
        return False
    probe = torch.linspace(-3, 3, 7, dtype=torch.float64)
    here, there = (subject.density(probe + turn).log_prob for turn in (0.0, 2 * math.pi))
    varies = float(here.max() - here.min()) > 1e-9
    return varies and torch.allclose(here, there, rtol=1e-9, atol=1e-9)


def _panels(
    integrand: Callable[[Tensor], Tensor], coordinate: Coordinate, edges: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Left and right edges and series of panels fine enough: those that are not are halved."""
    left, right = edges[:-1], edges[1:]
    done: list[tuple[Tensor, Tensor, Tensor]] = []
    total, count = None, 0
    for number in range(_ROUNDS):
        half = (right - left) / 2
        nodes = ((left + right) / 2)[:, None] + half[:, None] * _NODES
        values = integrand(nodes.flatten()).reshape(len(left), _POINTS, -1)
        series = torch.einsum("dk,pkc->pdc", _TO_SERIES, values) * half[:, None, None]
        if total is None:
            total = (2 * series[:, 0].abs()).sum(0)
        rest, size = series[:, -2:].abs().amax(1), series.abs().amax(1)
        coarse = coordinate.coarseness(nodes).amax(1)[:, None]
        fine = ((rest <= (_LOCAL + 10 * coarse) * size) | (rest <= _GLOBAL * total)).all(1)
        if number == _ROUNDS - 1 or count + 2 * len(left) > _MAX_PANELS:
            fine = torch.ones_like(fine)
        done.append((left[fine], right[fine], series[fine]))
        count += int(fine.sum())
        left, right = left[~fine], right[~fine]
        if not len(left):
            break
        middle = (left + right) / 2
        left, right = torch.cat([left, middle]), torch.cat([middle, right])
    lefts, rights, all_series = (torch.cat(parts) for parts in zip(*done, strict=True))
    return lefts, rights, all_series


def _partial(series: Tensor, panel: Tensor, local: Tensor) -> tuple[Tensor, Tensor]:
    """The integral of each panel's series below and above ``local`` in [-1, 1]."""
    before, here = torch.ones_like(local), local
    bent = torch.zeros(len(local), series.shape[2], dtype=series.dtype)
    for degree in range(1, _POINTS):
        after = ((2 * degree + 1) * local * here - degree * before) / (degree + 1)
        bent += series[:, degree][panel] * ((after - before) / (2 * degree + 1))[:, None]
        before, here = here, after
    level = series[:, 0][panel]
    return level * (1 + local)[:, None] + bent, level * (1 - local)[:, None] - bent


def _tail(integrand: Callable[[Tensor], Tensor], end: Tensor, inward: float, span: float) -> tuple[Tensor, float]:
    """The integral beyond ``end`` of a density that falls exponentially there, and whose score is linear.

    Also by how much, relatively, that may be wrong: what the rate of falling changes over its own length.
    """
    step = min(1.0, span / 100)
    at, inside, further = integrand(end + inward * step * torch.arange(3, dtype=end.dtype))
    if not further[0] > inside[0] > at[0] > 0:
        return torch.zeros_like(at), 0.0
    rate, before = (inside[0] / at[0]).log() / step, (further[0] / inside[0]).log() / step
    score, slope = at[1:] / at[0], (at[1:] / at[0] - inside[1:] / inside[0]) / step
    doubt = float((rate - before).abs() / (step * rate**2))
    return torch.cat([at[:1] / rate, at[0] * (score / rate + slope / rate**2)]), doubt
