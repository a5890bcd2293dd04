"""How the logit of a beta draw moves with its concentrations, at any of them: by the integrals over its near tail."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.special.beta_integrals import Range, integration_range, log_ratio, near, near_tail, node_count, nodes
from reparam.special.elementwise import in_pieces
from reparam.special.stirling import digamma_gap

__all__ = ["general_excess_velocities", "general_velocities"]


def _moments(*over: Tensor) -> tuple[Tensor, ...]:
    """The integrals of 1 and r, of the change of the logarithm, and of 1 over what is integrated apart."""
    at = nodes(Range(*over))
    left_over = (at.ratio - at.exact) * at.weight
    change = at.log_grown * at.ratio * at.weight
    return left_over.sum(0), (left_over * at.r).sum(0), change.sum(0), (at.exact * at.weight).sum(0)


class _Centre(NamedTuple):
    """Where y lies relative to the means: ``log(t / E t)``, and ``-log E t - E[-log t]``, the mean of Ψ; both sides."""

    log_t: Tensor
    log_rest: Tensor
    gap_a: Tensor
    gap_b: Tensor
    rise_a: Tensor  # ψ(a + b + 1) - ψ(a + 1): for a < 1 the first step of the recurrence cancels, and is left out
    ratio: Tensor  # a / b


def _centre(y: Tensor, a: Tensor, b: Tensor) -> _Centre:
    n, largest = a + b, torch.finfo(y.dtype).max
    ratio, inverse = (a / b).clamp(max=largest), (b / a).clamp(max=largest)
    off = log_ratio(a, b) - y
    near, kept = off.abs() < 1, off.clamp(-1, 1)
    log_t = torch.where(near, -torch.log1p(b / n * torch.expm1(kept)), logsigmoid(y) + torch.log1p(inverse))
    log_rest = torch.where(near, -torch.log1p(a / n * torch.expm1(-kept)), logsigmoid(-y) + torch.log1p(ratio))
    above = digamma_gap(a + 1, b)
    gap_a = b / n / a - torch.log1p(inverse / (n + 1)) + above
    return _Centre(log_t, log_rest, gap_a, digamma_gap(b, a), torch.log1p(b / (a + 1)) + above, ratio)


def general_velocities(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    mirrored, y, a, b = near_tail(logit, a, b)
    over, centre = integration_range(y, a, b), _centre(y, a, b)
    mass, reach, change, apart = in_pieces(_moments, *over, depth=node_count(y))
    end = logsigmoid(-y) * apart
    fall = torch.where(y <= 0, reach + change - end, change)
    rise = torch.where(y <= 0, end - change, reach - change)
    scale = over.limit / a
    along_a = scale * (1 / over.n - centre.rise_a - y) - (centre.log_t + centre.gap_a) * mass + fall
    along_b = scale * (torch.log1p(centre.ratio) + centre.gap_b) + (centre.log_rest + centre.gap_b) * mass + rise
    return _unmirror(mirrored, along_a, -along_b)


def general_excess_velocities(logit: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    mirrored, y, a, b = near_tail(logit, a, b)
    over, centre = integration_range(y, a, b), _centre(y, a, b)
    end_a = y + 1 + centre.rise_a
    end_b = _psi(centre.ratio, torch.log1p(centre.ratio)) - centre.gap_b
    given = (a, b, y, centre.log_t, centre.log_rest, centre.gap_a, centre.gap_b, end_a, end_b)
    along_a, along_b = in_pieces(_excess_moments, *given, *over, depth=node_count(y))
    scale = over.limit / a
    return _unmirror(mirrored, along_a + scale * (1 / over.n - end_a), along_b + scale * end_b)


def _excess_moments(
    a: Tensor,
    b: Tensor,
    y: Tensor,
    log_t: Tensor,
    log_rest: Tensor,
    gap_a: Tensor,
    gap_b: Tensor,
    end_a: Tensor,
    end_b: Tensor,
    *over: Tensor,
) -> tuple[Tensor, Tensor]:
    """The integrals of ``Ψ - E Ψ``, less those of its limits ``r - ...`` and ``end_b`` where there are any."""
    at, (*_, slope, n, _, _) = nodes(Range(*over)), over
    low = y <= 0
    slope = slope + n * torch.sigmoid(torch.where(low, -y, y)) * at.grown.abs() / (1 + at.grown)
    fall = torch.where(low, at.r + at.log_grown, at.log_grown)
    rise = torch.where(low, -at.log_grown, at.r - at.log_grown)
    along_a = (_psi(-slope / a, log_t - fall) - gap_a) * at.ratio - (at.r - end_a - b / n / a) * at.exact
    along_b = (
        _psi((slope / b).clamp(max=torch.finfo(b.dtype).max), log_rest + rise) - gap_b
    ) * at.ratio - end_b * at.exact
    return (along_a * at.weight).sum(0), (along_b * at.weight).sum(0)


def _unmirror(mirrored: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
    """The velocities of y from those of the near tail, at most the largest finite number where they overflow."""
    largest = torch.finfo(along_a.dtype).max
    along_a, along_b = along_a.clamp(-largest, largest), along_b.clamp(-largest, largest)
    return torch.where(mirrored, -along_b, along_a), torch.where(mirrored, -along_a, along_b)


def _psi(x: Tensor, log1p_x: Tensor) -> Tensor:
    """``x - log(1 + x)``, the logarithm given."""
    bound = near(x, 0.1, 0.01)
    small = x.clamp(-bound, bound)
    series = 1 / 7 - small / 8
    for k in range(6, 1, -1):
        series = 1 / k - small * series
    return torch.where(x.abs() < bound, small * small * series, x - log1p_x)
