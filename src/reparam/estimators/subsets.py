"""Some of the classes, all different: the sum over the probable ones is exact, or none is drawn twice.

For Categorical and OneHotCategorical whose elements f does not couple: every element has its own set of classes, and a
value of f for each of them.
"""

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import torch
import torch.distributions as td
from torch import Tensor

from reparam import noise
from reparam.distributions.precision import minus_log, tails
from reparam.errors import EstimatorError, whole_number
from reparam.estimators.base import Estimator, Function, Integrand
from reparam.estimators.discrete import as_draws, probabilities, refusal_unless_classes
from reparam.estimators.first_order import first_order
from reparam.estimators.leave_out import leave_out_ratios

__all__ = ["SumAndSample", "UnorderedSet"]


class _Estimate(NamedTuple):
    """``value = Σ weights·f`` and ``gradient = Σ slopes·∇p``, over the first dimension of all: ``[n, *elements]``."""

    classes: Tensor
    values: Tensor  # of f
    weights: Tensor
    slopes: Tensor


class _Subsets(Estimator):
    """Classes with weights, which are filled in."""

    _smallest: ClassVar[int]

    def __init__(self, k: int) -> None:
        self.k = whole_number("k", k, least=self._smallest, error=EstimatorError)

    @abstractmethod
    def _estimate(self, f: Function, probs: Tensor, samples: int, generator: torch.Generator | None) -> _Estimate:
        """From f of classes ``[n, *elements]`` to values of that shape, and ``probs`` ``[*elements, K]``, float64."""

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        return refusal_unless_classes(law)

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`.

        Raises:
            EstimatorError: f couples elements.
        """

        def f(classes: Tensor) -> Tensor:
            values = integrand(as_draws(law, classes))
            if integrand.num_coupled > 1:
                raise EstimatorError(
                    f"{self!r} needs a value of f for every element, and f couples {integrand.num_coupled} of them; "
                    "use ScoreFunction(LeaveOneOut()) with samples=2 or more, Rebar(temperature) if f is smooth, or "
                    "let f keep the dimensions of the batch, of a law without Independent"
                )
            return integrand.for_each(values)

        probs = probabilities(law)
        classes, values, weights, slopes = self._estimate(f, probs.detach().double(), samples, generator)
        value = integrand.joined((weights * values).sum(0)).to(values.dtype)
        chosen = probs.expand(*classes.shape, probs.shape[-1]).gather(-1, classes.unsqueeze(-1)).squeeze(-1)
        moving = (slopes.detach() * (first_order(chosen) - chosen.detach())).sum(0)
        return value + integrand.joined(moving).to(value.dtype)


class SumAndSample(_Subsets):
    """The exact sum over the k most probable classes, and a sample of the others: ``Σ_C p·f + P(not C)·f(y)``.

    For Categorical and OneHotCategorical, any f that keeps the dimensions of the batch and is not differentiated in the
    draw. ``k + samples`` evaluations of f: the sum is made once. What multiplies the score has a baseline built in: the
    estimate of the other samples, or with one sample the mean over the k classes. Exact for K = k classes. Take it
    where k classes have nearly all of the probability; else :class:`UnorderedSet` is better. First derivatives only.

    Args:
        k: how many classes are summed; a whole number >= 1. More than there are means all.

    Raises:
        EstimatorError: ``k`` is no such number.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Categorical
        >>> probs = torch.tensor([0.5, 0.3, 0.2], requires_grad=True)
        >>> value = expectation(lambda y: y**2.0, Categorical(probs), estimator=SumAndSample(2))
        >>> value  # 0.3 + 4·0.2, as only one class is left to sample
        tensor(1.1000, grad_fn=<AddBackward0>)

    Source: Liu, Regier, Tripuraneni, Jordan & McAuliffe, arXiv:1810.04777.
    """

    _smallest = 1

    def _estimate(self, f: Function, probs: Tensor, samples: int, generator: torch.Generator | None) -> _Estimate:
        k = min(self.k, probs.shape[-1])
        summed, top = (part.movedim(-1, 0) for part in probs.topk(k))
        if k == probs.shape[-1]:
            values = f(top)
            return _Estimate(top, values, summed, values - (summed * values).sum(0))
        rest = probs.scatter(-1, top.movedim(0, -1), 0.0)
        mass = rest.sum(-1)
        # Where nothing is left, a class that is possible, of weight 0.
        rest = torch.where(mass.unsqueeze(-1) > 0, rest, probs)
        sampled = noise.categorical(rest, samples, generator=generator)
        values = f(torch.cat([top, sampled]))
        known, drawn = values.detach().split([k, samples])
        exact = (summed * known).sum(0)
        others = (drawn.sum(0) - drawn) / (samples - 1) if samples > 1 else None
        baseline = (exact / summed.sum(0)).unsqueeze(0) if others is None else exact + mass * others
        chances = rest.expand(samples, *rest.shape).gather(-1, sampled.unsqueeze(-1)).squeeze(-1)
        slopes = [known - baseline.mean(0), mass / chances * (drawn - baseline) / samples]
        weights = [summed, (mass / samples).expand(sampled.shape)]
        return _Estimate(torch.cat([top, sampled]), values, torch.cat(weights), torch.cat(slopes))


class UnorderedSet(_Subsets):
    """k different classes, drawn without replacement, whatever the order: ``Σ_S p(s)·R(s)·f(s)``.

    ``R(s)`` is how much likelier the set S is if s is drawn first. For Categorical and OneHotCategorical, any f that
    keeps the dimensions of the batch and is not differentiated in the draw. k evaluations of f a sample, of which none
    is wasted on a class that was seen already. It has a baseline built in: for each class, the estimate from the
    others of the set. Exact for K = k classes. One sample with a larger k is better than several samples. At the same
    number of evaluations it is as good as ``ScoreFunction(LeaveOneOut())`` where classes are seldom drawn twice, and
    better where a few have most of the probability. First derivatives only.

    Args:
        k: how many classes are drawn; a whole number >= 2. More than there are means all.

    Raises:
        EstimatorError: ``k`` is no such number.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import OneHotCategorical
        >>> logits = torch.tensor([0.0, 1.0], requires_grad=True)
        >>> value = expectation(lambda y: 3 * y[..., 0], OneHotCategorical(logits=logits), estimator=UnorderedSet(2))
        >>> torch.autograd.grad(value, logits)[0]  # 3·p·(1 - p), exactly, for two classes
        tensor([ 0.5898, -0.5898])

    Source: Kool, van Hoof & Welling, arXiv:2002.06043.
    """

    _smallest = 2

    def _estimate(self, f: Function, probs: Tensor, samples: int, generator: torch.Generator | None) -> _Estimate:
        uniform = noise.uniform((samples, *probs.shape), like=probs, generator=generator)
        scores = probs.log() - minus_log(*tails(uniform, probs)).log()
        chosen = scores.topk(min(self.k, probs.shape[-1]), dim=-1).indices
        every = probs.expand(scores.shape)
        chances = every.gather(-1, chosen)
        first, second = leave_out_ratios(chances, every.scatter(-1, chosen, 0.0).sum(-1))
        classes = chosen.movedim(-1, 0)  # [k, S, *elements]
        values = f(classes.flatten(0, 1))
        known = values.detach().reshape(classes.shape).movedim(0, -1)
        baseline = (second * (chances * known).unsqueeze(-2)).sum(-1)
        weights, slopes = chances * first, first * (known - baseline)
        by_class = (part.movedim(-1, 0).flatten(0, 1) / samples for part in (weights, slopes))
        return _Estimate(classes.flatten(0, 1), values, *by_class)
