"""The Dirichlet law: gamma variables, divided by their sum, all in log space."""

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import Implicit
from reparam.distributions.gamma import at_zero, draw_log_standard, log_ratio
from reparam.distributions.precision import narrow, widen
from reparam.special import log_gamma_density

__all__ = ["Dirichlet"]


class Dirichlet(Implicit, td.Dirichlet):
    """The Dirichlet law on the simplex: density ``∏ x_i^(a_i - 1) Γ(Σ a_i) / ∏ Γ(a_i)``, a = concentration.

    A draw is ``softmax(y)``, the y independent logarithms of Gamma(a_i, 1) draws, each moving with its a_i exactly. So
    the law and its gradient are right at the corners of the simplex too, where torch's draws of concentration 0.001 are
    the uniform vector one time in eight. A component that would underflow is the smallest positive normal number and
    does not move. It has no map from noise.

    Args:
        concentration: positive and finite; shape ``[*batch_shape, k]``.
        validate_args: as for :class:`Normal`.

    Raises:
        ParameterError: ``concentration`` is not positive and finite, an integer tensor, or a single number.

    Example:
        >>> law = Dirichlet(torch.tensor([1e-3, 1e-3, 2e-3]))
        >>> x = law.sample((4,), generator=torch.Generator().manual_seed(0))
        >>> x.shape, x.sum(-1)
        (torch.Size([4, 3]), tensor([1., 1., 1., 1.]))
    """

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        self._set(validate_args, shaped_like="concentration", concentration=concentration)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        (concentration,) = self._wide()
        log_x = draw_log_standard(concentration.expand(self._extended_shape(sample_shape)), generator)
        # Relative to the largest, which itself then does not move: where it holds nearly all of the simplex, its own
        # large velocity would have to cancel in the softmax.
        largest = log_x.argmax(-1, keepdim=True)
        is_largest = torch.zeros_like(log_x, dtype=torch.bool).scatter(-1, largest, True)
        logits = torch.where(is_largest, 0.0, log_x - log_x.gather(-1, largest))
        simplex = torch.softmax(logits, -1)
        return simplex.clamp(min=torch.finfo(simplex.dtype).tiny).to(self.concentration.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, with respect to all but one of the components; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        (concentration,) = self._wide()
        total = concentration.sum(-1, keepdim=True)
        wide = value.to(torch.promote_types(value.dtype, concentration.dtype))
        positive = wide.clamp(min=torch.finfo(wide.dtype).tiny)
        # Of independent gamma variables x_i Σa, given their sum Σa: nothing large cancels.
        ratio = log_ratio(positive * total, positive.log() + total.log(), concentration)
        parts = log_gamma_density(ratio, concentration) - positive.log() + at_zero(wide, concentration)
        whole = log_gamma_density(torch.zeros_like(total), total)
        return narrow(parts.sum(-1) - whole.squeeze(-1), value, self.concentration)

    def _validate_sample(self, value: Tensor) -> None:
        # Components that are rounded to their dtype sum to 1 no more exactly than that.
        wide = widen(value)
        total = wide.sum(-1, keepdim=True)
        close = (total - 1).abs() <= value.shape[-1] * torch.finfo(value.dtype).eps
        super()._validate_sample(torch.where(close, wide / total, wide))
