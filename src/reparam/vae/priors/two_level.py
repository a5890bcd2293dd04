"""The prior of two levels: ``p(z2) p(z1 | z2)``, where the upper level decides the lower."""

import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

from reparam.distributions import Chained, Transformed
from reparam.errors import ParameterError, whole_number
from reparam.vae.conditional import Conditional
from reparam.vae.networks import MLP
from reparam.vae.posteriors import DiagonalNormal
from reparam.vae.priors.standard import StandardNormal

__all__ = ["TwoLevelPrior"]


class TwoLevelPrior(nn.Module):
    """``p(z1, z2) = N(z2; 0, I) p(z1 | z2)``, for :class:`reparam.vae.TwoLevelFamily`; p(z1 | z2) a diagonal Normal.

    Shapes:
        the law has batch shape ``[]`` and event shape ``[D1 + D2]``: z1, then z2.

    Args:
        latent_dim: size of z1, D1, which the decoder sees.
        upper_dim: size of z2, D2.
        network: from ``[B, D2]`` to ``[B, 2·D1]``; ``None`` makes a residual one of two blocks. It should not start at
            outputs of 0: z1 and z2 would be independent in prior and posterior, and no gradient would change that.
        width: hidden units of the network that is made.

    Example:
        >>> TwoLevelPrior(4, 2)().sample(3).shape
        torch.Size([3, 6])
    """

    def __init__(self, latent_dim: int, upper_dim: int, network: nn.Module | None = None, *, width: int = 128) -> None:
        super().__init__()
        self.sizes = (
            whole_number("TwoLevelPrior: upper_dim", upper_dim, error=ParameterError),
            whole_number("TwoLevelPrior: latent_dim", latent_dim, error=ParameterError),
        )
        self.upper = StandardNormal(upper_dim)
        self.lower = Conditional(
            MLP(upper_dim, 2 * latent_dim, width=width) if network is None else network, DiagonalNormal()
        )

    def forward(self) -> Transformed:
        """The law."""
        top_down = Chained(self.upper(), self.lower, self.sizes, validate_args=False)
        return Transformed(top_down, _Rotated(self.sizes[0]), validate_args=False)


class _Rotated(Transform):
    """The first ``count`` values go to the end."""

    domain = codomain = constraints.real_vector
    bijective = True

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def _call(self, x: Tensor) -> Tensor:
        return x.roll(-self.count, -1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.roll(self.count, -1)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """0: values change places."""
        return torch.zeros_like(x[..., 0])
