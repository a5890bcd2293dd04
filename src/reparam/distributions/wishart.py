"""Laws of positive-definite matrices, by Bartlett's triangle A: ``X = (L·A)·(L·A)ᵀ``.

Both densities go back to the triangle that makes the matrix, so that no two large numbers are subtracted.
"""

import math
from collections.abc import Callable
from typing import cast

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints, register_kl

from reparam.distributions.bartlett import bartlett, bartlett_log_prob
from reparam.distributions.base import Implicit
from reparam.distributions.parameters import exactly_one, refuse
from reparam.distributions.precision import narrow, widen
from reparam.distributions.triangular import WithCovariance, cholesky, half_log_det, solve
from reparam.reparameterize import matvec

__all__ = ["InverseWishart", "Wishart"]


class _OfMatrices(Implicit):
    """What the laws of positive-definite matrices have in common."""

    df: Tensor

    def _validate_sample(self, value: Tensor) -> None:
        super()._validate_sample(widen(value))  # half types have no Cholesky factor

    def _check_df(self) -> None:
        if self._validate_args:
            least = self.event_shape[0] - 1
            remedy = "Use softplus on a network's output, plus d - 1"
            refuse(self, "df", self.df, self.df > least, f"more than d - 1 = {least}", remedy)

    @property
    def _triangle_df(self) -> Tensor:
        """Degrees of freedom of the diagonal of Bartlett's triangle: ``df, df - 1, ..., df - d + 1``."""
        df = widen(self.df)
        return df.unsqueeze(-1) - torch.arange(self.event_shape[0], dtype=df.dtype, device=df.device)


