"""Laws of the latent variable before any data is seen."""

import torch
from torch import Tensor, nn

from reparam.distributions import Independent, Normal

__all__ = ["StandardNormal"]


class StandardNormal(nn.Module):
    """The prior ``N(0, I)``. Calling it gives the law, as every prior does (one with parameters makes it anew).

    Args:
        latent_dim: number of latent dimensions ``D``, at least 1.

    Example:
        >>> prior = StandardNormal(3)
        >>> prior().log_prob(torch.zeros(3))           # -3/2 · log(2π) nats
        tensor(-2.7568)
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.ones(latent_dim), persistent=False)

    def forward(self) -> Independent:
        """The law, with batch shape ``[]`` and event shape ``[D]``."""
        return Independent(Normal(self.loc, self.scale, validate_args=False), 1, validate_args=False)
