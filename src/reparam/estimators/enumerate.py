"""Enumeration: the exact sum over all values, for laws that have few."""

import torch
import torch.distributions as td
from torch import Tensor

from reparam.errors import EstimatorError
from reparam.estimators.base import Estimator, Integrand, elements
from reparam.estimators.probabilities import probability

__all__ = ["Enumerate", "num_values"]


class Enumerate(Estimator):
    """``Σ_y p(y) f(y)``: value and gradient are exact, whatever ``samples`` is.

    For laws with an ``enumerate_support``. C coupled elements of V values each take ``V^C`` evaluations of f, which
    come in one batch, as so many samples. The gradient in ``probs`` is right where a probability is 0, too.

    Args:
        limit: the largest number of evaluations; more are refused.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Bernoulli
        >>> probs = torch.tensor([0.2, 0.5], requires_grad=True)
        >>> value = expectation(lambda y: y.prod(-1), Bernoulli(probs), estimator=Enumerate())
        >>> torch.autograd.grad(value, probs)[0]
        tensor([0.5000, 0.2000])
    """

    def __init__(self, limit: int = 65536) -> None:
        self.limit = limit

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        try:
            num_values(law)
        except NotImplementedError:
            return "its values cannot be listed (it has no enumerate_support, or one that differs between elements)"
        return ""

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`."""
        single = elements(law)
        shape = single.batch_shape + single.event_shape
        values = single.enumerate_support(expand=False)
        with torch.no_grad():
            integrand(values[:1].expand(1, *shape))  # what f couples is seen in what it returns
        coupled = integrand.num_coupled
        count = len(values) ** coupled
        if count > self.limit:
            raise EstimatorError(
                f"f couples {coupled} elements of {len(values)} values each: {count} evaluations, and the limit is "
                f"{self.limit}; use another estimator, such as ScoreFunction(LeaveOneOut())"
            )
        values = values.reshape(-1, *single.event_shape)
        number, place = (torch.arange(size, device=values.device) for size in (count, coupled))
        digits = number.unsqueeze(-1) // len(values) ** place
        draws = values[digits % len(values)]  # [count, coupled, *event]
        draws = draws.reshape(count, *(1 for _ in integrand.shape), *shape[len(integrand.shape) :])
        draws = draws.expand(count, *shape)
        weights = integrand.flat(probability(single, draws)).prod(-1)
        return (weights * integrand(draws)).sum(0)


def num_values(law: td.Distribution) -> int:
    """How many values an element has.

    Raises:
        NotImplementedError: they cannot be listed.
    """
    return len(elements(law).enumerate_support(expand=False))
