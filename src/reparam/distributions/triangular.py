"""Triangular factors of covariances: from what is given to L, and what densities need of L.

``_unbroadcasted`` matrices have the batch shape they were given in, which broadcasts to that of the law: one matrix for
a whole batch is factored, inverted and multiplied once.
"""

import torch
from torch import Tensor
from torch.distributions.utils import lazy_property

from reparam.distributions.base import Law
from reparam.distributions.precision import widen

__all__ = ["WithCovariance", "cholesky", "half_log_det", "solve", "squared_length"]


def cholesky(matrix: Tensor) -> Tensor:
    """L with ``L·Lᵀ`` = ``matrix``, in float32 at least; NaN where there is none. Never waits for a device.

    Example:
        >>> cholesky(torch.tensor([[4.0, 2.0], [2.0, 2.0]]))
        tensor([[2., 0.],
                [1., 1.]])
    """
    factor, failed = torch.linalg.cholesky_ex(widen(matrix))
    return torch.where((failed == 0)[..., None, None], factor, torch.nan)


def solve(scale_tril: Tensor, vectors: Tensor) -> Tensor:
    """``L⁻¹·x``, shapes as for ``matvec``, in the widest dtype: the map backwards.

    By substitution: a product with L⁻¹ would be a little faster and, at a condition number of 1e3, ten times less
    precise.

    Example:
        >>> solve(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([[2.0, 3.0], [0.0, 1.0]]))
        tensor([[1., 2.],
                [0., 1.]])
    """
    dtype = torch.promote_types(scale_tril.dtype, vectors.dtype)
    scale_tril, vectors = scale_tril.to(dtype), vectors.to(dtype)
    num_sample_dims = vectors.dim() - (scale_tril.dim() - 1)
    if num_sample_dims <= 0:
        column: Tensor = torch.linalg.solve_triangular(scale_tril, vectors.unsqueeze(-1), upper=False)
        return column.squeeze(-1)
    columns = vectors.flatten(0, num_sample_dims - 1).movedim(0, -1)
    solved: Tensor = torch.linalg.solve_triangular(scale_tril, columns, upper=False)
    return solved.movedim(-1, 0).reshape(vectors.shape[:num_sample_dims] + solved.shape[:-1])


def squared_length(vectors: Tensor) -> Tensor:
    """``Σ x_i²`` over the last dimension."""
    return vectors.square().sum(-1)


def half_log_det(scale_tril: Tensor) -> Tensor:
    """``½ log det(L·Lᵀ)``: the sum of the logarithms of the diagonal.

    Example:
        >>> half_log_det(torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
        tensor(0.6931)
    """
    return scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _precision_to_scale_tril(precision_matrix: Tensor) -> Tensor:
    # Read backwards, the factor of P is upper triangular: P = U·Uᵀ, so P⁻¹ = U⁻ᵀ·U⁻¹ and L = U⁻ᵀ.
    factor = cholesky(precision_matrix.flip(-2, -1)).flip(-2, -1).mT
    identity = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    inverse: Tensor = torch.linalg.solve_triangular(factor, identity, upper=False)
    return inverse


class WithCovariance(Law):
    """A law with a covariance, given as such, as its inverse or as its factor; the others are computed when asked for.

    The constructor sets ``_unbroadcasted``, the name and the value that were given.
    """

    _shared = ("_unbroadcasted_scale_tril",)
    _unbroadcasted: tuple[str, Tensor]

    @lazy_property
    def _unbroadcasted_scale_tril(self) -> Tensor:
        name, given = self._unbroadcasted
        if name == "covariance_matrix":
            return cholesky(given)
        return _precision_to_scale_tril(given) if name == "precision_matrix" else widen(given)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """L, lower triangular with a positive diagonal: the covariance is ``L·Lᵀ``."""
        return self._broadcast(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """``L·Lᵀ``."""
        factor = self._unbroadcasted_scale_tril
        return self._broadcast(factor @ factor.mT)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return self._broadcast(torch.cholesky_inverse(self._unbroadcasted_scale_tril))

    def _broadcast(self, matrix: Tensor) -> Tensor:
        return matrix.to(self._like.dtype).expand(self.batch_shape + matrix.shape[-2:])
