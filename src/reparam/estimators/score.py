"""The score function estimator: the law is differentiated, f is not."""

import torch
import torch.distributions as td
from torch import Tensor

from reparam.errors import EstimatorError
from reparam.estimators.base import Estimator, Integrand, draw, elements, wants_gradient
from reparam.estimators.baselines import Baseline

__all__ = ["ScoreFunction", "scored"]


class ScoreFunction(Estimator):
    """``∇E f(y) = E[f(y)·∇log p(y)]``, also called REINFORCE. One evaluation of f a sample.

    For any law with a ``log_prob`` whose support stays where it is, discrete or not, and any f, which is never
    differentiated in y. The variance grows
    with the size of f and with the number of coupled elements; a baseline takes much of it away. The surrogate can be
    differentiated again: its second derivatives are unbiased too.

    The score is taken at the draw as its dtype holds it. Where many draws lie beyond that, as those of a Gamma law of
    concentration 1e-3, of which half underflow, it is off; draw the logarithm then (``LogGamma``).

    Args:
        baseline: what to subtract from f: :class:`LeaveOneOut`, :class:`MovingAverage`, :class:`Learned`, or None.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Bernoulli
        >>> from reparam.estimators import LeaveOneOut
        >>> logits = torch.tensor(0.0, requires_grad=True)
        >>> value = expectation(lambda y: (y > 0.5).float(), Bernoulli(logits=logits),
        ...                     estimator=ScoreFunction(LeaveOneOut()), samples=1000,
        ...                     generator=torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(value, logits)[0].round(decimals=2)  # p·(1 - p)
        tensor(0.2500)

    Source: Williams, 1992; as a surrogate of any order, Foerster et al., arXiv:1802.05098.
    """

    def __init__(self, baseline: Baseline | None = None) -> None:
        if baseline is not None and not isinstance(baseline, Baseline):
            raise EstimatorError(
                f"baseline must be LeaveOneOut(), MovingAverage(), Learned(prediction) or None; got {baseline!r}"
            )
        self.baseline = baseline

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        if type(law).log_prob is td.Distribution.log_prob:
            return "it has no log_prob"
        return "its support moves with a parameter, which the score does not see" if _support_moves(law) else ""

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`."""
        with torch.no_grad():
            draws = draw(law, (samples,), generator)
        values = integrand(draws)
        log_prob = integrand.joined(elements(law).log_prob(draws))
        return scored(values, log_prob, self.baseline).mean(0)


def _support_moves(law: td.Distribution) -> bool:
    """Whether an end of the support wants a gradient, as those of a uniform law do."""
    try:
        support = elements(law).support
    except NotImplementedError:  # torch says so of laws whose support it does not know
        return False
    ends = (getattr(support, name, None) for name in ("lower_bound", "upper_bound"))
    return any(isinstance(end, Tensor) and wants_gradient(end) for end in ends)


def scored(values: Tensor, log_prob: Tensor, baseline: Baseline | None) -> Tensor:
    """``values``, with ``(values - baseline)·∇log_prob`` added to their gradient; both ``[S, *b]``. Of any order."""
    ratio = torch.exp(log_prob - log_prob.detach())  # 1, with the gradient of log p
    surrogate = values * ratio
    if baseline is not None:
        surrogate = surrogate + baseline(values.detach()) * (1 - ratio)
    return surrogate
