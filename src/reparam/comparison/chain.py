"""The chain rule at work: a network gives ``loc(x)`` and ``scale(x)``, and the gradient reaches it through both.

``y = loc(x) + scale(x)·ε`` and a loss L(y) give, for every weight w,

    dL/dw = L'(y)·∂loc/∂w + L'(y)·ε·∂scale/∂w.

A draw that does not move with its parameters has neither term.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from reparam import noise
from reparam.distributions import Normal
from reparam.estimators import Pathwise, expectation

__all__ = ["ChainRule", "chain_rule"]

_HIDDEN = 3
_ROWS, _SAMPLES = 64, 256


@dataclass(frozen=True)
class ChainRule:
    """dL/dw of every weight, taken apart.

    Args:
        weights: names, ``[W]``.
        through_loc: what flows through ``loc(x)``, ``[W]``.
        through_scale: what flows through ``scale(x)``, ``[W]``.
        whole: the gradient when both are left in, ``[W]``.
    """

    weights: tuple[str, ...]
    through_loc: Tensor
    through_scale: Tensor
    whole: Tensor

    @property
    def difference(self) -> float:
        """By how much the two parts together miss the whole: rounding."""
        return float((self.through_loc + self.through_scale - self.whole).abs().max())

    def __str__(self) -> str:
        lines = ["  weight        through loc   through scale           sum         whole"]
        for name, *parts in zip(self.weights, self.through_loc, self.through_scale, self.whole, strict=True):
            loc, scale, whole = map(float, parts)
            lines.append(f"  {name:<12} {loc:12.4f}  {scale:14.4f}  {loc + scale:12.4f}  {whole:12.4f}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            name: {"through_loc": float(loc), "through_scale": float(scale), "whole": float(whole)}
            for name, loc, scale, whole in zip(
                self.weights, self.through_loc, self.through_scale, self.whole, strict=True
            )
        }


def chain_rule(seed: int = 0) -> ChainRule:
    """A small network on a small regression, ``E (y - sin 2x)²`` with y from ``N(loc(x), scale(x))``.

    The three gradients use the same draws of ε, so they add up to rounding.

    Example:
        >>> parts = chain_rule()
        >>> parts.difference < 1e-12, bool(parts.through_scale.abs().max() > 0.01)
        (True, True)
    """
    x = torch.linspace(-2, 2, _ROWS, dtype=torch.float64).unsqueeze(-1)
    target = torch.sin(2 * x).squeeze(-1)
    initial = noise.generator(seed, "compare", "network")
    shapes = {"hidden": (1, _HIDDEN), "shift": (_HIDDEN,), "to loc": (_HIDDEN,), "to scale": (_HIDDEN,)}
    weights = {
        name: noise.standard_normal(shape, like=x, generator=initial).requires_grad_() for name, shape in shapes.items()
    }

    def gradient(*, through_loc: bool, through_scale: bool) -> Tensor:
        hidden = torch.tanh(x @ weights["hidden"] + weights["shift"])
        loc, scale = hidden @ weights["to loc"], softplus(hidden @ weights["to scale"])
        law = Normal(loc if through_loc else loc.detach(), scale if through_scale else scale.detach())
        loss = expectation(
            lambda y: ((y - target) ** 2).mean(-1),
            law,
            estimator=Pathwise(),
            samples=_SAMPLES,
            generator=noise.generator(seed, "compare", "chain"),
        )
        found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in found])

    names = tuple(
        f"{name} {index}" for name, shape in shapes.items() for index in range(1, torch.Size(shape).numel() + 1)
    )
    return ChainRule(
        names,
        gradient(through_loc=True, through_scale=False),
        gradient(through_loc=False, through_scale=True),
        gradient(through_loc=True, through_scale=True),
    )
