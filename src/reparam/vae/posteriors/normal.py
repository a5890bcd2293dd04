"""Normal families for ``q(z | x)`` and for regressions, with scales that cannot run away."""

import math

import torch
from torch import Tensor, nn

from reparam.distributions import Independent, LowRankMultivariateNormal, MultivariateNormal, Normal
from reparam.errors import ParameterError, whole_number
from reparam.vae.limits import soft_bound

__all__ = ["DiagonalNormal", "FullNormal", "LowRankNormal"]

# How closely one dimension may follow others, in its own conditional standard deviations.
_FARTHEST = 8.0


class DiagonalNormal(nn.Module):
    """``N(loc, diag(scale²))`` from outputs ``[B, 2·D, ...]``: first ``loc``, then the raw log-scale.

    ``log scale`` is softly bounded to (-8, 8), so that it and its gradient stay finite for any output of a network
    (an unbounded ``exp`` overflows from outputs of about 90). Outputs of 0 give the standard Normal.

    Shapes:
        outputs: ``[B, 2·D, ...]``; the law has batch shape ``[B]`` and event shape ``[D, ...]``.

    Example:
        >>> law = DiagonalNormal()(torch.zeros(4, 6))
        >>> law.batch_shape, law.event_shape
        (torch.Size([4]), torch.Size([3]))
    """

    log_scale_bounds = (-8.0, 8.0)

    def num_outputs(self, num_values: int) -> int:
        """Location and log-scale of each value."""
        return 2 * num_values

    def forward(self, outputs: Tensor) -> Independent:
        """The law with these parameters."""
        loc, raw_log_scale = outputs.chunk(2, dim=1)
        scale = soft_bound(raw_log_scale, *self.log_scale_bounds).exp()
        return Independent(Normal(loc, scale, validate_args=False), loc.dim() - 1, validate_args=False)


class FullNormal(nn.Module):
    """``N(loc, L·Lᵀ)``, where all dimensions may depend on each other: ``L = diag(scale)·(I + N)``.

    N is strictly lower triangular, so that dimension i follows the ones before it by as many of its own conditional
    standard deviations as ``N_i`` says. No row of N is longer than 8 (a multiple correlation of 0.992), which with
    ``log scale`` in (-8, 8) keeps everything finite for any outputs. Outputs of 0 give the standard Normal.

    Shapes:
        outputs: ``[B, D + D·(D + 1)/2]``: ``loc``, raw log-scale, the triangle row by row.

    Args:
        latent_dim: number of latent dimensions ``D``, at least 1.

    Example:
        >>> family = FullNormal(3)
        >>> law = family(torch.zeros(4, family.num_outputs(3)))
        >>> law.covariance_matrix[0]
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = whole_number("FullNormal: latent_dim", latent_dim, error=ParameterError)
        rows, columns = torch.tril_indices(latent_dim, latent_dim, -1)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def num_outputs(self, num_values: int) -> int:
        """Location and log-scale of each dimension, and how each follows those before it."""
        return 2 * num_values + num_values * (num_values - 1) // 2

    def forward(self, outputs: Tensor) -> MultivariateNormal:
        """The law with these parameters."""
        loc, raw_log_scale, raw = outputs.tensor_split([self.latent_dim, 2 * self.latent_dim], dim=1)
        scale = soft_bound(raw_log_scale, *DiagonalNormal.log_scale_bounds).exp()
        follows = loc.new_zeros(*loc.shape, self.latent_dim)
        follows[:, self.rows, self.columns] = soft_bound(raw, -_FARTHEST, _FARTHEST)
        follows = follows / (1 + follows.square().sum(-1, keepdim=True) / _FARTHEST**2).sqrt()
        factor = follows + torch.eye(self.latent_dim, dtype=loc.dtype, device=loc.device)
        return MultivariateNormal(loc, scale_tril=scale.unsqueeze(-1) * factor, validate_args=False)


class LowRankNormal(nn.Module):
    """``N(loc, S·(I + V·Vᵀ)·S)``, S diagonal and V of few columns: dimensions depend on each other by common factors.

    ``log S`` is softly bounded to (-8, 8) and each element of V to (-8, 8). V starts at small orthogonal columns, since
    at 0 its gradient would be 0: outputs of 0 give the standard Normal but for a KL of at most ``rank`` / 400 nats.

    Shapes:
        outputs: ``[B, D·(2 + rank)]``: ``loc``, raw log-scale, V column by column.

    Args:
        latent_dim: number of latent dimensions ``D``, at least 1.
        rank: columns of V, at least 1.

    Example:
        >>> family = LowRankNormal(3, rank=2)
        >>> family(torch.zeros(4, family.num_outputs(3))).covariance_matrix.shape
        torch.Size([4, 3, 3])
    """

    start: Tensor

    def __init__(self, latent_dim: int, rank: int) -> None:
        super().__init__()
        self.latent_dim = whole_number("LowRankNormal: latent_dim", latent_dim, error=ParameterError)
        self.rank = whole_number("LowRankNormal: rank", rank, error=ParameterError)
        # Cosines of different frequencies, each of length 0.2.
        place = (torch.arange(latent_dim) + 0.5).unsqueeze(-1) / latent_dim
        waves = torch.cos(math.pi * torch.arange(rank) * place)
        start = 0.2 * waves / waves.square().sum(0).clamp(min=1).sqrt()
        self.register_buffer("start", start, persistent=False)

    def num_outputs(self, num_values: int) -> int:
        """Location, log-scale and factor loadings of each dimension."""
        return num_values * (2 + self.rank)

    def forward(self, outputs: Tensor) -> LowRankMultivariateNormal:
        """The law with these parameters."""
        loc, raw_log_scale, raw = outputs.tensor_split([self.latent_dim, 2 * self.latent_dim], dim=1)
        scale = soft_bound(raw_log_scale, *DiagonalNormal.log_scale_bounds).exp()
        loadings = soft_bound(raw.unflatten(1, (self.rank, -1)).mT + self.start.to(raw), -_FARTHEST, _FARTHEST)
        return LowRankMultivariateNormal(loc, scale.unsqueeze(-1) * loadings, scale.square(), validate_args=False)