class Wishart(WithCovariance, _OfMatrices, td.Wishart):  # type: ignore[misc]  # torch's rsample has an option more
    """The law of ``Σ x·xᵀ`` over ``df`` draws x from N(0, S), for ``df`` that need not be whole.

    Density ``|X|^((df - d - 1)/2) exp(-tr(S⁻¹·X)/2) / (2^(df·d/2) |S|^(df/2) Γ_d(df/2))``, mean ``df·S``. torch's
    ``Wishart``, with draws that carry the exact gradient for every sample shape, and no draw that is thrown away. For
    ``df`` close to ``d - 1`` matrices are nearly singular, and may be so in floating point.

    Args:
        df: degrees of freedom, finite and more than ``d - 1``; any shape.
        covariance_matrix: S, symmetric and positive-definite, ``[*batch_shape, d, d]``.
        precision_matrix: the inverse of S, likewise.
        scale_tril: L with ``S = L·Lᵀ``, lower triangular with a positive diagonal. Give one of the three.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: not exactly one matrix is given, or a parameter is not what it must be.

    Example:
        >>> law = Wishart(torch.tensor(5.0), scale_tril=torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
        >>> law.mean
        tensor([[ 5.,  5.],
                [ 5., 10.]])
    """

    arg_constraints = {  # noqa: RUF012
        "df": constraints.positive,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }

    def __init__(
        self,
        df: Tensor | float,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = exactly_one(
            self, covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril
        )
        self._set(validate_args, shaped_like=name, df=df, **{name: matrix})
        self._check_df()
        self._unbroadcasted = name, matrix

    @property
    def mean(self) -> Tensor:
        """``df·S``."""
        return _to_matrices(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        """``(df - d - 1)·S``; NaN where that is not positive."""
        factor = self.df - self.event_shape[0] - 1
        return _to_matrices(torch.where(factor > 0, factor, torch.nan)) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        """``df·(S_ij² + S_ii·S_jj)``."""
        return _to_matrices(self.df) * (self.covariance_matrix**2 + _outer_diagonal(self.covariance_matrix))

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        smallest = math.sqrt(torch.finfo(torch.float32).tiny)
        triangle = bartlett(self._triangle_df, sample_shape, smallest, generator)
        return _square(_left_product(matvec, self._unbroadcasted_scale_tril, triangle), self.df.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats; NaN where ``value`` is not positive-definite."""
        if self._validate_args:
            self._validate_sample(value)
        d = self.event_shape[0]
        factor = cholesky(value.expand(torch.broadcast_shapes(value.shape, self.batch_shape + self.event_shape)))
        triangle = _left_product(solve, self._unbroadcasted_scale_tril, factor)
        rows = torch.arange(1, d + 1, dtype=triangle.dtype, device=triangle.device)
        # dX/dA: row i of T = L·A has i elements, and X = T·Tᵀ.
        log_volume = d * math.log(2) + ((d + 1 - rows) * _log_diagonal(factor)).sum(-1)
        log_volume = log_volume + (rows * _log_diagonal(self._unbroadcasted_scale_tril)).sum(-1)
        return narrow(bartlett_log_prob(triangle, self._triangle_df) - log_volume, value, self.df)

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        df, d = widen(self.df), self.event_shape[0]
        nats = (d + 1) * half_log_det(self._unbroadcasted_scale_tril) + d * (d + 1) / 2 * math.log(2)
        nats = nats + _multivariate_lgamma(df / 2, d) - (df - d - 1) / 2 * _multivariate_digamma(df / 2, d) + df * d / 2
        return nats.to(self.df.dtype).expand(self.batch_shape)


class InverseWishart(_OfMatrices):
    """The law of the inverse of a Wishart matrix with ``df`` degrees of freedom and covariance ``S⁻¹``.

    Density ``|S|^(df/2) |X|^(-(df + d + 1)/2) exp(-tr(S·X⁻¹)/2) / (2^(df·d/2) Γ_d(df/2))``, mean ``S/(df - d - 1)``;
    ``S = L·Lᵀ``. A draw is ``(L·B⁻¹)·(L·B⁻¹)ᵀ``, B Bartlett's triangle with the rows in reverse: no matrix is inverted.
    What would overflow is the largest number of the dtype.

    Args:
        df: degrees of freedom, finite and more than ``d - 1``; any shape.
        scale_tril: L, lower triangular with a positive diagonal, ``[*batch_shape, d, d]``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: a parameter is not what it must be.

    Example:
        >>> law = InverseWishart(torch.tensor(5.0), torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
        >>> law.mean
        tensor([[0.5000, 0.5000],
                [0.5000, 1.0000]])
    """

    arg_constraints = {"df": constraints.positive, "scale_tril": constraints.lower_cholesky}  # noqa: RUF012
    support = constraints.positive_definite
    scale_tril: Tensor
    _shared = ("_unbroadcasted_scale_tril",)

    def __init__(self, df: Tensor | float, scale_tril: Tensor, validate_args: bool | None = None) -> None:
        self._set(validate_args, shaped_like="scale_tril", df=df, scale_tril=scale_tril)
        self._check_df()
        self._unbroadcasted_scale_tril = widen(scale_tril)

    @property
    def mean(self) -> Tensor:
        """``S/(df - d - 1)``; NaN where ``df <= d + 1``."""
        return self._scaled(widen(self.df) - self.event_shape[0] - 1)

    @property
    def mode(self) -> Tensor:
        """``S/(df + d + 1)``."""
        return self._scaled(widen(self.df) + self.event_shape[0] + 1)

    @property
    def variance(self) -> Tensor:
        """``((c + 1)·S_ij² + (c - 1)·S_ii·S_jj) / (c·(c - 1)²·(c - 3))``, ``c = df - d``; NaN where ``c <= 3``."""
        scale, c = self._scale, _to_matrices(widen(self.df) - self.event_shape[0])
        c = torch.where(c > 3, c, torch.nan)
        spread = (c + 1) * scale**2 + (c - 1) * _outer_diagonal(scale)
        return (spread / (c * (c - 1) ** 2 * (c - 3))).to(self.df.dtype)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        smallest = math.sqrt(torch.finfo(torch.float32).tiny)
        triangle = bartlett(self._triangle_df.flip(-1), sample_shape, smallest, generator)
        # Rows of Lᵀ times B⁻ᵀ, that is L·B⁻¹.
        factor = torch.linalg.solve_triangular(triangle.mT, self._unbroadcasted_scale_tril.mT, upper=True).mT
        return _square(factor, self.df.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats; NaN where ``value`` is not positive-definite."""
        if self._validate_args:
            self._validate_sample(value)
        d = self.event_shape[0]
        factor = cholesky(value)
        dtype = torch.promote_types(factor.dtype, self._unbroadcasted_scale_tril.dtype)
        triangle = torch.linalg.solve_triangular(
            factor.to(dtype), self._unbroadcasted_scale_tril.to(dtype), upper=False
        )
        left = torch.arange(d, 0, -1, dtype=dtype, device=triangle.device)
        # dX/dB: C = L·B⁻¹ moves by -C·dB·B⁻¹, and X = C·Cᵀ.
        log_volume = d * math.log(2) + (d + 1) * half_log_det(factor) - (left * _log_diagonal(triangle)).sum(-1)
        return narrow(bartlett_log_prob(triangle, self._triangle_df.flip(-1)) - log_volume, value, self.df)

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        df, d = widen(self.df), self.event_shape[0]
        nats = (d + 1) * half_log_det(self._unbroadcasted_scale_tril) - d * (d + 1) / 2 * math.log(2)
        nats = nats + _multivariate_lgamma(df / 2, d) - (df + d + 1) / 2 * _multivariate_digamma(df / 2, d) + df * d / 2
        return nats.to(self.df.dtype).expand(self.batch_shape)

    @property
    def _scale(self) -> Tensor:
        return self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT

    def _scaled(self, divisor: Tensor) -> Tensor:
        divisor = torch.where(divisor > 0, divisor, torch.nan)
        return (self._scale / _to_matrices(divisor)).to(self.df.dtype).expand(self.batch_shape + self.event_shape)


def _left_product(apply: Callable[[Tensor, Tensor], Tensor], matrix: Tensor, others: Tensor) -> Tensor:
    """``M·X`` where ``apply`` is ``matvec``, ``M⁻¹·X`` where it is ``solve``."""
    return apply(matrix, others.movedim(-1, 0)).movedim(0, -1)


def _square(factor: Tensor, dtype: torch.dtype) -> Tensor:
    """``F·Fᵀ``, symmetric to the last bit; where it is too large, the largest number of ``dtype``."""
    largest = torch.finfo(dtype).max
    square = (factor @ factor.mT).clamp(-largest, largest).to(dtype)
    return square.tril() + square.tril(-1).mT


def _log_diagonal(factor: Tensor) -> Tensor:
    return factor.diagonal(dim1=-2, dim2=-1).log()


def _outer_diagonal(matrix: Tensor) -> Tensor:
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    return diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)


def _to_matrices(value: Tensor) -> Tensor:
    return value[..., None, None]


def _multivariate_lgamma(x: Tensor, d: int) -> Tensor:
    """The logarithm of the multivariate gamma function, ``π^(d(d-1)/4)·Π Γ(x - i/2)``."""
    return torch.lgamma(_halves_below(x, d)).sum(-1) + d * (d - 1) / 4 * math.log(math.pi)


def _multivariate_digamma(x: Tensor, d: int) -> Tensor:
    return torch.digamma(_halves_below(x, d)).sum(-1)


def _halves_below(x: Tensor, d: int) -> Tensor:
    return x.unsqueeze(-1) - torch.arange(d, dtype=x.dtype, device=x.device) / 2


@register_kl(Wishart, Wishart)  # type: ignore[untyped-decorator]
def _kl_wishart(p: Wishart, q: Wishart) -> Tensor:
    return _kl(p.df, p._unbroadcasted_scale_tril, q.df, q._unbroadcasted_scale_tril)


@register_kl(InverseWishart, InverseWishart)  # type: ignore[untyped-decorator]
def _kl_inverse_wishart(p: InverseWishart, q: InverseWishart) -> Tensor:
    # Of the inverses, which are Wishart matrices with the inverse scales: the two change places.
    return _kl(p.df, q._unbroadcasted_scale_tril, q.df, p._unbroadcasted_scale_tril)


def _kl(p_df: Tensor, p_factor: Tensor, q_df: Tensor, q_factor: Tensor) -> Tensor:
    d = p_factor.shape[-1]
    p, q = widen(p_df), widen(q_df)
    trace = torch.linalg.solve_triangular(q_factor, p_factor, upper=False).square().sum((-2, -1))
    nats = q * (half_log_det(q_factor) - half_log_det(p_factor)) + p / 2 * (trace - d)
    nats = nats + _multivariate_lgamma(q / 2, d) - _multivariate_lgamma(p / 2, d)
    return cast(Tensor, nats + (p - q) / 2 * _multivariate_digamma(p / 2, d)).to(p_df.dtype)
