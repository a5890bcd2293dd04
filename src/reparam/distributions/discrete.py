"""Laws on a few values."""

from collections.abc import Sequence

import torch
import torch.distributions as td
from torch import Tensor

from reparam import noise
from reparam.distributions.base import Unreparameterized, _to_size
from reparam.distributions.odds import log_likelihood, probs_or_logits

__all__ = ["Bernoulli"]


class Bernoulli(Unreparameterized, td.Bernoulli):
    """A coin: 1 with probability ``probs = sigmoid(logits)``, else 0.

    torch's ``Bernoulli``, with a generator for each draw and a ``log_prob`` that is exact for the parameter
    it was given (torch turns ``probs`` into logits and so rounds every probability below 1e-7 up to that, in
    float32).

    Args:
        probs: probability of 1, in [0, 1]; any shape.
        logits: log odds of 1, finite; any shape. Give one of the two.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: both or none of the two are given; a probability outside [0, 1], a logit that is not
            finite, an integer tensor.

    Example:
        >>> law = Bernoulli(logits=torch.tensor([-200.0, 0.0]))
        >>> law.log_prob(torch.ones(2))
        tensor([-200.0000,   -0.6931])
    """

    _instead = (
        "reparam.expectation(f, law, estimator=reparam.estimators.Enumerate()), the exact sum over both values; or "
        "MeasureValued() or ScoreFunction() there, where f couples many draws; or a relaxed law "
        "(reparam.distributions.RelaxedBernoulli)"
    )

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, checked = self._checked(validate_args, **given)
        super().__init__(**dict(zip(given, checked, strict=True)), validate_args=False)
        self._validate_args = validating

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Zeros and ones in the dtype of the parameter; see :meth:`Law.sample`."""
        shape = self._extended_shape(_to_size(sample_shape))
        with torch.no_grad():
            return noise.bernoulli(self.probs.expand(shape), generator=generator)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability in nats; shape as broadcast.

        With ``validate_args=False`` values between 0 and 1 are let through and weigh the two outcomes, which
        is the usual cross-entropy of grey images and not a probability.

        Raises:
            ValueError: arguments are validated and ``value`` is neither 0 nor 1.
        """
        if self._validate_args:
            self._validate_sample(value)
        dtype = torch.promote_types(value.dtype, self._param.dtype)
        ones = value.to(torch.promote_types(dtype, torch.float32))
        return log_likelihood(self, ones, 1 - ones).to(dtype)


@td.register_kl(Bernoulli, Bernoulli)  # type: ignore[untyped-decorator]
def _kl_bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    """``Σ_y p(y) log(p(y)/q(y))``; torch's does not broadcast."""
    one = torch.ones((), dtype=torch.promote_types(p._param.dtype, torch.float32), device=p._param.device)
    parts = []
    for ones, share in ((one, p.probs), (1 - one, 1 - p.probs)):
        log_p, log_q = log_likelihood(p, ones, 1 - ones), log_likelihood(q, ones, 1 - ones)
        # What never comes costs nothing, however unlikely the other law thinks it.
        comes = share > 0
        parts.append(torch.where(comes, share * torch.where(comes, log_p - log_q, 0.0), 0.0))
    return (parts[0] + parts[1]).to(p._param.dtype)
