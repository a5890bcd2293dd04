"""Random correlations: rows of normals and a chi variable, brought to length 1."""

import math
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.bartlett import bartlett
from reparam.distributions.base import Implicit
from reparam.distributions.precision import narrow, widen
from reparam.errors import ParameterError
from reparam.special.stirling import digamma_gap, lgamma_gap

__all__ = ["LKJCholesky"]


class LKJCholesky(Implicit, td.LKJCholesky):
    """Lower triangular factors L of random correlations, ``|L·Lᵀ|^(η - 1)`` their density; η the concentration.

    torch's ``LKJCholesky``, with a gradient. Correlations of a Wishart matrix with ``2η + d - 1`` degrees of freedom
    follow this law, so row i of L (i from 0) is ``(ε_1, ..., ε_i, c)`` divided by its length: ε normal,
    ``c² ~ χ²(2η + d - 1 - i)``. The larger η, the closer to the identity; η = 1 is uniform over correlations.

    Args:
        dim: d, a whole number >= 2.
        concentration: η, positive and finite; any shape.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: ``dim`` is not such a number, or ``concentration`` is not positive and finite.

    Source: Lewandowski, Kurowicka & Joe (2009), J. Multivariate Analysis 100; Bartlett (1933).

    Example:
        >>> law = LKJCholesky(2, 1.5)
        >>> law.variance[1, 0]  # of the one correlation: 1/(2η + 1)
        tensor(0.2500)
    """

    def __init__(self, dim: int, concentration: Tensor | float = 1.0, validate_args: bool | None = None) -> None:
        if not isinstance(dim, int) or dim < 2:
            raise ParameterError(f"LKJCholesky: dim must be a whole number >= 2; got {dim!r}")
        self._set(validate_args, concentration=concentration)
        self.dim = dim
        self._event_shape = torch.Size((dim, dim))

    def _options(self) -> dict[str, Any]:
        return {"dim": self.dim}

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        half, steps = self._row_shapes()
        tiny = torch.finfo(self.concentration.dtype).tiny
        triangle = bartlett(2 * half, sample_shape, torch.finfo(half.dtype).tiny, generator)
        rows: Tensor = triangle / torch.linalg.vector_norm(triangle, dim=-1, keepdim=True)
        diagonal = rows.diagonal(dim1=-2, dim2=-1).clamp(min=tiny)
        diagonal = torch.where(steps == 0, 1.0, diagonal)
        return (rows.tril(-1) + diagonal.diag_embed()).to(self.concentration.dtype)

    def _validate_sample(self, value: Tensor) -> None:
        # How far a row may be from length 1 is not everywhere a matter of the dtype (Pyro replaces torch's check): rows
        # that only rounding to a half type took off it are put right first.
        wide = widen(value)
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        rounding = 10 * self.dim * torch.finfo(value.dtype).eps
        super()._validate_sample(torch.where((length - 1).abs() <= rounding, wide / length, wide))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, of the elements below the diagonal: ``Σ (2b_i - 2)·log L_ii`` and a constant.

        Here ``b_i = η + (d - 1 - i)/2``. Where ``L_ii`` is close to 1, its logarithm is that of ``1 - Σ L_ij²``.
        """
        if self._validate_args:
            self._validate_sample(value)
        half, _ = self._row_shapes()
        below = widen(value).tril(-1).square().sum(-1)
        near = below < 0.5
        by_row = 0.5 * torch.log1p(-torch.where(near, below, 0.0))
        by_diagonal = torch.where(near, 1.0, widen(value).diagonal(dim1=-2, dim2=-1)).log()
        log_diagonal = torch.where(near, by_row, by_diagonal)
        log_density = (2 * half - 2) * log_diagonal - self._log_normalizers()
        return narrow(log_density.sum(-1), value, self.concentration)

    def entropy(self) -> Tensor:
        """Differential entropy in nats, with respect to the elements below the diagonal."""
        half, steps = self._row_shapes()
        mean_log_diagonal = -0.5 * (digamma_gap(half, steps) + torch.log1p(steps / half))
        nats: Tensor = self._log_normalizers() - (2 * half - 2) * mean_log_diagonal
        return nats.sum(-1).to(self.concentration.dtype)

    @property
    def mean(self) -> Tensor:
        """0 below the diagonal; on it ``E √(1 - y)``, y from Beta(i/2, b_i)."""
        return self._log_mean_diagonal().exp().diag_embed().to(self.concentration.dtype)

    @property
    def mode(self) -> Tensor:
        """The identity; NaN where ``concentration <= 1`` and the density has no single maximum."""
        identity = torch.eye(self.dim, dtype=self.concentration.dtype, device=self.concentration.device)
        return torch.where(self.concentration[..., None, None] > 1, identity, torch.nan)

    @property
    def variance(self) -> Tensor:
        """``1/(2·b_i + i)`` below the diagonal; on it what is left of 1."""
        half, steps = (value.double() for value in self._row_shapes())
        below = (0.5 / (half + steps)).unsqueeze(-1).expand(*half.shape, self.dim).tril(-1)
        log_mean_square = -torch.log1p(steps / half)
        log_mean = self._log_mean_diagonal()
        diagonal = -log_mean_square.exp() * torch.expm1(2 * log_mean - log_mean_square)
        return (below + diagonal.diag_embed()).to(self.concentration.dtype)

    def _row_shapes(self) -> tuple[Tensor, Tensor]:
        """``b_i = η + (d - 1 - i)/2``, shape ``[*batch_shape, d]``, and ``i/2``: ``Σ_j L_ij² ~ Beta(i/2, b_i)``."""
        concentration = widen(self.concentration).unsqueeze(-1)
        steps = torch.arange(self.dim, dtype=concentration.dtype, device=concentration.device) / 2
        return concentration + steps.flip(-1), steps

    def _log_normalizers(self) -> Tensor:
        half, steps = self._row_shapes()
        return steps * (math.log(math.pi) - half.log()) - lgamma_gap(half, steps)

    def _log_mean_diagonal(self) -> Tensor:
        # In float64: for the variance the gaps, which fall as 1/η, are compared with each other.
        half, steps = (value.double() for value in self._row_shapes())
        step = torch.full_like(half, 0.5)
        return lgamma_gap(half, step) - lgamma_gap(half + steps, step) - 0.5 * torch.log1p(steps / half)
