"""One of K classes: as its number, or as a vector of zeros and a one."""

from collections.abc import Sequence

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import log_softmax

from reparam import noise
from reparam.distributions.base import Unreparameterized, _to_size
from reparam.distributions.odds import has_probs, probs_or_logits
from reparam.distributions.parameters import weights
from reparam.distributions.precision import narrow

__all__ = ["Categorical", "OneHotCategorical", "one_hot"]

_INSTEAD = (
    "reparam.expectation(f, law, estimator=reparam.estimators.Enumerate()), the exact sum over the classes; or "
    "MeasureValued() or ScoreFunction() there, where f couples many draws; or a relaxed law "
    "(reparam.distributions.RelaxedOneHotCategorical)"
)


class Categorical(Unreparameterized, td.Categorical):
    """One of the classes ``0 .. K - 1``: class k with probability ``probs[k]``.

    torch's ``Categorical`` with a generator for each draw, and a ``log_prob`` that is exact for the parameter it was
    given (torch rounds every probability below 1e-7 up to that, in float32). Draws are made in float64, so classes of
    small probability keep theirs.

    Args:
        probs: weights >= 0, not all 0; shape ``[*batch_shape, K]``. They are divided by their sum.
        logits: their logarithms, up to a constant, finite; likewise. Give one of the two.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: both or none of the two are given; or as for :class:`Normal`.

    Example:
        >>> Categorical(torch.tensor([1.0, 1e-20, 3.0])).log_prob(torch.tensor([0, 1]))
        tensor([ -1.3863, -47.4380])
    """

    arg_constraints = {"probs": weights, "logits": constraints.real_vector}  # noqa: RUF012
    _instead = _INSTEAD

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (weights,) = self._checked(validate_args, **given)
        super().__init__(**dict.fromkeys(given, weights), validate_args=False)
        self._validate_args = validating

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Classes, int64; see :meth:`Law.sample`."""
        shape = _to_size(sample_shape)
        precise = self._like.double()
        chances = precise if has_probs(self) else torch.softmax(precise, -1)
        drawn = noise.categorical(chances, shape.numel(), generator=generator)
        return drawn.reshape(shape + self.batch_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability of a class in nats; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        (wide,) = self._wide()
        if has_probs(self):
            chosen = _choose(wide, value)
            possible = chosen > 0
            log_chosen = torch.where(possible, torch.where(possible, chosen, 1.0).log(), -torch.inf)
            log_probability = log_chosen - wide.sum(-1).log()
        else:
            log_probability = _choose(log_softmax(wide, -1), value)
        return narrow(log_probability, self._like, self._like)


class OneHotCategorical(Unreparameterized, td.OneHotCategorical):
    """One of K classes, as a vector of zeros and a one: :class:`Categorical` with another face.

    Args, errors and precision as for :class:`Categorical`.

    Example:
        >>> OneHotCategorical(torch.tensor([1.0, 0.0, 3.0])).log_prob(torch.tensor([0.0, 0.0, 1.0]))
        tensor(-0.2877)
    """

    arg_constraints = Categorical.arg_constraints
    _instead = _INSTEAD
    _categorical: Categorical

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        given = probs_or_logits(self, probs, logits)
        validating, (weights,) = self._checked(validate_args, **given)
        self._categorical = Categorical(**dict.fromkeys(given, weights), validate_args=False)
        td.Distribution.__init__(self, weights.shape[:-1], weights.shape[-1:], validate_args=False)
        self._validate_args = validating

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Vectors of zeros and a one in the dtype of the parameter; see :meth:`Law.sample`."""
        classes = self._categorical.sample(sample_shape, generator=generator)
        return one_hot(classes, self.event_shape[0]).to(self._categorical._like.dtype)


def one_hot(classes: Tensor, num_classes: int) -> Tensor:
    """True at the class and False elsewhere, shape ``[*, num_classes]``; unlike torch's, it looks at no value."""
    return classes.unsqueeze(-1) == torch.arange(num_classes, device=classes.device)


def _choose(by_class: Tensor, value: Tensor) -> Tensor:
    """``by_class[..., value]``, broadcast."""
    index, by_class = torch.broadcast_tensors(value.long().unsqueeze(-1), by_class)
    return by_class.gather(-1, index[..., :1]).squeeze(-1)
