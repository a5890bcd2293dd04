"""A discrete draw and its relaxation from the same noise: what the relaxed one explains of f is taken out of the score.

The scores z are log odds plus logistic noise, or log probabilities plus Gumbel noise; the discrete draw is b = H(z),
the sign or the largest. For any function c of z

    ∇E f(b) = E[(f(b) - c(z))·∇log p(b) + c'(z)·(∇z - ∇z')],

where z' are the same scores, seen as drawn in the second way: first b, then z given b. They have the same value, but
move otherwise with the parameters, because b is held. Leaving ∇z' out is a bias.

With the log odds α of a coin and p(b) the probability of what it shows, ``∂z/∂α = 1`` and
``∂z'/∂α = p(b)·(1 - exp(-|z|))``. With the log probabilities of K classes, of which the k-th is drawn,
``∂z'_i/∂log p_i = 1 - exp(z_i - z_k)``.

Source: Tucker, Mnih, Maddison, Lawson & Sohl-Dickstein, arXiv:1703.07370; Grathwohl, Choi, Wu, Roeder & Duvenaud,
arXiv:1711.00123.
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import log_softmax

from reparam import noise
from reparam.distributions.categorical import one_hot
from reparam.distributions.precision import confine, minus_log, open_sigmoid, positive_range, tails
from reparam.errors import EstimatorError
from reparam.estimators.base import Estimator, Function, Integrand
from reparam.estimators.discrete import is_coin, log_odds, log_weights, refusal_unless_vectors
from reparam.estimators.relaxed import checked_temperature

__all__ = ["Rebar", "Relax"]


class _Scores(NamedTuple):
    """Scores z with what they say: all without gradient, of the shape of the draws ``[S, *elements, *event]``."""

    scores: Tensor
    draws: Tensor
    score: Tensor  # ∇log p(b)
    share: Tensor  # of each component of c'(z) in the gradient, (1 - ∂z'/∂z)
    probs: Tensor | None  # of classes, whose log probabilities move together

    def pulled_back(self, slope: Tensor) -> Tensor:
        """``c'(z)·(∇z - ∇z')`` in the log odds, or the log weights of the classes."""
        pulled = slope * self.share
        return pulled if self.probs is None else pulled - self.probs * pulled.sum(-1, keepdim=True)


class _Conditioned(Estimator):
    """The estimator above for a function c of the scores, which is filled in."""

    @abstractmethod
    def _control(self, integrand: Integrand, law: td.Distribution, scores: Tensor) -> Tensor:
        """c(z), shape ``[S, *b]``."""

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        return refusal_unless_vectors(law)

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`."""
        values, gradients = self._estimates(integrand, law, samples, generator, learning=False)
        return integrand.with_gradient(values.mean(0), _parameter(law), gradients.mean(0))

    def variance(
        self, f: Function, law: td.Distribution, *, samples: int = 16, generator: torch.Generator | None = None
    ) -> Tensor:
        """The variance of the gradient of one sample in the log odds (or log weights), summed over them: ``[]``.

        Its own gradient is in what the estimator was made of (temperature, coefficient, network), which may be learned
        by minimising it. It is in f's parameters too: give an optimiser only those that are meant. Unbiased.

        Args:
            f: as for ``expectation``.
            law: as for ``expectation``; its parameters get no gradient.
            samples: from how many it is estimated; 2 or more.
            generator: where the randomness comes from; torch's default generator if None.

        Raises:
            EstimatorError: as ``expectation``; or there are fewer than 2 samples.
        """
        if reason := self.refusal(law):
            raise EstimatorError(f"{self!r} does not fit {type(law).__name__}: {reason}")
        if samples < 2:
            raise EstimatorError(f"a variance needs samples=2 or more; got {samples!r}")
        _, gradients = self._estimates(Integrand(f, law), law, samples, generator, learning=True)
        return gradients.var(0).sum()

    def _estimates(
        self,
        integrand: Integrand,
        law: td.Distribution,
        samples: int,
        generator: torch.Generator | None,
        learning: bool,
    ) -> tuple[Tensor, Tensor]:
        """Values ``[S, *b]``, and gradients ``[S, *elements, *event]``; these keep a graph if ``learning``."""
        drawn = _drawn(law, samples, generator)
        dtype = law.mean.dtype
        values = integrand(drawn.draws.to(dtype))
        with torch.enable_grad():
            scores = drawn.scores.requires_grad_()
            control = self._control(integrand, law, scores.to(dtype))
            slope = _slope(control, scores, learning)
            if not learning:
                control = control.detach()
            difference = integrand.for_each(values.detach() - control)
            if drawn.probs is not None:
                difference = difference.unsqueeze(-1)
            return values, difference * drawn.score + drawn.pulled_back(slope)


