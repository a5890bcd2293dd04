"""The measure-valued estimator: the law's density is differentiated as a difference of two laws; f is not."""

import torch
import torch.distributions as td
from torch import Tensor

from reparam.estimators.base import Estimator, Integrand, draw, elements
from reparam.estimators.weak_derivatives import Pair, known_laws, weak_pairs

__all__ = ["MeasureValued"]

_AT_ONCE = 2**22  # numbers in the draws of one evaluation of f


class MeasureValued(Estimator):
    """``∂/∂θ E f(y) = E[w·(f(y⁺) - f(y⁻))]``, also called the weak derivative: pairs of draws, drawn together.

    For discrete laws, and for continuous ones where f has jumps: f is never differentiated in y. The variance does not
    grow with the size of f, only with its differences, and for a smooth f is often below that of the pathwise
    estimator. It is 0 for a single Bernoulli or categorical law, and for counts where f is linear.

    Every parameter has pairs of its own. Where C elements are coupled, each is replaced in turn by its pair, in a draw
    of all of them whose others stay. One sample takes one evaluation of f at the draw itself (the value, and the
    gradient in f's own parameters), and for each parameter that wants a gradient C more: half of the pair is the draw
    itself. It is 2·C for the loc of Normal, for Gamma and for Beta, K·C for categorical laws of K classes, and 2·K·C
    for a Dirichlet law of K components. So this is for few coupled elements, or for a cheap f. The evaluations come in
    few calls, as more samples along f's first dimension.

    The pairs of the concentrations of Gamma, Beta and Dirichlet are found by Newton's method, in float64: some 0.05 ms
    each, and not inside ``vmap``. Counts beyond 2²⁴ in float32 cannot be told from their successors: Poisson takes the
    next number instead, and for Binomial float64 is needed. First derivatives only.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Poisson
        >>> rate = torch.tensor(3.0, requires_grad=True)
        >>> value = expectation(lambda k: 2 * k, Poisson(rate), estimator=MeasureValued())
        >>> torch.autograd.grad(value, rate)[0]
        tensor(2.)

    Source: see ``weak_derivatives.py``.
    """

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        if weak_pairs.dispatch(type(elements(law))) is weak_pairs.dispatch(td.Distribution):
            return f"no weak derivative of it is known, only of {', '.join(known_laws())}"
        return ""

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`."""
        with torch.no_grad():
            draws = draw(law, (samples,), generator)
        values = integrand(draws)
        surrogate = values.mean(0)
        if not torch.is_grad_enabled():
            return surrogate
        for pair in weak_pairs(elements(law), draws, generator):
            with torch.no_grad():
                gradient = _gradient(integrand, pair, draws, values.detach())
            surrogate = integrand.with_gradient(surrogate, pair.parameter, gradient)
        return surrogate


def _gradient(integrand: Integrand, pair: Pair, draws: Tensor, values: Tensor) -> Tensor:
    """The mean over the samples of ``w·(f(first) - f(second))``, ``[*elements]``, finite."""
    shape = pair.parameter.shape
    second = integrand.for_each(values) if pair.second is None else _at(integrand, pair.second, draws, shape)
    each = pair.weight * (_at(integrand, pair.first, draws, shape) - second)
    gradient = each.mean(0).expand(shape).to(pair.parameter.dtype)
    largest = torch.finfo(gradient.dtype).max
    return gradient.clamp(-largest, largest)


def _at(integrand: Integrand, replacement: Tensor, draws: Tensor, shape: torch.Size) -> Tensor:
    """f where one element of a draw is replaced, for every element in turn, and ``shape`` is theirs: ``[S, *shape]``.

    Without coupling all are replaced at once; the result then broadcasts to that shape.
    """
    coupled = integrand.num_coupled
    if coupled <= 1:
        return integrand.for_each(integrand(replacement))
    samples, (flat, flat_replacement) = len(draws), (integrand.flat(draws), integrand.flat(replacement))
    kept = 1 + len(integrand.shape)
    rest = flat.dim() - kept - 1
    found = []
    for some in torch.arange(coupled, device=draws.device).split(max(1, _AT_ONCE // max(1, draws.numel()))):
        replaced = _one_of(some, coupled, kept, rest)
        mixed = torch.where(replaced, flat_replacement, flat)  # [n, S, *b, C, *event]
        found.append(integrand(mixed.reshape(len(some) * samples, *draws.shape[1:])).unflatten(0, (len(some), samples)))
    values = torch.cat(found).movedim(0, -1)  # [S, *b, C]
    return values.reshape(samples, *shape)


def _one_of(some: Tensor, coupled: int, before: int, after: int) -> Tensor:
    """Whether an element is the one replaced: ``[n, 1 (before), C, 1 (after)]``."""
    chosen = some.unsqueeze(-1) == torch.arange(coupled, device=some.device)
    return chosen.reshape(len(some), *[1] * before, coupled, *[1] * after)
