"""Families of coins and classes. Their draws cannot move: gradients come from an estimator, ``Elbo(estimator=...)``."""

from torch import Tensor, nn

from reparam.distributions import Bernoulli, Independent, OneHotCategorical
from reparam.errors import ParameterError, whole_number
from reparam.vae.limits import soft_bound

__all__ = ["BernoulliFamily", "CategoricalFamily"]

_MOST_LOGITS = 16.0  # a probability of 1e-7, where float32 still tells a share from 0 and 1


class BernoulliFamily(nn.Module):
    """Coins: latents that are 0 or 1, with log odds softly bounded to (-16, 16). Outputs of 0 are fair coins.

    Shapes:
        outputs: ``[B, D]``; the law has event shape ``[D]``.

    Example:
        >>> import torch
        >>> BernoulliFamily()(torch.zeros(4, 3)).mean[0]
        tensor([0.5000, 0.5000, 0.5000])
    """

    def num_outputs(self, num_values: int) -> int:
        """The log odds of each value."""
        return num_values

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these parameters."""
        logits = soft_bound(outputs, -_MOST_LOGITS, _MOST_LOGITS)
        return Independent(Bernoulli(logits=logits, validate_args=False), 1, validate_args=False)


class CategoricalFamily(nn.Module):
    """Classes: each latent is one of K, written as a vector of zeros and a one. Outputs of 0 make all equally likely.

    Shapes:
        outputs: ``[B, D·K]``, softly bounded to (-16, 16); the law has event shape ``[D, K]``.

    Args:
        num_classes: K, at least 2.

    Example:
        >>> import torch
        >>> CategoricalFamily(4)(torch.zeros(2, 3 * 4)).event_shape
        torch.Size([3, 4])
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = whole_number("CategoricalFamily: num_classes", num_classes, least=2, error=ParameterError)

    def num_outputs(self, num_values: int) -> int:
        """A logit for each class of each value."""
        return num_values * self.num_classes

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these parameters."""
        logits = soft_bound(outputs, -_MOST_LOGITS, _MOST_LOGITS).unflatten(1, (-1, self.num_classes))
        return Independent(OneHotCategorical(logits=logits, validate_args=False), 1, validate_args=False)
