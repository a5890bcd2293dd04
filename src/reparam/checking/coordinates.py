"""Coordinates in which a density on a line, a half-line or an interval is smooth; and the ends of its support."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import logsigmoid

__all__ = ["Coordinate", "bounds", "choose"]

_HUGE, _TINY = 1e300, 1e-300
_NEAREST = 1e-9  # distance to an end that is not 0, relative to that end: closer, draws are too coarse to be told apart


@dataclass(frozen=True)
class Coordinate:
    """``t`` in place of ``x``: a sinh around the middle on the line, the log distance to an end, a logit between two.

    On a circle it is the angle itself, between -π and π.
    """

    kind: Literal["line", "above", "below", "between", "circle"]
    lower: float = 0.0
    upper: float = 0.0
    middle: float = 0.0
    width: float = 1.0

    def value(self, t: Tensor) -> Tensor:
        """x."""
        if self.kind == "line":
            return self.middle + self.width * torch.sinh(t)
        if self.kind == "above":
            return self.lower + t.exp()
        if self.kind == "below":
            return self.upper - (-t).exp()
        if self.kind == "between":
            span = self.upper - self.lower
            return torch.where(t < 0, self.lower + span * torch.sigmoid(t), self.upper - span * torch.sigmoid(-t))
        return t

    def inverse(self, x: Tensor) -> Tensor:
        """t."""
        if self.kind == "line":
            return torch.asinh((x - self.middle) / self.width)
        if self.kind == "above":
            return (x - self.lower).log()
        if self.kind == "below":
            return -(self.upper - x).log()
        if self.kind == "between":
            return (x - self.lower).log() - (self.upper - x).log()
        return x

    def log_stretch(self, t: Tensor) -> Tensor:
        """``log(dx/dt)``."""
        if self.kind == "line":
            return math.log(self.width / 2) + t.abs() + torch.log1p(torch.exp(-2 * t.abs()))
        if self.kind == "above":
            return t
        if self.kind == "below":
            return -t
        if self.kind == "between":
            return math.log(self.upper - self.lower) + logsigmoid(t) + logsigmoid(-t)
        return torch.zeros_like(t)

    def limits(self) -> tuple[float, float]:
        """Between which ``t`` values can be told apart in float64."""
        if self.kind == "line":
            far = math.asinh(_HUGE)
            return -far, far
        if self.kind == "above":
            return math.log(_nearest(self.lower)), math.log(_HUGE)
        if self.kind == "below":
            return -math.log(_HUGE), -math.log(_nearest(self.upper))
        if self.kind == "between":
            span = self.upper - self.lower
            ends = (_nearest(end) / span for end in (self.lower, self.upper))
            low, high = (math.log(end) - math.log1p(-end) for end in ends)
            return low, -high
        return -math.pi, math.pi

    def coarseness(self, t: Tensor) -> Tensor:
        """How far apart, in ``t``, neighbouring float64 values lie."""
        return self.value(t).abs() * torch.finfo(torch.float64).eps * torch.exp(-self.log_stretch(t))


def _nearest(end: float) -> float:
    return _NEAREST * abs(end) if end else _TINY


def bounds(law: td.Distribution) -> tuple[Any, Any]:
    """Lower and upper end of the support, tensors that may depend on the parameters, or None where it has none."""
    try:
        support: Any = law.support
    except NotImplementedError:
        return None, None
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    ends = [getattr(support, name, None) for name in ("lower_bound", "upper_bound")]
    ends = [None if end is None or math.isinf(_number(end)) else end for end in ends]
    return ends[0], ends[1]


def _number(end: Any) -> float:
    return float(end.detach() if isinstance(end, Tensor) else end)


def choose(law: td.Distribution, draws: Tensor, on_circle: bool) -> Coordinate:
    """The coordinate that fits the support of the law, and the middle and spread of its draws."""
    if on_circle:
        return Coordinate("circle")
    lower, upper = (None if end is None else _number(end) for end in bounds(law))
    if lower is not None and upper is not None:
        return Coordinate("between", lower, upper)
    if lower is not None:
        return Coordinate("above", lower=lower)
    if upper is not None:
        return Coordinate("below", upper=upper)
    ordered = draws.sort().values
    quarter = len(ordered) // 4
    middle, width = float(ordered[len(ordered) // 2]), float(ordered[-quarter - 1] - ordered[quarter])
    return Coordinate("line", middle=middle, width=width if width > 0 else 1.0)
