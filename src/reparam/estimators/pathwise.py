"""The pathwise estimator: y moves with the parameters, and f is differentiated along."""

from typing import Any, cast

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions import MixtureSameFamily
from reparam.errors import EstimatorError
from reparam.estimators.base import Estimator, Integrand, draw, elements

__all__ = ["Pathwise", "check_path", "is_stratified"]


class Pathwise(Estimator):
    """``∇E f(y) = E[f'(y)·∇y]``, y a reparameterised draw: ``law.rsample``. One evaluation of f a sample.

    f has to be differentiable, or at least continuous: a jump of f is not seen. Usually the estimator of the lowest
    variance. A mixture is drawn by its ``rsample_weighted``, which is good for separated modes too; where that is
    stratified, it takes one evaluation for each component.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Normal
        >>> loc = torch.tensor(1.0, requires_grad=True)
        >>> value = expectation(lambda y: 3 * y, Normal(loc, 1.0), estimator=Pathwise(), samples=8)
        >>> torch.autograd.grad(value, loc)[0]
        tensor(3.)

    Source: Kingma & Welling, arXiv:1312.6114; Rezende, Mohamed & Wierstra, arXiv:1401.4082.
    """

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        if isinstance(elements(law), MixtureSameFamily) or law.has_rsample:
            return ""
        return "its draws do not move with its parameters (it has no rsample)"

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`."""
        if isinstance(elements(law), MixtureSameFamily):
            return _of_mixture(integrand, law, samples, generator)
        draws = draw(law, (samples,), generator, "rsample")
        values = integrand(draws)
        check_path(values, draws)
        return values.mean(0)


def is_stratified(law: td.Distribution) -> bool:
    """Whether the law is a mixture of which every component is drawn."""
    mixture = elements(law)
    return isinstance(mixture, MixtureSameFamily) and mixture.estimator == "stratified"


def _of_mixture(integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None) -> Tensor:
    mixture = cast(MixtureSameFamily, elements(law))
    draws, weights = mixture.rsample_weighted((samples,), generator=generator)
    values = integrand(draws.flatten(0, 1))
    check_path(values, draws)
    if len(draws) > 1 and integrand.num_coupled > 1:
        raise EstimatorError(
            f"f couples {integrand.num_coupled} draws of a mixture with separated modes, each of which would have to "
            "be drawn from every component; use ScoreFunction(LeaveOneOut()), or MixtureSameFamily(..., "
            "estimator='implicit') if its modes overlap"
        )
    each = values.unflatten(0, draws.shape[:2])
    weights = weights.reshape(*weights.shape[:2], *integrand.shape) if len(draws) > 1 else torch.ones_like(each)
    weighted: Tensor = weights * each
    return weighted.sum(0).mean(0)


def check_path(values: Tensor, draws: Tensor) -> None:
    """Refuse values through which no gradient gets back to the draws.

    Raises:
        EstimatorError: there is none.
    """
    if not draws.requires_grad or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return
    if values.requires_grad and _reaches(values.grad_fn, draws.grad_fn):
        return
    raise EstimatorError(
        "no gradient gets from f's value back to the draws y: f does not use y, detaches it, or is a step function of "
        "it, such as a comparison or round(). If f is meant to be so, use ScoreFunction() or MeasureValued(), which do "
        "not differentiate f"
    )


def _reaches(start: Any, goal: Any) -> bool:
    """Whether ``goal`` is among the nodes of the graph of derivatives behind ``start``."""
    seen, waiting = set(), [start]
    while waiting:
        node = waiting.pop()
        if node is goal:
            return True
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(following for following, _ in node.next_functions)
    return False
