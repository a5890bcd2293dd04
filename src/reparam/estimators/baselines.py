"""Baselines: what is subtracted from f(y) before it multiplies the score. Anything that the draw does not decide."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from reparam.errors import EstimatorError

__all__ = ["Baseline", "Learned", "LeaveOneOut", "MovingAverage"]


class Baseline(ABC):
    """``E[b·∇log p(y)] = 0`` for any b that does not depend on y: it takes variance away and adds no bias."""

    @abstractmethod
    def __call__(self, values: Tensor) -> Tensor:
        """What to subtract from the values ``[S, *b]`` (without gradient); broadcasts against them."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class LeaveOneOut(Baseline):
    """The mean of the other samples: needs at least two. No state, nothing to tune.

    Source: Salimans & Knowles, arXiv:1401.1022; Kool, van Hoof & Welling, 2019 (RLOO).

    Example:
        >>> LeaveOneOut()(torch.tensor([1.0, 2.0, 6.0]))
        tensor([4.0000, 3.5000, 1.5000])
    """

    def __call__(self, values: Tensor) -> Tensor:
        """See :class:`Baseline`.

        Raises:
            EstimatorError: there is one sample only.
        """
        if len(values) < 2:
            raise EstimatorError("the leave-one-out baseline needs at least two samples; use samples=2 or more")
        return (values.sum(0) - values) / (len(values) - 1)


class MovingAverage(Baseline):
    """A running mean of the values of earlier calls; the first call has none, and so no baseline.

    It has a state: one object for one expectation that is estimated again and again, such as a loss in training.

    Args:
        decay: how much of the old mean is kept at each call, in [0, 1).

    Raises:
        EstimatorError: ``decay`` is not in [0, 1).

    Example:
        >>> baseline = MovingAverage(0.5)
        >>> [baseline(torch.tensor([value])).item() for value in (4.0, 8.0, 8.0)]
        [0.0, 4.0, 6.0]
    """

    def __init__(self, decay: float = 0.9) -> None:
        if not 0 <= decay < 1:
            raise EstimatorError(f"decay must be in [0, 1); got {decay!r}")
        self.decay = decay
        self._mean: Tensor | None = None

    def __call__(self, values: Tensor) -> Tensor:
        """See :class:`Baseline`."""
        mean, now = self._mean, values.detach().mean()
        self._mean = now if mean is None else self.decay * mean + (1 - self.decay) * now
        return torch.zeros_like(now) if mean is None else mean


class Learned(Baseline):
    """The prediction of a network that sees what the law depends on, but not the draw (Mnih & Gregor, arXiv:1402.0030).

    Make one for each call, and add :attr:`loss` to what is minimised, so that the network learns:

        >>> network, x = torch.nn.Linear(2, 1), torch.randn(5, 2)
        >>> baseline = Learned(network(x).squeeze(-1))
        >>> difference = baseline(torch.ones(3, 5))  # what an estimator does with three samples
        >>> baseline.loss.shape
        torch.Size([])

    Args:
        prediction: of the value of f, shape ``[*b]``, with its gradient.
    """

    def __init__(self, prediction: Tensor) -> None:
        self._prediction = prediction
        self._loss: Tensor | None = None

    def __call__(self, values: Tensor) -> Tensor:
        """See :class:`Baseline`.

        Raises:
            EstimatorError: the prediction has another shape than one value of f.
        """
        if self._prediction.shape != values.shape[1:]:
            raise EstimatorError(
                f"the learned baseline must have the shape of f's values, {tuple(values.shape[1:])}; got "
                f"{tuple(self._prediction.shape)}"
            )
        self._loss = ((values.detach() - self._prediction) ** 2).mean()
        return self._prediction.detach()

    @property
    def loss(self) -> Tensor:
        """The mean squared error of the prediction, with its gradient.

        Raises:
            EstimatorError: no estimator has used the baseline yet.
        """
        if self._loss is None:
            raise EstimatorError("the learned baseline has no loss before an estimator has used it")
        return self._loss
