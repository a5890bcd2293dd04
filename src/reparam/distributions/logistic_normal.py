"""Normal noise brought to the simplex by breaking a stick."""

import math

import torch
import torch.distributions as td
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.distributions.base import Pathwise
from reparam.distributions.precision import narrow, standardize, widen
from reparam.noise import Source
from reparam.reparameterize import location_scale

__all__ = ["LogisticNormal"]


class LogisticNormal(Pathwise, td.LogisticNormal):
    """Probabilities from a normal vector: ``y_k = z_k·Π_{j<k} (1 - z_j)``, ``z_k = s(μ_k + σ_k·ε_k - log(d - k + 1))``.

    Here s is the sigmoid, k counts from 1 to d, and the last of the d + 1 probabilities is what is left of the stick.
    torch's ``LogisticNormal``, computed in log space: probabilities are kept at the smallest positive normal number of
    the dtype or above, and the density finds the normal vector again however small they are (torch loses it where
    ``1 - Σ y`` cancels).

    Args:
        loc: μ, finite, shape ``[*batch_shape, d]``.
        scale: σ, positive and finite; broadcasts against ``loc``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: as for :class:`Normal`.

    Example:
        >>> LogisticNormal(torch.zeros(2), torch.ones(2)).from_noise(torch.zeros(2))
        tensor([0.3333, 0.3333, 0.3333])
    """

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        validating, (loc, scale) = self._checked(validate_args, loc=loc, scale=scale)
        super().__init__(loc, scale, validate_args=False)
        self._validate_args = validating

    @property
    def noise_shape(self) -> torch.Size:
        """``[*batch_shape, d]``: one less than the number of probabilities."""
        return self.loc.shape

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self.loc)

    def from_noise(self, noise: Tensor) -> Tensor:
        """See :meth:`Reparameterized.from_noise`. The noise is standard normal."""
        logits = location_scale(noise, *self._wide()) - _log_pieces_left(self.loc)
        log_left = logsigmoid(-logits).cumsum(-1)
        log_before = torch.cat([torch.zeros_like(log_left[..., :1]), log_left[..., :-1]], -1)
        log_y = torch.cat([logsigmoid(logits) + log_before, log_left[..., -1:]], -1)
        return log_y.clamp(min=math.log(torch.finfo(self.loc.dtype).tiny)).exp().to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats of the first d probabilities: that of the normal vector, less ``Σ log y_k``."""
        if self._validate_args:
            self._validate_sample(value)
        y = widen(value).clamp(min=torch.finfo(value.dtype).tiny)
        left = y.flip(-1).cumsum(-1).flip(-1)[..., 1:]
        logits = y[..., :-1].log() - left.log() + _log_pieces_left(self.loc)
        standard = standardize(logits, self.loc, self.scale)
        log_normal = -0.5 * standard**2 - widen(self.scale).log() - 0.5 * math.log(2 * math.pi)
        return narrow(log_normal.sum(-1) - y.log().sum(-1), value, self.loc)

    def _validate_sample(self, value: Tensor) -> None:
        # torch wants a sum within 1e-6 of 1, which rounding alone leaves in half types and in long vectors.
        wide = widen(value)
        total = wide.sum(-1, keepdim=True)
        rounded = (total - 1).abs() <= 16 * torch.finfo(value.dtype).eps
        super()._validate_sample(torch.where(rounded, wide / total, wide))


def _log_pieces_left(loc: Tensor) -> Tensor:
    """``log d, log (d - 1), ..., log 1``: with these offsets logits of 0 give equal probabilities."""
    wide = widen(loc)
    return torch.arange(loc.shape[-1], 0, -1, dtype=wide.dtype, device=wide.device).log()