class Rebar(_Conditioned):
    """The score function estimator with ``c(z) = η·f(s(z/T))`` as control variate, f at the relaxed draw; unbiased.

    For Bernoulli and OneHotCategorical; any temperature T and coefficient η give an unbiased gradient, which is that of
    the module's first lines. Two evaluations of f a sample, one of them between the values of the discrete law, where f
    has to be differentiable. To take where f is smooth, but not so nearly quadratic that :class:`ReinMax` would do.
    T and η may be tensors and learned: see :meth:`variance`. First derivatives only.

    Args:
        temperature: T, positive; a number or a tensor that broadcasts against the batch.
        coefficient: η; a number or a tensor that broadcasts against f's values.

    Raises:
        EstimatorError: the temperature is not positive.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Bernoulli
        >>> logits = torch.tensor(0.0, requires_grad=True)
        >>> value = expectation(lambda y: 4 * y, Bernoulli(logits=logits), estimator=Rebar(0.5), samples=10_000,
        ...                     generator=torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(value, logits)[0].round(decimals=1)  # 4·p·(1 - p)
        tensor(1.)

        Learning the coefficient:

        >>> coefficient = torch.tensor(0.0, requires_grad=True)
        >>> variance = Rebar(0.5, coefficient).variance(lambda y: 4 * y, Bernoulli(logits=logits))
        >>> bool(torch.autograd.grad(variance, coefficient)[0] < 0)  # more of it
        True

    Source: Tucker et al., arXiv:1703.07370, with z and z' from the same noise.
    """

    def __init__(self, temperature: Tensor | float, coefficient: Tensor | float = 1.0) -> None:
        self.temperature = checked_temperature(temperature)
        self.coefficient = coefficient

    def _control(self, integrand: Integrand, law: td.Distribution, scores: Tensor) -> Tensor:
        return self.coefficient * integrand(_relaxed(law, scores, self.temperature))


class Relax(_Conditioned):
    """The score function estimator with a learned control variate, ``c(z) = r(z)`` or ``r(z) + f(s(z/T))``; unbiased.

    For Bernoulli and OneHotCategorical; any network r gives an unbiased gradient, and :meth:`variance` is what to train
    it with. Without a temperature, f is never differentiated: it may be a black box. One evaluation of f a sample, two
    with a temperature, and one of r. First derivatives only.

    Args:
        network: r, from scores z of the shape of the draws ``[S, *batch, *event]`` (log odds plus logistic noise, or
            log probabilities plus Gumbel noise: any real numbers) to values of the shape of f's, ``[S, *b]``.
        temperature: T of :class:`Rebar`; None leaves the term with f out.

    Raises:
        EstimatorError: the network is no function, or the temperature is not positive.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Bernoulli
        >>> logits = torch.zeros(3, requires_grad=True)
        >>> layers = torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1), torch.nn.Flatten(0)
        >>> estimator, law = Relax(torch.nn.Sequential(*layers)), Bernoulli(logits=logits)
        >>> value = expectation(lambda y: y.prod(-1), law, estimator=estimator, samples=10)
        >>> value.backward()  # a step for the law
        >>> estimator.variance(lambda y: y.prod(-1), law, samples=10).backward()  # and one for the network

    Source: Grathwohl et al., arXiv:1711.00123, with z and z' from the same noise.
    """

    def __init__(self, network: Function, temperature: Tensor | float | None = None) -> None:
        if not callable(network):
            raise EstimatorError(f"network must be a function of scores; got {network!r} ({type(network).__name__})")
        self.network = network
        self.temperature = None if temperature is None else checked_temperature(temperature)

    def _control(self, integrand: Integrand, law: td.Distribution, scores: Tensor) -> Tensor:
        predicted = Integrand(self.network, law)(scores)
        if predicted.shape[1:] != integrand.shape:
            raise EstimatorError(
                f"network must return values of the shape of f's, {tuple(integrand.shape)} for each sample; got "
                f"{tuple(predicted.shape[1:])}"
            )
        if self.temperature is None:
            return predicted
        return predicted + integrand(_relaxed(law, scores, self.temperature))


def _parameter(law: td.Distribution) -> Tensor:
    return log_odds(law) if is_coin(law) else log_weights(law)


def _drawn(law: td.Distribution, samples: int, generator: torch.Generator | None) -> _Scores:
    parameter = _parameter(law).detach()
    uniform = noise.uniform((samples, *parameter.shape), like=parameter, generator=generator)
    lower, upper = tails(uniform, parameter)
    if is_coin(law):
        return _of_coins(parameter, parameter + lower.log() - upper.log())
    log_probs = log_softmax(parameter, -1)
    return _of_classes(log_probs.exp(), log_probs - minus_log(lower, upper).log())


def _of_coins(log_odds: Tensor, scores: Tensor) -> _Scores:
    sign = torch.where(scores > 0, 1.0, -1.0).to(scores)
    drawn, other = torch.sigmoid(sign * log_odds), torch.sigmoid(-sign * log_odds)  # probabilities of b, and not b
    return _Scores(scores, (scores > 0).to(scores), sign * other, other + drawn * torch.exp(-scores.abs()), None)


def _of_classes(probs: Tensor, scores: Tensor) -> _Scores:
    best = scores.max(-1)
    draws = one_hot(best.indices, scores.shape[-1]).to(scores)
    return _Scores(scores, draws, draws - probs, torch.exp(scores - best.values.unsqueeze(-1)), probs)


def _relaxed(law: td.Distribution, scores: Tensor, temperature: Tensor | float) -> Tensor:
    """``s(z/T)``, inside the open interval or simplex."""
    temperature = torch.as_tensor(temperature, dtype=scores.dtype, device=scores.device)
    if is_coin(law):
        return open_sigmoid(scores / temperature, scores)
    relaxed = torch.softmax(scores / temperature.unsqueeze(-1), -1)
    return confine(relaxed, positive_range(scores)[0], torch.inf)


def _slope(control: Tensor, scores: Tensor, learning: bool) -> Tensor:
    """The derivative of c in the scores; of f in its own parameters there is none, which would be noise."""
    found = None
    if control.requires_grad:
        (found,) = torch.autograd.grad(control.sum(), scores, create_graph=learning, allow_unused=True)
    if found is None:
        raise EstimatorError(
            "the control variate does not move with the scores: f (or the network) does not use them, detaches them, "
            "or is a step function, such as a comparison or round(). Use ScoreFunction(LeaveOneOut()), which "
            "does not differentiate f, or Relax(network) with a smooth network and no temperature"
        )
    return found
