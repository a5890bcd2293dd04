"""Zeros and ones forward, a relaxed gradient backward: BIASED, and often useful all the same.

The draws of these laws are exact, and so are ``log_prob``, ``mean`` and ``entropy``: they are coins and one-hot
vectors. But their ``rsample`` gives them the gradient of something else that is smooth. The expectation of that
gradient is not the gradient of the expectation, however many draws are averaged: ``unbiased`` is False. Unbiased are
the score function estimator, the measure-valued derivative and enumeration, for the discrete law; and for another law,
the relaxed one, ``RelaxedBernoulli`` and ``RelaxedOneHotCategorical``.

Source: Bengio, Léonard & Courville, "Estimating or Propagating Gradients Through Stochastic Neurons", arXiv:1308.3432;
with relaxed draws: Jang, Gu & Poole, arXiv:1611.01144, section 2.2.
"""

from abc import abstractmethod
from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import Pathwise
from reparam.distributions.categorical import Categorical, OneHotCategorical, one_hot
from reparam.distributions.discrete import Bernoulli
from reparam.distributions.odds import probs_or_logits
from reparam.distributions.relaxed import RelaxedBernoulli, RelaxedOneHotCategorical, gumbel_scores
from reparam.noise import Source

__all__ = [
    "OneHotCategoricalStraightThrough",
    "RelaxedBernoulliStraightThrough",
    "RelaxedOneHotCategoricalStraightThrough",
]


class RelaxedBernoulliStraightThrough(Pathwise, td.Bernoulli):
    """A coin whose draws have the gradient of :class:`RelaxedBernoulli` with the same noise: a BIASED gradient.

    Unbiased are the score function estimator, the measure-valued derivative and enumeration of both values
    (:class:`Bernoulli`), and for a relaxed coin :class:`RelaxedBernoulli`. The draws follow ``Bernoulli(probs)``
    exactly, at every temperature, and so does ``log_prob``.

    Args and errors as for :class:`RelaxedBernoulli`.

    Example:
        >>> logits = torch.tensor(1.0, requires_grad=True)
        >>> drawn = RelaxedBernoulliStraightThrough(torch.tensor(0.5), logits=logits).from_noise(torch.tensor(0.5))
        >>> drawn.item(), torch.autograd.grad(drawn, logits)[0]  # the relaxed draw is 0.8808
        (1.0, tensor(0.2100))
    """

    unbiased: ClassVar[bool] = False
    arg_constraints = RelaxedBernoulli.arg_constraints

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (self.temperature, parameter) = self._checked(validate_args, temperature=temperature, **given)
        given = dict.fromkeys(given, parameter)
        super().__init__(**given, validate_args=False)
        self._relaxed = RelaxedBernoulli(self.temperature, **given, validate_args=False)
        self._coin = Bernoulli(**given, validate_args=False)
        self._validate_args = validating

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return self._relaxed._draw_noise(source, sample_shape)

    def from_noise(self, noise: Tensor) -> Tensor:
        """1 where the relaxed draw is above 1/2, else 0; see :meth:`Pathwise.from_noise`. The noise is uniform."""
        # Read off the logit: at a high temperature many relaxed draws round to 1/2.
        logit, soft = self._relaxed.base_dist.from_noise(noise), self._relaxed.from_noise(noise)
        return _straight_through((logit > 0).to(soft), soft)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability of 0 or 1 in nats, that of :class:`Bernoulli`."""
        if self._validate_args:
            self._validate_sample(value)
        return self._coin.log_prob(value)


class _OneHotStraightThrough(Pathwise, td.OneHotCategorical):
    """A one-hot vector with the gradient of :meth:`_soft`."""

    unbiased: ClassVar[bool] = False
    _categorical: Categorical

    @abstractmethod
    def _soft(self, noise: Tensor) -> Tensor:
        """What lends the draw its gradient."""

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.uniform(sample_shape, self.noise_shape, like=self._categorical._like)

    def from_noise(self, noise: Tensor) -> Tensor:
        """1 at the largest of ``log probs - log(-log u)``; see :meth:`Pathwise.from_noise`. The noise is uniform."""
        winner = gumbel_scores(self._categorical, noise).argmax(-1)
        soft = self._soft(noise)
        return _straight_through(one_hot(winner, self.event_shape[0]).to(soft), soft)


class OneHotCategoricalStraightThrough(_OneHotStraightThrough, td.OneHotCategoricalStraightThrough):
    """A one-hot vector whose draws have the gradient of ``probs``: a BIASED gradient.

    Unbiased are the score function estimator, the measure-valued derivative and enumeration of the classes
    (:class:`OneHotCategorical`), and for a relaxed vector :class:`RelaxedOneHotCategorical`. torch's law of this name
    with noise apart from the map: the draw is where ``log probs`` plus Gumbel noise is largest.

    Args and errors as for :class:`OneHotCategorical`.

    Shapes: the noise is uniform, ``[*sample_shape, *batch_shape, K]``.

    Example:
        >>> logits = torch.tensor([1.0, 0.0], requires_grad=True)
        >>> drawn = OneHotCategoricalStraightThrough(logits=logits).from_noise(torch.tensor([0.5, 0.5]))
        >>> drawn.detach(), torch.autograd.grad(drawn[0], logits)[0]
        (tensor([1., 0.]), tensor([ 0.1966, -0.1966]))
    """

    arg_constraints = OneHotCategorical.arg_constraints

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (weights,) = self._checked(validate_args, **given)
        self._categorical = Categorical(**dict.fromkeys(given, weights), validate_args=False)
        td.Distribution.__init__(self, weights.shape[:-1], weights.shape[-1:], validate_args=False)
        self._validate_args = validating

    def _soft(self, noise: Tensor) -> Tensor:
        return self.probs


class RelaxedOneHotCategoricalStraightThrough(_OneHotStraightThrough):
    """A one-hot vector whose draws have the gradient of :class:`RelaxedOneHotCategorical`: a BIASED gradient.

    Also called straight-through Gumbel-softmax. Unbiased are the score function estimator, the measure-valued
    derivative and enumeration of the classes (:class:`OneHotCategorical`), and for a relaxed vector
    :class:`RelaxedOneHotCategorical`. The draws follow ``OneHotCategorical(probs)`` exactly, at every temperature, and
    so does ``log_prob``.

    Args, shapes and errors as for :class:`RelaxedOneHotCategorical`.

    Example:
        >>> law = RelaxedOneHotCategoricalStraightThrough(torch.tensor(0.5), logits=torch.tensor([1.0, 0.0, -1.0]))
        >>> law.from_noise(torch.tensor([0.5, 0.5, 0.5])), law.unbiased
        (tensor([1., 0., 0.]), False)
    """

    arg_constraints = RelaxedOneHotCategorical.arg_constraints

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (self.temperature, weights) = self._checked(validate_args, temperature=temperature, **given)
        given = dict.fromkeys(given, weights)
        self._categorical = Categorical(**given, validate_args=False)
        self._relaxed = RelaxedOneHotCategorical(self.temperature, **given, validate_args=False)
        td.Distribution.__init__(self, weights.shape[:-1], weights.shape[-1:], validate_args=False)
        self._validate_args = validating

    def _soft(self, noise: Tensor) -> Tensor:
        return self._relaxed.from_noise(noise)


def _straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The value of ``hard``, to the bit, with the derivatives of ``soft``."""
    return hard.detach() + (soft - soft.detach())
