"""Coins and classes that are moved as if they were continuous: BIASED, of low variance, and much used.

f is differentiated at draws, so it has to be smooth between the values that it is meant for.
"""

from abc import abstractmethod
from typing import Any, cast

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.relaxed import RelaxedBernoulli, RelaxedOneHotCategorical
from reparam.distributions.straight_through import (
    RelaxedBernoulliStraightThrough,
    RelaxedOneHotCategoricalStraightThrough,
)
from reparam.errors import EstimatorError
from reparam.estimators.base import Estimator, Integrand, attached, draw
from reparam.estimators.discrete import is_coin, log_odds, log_weights, probabilities, refusal_unless_vectors
from reparam.estimators.first_order import first_order
from reparam.estimators.pathwise import check_path

__all__ = ["GumbelSoftmax", "ReinMax", "StraightThrough", "checked_temperature"]

_RELAXED: dict[tuple[bool, bool], Any] = {  # by whether it is a coin, and whether its draws are discrete
    (True, False): RelaxedBernoulli,
    (True, True): RelaxedBernoulliStraightThrough,
    (False, False): RelaxedOneHotCategorical,
    (False, True): RelaxedOneHotCategoricalStraightThrough,
}


class _Moved(Estimator):
    """The pathwise estimator of draws that are given a gradient of another law."""

    unbiased = False

    @abstractmethod
    def _draws(self, law: td.Distribution, samples: int, generator: torch.Generator | None) -> Tensor:
        """``[S, *batch, *event]``, moving with the parameters."""

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        return refusal_unless_vectors(law)

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`."""
        draws = self._draws(law, samples, generator)
        values = integrand(draws)
        check_path(values, draws)
        return values.mean(0)


class GumbelSoftmax(_Moved):
    """BIASED: ``∇E f(s(z/T))``, the pathwise gradient of the relaxed law; also called Concrete.

    z are log odds plus logistic noise, or log probabilities plus Gumbel noise, and s is the sigmoid or softmax. For
    Bernoulli and OneHotCategorical; one evaluation of f a sample, at draws between the values of the discrete law. The
    bias vanishes as the temperature T falls to 0, while the variance grows as 1/T. As an expectation over the relaxed
    law (``reparam.distributions.RelaxedBernoulli``), value and gradient are unbiased.

    Args:
        temperature: T, positive; a number or a tensor that broadcasts against the batch.
        hard: evaluate f at the discrete draw, where s(z/T) is largest, and differentiate it there (straight-through
            Gumbel-softmax). The value is then unbiased, the gradient is not.

    Raises:
        EstimatorError: the temperature is not positive.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Bernoulli
        >>> logits = torch.tensor(0.0, requires_grad=True)
        >>> value = expectation(lambda y: 4 * y, Bernoulli(logits=logits), estimator=GumbelSoftmax(0.5),
        ...                     samples=10_000, generator=torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(value, logits)[0].round(decimals=1)  # of the discrete law it is 1
        tensor(0.9000)

    Source: Jang, Gu & Poole, arXiv:1611.01144; Maddison, Mnih & Teh, arXiv:1611.00712.
    """

    def __init__(self, temperature: Tensor | float, hard: bool = False) -> None:
        self.temperature = checked_temperature(temperature)
        self.hard = hard

    def _draws(self, law: td.Distribution, samples: int, generator: torch.Generator | None) -> Tensor:
        coin = is_coin(law)
        logits = log_odds(law) if coin else log_weights(law)
        temperature = torch.as_tensor(self.temperature, dtype=logits.dtype, device=logits.device)
        relaxed = _RELAXED[coin, self.hard](temperature, logits=logits, validate_args=False)
        return cast(Tensor, relaxed.rsample((samples,), generator=generator)).to(law.mean.dtype)


class StraightThrough(_Moved):
    """BIASED: ``E[f'(y)·∇p]``, the draw y moves as its probability p does.

    For Bernoulli and OneHotCategorical; one evaluation of f a sample, at discrete draws, so the value is unbiased. The
    gradient is exact for linear f. For one coin and ``f = (y - t)²`` it is off by ``p(1 - p)(2(p - t) - (1 - 2t))`` in
    the log odds, which may be many times the gradient. :class:`ReinMax` costs the same and is better.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Bernoulli
        >>> probs = torch.tensor([0.2, 0.9], requires_grad=True)
        >>> value = expectation(lambda y: (3 * y).sum(-1), Bernoulli(probs), estimator=StraightThrough())
        >>> torch.autograd.grad(value, probs)[0]
        tensor([3., 3.])

    Source: Bengio, Léonard & Courville, arXiv:1308.3432.
    """

    def _draws(self, law: td.Distribution, samples: int, generator: torch.Generator | None) -> Tensor:
        drawn: Tensor = draw(law, (samples,), generator)
        probs = probabilities(law)
        return attached(drawn, probs, torch.ones_like(probs)).to(drawn.dtype)


class ReinMax(_Moved):
    """BIASED: ``E[f'(y)·(2J(½(y + p)) - ½J(p))]``, J the Jacobian of the sigmoid or softmax where its value is as said.

    It takes ``f(1) - f(0)`` for the mean of both slopes (Heun's rule) where :class:`StraightThrough` takes one slope
    (Euler's), so it is exact for f that is quadratic, in all coupled elements together. For Bernoulli and
    OneHotCategorical; one evaluation of f a sample, at discrete draws, so the value is unbiased.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Bernoulli
        >>> logits = torch.tensor(0.0, requires_grad=True)
        >>> value = expectation(lambda y: 4 * y**2, Bernoulli(logits=logits), estimator=ReinMax(), samples=10_000,
        ...                     generator=torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(value, logits)[0].round(decimals=1)  # 4·p·(1 - p)
        tensor(1.)

    Source: Liu, Dong, Liu, Yu & Gao, arXiv:2304.08612.
    """

    def _draws(self, law: td.Distribution, samples: int, generator: torch.Generator | None) -> Tensor:
        drawn: Tensor = draw(law, (samples,), generator)
        logits = first_order(log_odds(law) if is_coin(law) else log_weights(law))
        probs = probabilities(law).detach()
        middle = (drawn + probs) / 2
        if is_coin(law):
            slope = 2 * middle * (1 - middle) - probs * (1 - probs) / 2
            return attached(drawn, logits, slope).to(drawn.dtype)
        moving = logits - logits.detach()
        return (drawn + 2 * _pushed(middle, moving) - _pushed(probs, moving) / 2).to(drawn.dtype)


def _pushed(probs: Tensor, logits: Tensor) -> Tensor:
    """The Jacobian of the softmax where it is ``probs``, ``diag(p) - p·pᵀ``, applied to ``logits``."""
    return probs * (logits - (probs * logits).sum(-1, keepdim=True))


def checked_temperature(temperature: Tensor | float) -> Tensor | float:
    """The temperature, if it is one.

    Raises:
        EstimatorError: it is not positive and finite.
    """
    number = torch.as_tensor(temperature).detach()
    if number.is_complex() or not bool(((number > 0) & torch.isfinite(number)).all()):
        raise EstimatorError(f"temperature must be positive and finite; got {temperature!r}")
    return temperature
