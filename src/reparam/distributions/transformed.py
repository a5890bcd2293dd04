"""The law of an invertible function of a draw: what a normalising flow is."""

from collections.abc import Sequence
from typing import Any, Self, cast

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.base import Law, Reparameterized
from reparam.distributions.drawing import rsample_with_log_prob, summed
from reparam.distributions.independent import Independent
from reparam.distributions.mixture_paths import parameter_of, widened
from reparam.distributions.precision import narrow, widen
from reparam.errors import ParameterError
from reparam.noise import Source

__all__ = ["Transformed", "smooth_part"]


class Transformed(Reparameterized, td.TransformedDistribution):
    """The law of ``y = f(x)``, x from ``base``, f invertible: ``log p(y) = log p(x) - log |det ∂f/∂x|``.

    torch's ``TransformedDistribution`` of one transform, whose draws take a generator or noise. f goes forward to draw
    and backward for :meth:`log_prob`. Where going back is the expensive way, :meth:`rsample_with_log_prob` has the
    density of its own draws without it.

    A transform that has a method ``call_and_ladj(x) -> (y, log |det|)``, as those of zuko, goes through once for both.

    Shapes:
        batch shape of ``base``, less the batch dimensions that ``transform`` couples; event shape of f of its events.

    Args:
        base: a law of this package with ``rsample`` and ``log_prob``, or ``Independent`` of one.
        transform: any ``torch.distributions.transforms.Transform``; ``td.ComposeTransform`` makes one of several.
        validate_args: whether :meth:`log_prob` checks that values lie in the range of the transform.

    Raises:
        ParameterError: ``base`` or ``transform`` is no such thing, or they do not go together.

    Source: Rezende & Mohamed 2015, arXiv:1505.05770, eq. 5.

    Example:
        >>> from reparam.distributions import LogNormal, Normal
        >>> law = Transformed(Normal(0.5, 2.0), td.ExpTransform())
        >>> law.from_noise(torch.tensor(-0.25))                # exp(0.5 - 2 · 0.25)
        tensor(1.)
        >>> torch.isclose(law.log_prob(torch.tensor(3.0)), LogNormal(0.5, 2.0).log_prob(torch.tensor(3.0)))
        tensor(True)
    """

    arg_constraints = {}  # noqa: RUF012
    base_dist: Reparameterized | Independent

    def __init__(self, base: td.Distribution, transform: td.Transform, validate_args: bool | None = None) -> None:
        if not isinstance(transform, td.Transform):
            raise ParameterError(
                f"Transformed: transform must be a torch.distributions.transforms.Transform; got {transform!r} "
                f"({type(transform).__name__}). td.ComposeTransform makes one of a list"
            )
        self._parameter, wide = smooth_part("Transformed: base", base)
        couples = transform.domain.event_dim - len(wide.event_shape)
        if couples > len(wide.batch_shape):
            raise ParameterError(
                f"Transformed: the transform takes events of {transform.domain.event_dim} dimension(s); base has only "
                f"shape {tuple(wide.batch_shape + wide.event_shape)}"
            )
        validating = self._validate_args if validate_args is None else validate_args
        coupled = Independent(wide, couples, validate_args=False) if couples > 0 else wide
        td.TransformedDistribution.__init__(self, coupled, [transform], validate_args=False)
        self._validate_args = validating

    @property
    def transform(self) -> td.Transform:
        """f."""
        return self.transforms[0]

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """See :meth:`Law.expand`; the transform broadcasts."""
        new = type(self)(self.base_dist.expand(torch.Size(batch_shape)), self.transform, validate_args=False)
        new._validate_args, new._parameter = self._validate_args, self._parameter
        if _instance is None:
            return new
        _instance.__dict__.update(new.__dict__)
        return cast(Self, _instance)

    @property
    def noise_shape(self) -> torch.Size:
        """See :attr:`Reparameterized.noise_shape`: that of ``base``."""
        return self.base_dist.noise_shape

    def from_noise(self, noise: Tensor) -> Tensor:
        """``f(base.from_noise(noise))``; see :meth:`Reparameterized.from_noise`."""
        return self._forward(self.base_dist.from_noise(noise))

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return self.base_dist._draw_noise(source, sample_shape)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        return self._forward(self.base_dist.rsample(sample_shape, generator=generator))

    def _forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.transform(x)
        return y.to(self._like.dtype)

    def rsample_with_log_prob(
        self,
        sample_shape: int | Sequence[int] = (),
        *,
        generator: torch.Generator | None = None,
        noise: Tensor | Source | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draws and their log density in nats, with f never inverted; see ``distributions.rsample_with_log_prob``."""
        x, log_prob = rsample_with_log_prob(self.base_dist, sample_shape, generator=generator, noise=noise)
        y, log_det = _with_log_det(self.transform, x)
        y = y.to(self._like.dtype)
        return y, narrow(log_prob - summed(log_det, self._num_shared), y, self._like)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log p(f⁻¹(y)) + log |det ∂f⁻¹/∂y|``."""
        if self._validate_args:
            self._validate_sample(value)
        x, log_det = _with_log_det(self.transform.inv, widen(value))
        return narrow(self.base_dist.log_prob(x) + summed(log_det, self._num_shared), value, self._like)

    def cdf(self, value: Tensor) -> Tensor:
        """P(Y <= value), on the line."""
        level: Tensor = td.TransformedDistribution.cdf(self, widen(value))
        return narrow(level, value, self._like)

    def icdf(self, value: Tensor) -> Tensor:
        """See :meth:`Law.icdf`."""
        quantile: Tensor = td.TransformedDistribution.icdf(self, value)
        return quantile.to(self._like.dtype)

    @property
    def _num_shared(self) -> int:
        """How many dimensions of the event the transform knows nothing of."""
        return len(self.base_dist.event_shape) - self.transform.domain.event_dim

    @property
    def _like(self) -> Tensor:
        return self._parameter


def _with_log_det(transform: td.Transform, x: Tensor) -> tuple[Tensor, Tensor]:
    """``f(x)`` and ``log |det ∂f/∂x|``, in one pass where the transform has one."""
    together = getattr(transform, "call_and_ladj", None)
    if together is not None:
        both: tuple[Tensor, Tensor] = together(x)
        return both
    y = transform(x)
    return y, transform.log_abs_det_jacobian(x, y)


def smooth_part(what: str, law: Any) -> tuple[Tensor, Reparameterized | Independent]:
    """One of the parameters of a law that others are made of, and the law in float32 at least.

    Raises:
        ParameterError: it is no law of this package, its draws do not move, or its half precision cannot be mended.
    """
    single = law
    while isinstance(single, Independent):
        single = single.base_dist
    if not isinstance(single, Law):
        raise ParameterError(
            f"{what} must be a law of reparam.distributions, or Independent of one; got {law!r} "
            f"({type(law).__module__}.{type(law).__qualname__})"
        )
    if not (isinstance(single, Reparameterized) and single.has_rsample and single.unbiased):
        raise ParameterError(
            f"{what} must have draws that move with its parameters and a density that does; "
            f"{type(single).__name__} is not such a law"
        )
    parameter = parameter_of(single)
    if parameter.dtype.itemsize >= 4:
        return parameter, law
    wide = widened(law)
    if parameter_of(wide).dtype.itemsize < 4:
        raise ParameterError(
            f"{what}, {type(single).__name__}, has parameters of {parameter.dtype}, too coarse for a density; give "
            "them in float32"
        )
    return parameter, cast(Any, wide)
