"""How the logit of a beta draw moves, in single precision and where neither concentration is extreme: quickly.

With ``r = y - s >= 0`` from the draw y outwards into its near tail, and ``ρ(r) = p(s)/p(y)`` for one more a, the law
Beta(a + 1, b), whose density falls at least as fast as ``e^{-r}`` beyond the bulk, the three integrals

    ``M_0 = ∫ ρ dr``,  ``M_a = ∫ log(t/u)·ρ dr``,  ``M_b = ∫ log((1-u)/(1-t))·ρ dr``  (u = sigmoid(s))

are all there is to know, because integration by parts leads down from a + 1 to a without a cancellation:

    ``a·∂y/∂a = n·t·(M_a - l·M_0) + 1/n - l``,      l = log t - ψ(a + 1) + ψ(n + 1),  n = a + b,
    ``-a·∂y/∂b = n·t·(M_b + d·M_0) + t·M_0 + d``,   d = log(1-t) - ψ(b) + ψ(n).

The exponent of ρ is ``c·r - (n + 1)·Λ`` with ``Λ = log(1 + z·(e^{σr} - 1))``, where z is the smaller of t and 1-t, and
``c = -(a + 1)``, σ = -1 below t = 1/2, ``c = b``, σ = 1 above. So each node costs two exponentials and a logarithm.
There is not one ``where`` in here, as it takes as long as twenty multiplications: what depends on the side is mixed
with weights that are 0 and 1.

Source: derived here, from the integrals of ``beta_integrals.py``.
"""

import functools

import torch
from torch import Tensor

from reparam.special.elementwise import in_pieces
from reparam.special.quadrature import Rule, gauss_legendre
from reparam.special.stirling import digamma_rise

__all__ = ["quick_enough", "quick_velocities"]

# The domain: rounding grows with the concentrations, more so where 1/a is taken away, and as small ones fall.
_LEAST, _MOST, _MOST_EXCESS = 0.05, 200.0, 30.0
_DEPTH = 17.0  # the integrand is left where it is e^-depth
_FARTHEST = 50.0  # a reach that is always enough, and whose exponential does not overflow


def _stretched(count: int) -> Rule:
    """Gauss-Legendre for r = (v + v²)/2: closer nodes where r is small, as exponential and normal tails both want."""
    nodes, weights = gauss_legendre(count)
    return Rule([(v + v * v) / 2 for v in nodes], [w * (0.5 + v) for v, w in zip(nodes, weights, strict=True)])


_RULE = _stretched(13)


@functools.cache
def _rule_on(device: torch.device) -> tuple[Tensor, Tensor]:
    """The nodes as a column, and the weights of 1 and of r as rows."""
    nodes, weights = (torch.tensor(values, dtype=torch.float32, device=device) for values in _RULE)
    return nodes.unsqueeze(-1), torch.stack((weights, weights * nodes))


def quick_enough(a: Tensor, b: Tensor, excess: bool) -> Tensor:
    """Where :func:`quick_velocities` is good to 1e-5, and the general way is not needed."""
    most = _MOST_EXCESS if excess else _MOST
    return (torch.minimum(a, b) >= _LEAST) & (torch.maximum(a, b) <= most)


def quick_velocities(logit: Tensor, a: Tensor, b: Tensor, excess: bool) -> tuple[Tensor, Tensor]:
    """``(∂y/∂a, ∂y/∂b)``, or with ``excess`` what they have beyond 1/a and -1/b; of float32 vectors."""
    # The near tail, as the lower one.
    turn = torch.log(a.clamp(min=1).div_(b.clamp(min=1)))
    mirrored = torch.gt(logit, turn, out=turn)
    y = torch.addcmul(logit, logit, mirrored, value=-2)
    a, b = torch.lerp(a, b, mirrored), torch.lerp(b, a, mirrored)
    above = torch.gt(y, 0, out=torch.empty_like(y))
    sigma = above * 2 - 1
    # log t and log(1-t) are 0 and -|y|, less log_sum; z is the smaller of t and 1-t.
    odds = y.abs().neg_().exp_()
    log_sum = torch.log1p(odds)
    z = odds.div_(odds + 1)
    total = (a + 1).add_(b)
    linear = torch.lerp(-1 - a, b, above)
    reach = _reach(z, sigma, total, linear)
    mass, first, bent = in_pieces(_moments, z, sigma, total, linear, reach, depth=len(_RULE.nodes))
    # Which is which depends on the side.
    t = torch.addcmul(above, sigma, z, value=-1)
    moment_a = torch.lerp(first + bent, bent, above)
    moment_b = torch.addcmul(-bent, first, above)
    n = a + b
    share = n * t
    level = y.clamp(max=0).sub_(log_sum).add_(digamma_rise(a + 1, b))
    rest = (-y).clamp_(max=0).sub_(log_sum).add_(digamma_rise(b, a))
    along_a = moment_a.addcmul_(level, mass, value=-1).mul_(share).add_(n.reciprocal_()).sub_(level)
    along_b = moment_b.addcmul_(rest, mass).mul_(share).addcmul_(t, mass).add_(rest)
    if excess:
        along_a, along_b = along_a.sub_(1).div_(a), along_b.div_(a).sub_(b.reciprocal())
    else:
        along_a, along_b = along_a.div_(a), along_b.div_(a)
    return torch.lerp(along_a, along_b, mirrored), torch.lerp(along_b, along_a, mirrored).neg_()


def _reach(z: Tensor, sigma: Tensor, total: Tensor, linear: Tensor) -> Tensor:
    """An r where the exponent is ``-depth``, or little beyond: Newton's method, from the parabola that touches it."""
    curve = total * z
    slope = torch.addcmul(-linear, curve, sigma)
    root = curve.addcmul_(curve, z, value=-1).mul_(2 * _DEPTH).addcmul_(slope, slope).sqrt_()
    reach = root.add_(slope).reciprocal_().mul_(2 * _DEPTH).clamp_(max=_FARTHEST)
    for _ in range(2):  # the exponent is concave, so that each step leads beyond the root
        grown = torch.mul(sigma, reach).exp_().mul_(z)
        inner = torch.add(grown, 1).sub_(z)
        fall = grown.mul_(total).mul_(sigma).div_(inner).sub_(linear)
        depth = inner.log_().mul_(total).addcmul_(linear, reach, value=-1)
        reach = reach.sub_(depth.sub_(_DEPTH).div_(fall)).clamp_(max=_FARTHEST)
    return reach


def _moments(z: Tensor, sigma: Tensor, total: Tensor, linear: Tensor, reach: Tensor) -> tuple[Tensor, ...]:
    """The integrals of ρ, r·ρ and Λ·ρ."""
    nodes, weights = _rule_on(z.device)
    bend = torch.mul(nodes, sigma * reach).exp_()
    torch.addcmul(-z, z, bend, out=bend).log1p_()
    ratio = torch.mul(bend, -total).addcmul_(nodes, linear * reach).exp_()
    mass, first = weights @ ratio
    (bent,) = weights[:1] @ bend.mul_(ratio)
    return mass.mul_(reach), first.mul_(reach).mul_(reach), bent.mul_(reach)
