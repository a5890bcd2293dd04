"""Normal laws in several dimensions: ``y = μ + L·ε``, the idea with a matrix for a scale."""

import math

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import register_kl
from torch.distributions.utils import lazy_property

from reparam.distributions.base import Pathwise
from reparam.distributions.parameters import exactly_one, same_size
from reparam.distributions.precision import narrow, widen
from reparam.distributions.triangular import WithCovariance, cholesky, half_log_det, solve, squared_length
from reparam.noise import Source
from reparam.reparameterize import affine, location_scale, matvec, product

__all__ = ["LowRankMultivariateNormal", "MultivariateNormal"]


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


class LowRankMultivariateNormal(Pathwise, td.LowRankMultivariateNormal):
    """A normal law of few common factors, N(μ, W·Wᵀ + D): ``y = μ + W·ε₁ + √D·ε₂``.

    torch's ``LowRankMultivariateNormal``. Density and entropy need only matrices of ``[rank, rank]``, by the
    capacitance matrix ``C = I + Wᵀ·D⁻¹·W`` (Woodbury). The density is a sum of squares, where torch's is a difference
    of two numbers that are large when D is small.

    Args:
        loc: mean μ, finite, shape ``[*batch_shape, d]``.
        cov_factor: W, finite, ``[*batch_shape, d, rank]``.
        cov_diag: the diagonal of D, positive and finite, ``[*batch_shape, d]``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: a parameter is not what it must be, or they do not go together.

    Example:
        >>> law = LowRankMultivariateNormal(torch.zeros(2), torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 4.0]))
        >>> law.from_noise(torch.tensor([1.0, 0.0, -1.0])), law.variance
        (tensor([1., 0.]), tensor([2., 8.]))
    """

    _shared = ("_unbroadcasted_cov_factor", "_unbroadcasted_cov_diag", "_capacitance_tril")

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        self._set(validate_args, shaped_like="loc", loc=loc, cov_factor=cov_factor, cov_diag=cov_diag)
        same_size(self, loc=-1, cov_factor=-2, cov_diag=-1)
        self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag = widen(cov_factor), widen(cov_diag)

    @lazy_property
    def variance(self) -> Tensor:
        """``Σ_k W_ik² + D_i``."""
        variance = squared_length(self._unbroadcasted_cov_factor) + self._unbroadcasted_cov_diag
        return variance.to(self.loc.dtype).expand(self.loc.shape)

    @property
    def noise_shape(self) -> torch.Size:
        """``[*batch_shape, rank + d]``: ε₁ and ε₂ side by side."""
        return torch.Size((*self.batch_shape, self._rank + self.event_shape[0]))

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = μ + W·ε₁ + √D·ε₂``; see :meth:`Reparameterized.from_noise`. The noise is standard normal."""
        common = affine(noise[..., : self._rank], widen(self.loc), self._unbroadcasted_cov_factor)
        return location_scale(noise[..., self._rank :], common, self._unbroadcasted_cov_diag.sqrt()).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats: ``-(|u - V·w|² + |w|² + log det C + log det D + d·log(2π))/2``.

        Here ``u = D^-½·(value - μ)``, ``V = D^-½·W``, and ``w = C⁻¹·Vᵀ·u`` is the mean of ε₁ when y is known, where
        the sum of both squares is least: an error in w matters in second order only.
        """
        if self._validate_args:
            self._validate_sample(value)
        root = self._unbroadcasted_cov_diag.sqrt()
        standard, factor = (value - widen(self.loc)) / root, self._standard_factor
        common = matvec(torch.cholesky_solve(factor.mT, self._capacitance_tril), standard.to(factor.dtype))
        distance = squared_length(standard - matvec(factor, common)) + squared_length(common)
        normalizer = self._half_log_det + 0.5 * math.log(2 * math.pi) * self.event_shape[0]
        return narrow(-0.5 * distance - normalizer, value, self.loc)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: ``(d·(1 + log 2π) + log det C + log det D)/2``."""
        nats = self._half_log_det + 0.5 * (1 + math.log(2 * math.pi)) * self.event_shape[0]
        return nats.to(self.loc.dtype).expand(self.batch_shape)

    @property
    def _rank(self) -> int:
        return int(self.cov_factor.shape[-1])

    @property
    def _standard_factor(self) -> Tensor:
        """V, the factor in units of the scatter that is not common."""
        return self._unbroadcasted_cov_factor / self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)

    @lazy_property
    def _capacitance_tril(self) -> Tensor:
        factor = self._standard_factor
        identity = torch.eye(self._rank, dtype=factor.dtype, device=factor.device)
        return cholesky(identity + product(factor.mT, factor))

    @property
    def _half_log_det(self) -> Tensor:
        return half_log_det(self._capacitance_tril) + 0.5 * self._unbroadcasted_cov_diag.log().sum(-1)


@register_kl(td.MultivariateNormal, td.Independent)  # type: ignore[untyped-decorator]
@register_kl(td.LowRankMultivariateNormal, td.Independent)  # type: ignore[untyped-decorator]
def _kl_diagonal(
    p: td.MultivariateNormal | td.LowRankMultivariateNormal, q: "td.Independent[td.Distribution]"
) -> Tensor:
    """``E_p[-log q]`` less the entropy of p: of p's covariance, a diagonal q sees the diagonal only."""
    if not isinstance(q.base_dist, td.Normal) or len(q.event_shape) != 1:
        raise NotImplementedError
    loc, scale = widen(q.base_dist.loc), widen(q.base_dist.scale)
    squares = (widen(p.variance) + (widen(p.loc) - loc) ** 2) / scale**2
    cross_entropy = (0.5 * (squares + math.log(2 * math.pi)) + scale.log()).sum(-1)
    entropy: Tensor = p.entropy()  # type: ignore[no-untyped-call]
    return (cross_entropy - entropy).to(p.loc.dtype)
