"""Many laws as one: batch dimensions become dimensions of an event."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import Law, Reparameterized, _to_size
from reparam.errors import ParameterError
from reparam.noise import Source

__all__ = ["Independent"]


class Independent(td.Independent[td.Distribution]):
    """torch's ``Independent`` (last batch dimensions become event dimensions) that passes the noise through.

    Example:
        >>> from reparam.distributions import Normal
        >>> law = Independent(Normal(torch.zeros(3), torch.ones(3)), 1)
        >>> law.rsample(4, generator=torch.Generator()).shape, law.event_shape
        (torch.Size([4, 3]), torch.Size([3]))
    """

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`Law.sample`; a base law of another package takes no generator (ParameterError)."""
        if generator is None:
            return self.base_dist.sample(_to_size(sample_shape))
        return self._base("generator=", Law, Independent).sample(sample_shape, generator=generator)

    def rsample(
        self,
        sample_shape: int | Sequence[int] = (),
        *,
        generator: torch.Generator | None = None,
        noise: Tensor | Source | None = None,
    ) -> Tensor:
        """See :meth:`Reparameterized.rsample`; a base law of another package takes no option (ParameterError)."""
        if generator is None and noise is None:
            return self.base_dist.rsample(_to_size(sample_shape))
        base = self._base("generator= or noise=", Law, Independent)
        return base.rsample(sample_shape, generator=generator, noise=noise)

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum of the base law's over the last dimensions (torch's fails where there are no values)."""
        log_prob: Tensor = self.base_dist.log_prob(value)
        summed = range(-self.reinterpreted_batch_ndims, 0)
        return log_prob.sum(tuple(summed)) if summed else log_prob

    def noise(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`Reparameterized.noise`; ParameterError where the base law has no noise apart from its draws."""
        return self._base("noise()", Reparameterized, Independent).noise(sample_shape, generator=generator)

    def from_noise(self, noise: Tensor) -> Tensor:
        """See :meth:`Reparameterized.from_noise`; ParameterError where the base law has no such map."""
        return self._base("from_noise()", Reparameterized, Independent).from_noise(noise)

    @property
    def noise_shape(self) -> torch.Size:
        """See :attr:`Reparameterized.noise_shape`; ParameterError as for :meth:`noise`."""
        return self._base("noise()", Reparameterized, Independent).noise_shape

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return self._base("noise()", Reparameterized, Independent)._draw_noise(source, sample_shape)

    def _base(self, what: str, *kinds: type) -> "Reparameterized":
        if isinstance(self.base_dist, kinds):
            return cast(Reparameterized, self.base_dist)
        base = type(self.base_dist)
        raise ParameterError(
            f"Independent: the base law {base.__module__}.{base.__qualname__} has no {what}; "
            "use a law of reparam.distributions that has"
        )
