"""The standard normal law beyond a point a, seen from there: the excess δ, with density φ(a + δ)/Q(a).

A distance from the edge keeps the digits that ``a + δ`` has not: at a = 1e4 an excess is about 1e-4.
"""

import torch
from torch import Tensor

from reparam.reparameterize import attach
from reparam.special.elementwise import opaque
from reparam.special.normal import erfcx_mills, mills, mills_deficit, mills_drop
from reparam.special.quadrature import gauss_legendre

__all__ = ["cumulative_hazard", "excess_moments", "normal_excess"]

_NEWTON_STEPS = 5
_RULE = gauss_legendre(10)


def cumulative_hazard(edge: Tensor, width: Tensor) -> Tensor:
    """``log Q(a) - log Q(a + width)``, for an edge ``a >= -1``: precise for widths from the tiniest to the largest.

    Example:
        >>> cumulative_hazard(torch.tensor([0.0, 1e4]), torch.tensor([1e-20, 1e-4]))
        tensor([7.9788e-21, 1.0000e+00])
    """
    near = width < 0.5 * edge.clamp(min=1)
    close = torch.log1p(-mills_drop(edge, torch.where(near, width, 0.0)) / mills(edge))
    far = (mills(edge + torch.where(near, 1.0, width)) / mills(edge)).log()
    return (edge + width / 2) * width - torch.where(near, close, far)


def normal_excess(edge: Tensor, level: Tensor) -> Tensor:
    """The excess δ over an edge ``a >= -1`` that has the cumulative hazard ``level``: ``Q(a + δ)/Q(a) = e^-level``.

    Differentiable in both arguments, to any order: ``∂δ/∂a = M(a + δ)/M(a) - 1`` and ``∂δ/∂level = M(a + δ)``.

    Example:
        >>> normal_excess(torch.tensor(1e4, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
        tensor(1.0000e-04, dtype=torch.float64)
    """
    return attach(_raw_normal_excess(edge, level), _velocity, edge, level)


def _velocity(excess: Tensor, edge: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    return -mills_drop(edge, excess) / mills(edge), mills(edge + excess)


@opaque
def _raw_normal_excess(edge: Tensor, level: Tensor) -> Tensor:
    """Newton's method, from above: the cumulative hazard is convex in δ, so every step stays above the root."""
    root = edge + torch.sqrt(edge**2 + 2 * level)
    excess = torch.minimum(level * mills(edge), 2 * level / root.clamp(min=torch.finfo(level.dtype).tiny))
    start = erfcx_mills(edge)
    for _ in range(_NEWTON_STEPS):
        end = erfcx_mills(edge + excess)
        excess = excess - ((edge + excess / 2) * excess - (end / start).log() - level) * end
        excess = excess.clamp(min=0)
    # The last step brings the digits that a small excess loses in the difference of the logarithms.
    return excess - (cumulative_hazard(edge, excess) - level) * mills(edge + excess)


def excess_moments(edge: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the excess over an edge ``a >= -1``, given that it is at most ``width`` (may be infinite).

    Example:
        >>> excess_moments(torch.tensor(0.0), torch.tensor([1e-10, torch.inf]))  # uniform, half normal
        (tensor([5.0000e-11, 7.9788e-01]), tensor([8.3333e-22, 3.6338e-01]))
    """
    narrow = (edge + width) * width < 1
    short, long = torch.where(narrow, width, 0.0), torch.where(narrow | width.isinf(), 1.0, width)
    # Narrow: the density hardly bends, and a quadrature rule has no cancellation.
    nodes, weights = _RULE.along_first(short)
    weights = weights * torch.exp(-(edge + nodes * short / 2) * nodes * short)
    weights = weights / weights.sum(0)
    centre = (weights * nodes).sum(0)
    near_mean, near_variance = short * centre, short**2 * (weights * (nodes - centre) ** 2).sum(0)
    # Wide: ∫ δ p and ∫ δ² p by parts, p(δ) = φ(a + δ)/φ(a), whose integral is ``mass``.
    end = torch.where(width.isinf(), 0.0, torch.exp(-(edge + long / 2) * long))
    mass = mills(edge) - end * mills(edge + long)
    far_mean = (mills_deficit(edge) - end * (mills_deficit(edge + long) + long * mills(edge + long))) / mass
    far_variance = 1 - edge * far_mean - long * end / mass - far_mean**2
    return torch.where(narrow, near_mean, far_mean), torch.where(narrow, near_variance, far_variance)
