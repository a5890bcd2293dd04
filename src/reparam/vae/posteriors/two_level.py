"""Posteriors with two levels: ``q(z1 | x) q(z2 | z1)``, for models whose decoder sees the first one."""

import torch
from torch import Tensor, nn

from reparam.distributions import Chained
from reparam.errors import ParameterError, whole_number
from reparam.vae.conditional import Conditional
from reparam.vae.networks import MLP
from reparam.vae.posteriors.normal import DiagonalNormal

__all__ = ["FirstLevel", "TwoLevelFamily"]


class TwoLevelFamily(nn.Module):
    """``q(z1, z2 | x) = q(z1 | x) q(z2 | z1, h(x))``, both diagonal Normals: the data makes z1, and z1 makes z2.

    The model with two stochastic layers of Burda, Grosse & Salakhutdinov 2016 (arXiv:1509.00519), table 1, with
    ``context_dim=0``, where z2 depends on the data through z1 alone. With a context it also sees some of the outputs
    of the encoder's network. :class:`reparam.vae.TwoLevelPrior` is the prior that goes with it, and :class:`FirstLevel`
    what the decoder should see. Outputs of 0 and the network as it starts give the standard Normal.

    Shapes:
        outputs: ``[B, 2·D1 + context_dim]``: parameters of z1, then the context.
        The law has event shape ``[D1 + D2]``: z1, then z2.

    Args:
        latent_dim: size of z1, D1.
        upper_dim: size of z2, D2.
        network: from ``[B, D1 + context_dim]`` to ``[B, 2·D2]``; ``None`` makes a residual one of two blocks.
        context_dim: how many outputs z2 sees besides z1.
        width: hidden units of the network that is made.

    Example:
        >>> family = TwoLevelFamily(4, 2)
        >>> family(torch.zeros(5, family.num_outputs(4))).event_shape
        torch.Size([6])
    """

    def __init__(
        self,
        latent_dim: int,
        upper_dim: int,
        network: nn.Module | None = None,
        *,
        context_dim: int = 0,
        width: int = 128,
    ) -> None:
        super().__init__()
        self.sizes = (
            whole_number("TwoLevelFamily: latent_dim", latent_dim, error=ParameterError),
            whole_number("TwoLevelFamily: upper_dim", upper_dim, error=ParameterError),
        )
        self.context_dim = whole_number("TwoLevelFamily: context_dim", context_dim, least=0, error=ParameterError)
        if network is None:
            network = MLP(latent_dim + context_dim, 2 * upper_dim, width=width, zero_head=True)
        self.lower = DiagonalNormal()
        self.upper = Conditional(network, DiagonalNormal())

    def num_outputs(self, num_values: int) -> int:
        """The parameters of z1, and the context of z2."""
        return self.lower.num_outputs(num_values) + self.context_dim

    def forward(self, outputs: Tensor) -> Chained:
        """The law with these parameters."""
        parameters, context = outputs.tensor_split([2 * self.sizes[0]], dim=1)

        def upper(z1: Tensor, context: Tensor) -> object:
            return self.upper(torch.cat([z1, context], dim=1))

        return Chained(self.lower(parameters), upper, self.sizes, given=(context,), validate_args=False)  # type: ignore[arg-type]


class FirstLevel(nn.Module):
    """What the decoder of a two-level model is shown: z1, the first ``latent_dim`` of the latents.

    Example:
        >>> FirstLevel(2)(torch.arange(6.0).reshape(2, 3))
        tensor([[0., 1.],
                [3., 4.]])
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    def forward(self, z: Tensor) -> Tensor:
        """z1, ``[B, D1]``."""
        return z[:, : self.latent_dim]
