"""A draw together with its own log density, without going back through the map that made it."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import Law, _to_size
from reparam.distributions.independent import Independent
from reparam.errors import ParameterError
from reparam.noise import Source

__all__ = ["rsample_with_log_prob"]


@runtime_checkable
class _KnowsItsDraws(Protocol):
    """A law that has the density at a draw as a by-product of the draw."""

    def rsample_with_log_prob(
        self,
        sample_shape: int | Sequence[int] = (),
        *,
        generator: torch.Generator | None = None,
        noise: Tensor | Source | None = None,
    ) -> tuple[Tensor, Tensor]: ...


def rsample_with_log_prob(
    law: td.Distribution,
    sample_shape: int | Sequence[int] = (),
    *,
    generator: torch.Generator | None = None,
    noise: Tensor | Source | None = None,
) -> tuple[Tensor, Tensor]:
    """Differentiable draws and their log density: ``y = law.rsample(...)`` and ``law.log_prob(y)``.

    The same numbers as those two calls, and the same gradients. Where the law maps noise through something that is
    cheap one way and expensive back (an inverse autoregressive flow), the density is computed on the way.

    Shapes:
        draws ``[*sample_shape, *batch_shape, *event_shape]``, log densities ``[*sample_shape, *batch_shape]``, in nats.

    Args:
        law: any law with ``rsample``; one of another package takes no ``generator`` and no ``noise``.
        sample_shape, generator, noise: as for :meth:`Reparameterized.rsample`.

    Raises:
        ParameterError: as :meth:`Reparameterized.rsample`, or ``law`` takes no generator and no noise.
        NotImplementedError: the law has no ``rsample``, or no ``log_prob``.

    Example:
        >>> from reparam.distributions import Normal
        >>> law = Normal(torch.zeros(2), torch.ones(2))
        >>> draw, log_prob = rsample_with_log_prob(law, (3,), generator=torch.Generator())
        >>> bool((log_prob == law.log_prob(draw)).all())
        True
    """
    if isinstance(law, Independent):
        draw, each = rsample_with_log_prob(law.base_dist, sample_shape, generator=generator, noise=noise)
        return draw, summed(each, law.reinterpreted_batch_ndims)
    if isinstance(law, _KnowsItsDraws):
        return law.rsample_with_log_prob(sample_shape, generator=generator, noise=noise)
    options = {"generator": generator, "noise": noise}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if given and not isinstance(law, Law):
        kind = type(law)
        raise ParameterError(
            f"the law {kind.__module__}.{kind.__qualname__} takes no {next(iter(given))}=; use a law of "
            "reparam.distributions that does"
        )
    draw = law.rsample(_to_size(sample_shape), **given)
    return draw, law.log_prob(draw)


def summed(values: Tensor, num_dims: int) -> Tensor:
    """The sum over the last ``num_dims`` dimensions."""
    return values.sum(tuple(range(-num_dims, 0))) if num_dims else values
