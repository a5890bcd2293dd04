"""``expectation``: estimate ``E f(y)`` with a gradient that can be trusted, and ``choose``: which estimator to take."""

from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor

from reparam.errors import EstimatorError, whole_number
from reparam.estimators.antithetic import DisArm
from reparam.estimators.base import Estimator, Function, Integrand, draw, elements
from reparam.estimators.baselines import LeaveOneOut
from reparam.estimators.discrete import is_coin
from reparam.estimators.enumerate import Enumerate, num_values
from reparam.estimators.measure import MeasureValued
from reparam.estimators.pathwise import Pathwise, is_stratified
from reparam.estimators.score import ScoreFunction
from reparam.estimators.subsets import UnorderedSet

__all__ = ["Choice", "choose", "expectation"]

_FEW = 256  # evaluations that are cheaper than the variance of any estimate
# At the same number of evaluations, measured for up to 64 coupled counts of mean 0.1 to 100: where f is smooth, the
# variance of the measure-valued estimate is 2 to 1000 times below that of the score function with its baseline (twice
# it at worst: near a minimum of f), however many counts are coupled. Where f is a step, it is below it up to a total
# mean of about 1, and then grows as the root of that. So what limits their number is the cost of one sample.
_FEW_COUNTS = 8
_COUNTS = (td.Poisson, td.NegativeBinomial, td.Geometric, td.Binomial)


class Choice(NamedTuple):
    """An estimator, and why it was chosen."""

    estimator: Estimator
    reason: str


def expectation(
    f: Function,
    law: td.Distribution,
    *,
    estimator: Estimator | None = None,
    samples: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """An estimate of ``E f(y)``, y drawn from ``law``, whose gradient is that of ``estimator``.

    The gradient is that in the parameters of the law *and* in whatever else f uses (the weights of a decoder, say).

    Args:
        f: draws ``[S, *batch_shape, *event_shape]`` to values ``[S, *b]``, b a leading part of the batch shape.
            Dimensions of the batch that f sums out are coupled by it, and are treated as one event.
        law: any torch distribution; its gradient in every parameter that wants one.
        estimator: one of ``reparam.estimators``; None takes what :func:`choose` says.
        samples: S, how many independent estimates are averaged. An estimator may evaluate f more often: see there.
        generator: where the randomness comes from; torch's default generator if None.

    Returns:
        shape ``[*b]``, in the dtype of f's values.

    Raises:
        EstimatorError: the estimator cannot be used with this law; f is not a function, returns something of a wrong
            shape, or, if it has to be differentiated, does not depend on y; ``samples`` is not a whole number >= 1; or
            ``generator`` is given and the law takes none.

    Example:
        >>> from reparam.distributions import Normal
        >>> scale = torch.tensor(2.0, requires_grad=True)
        >>> value = expectation(lambda y: y**2, Normal(0.0, scale), samples=10_000,
        ...                     generator=torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(value, scale)[0].round(decimals=1)  # of scale²: 2·scale
        tensor(4.)
    """
    if not isinstance(law, td.Distribution):
        raise EstimatorError(f"law must be a torch distribution; got {law!r} ({type(law).__name__})")
    whole_number("samples", samples, error=EstimatorError)
    if estimator is None:
        estimator = choose(f, law, samples=samples).estimator
    elif not isinstance(estimator, Estimator):
        raise EstimatorError(f"estimator must be one of reparam.estimators, such as Pathwise(); got {estimator!r}")
    elif reason := estimator.refusal(law):
        better = choose(f, law, samples=samples)
        raise EstimatorError(
            f"{estimator!r} does not fit {type(law).__name__}: {reason}. Use {better.estimator!r}: {better.reason}"
        )
    return estimator.surrogate(Integrand(f, law), law, samples, generator)


def choose(f: Function, law: td.Distribution, *, samples: int = 2) -> Choice:
    """The estimator that ``expectation`` takes if none is named: valid for the law, unbiased, and of low variance.

    Pathwise where draws can move. For discrete laws, f is evaluated at one draw, to see which elements it couples, and
    the exact sum is taken if it is short; else, for few coupled counts, the measure-valued estimator, and for all else
    the score function.

    Raises:
        EstimatorError: as :func:`expectation`; or no estimator fits the law.

    Example:
        >>> from reparam.distributions import Bernoulli
        >>> estimator, reason = choose(lambda y: y.sum(-1), Bernoulli(torch.full((3,), 0.5)))
        >>> print(estimator, "because", reason)
        Enumerate() because f couples 3 elements of 2 values each: the sum over all 8 is exact
    """
    stratified = is_stratified(law)
    if law.has_rsample and getattr(law, "unbiased", True) and not stratified:
        return Choice(Pathwise(), "the draws move smoothly with the parameters")
    integrand = Integrand(f, law)
    with torch.no_grad():
        integrand(draw(law, (1,), None))
    coupled = integrand.num_coupled
    if stratified and coupled == 1:
        return Choice(Pathwise(), "a mixture is drawn from every component, so that its modes may be far apart")
    if not Enumerate().refusal(law):
        values = num_values(law)
        if values**coupled <= _FEW:
            what = (
                f"f couples {coupled} elements of {values} values each" if coupled > 1 else f"there are {values} values"
            )
            return Choice(Enumerate(), f"{what}: the sum over all {values**coupled} is exact")
    if samples == 1 and (pair := _pair(law, coupled)):
        return pair
    if isinstance(elements(law), _COUNTS) and coupled <= _FEW_COUNTS:
        return Choice(MeasureValued(), "it sees how f changes from a count to the next, and f couples few counts")
    reason = ScoreFunction().refusal(law)
    if reason:
        raise EstimatorError(f"no estimator of the gradient is known for {type(elements(law)).__name__}: {reason}")
    if samples > 1:
        return Choice(ScoreFunction(LeaveOneOut()), "it needs nothing but log_prob; the baseline lowers its variance")
    return Choice(ScoreFunction(), "it needs nothing but log_prob; with samples=2 or more it would have a baseline")


def _pair(law: td.Distribution, coupled: int) -> Choice | None:
    """What makes the most of two evaluations of f, where one sample was asked for.

    With 2n evaluations the score function has 2n - 1 others for its baseline, and pairs have one each. Measured for 12
    to 200 coupled coins, pairs have 0.8 to 1.05 times its variance for n = 1, and 1.2 to 1.6 times for n = 2; for 300
    to 1000 classes, 0.9 to 1.05 for n = 1.
    """
    if is_coin(law):
        return Choice(DisArm(), f"f couples {coupled} coins, and a pair that mirrors itself needs no baseline")
    if coupled == 1 and not UnorderedSet(2).refusal(law):
        return Choice(UnorderedSet(2), "of two different classes each is the other's baseline")
    return None
