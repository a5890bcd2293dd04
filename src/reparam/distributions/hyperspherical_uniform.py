"""The uniform law on the unit sphere."""

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam.distributions.base import Pathwise
from reparam.distributions.directions import log_area, normalize
from reparam.distributions.parameters import unit_vector
from reparam.distributions.precision import widen
from reparam.errors import ParameterError, whole_number
from reparam.noise import Source

__all__ = ["HypersphericalUniform"]


class HypersphericalUniform(Pathwise):
    """The uniform law on the unit sphere in ``dim`` dimensions: ``x = ε/|ε|``, ε standard normal.

    It has no parameters, so its draws carry no gradient: the prior that goes with :class:`VonMisesFisher`.

    Args:
        dim: dimensions of the space around the sphere, at least 2; the shape of one draw is ``(dim,)``.
        batch_shape: shape of a batch of equal laws.
        dtype: of the draws; torch's default dtype if None.
        device: of the draws; torch's default device if None.
        validate_args: check arguments of ``log_prob``; None follows
            ``torch.distributions.Distribution.set_default_validate_args``.

    Raises:
        ParameterError: ``dim`` is not a whole number >= 2, or ``dtype`` is not floating point.

    Example:
        >>> HypersphericalUniform(3).log_prob(torch.tensor([0.0, 0.0, 1.0]))  # -log(4π)
        tensor(-2.5310)
    """

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012
    support = unit_vector

    def __init__(
        self,
        dim: int,
        batch_shape: Sequence[int] = (),
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        whole_number("HypersphericalUniform: dim", dim, least=2, error=ParameterError)
        self._zero = torch.zeros((), dtype=dtype, device=device)
        if not self._zero.is_floating_point():
            raise ParameterError(f"HypersphericalUniform: dtype must be floating point; got {dtype}")
        validating = self._validate_args if validate_args is None else validate_args
        td.Distribution.__init__(self, torch.Size(batch_shape), torch.Size([dim]), validate_args=False)
        self._validate_args = validating

    @property
    def _like(self) -> Tensor:
        return self._zero

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law in a batch of ``batch_shape``."""
        new = super().expand(batch_shape, _instance)  # there are no parameters to take the shape from
        new._batch_shape = torch.Size(batch_shape)
        return new

    def _options(self) -> dict[str, Any]:
        return {"dim": self.event_shape[0], "dtype": self._zero.dtype, "device": self._zero.device}

    @property
    def mean(self) -> Tensor:
        """0, the centre of the ball."""
        return self._zero.expand(self.batch_shape + self.event_shape)

    @property
    def variance(self) -> Tensor:
        """``1/dim`` in each coordinate."""
        return (self._zero + 1 / self.event_shape[0]).expand(self.batch_shape + self.event_shape)

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.standard_normal(sample_shape, self.noise_shape, like=self._zero)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``x = ε/|ε|``; see :meth:`Pathwise.from_noise`. The noise is standard normal."""
        return normalize(widen(noise)).to(self._zero.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats with respect to the sphere's area; shape as broadcast."""
        if self._validate_args:
            self._validate_sample(value)
        shape = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        dtype = torch.promote_types(value.dtype, self._zero.dtype)
        return torch.full(shape, -log_area(self.event_shape[0]), dtype=dtype, device=value.device)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: the log of the sphere's area."""
        return (self._zero + log_area(self.event_shape[0])).expand(self.batch_shape)
