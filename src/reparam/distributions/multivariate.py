"""Normal laws in several dimensions: ``y = μ + L·ε``, the idea with a matrix for a scale."""

import math

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import Pathwise
from reparam.distributions.parameters import exactly_one, same_size
from reparam.distributions.precision import narrow, widen
from reparam.distributions.triangular import WithCovariance, half_log_det, solve, squared_length
from reparam.noise import Source
from reparam.reparameterize import affine

__all__ = ["MultivariateNormal"]


class MultivariateNormal(WithCovariance, Pathwise, td.MultivariateNormal):
    """The normal law in d dimensions, N(μ, L·Lᵀ): ``y = μ + L·ε``, ``ε ~ N(0, I)``.

    torch's ``MultivariateNormal``, with all draws that share a matrix in one matrix product.

    Args:
        loc: mean μ, finite, shape ``[*batch_shape, d]``.
        covariance_matrix: symmetric and positive-definite, ``[*batch_shape, d, d]``.
        precision_matrix: the inverse of the covariance, likewise.
        scale_tril: L, lower triangular with a positive diagonal, likewise. Give one of the three; this one costs least.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: not exactly one matrix is given, it is not what it must be, or it does not go with ``loc``.

    Example:
        >>> law = MultivariateNormal(torch.zeros(2), scale_tril=torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
        >>> law.from_noise(torch.tensor([1.0, -1.0])), law.stddev
        (tensor([ 1., -1.]), tensor([1., 5.]))
    """

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = exactly_one(
            self, covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril
        )
        self._set(validate_args, shaped_like="loc", loc=loc, **{name: matrix})
        same_size(self, **{"loc": -1, name: -1})
        self._unbroadcasted = name, matrix

    @property
    def variance(self) -> Tensor:
        """The diagonal of the covariance."""
        return squared_length(self._unbroadcasted_scale_tril).to(self.loc.dtype).expand(self.loc.shape)

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = μ + L·ε``; see :meth:`Reparameterized.from_noise`. The noise is standard normal."""
        return affine(noise, self.loc, self._unbroadcasted_scale_tril)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``-|ε|²/2 - log det L - d·log(2π)/2``, ``ε = L⁻¹·(value - μ)``."""
        if self._validate_args:
            self._validate_sample(value)
        factor = self._unbroadcasted_scale_tril
        distance = squared_length(solve(factor, value - widen(self.loc)))
        normalizer = half_log_det(factor) + 0.5 * math.log(2 * math.pi) * factor.shape[-1]
        return narrow(-0.5 * distance - normalizer, value, self.loc)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``d·(1 + log 2π)/2 + log det L``."""
        factor = self._unbroadcasted_scale_tril
        nats = half_log_det(factor) + 0.5 * (1 + math.log(2 * math.pi)) * factor.shape[-1]
        return nats.to(self.loc.dtype).expand(self.batch_shape)
