"""Bartlett's triangle: the random factor behind Wishart matrices and random correlations."""

import math

import torch
from torch import Tensor

from reparam.distributions.gamma import LogGamma
from reparam.noise import standard_normal

__all__ = ["bartlett", "bartlett_log_prob"]


def bartlett(df: Tensor, sample_shape: torch.Size, smallest: float, generator: torch.Generator | None) -> Tensor:
    """Lower triangular matrices A: ``A_ii² ~ χ²(df_i)``, ``A_ij ~ N(0, 1)`` below the diagonal; moves with ``df``.

    With ``df_i = ν - i`` (i from 0) ``A·Aᵀ`` is a Wishart matrix of ν degrees of freedom. Source: Bartlett (1933).

    Args:
        df: degrees of freedom of the diagonal, shape ``[*batch_shape, d]``.
        sample_shape: how many draws.
        smallest: a diagonal element that would be smaller is this, and does not move.
        generator: as for :meth:`Law.sample`.

    Returns:
        shape ``[*sample_shape, *batch_shape, d, d]``.
    """
    log_square = LogGamma(df / 2, 0.5, validate_args=False).rsample(sample_shape, generator=generator)
    diagonal = (log_square / 2).clamp(min=math.log(smallest)).exp()
    normals = standard_normal((*diagonal.shape, df.shape[-1]), like=df, generator=generator)
    return normals.tril(-1) + diagonal.diag_embed()


def bartlett_log_prob(triangle: Tensor, df: Tensor) -> Tensor:
    """Log density of A in nats; arguments as above.

    Example:
        >>> bartlett_log_prob(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([2.0, 1.0]))
        tensor(-2.1447)
    """
    log_diagonal = triangle.diagonal(dim1=-2, dim2=-1).log()
    of_log_square = LogGamma(df / 2, 0.5, validate_args=False).log_prob(2 * log_diagonal)
    below = triangle.tril(-1).square().sum((-2, -1))
    size = df.shape[-1]
    log_diagonal_density = (of_log_square + math.log(2) - log_diagonal).sum(-1)
    return log_diagonal_density - 0.5 * below - size * (size - 1) / 4 * math.log(2 * math.pi)
