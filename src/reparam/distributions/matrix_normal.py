"""A normal law of matrices, with one scale for the rows and one for the columns."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import constraints, register_kl

from reparam.distributions.base import Pathwise
from reparam.distributions.parameters import same_size
from reparam.distributions.precision import narrow, widen
from reparam.distributions.triangular import half_log_det, solve, squared_length
from reparam.noise import Source
from reparam.reparameterize import matvec

__all__ = ["MatrixNormal"]


class MatrixNormal(Pathwise):
    """The matrix normal law: ``Y = M + R·E·Cᵀ``, the elements of E independent N(0, 1).

    ``cov(Y_ij, Y_kl) = (R·Rᵀ)_ik·(C·Cᵀ)_jl``: a normal law of n·p numbers whose covariance is a Kronecker product.

    Args:
        loc: mean M, finite, shape ``[*batch_shape, n, p]``.
        scale_tril_row: R, lower triangular with a positive diagonal, ``[*batch_shape, n, n]``.
        scale_tril_column: C, likewise, ``[*batch_shape, p, p]``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: a parameter is not what it must be, or they do not go together.

    Example:
        >>> law = MatrixNormal(torch.zeros(1, 2), torch.tensor([[2.0]]), torch.tensor([[1.0, 0.0], [1.0, 3.0]]))
        >>> law.from_noise(torch.tensor([[1.0, -1.0]]))
        tensor([[ 2., -4.]])
    """

    arg_constraints = {  # noqa: RUF012
        "loc": constraints.independent(constraints.real, 2),
        "scale_tril_row": constraints.lower_cholesky,
        "scale_tril_column": constraints.lower_cholesky,
    }
    support = constraints.independent(constraints.real, 2)
    loc: Tensor
    scale_tril_row: Tensor
    scale_tril_column: Tensor
    _shared = ("_row", "_column")  # as they were given, before they were broadcast

    def __init__(
        self, loc: Tensor, scale_tril_row: Tensor, scale_tril_column: Tensor, validate_args: bool | None = None
    ) -> None:
        self._set(
            validate_args,
            shaped_like="loc",
            loc=loc,
            scale_tril_row=scale_tril_row,
            scale_tril_column=scale_tril_column,
        )
        same_size(self, loc=-2, scale_tril_row=-1)
        same_size(self, loc=-1, scale_tril_column=-1)
        self._row, self._column = widen(scale_tril_row), widen(scale_tril_column)

    @property
    def mean(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """``(R·Rᵀ)_ii·(C·Cᵀ)_jj``."""
        rows, columns = squared_length(self._row), squared_length(self._column)
        return (rows.unsqueeze(-1) * columns.unsqueeze(-2)).to(self.loc.dtype).expand(self.loc.shape)

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``Y = M + R·E·Cᵀ``; see :meth:`Reparameterized.from_noise`. The noise is standard normal."""
        noise = noise.expand(torch.broadcast_shapes(noise.shape, self.loc.shape))
        return (self.loc + self._from_both_sides(matvec, noise)).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``-|E|²/2 - p·log det R - n·log det C - n·p·log(2π)/2``, ``E = R⁻¹·(value - M)·C⁻ᵀ``."""
        if self._validate_args:
            self._validate_sample(value)
        standard = self._from_both_sides(solve, value - widen(self.loc))
        normalizer = self._log_scale + 0.5 * math.log(2 * math.pi) * self.event_shape.numel()
        return narrow(-0.5 * standard.square().sum((-2, -1)) - normalizer, value, self.loc)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``n·p·(1 + log 2π)/2 + p·log det R + n·log det C``."""
        nats = self._log_scale + 0.5 * (1 + math.log(2 * math.pi)) * self.event_shape.numel()
        return nats.to(self.loc.dtype).expand(self.batch_shape)

    @property
    def _log_scale(self) -> Tensor:
        n, p = self.event_shape
        return p * half_log_det(self._row) + n * half_log_det(self._column)

    def _from_both_sides(self, apply: Callable[[Tensor, Tensor], Tensor], matrices: Tensor) -> Tensor:
        """``R·X·Cᵀ`` where ``apply`` is ``matvec``, ``R⁻¹·X·C⁻ᵀ`` where it is ``solve``."""
        rows = apply(self._column, matrices.movedim(-2, 0))  # one vector a row, [n, *, p]
        return apply(self._row, rows.transpose(0, -1)).movedim(0, -1)


@register_kl(MatrixNormal, MatrixNormal)  # type: ignore[untyped-decorator]
def _kl_matrix_normal(p: MatrixNormal, q: MatrixNormal) -> Tensor:
    row = torch.linalg.solve_triangular(q._row, p._row, upper=False).square().sum((-2, -1))
    column = torch.linalg.solve_triangular(q._column, p._column, upper=False).square().sum((-2, -1))
    shift = q._from_both_sides(solve, widen(p.loc) - widen(q.loc)).square().sum((-2, -1))
    nats: Tensor = 0.5 * (row * column + shift - p.event_shape.numel()) + q._log_scale - p._log_scale
    return nats.to(p.loc.dtype)
