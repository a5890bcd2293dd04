"""How much likelier a set of classes is if one of them is drawn first: an integral over exponential races."""

import math

import torch
from torch import Tensor

__all__ = ["leave_out_ratios"]

_LEFT, _STEP = -32.0, 0.2
_AT_ONCE = 2**18  # numbers, so that they stay in the cache


def leave_out_ratios(probs: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Leave-one-out ratios of a set S of classes drawn without replacement, of first and second order.

    Let every class finish a race after an exponential time of rate p. S is the set of the first k if all of it arrives
    before the first of the rest, which comes at an exponential time of rate r. So ``P(S) = I(S)``, where
    ``I(A) = E Π_{a in A} (1 - exp(-p_a·t))``, and it is ``I(S - s)`` if s is known to be first. With
    ``x = log(r·t)`` the integrand is a smooth bell on the whole line, for which the trapezoidal rule is exact to
    rounding, and all its terms are positive: unlike the alternating sum over subsets, it loses no digits.

    Args:
        probs: of the classes in S, > 0 where ``rest`` is; shape ``[*, k]``, float64.
        rest: the probability of all other classes, >= 0, not as a difference; shape ``[*]``, float64.

    Returns:
        ``I(S - s)/I(S)``, shape ``[*, k]``, and ``I(S - s - s')/I(S - s)``, shape ``[*, k, k]``, s the first index;
        1 for s' = s. Without a rest all are 1. Relative accuracy 1e-12.

    Source: Kool, van Hoof & Welling, arXiv:2002.06043, section 3 and appendix B; the variable x is ours.

    Example:
        >>> probs = torch.tensor([0.5, 0.2], dtype=torch.float64)  # P(S) = 0.5·0.2/0.5 + 0.2·0.5/0.8
        >>> first, second = leave_out_ratios(probs, torch.tensor(0.3, dtype=torch.float64))
        >>> torch.allclose(first, torch.tensor([0.4, 0.625], dtype=torch.float64) / 0.325)  # given the first class
        True
        >>> torch.allclose(second[0, 1], torch.tensor(1 / 0.4, dtype=torch.float64))
        True
    """
    size = probs.shape[-1]
    alone = rest <= 0
    ratios = torch.where(alone.unsqueeze(-1), 1.0, probs) / torch.where(alone, 1.0, rest).unsqueeze(-1)
    levels, weights = _nodes(size, probs)
    rows = ratios.reshape(-1, size).split(max(1, _AT_ONCE // (size * len(levels))))
    first, second = (torch.cat(parts) for parts in zip(*(_of_rows(row, levels, weights) for row in rows), strict=True))
    same = torch.eye(size, dtype=torch.bool, device=probs.device)
    return (
        torch.where(alone.unsqueeze(-1), 1.0, first.reshape(probs.shape)),
        torch.where(alone[..., None, None] | same, 1.0, second.reshape(*probs.shape, size)),
    )


def _nodes(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The values of ``r·t`` and their weights. The bell is narrower for larger sets."""
    step = _STEP / math.sqrt(max(1.0, size / 8))
    number = math.ceil((math.log(60 + 2 * size) - _LEFT) / step)
    levels = torch.exp(_LEFT + step * torch.arange(number + 1, dtype=like.dtype, device=like.device))
    return levels, levels * torch.exp(-levels)


def _of_rows(ratios: Tensor, levels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """First and second order for ``p/r``, ``[rows, k]``."""
    arrived = -torch.expm1(-ratios.unsqueeze(-1) * levels)
    last = arrived[..., -1]
    # Relative to the last node they are between e⁻⁴⁰ and 1, however small the probability.
    arrived = arrived / last.unsqueeze(-1)
    whole = weights * arrived.prod(-2)
    without = arrived.reciprocal()
    without_one = without * whole.unsqueeze(-2)
    integral = without_one.sum(-1)
    first = integral / (whole.sum(-1, keepdim=True) * last)
    return first, without_one @ without.mT / (integral.unsqueeze(-1) * last.unsqueeze(-2))
