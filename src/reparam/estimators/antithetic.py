"""Antithetic pairs of coins: two draws that mirror each other, and the difference that they make to f."""

from abc import abstractmethod

import torch
import torch.distributions as td
from torch import Tensor

from reparam import noise
from reparam.estimators.base import Estimator, Integrand
from reparam.estimators.discrete import log_odds, refusal_unless_coin

__all__ = ["Arm", "DisArm"]


class _Pairs(Estimator):
    """``½(f(b) + f(b'))``, with ``(f(b) - f(b'))·w`` as gradient in the log odds of every element.

    b is 1 where ``u > 1 - p`` and b' is 1 where ``1 - u > 1 - p``, u uniform. The weights w are filled in.
    """

    @abstractmethod
    def _weights(self, uniform: Tensor, first: Tensor, second: Tensor, magnitude: Tensor) -> Tensor:
        """``[S, *elements]``, given u, b and b' as truth values, and the absolute log odds."""

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        return refusal_unless_coin(law)

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`."""
        odds = log_odds(law)
        fixed = odds.detach().double()
        uniform = noise.uniform((samples, *odds.shape), like=odds, generator=generator)
        tails = torch.sigmoid(-fixed)
        first, second = uniform > tails, 1 - uniform > tails
        dtype = law.mean.dtype
        values = integrand(torch.cat([first, second]).to(dtype)).unflatten(0, (2, samples))
        difference = integrand.for_each((values[0] - values[1]).detach())
        gradient = (difference * self._weights(uniform, first, second, fixed.abs())).mean(0)
        return integrand.with_gradient(values.mean((0, 1)), odds, gradient)


class DisArm(_Pairs):
    """``∂E f/∂α = E[½(f(b) - f(b'))·(b - b')·s(|α|)]``: coins b and b' that disagree as often as they can.

    α are the log odds and s is the sigmoid. For Bernoulli laws, any f, which is not differentiated in b. Two
    evaluations of f a sample, for all coupled elements together. It is :class:`Arm` with the uniform noise integrated
    out, so its variance is never larger; for one coin of probability 1/2 it is 0. The estimator to take for one sample,
    where f couples more coins than can be enumerated. With more samples, ``ScoreFunction(LeaveOneOut())`` with as many
    evaluations is better, down to half of the variance: its baseline sees them all. First derivatives only.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Bernoulli
        >>> logits = torch.tensor(0.0, requires_grad=True)
        >>> value = expectation(lambda y: 4 * y, Bernoulli(logits=logits), estimator=DisArm())
        >>> torch.autograd.grad(value, logits)[0]  # 4·p·(1 - p), of one pair
        tensor(1.)

    Source: Dong, Mnih & Tucker, arXiv:2006.10680; Yin, Ho, Yan, Qian & Zhou, arXiv:2003.06986 (U2G, the same).
    """

    def _weights(self, uniform: Tensor, first: Tensor, second: Tensor, magnitude: Tensor) -> Tensor:
        return (first.to(uniform) - second.to(uniform)) * torch.sigmoid(magnitude) / 2


class Arm(_Pairs):
    """``∂E f/∂α = E[(f(b) - f(b'))·(u - ½)]``, α the log odds, b = [u > s(-α)], b' = [u < s(α)], s the sigmoid.

    For Bernoulli laws, any f, which is not differentiated in b. Two evaluations of f a sample, for all coupled elements
    together. :class:`DisArm` is the same with a smaller variance: this one is here to compare with. First derivatives
    only.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Bernoulli
        >>> logits = torch.tensor(0.0, requires_grad=True)
        >>> value = expectation(lambda y: 4 * y, Bernoulli(logits=logits), estimator=Arm(), samples=10_000,
        ...                     generator=torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(value, logits)[0].round(decimals=1)  # 4·p·(1 - p)
        tensor(1.)

    Source: Yin & Zhou, arXiv:1807.11143.
    """

    def _weights(self, uniform: Tensor, first: Tensor, second: Tensor, magnitude: Tensor) -> Tensor:
        return uniform - 0.5
