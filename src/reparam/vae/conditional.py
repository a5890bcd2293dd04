"""A network that becomes a law: the seed of every model here.

``p(y | x) = N(loc(x), scale(x))`` is a network followed by a family: the network turns ``x`` into numbers, the family
turns those numbers into a law over ``y``. An encoder is a conditional law (``x`` to ``q(z | x)``), a decoder is one
(``z`` to ``p(x | z)``), a regression with uncertainty is one. There is no other way from a network to a law.
"""

from typing import Protocol

from torch import Tensor, nn
from torch.distributions import Distribution

__all__ = ["Conditional", "Family"]


class Family(Protocol):
    """Turns the outputs of a network into a law over one example.

    ``num_outputs`` says how many numbers the network has to give for each value of the example; they are stacked along
    dimension 1 (columns of a table, channels of an image).
    """

    num_outputs: int

    def __call__(self, outputs: Tensor, /) -> Distribution: ...


class Conditional(nn.Module):
    """The conditional law ``p(y | x)``: ``family(network(x))``.

    Parameters of the law are never in a half type, whatever the precision the network runs in: log densities and KL
    divergences are computed in float32 at least.

    Shapes:
        x: whatever the network takes, batch first. The law has batch shape ``[B]`` and the event shape of one example.

    Args:
        network: any module; its output has ``family.num_outputs`` times the values of one example along dimension 1.
        family: what turns the outputs into a law, e.g. :class:`reparam.vae.DiagonalNormal`.

    Example:
        >>> import torch
        >>> from reparam.vae import Conditional, DiagonalNormal
        >>> regression = Conditional(torch.nn.Linear(3, 2 * 1), DiagonalNormal())
        >>> law = regression(torch.zeros(5, 3))
        >>> law.log_prob(torch.zeros(5, 1)).shape      # nats, one number an example
        torch.Size([5])
    """

    def __init__(self, network: nn.Module, family: Family) -> None:
        super().__init__()
        self.network = network
        self.family = family

    def forward(self, x: Tensor) -> Distribution:
        """The law of ``y`` given ``x``."""
        outputs: Tensor = self.network(x)
        if outputs.dtype.itemsize < 4:
            outputs = outputs.float()
        return self.family(outputs)
