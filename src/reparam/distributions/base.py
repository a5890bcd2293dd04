"""What our laws add to ``torch.distributions``: a generator for each draw, and noise apart from it.

- :class:`Law` takes a ``generator=``; its parameters are checked once, and ``expand`` and ``icdf`` are written here.
- :class:`Reparameterized` has a differentiable draw, ``rsample``, written here and nowhere else. Two kinds fill it in:
- :class:`Pathwise` draws in two halves: ``noise`` (random, knows shapes and no parameters) and ``from_noise``
  (deterministic, differentiable), so the gradient of the law is that of ``from_noise``, which ``gradcheck`` checks
  exactly. :class:`InverseCdf` is the case where ``from_noise`` is the quantile function.
- :class:`Implicit` draws with any sampler and moves the draw with the parameters afterwards.
- :class:`Unreparameterized` is for laws whose draws jump.

A new law fills in what is abstract.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn, Self, cast

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.parameters import check_parameters, event_dim
from reparam.distributions.precision import tails, widen
from reparam.errors import ParameterError
from reparam.noise import Iid, Source
from reparam.reparameterize import inverse_cdf

__all__ = ["Implicit", "InverseCdf", "Law", "Pathwise", "Reparameterized", "Unreparameterized"]


class Law(td.Distribution, ABC):
    """A torch distribution whose draws take a generator.

    A constructor is one line, ``self._set(validate_args, loc=loc, scale=scale)``; where torch's own constructor has
    more to do, :meth:`_checked` and then that one.
    """

    # The parameters the law was made with, of shape [*batch_shape, *]; torch's attributes may be rounded once more.
    _given: Mapping[str, Tensor] = MappingProxyType({})
    _shared: ClassVar[tuple[str, ...]] = ()  # what was computed from them once, and holds for any batch shape

    @abstractmethod
    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Draws without gradient, shape ``[*sample_shape, *batch_shape, *event_shape]``.

        Args:
            sample_shape: how many draws; ``3`` means ``(3,)``.
            generator: where the randomness comes from; torch's default generator if None.

        Raises:
            ParameterError: ``sample_shape`` is not made of whole numbers >= 0; ``generator`` is not a
                generator.
        """

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with its parameters expanded to ``batch_shape``; no memory is allocated, nothing is checked."""
        shape, old = torch.Size(batch_shape), len(self.batch_shape)
        expanded = {name: value.expand(shape + value.shape[old:]) for name, value in self._given.items()}
        make: Any = type(self)
        new = make(**expanded, **self._options(), validate_args=False)
        new._validate_args = self._validate_args
        for name in self._shared:
            setattr(new, name, getattr(self, name))
        if _instance is None:
            return cast(Self, new)
        _instance.__dict__.update(new.__dict__)
        return cast(Self, _instance)

    def icdf(self, value: Tensor) -> Tensor:
        """The quantile of probability ``value``, in the dtype of the law; precise in the lower tail.

        A float64 ``value`` is precise in the upper tail too, whatever the dtype of the law.

        Raises:
            NotImplementedError: the law has no quantile function.
        """
        like = self._like
        return self._quantile(*tails(value, like)).to(like.dtype)

    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        """The quantile with ``lower`` below it and ``upper = 1 - lower`` above: in the wide dtype, from the smaller."""
        raise NotImplementedError(f"{type(self).__name__} has no quantile function")

    def log_cdf(self, value: Tensor) -> Tensor:
        """``log P(Y <= value)``: of the CDF, or better, where the law knows its lower tail in logarithms."""
        return self.cdf(value).log()

    def log_survival_function(self, value: Tensor) -> Tensor:
        """``log P(Y > value)``: of the CDF, or better, where the law knows its upper tail.

        From the CDF it is good down to probabilities of 1e-7 in float32, 1e-16 in float64.
        """
        return torch.log1p(-self.cdf(value))

    def _log_quantile(self, log_lower: Tensor, log_upper: Tensor) -> Tensor:
        """As :meth:`_quantile`, of the logarithms of both tails: while exp does not underflow, or better."""
        return self._quantile(log_lower.exp(), log_upper.exp())

    def _set(self, validate_args: bool | None, shaped_like: str | None = None, **parameters: Tensor | float) -> None:
        """Check the parameters, store them under their names, and make the distribution.

        Args:
            validate_args: as the constructor of the law got it.
            shaped_like: the parameter that has the shape of one draw (laws with event dimensions).
            parameters: by name, in the order of the constructor.
        """
        validating, checked = self._checked(validate_args, **parameters)
        for name, value in zip(parameters, checked, strict=True):
            setattr(self, name, value)
        dims = {name: event_dim(self, name) for name in parameters}
        batch_shape = checked[0].shape[: checked[0].dim() - dims[next(iter(parameters))]]
        event_shape = getattr(self, shaped_like).shape[len(batch_shape) :] if shaped_like else torch.Size()
        td.Distribution.__init__(self, batch_shape, event_shape, validate_args=False)
        self._validate_args = validating

    def _checked(self, validate_args: bool | None, **parameters: Tensor | float) -> tuple[bool, tuple[Tensor, ...]]:
        """Whether to validate, and the parameters, checked and broadcast; they are remembered."""
        validating = self._validate_args if validate_args is None else validate_args
        checked = check_parameters(self, validating, **parameters)
        self._given = dict(zip(parameters, checked, strict=True))
        return validating, checked

    def _options(self) -> dict[str, Any]:
        """What else the constructor was given, such as a number of levels."""
        return {}

    def _wide(self) -> tuple[Tensor, ...]:
        """The parameters in float32 at least, in the order of the constructor."""
        return tuple(widen(value) for value in self._given.values())

    @property
    def _like(self) -> Tensor:
        """A tensor with the dtype and device of the law."""
        return next(iter(self._given.values()))

    def _validate_sample(self, value: Tensor) -> None:
        # A compiled graph cannot branch on values; torch's own laws escape this only because the first
        # compilation of a process switches the default validation off. Nor can some of torch's constraints look at an
        # empty tensor.
        if not torch.compiler.is_compiling() and value.numel() > 0:
            super()._validate_sample(value)


class Reparameterized(Law):
    """A law with a differentiable draw; :class:`Pathwise` and :class:`Implicit` are the two kinds."""

    has_rsample = True
    unbiased: ClassVar[bool] = (
        True  # whether the gradient of a draw is that of the law, as straight-through ones are not
    )

    @property
    def noise_shape(self) -> torch.Size:
        """Shape of the noise of one draw of the batch: ``[*batch_shape, *event_shape]`` for most laws."""
        return torch.Size(self.batch_shape + self.event_shape)

    @abstractmethod
    def from_noise(self, noise: Tensor) -> Tensor:
        """The draw that this noise gives: deterministic, and differentiable in the parameters and the noise.

        Args:
            noise: shape ``[*sample_shape, *noise_shape]``, as :meth:`noise` makes it; anything that
                broadcasts against the parameters is accepted (one noise shared by the whole batch, say).
        """

    @abstractmethod
    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        """Ask ``source`` for noise of shape ``[*sample_shape, *noise_shape]`` of the kind this law needs."""

    @abstractmethod
    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Differentiable draws, the randomness from ``generator``."""

    def noise(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """The randomness alone: depends on shapes, dtype and device, never on the parameters' values.

        Returns:
            shape ``[*sample_shape, *noise_shape]``; uniform noise in float64, other noise in the dtype of the law
            (float32 for half types).

        Raises:
            ParameterError: as :meth:`sample`.
            NotImplementedError: no map from noise to draws of this law is known.
        """
        return self._draw_noise(Iid(generator), _to_size(sample_shape))

    def rsample(
        self,
        sample_shape: int | Sequence[int] = (),
        *,
        generator: torch.Generator | None = None,
        noise: Tensor | Source | None = None,
    ) -> Tensor:
        """Differentiable draws, shape ``[*sample_shape, *batch_shape, *event_shape]``.

        Args:
            sample_shape: how many draws; ``3`` means ``(3,)``. May be left out with a noise tensor, which
                says it.
            generator: where the randomness comes from; torch's default generator if None.
            noise: instead of a generator, the noise itself (as :meth:`noise` makes it) or a source of it,
                such as ``reparam.noise.Antithetic(seed)`` or ``Sobol(seed)``.

        Raises:
            ParameterError: as :meth:`sample`; or both ``generator`` and ``noise`` are given; or ``noise`` is
                neither a tensor nor a source, or has the wrong shape or an integer dtype.
            NotImplementedError: ``noise`` is given and no map from noise to draws of this law is known.
        """
        shape = _to_size(sample_shape)
        given = self._noise_given(shape, generator, noise)
        return self._draw(shape, generator) if given is None else self.from_noise(given)

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`Law.sample`."""
        with torch.no_grad():  # which forward mode ignores, and detach() does not
            return self.rsample(sample_shape, generator=generator).detach()

    def _noise_given(
        self, sample_shape: torch.Size, generator: torch.Generator | None, noise: Tensor | Source | None
    ) -> Tensor | None:
        """The noise that ``noise=`` stands for, checked; None where the generator is the randomness."""
        if noise is None:
            return None
        if generator is not None:
            raise ParameterError("give generator= or noise=, not both: the noise is the randomness already")
        if isinstance(noise, Tensor):
            return self._check_noise(noise, sample_shape)
        if isinstance(noise, Source):
            return self._draw_noise(noise, sample_shape)
        raise ParameterError(
            f"noise must be a tensor or a source such as reparam.noise.Sobol(seed); got {noise!r} "
            f"({type(noise).__name__})"
        )

    def _check_noise(self, noise: Tensor, sample_shape: torch.Size) -> Tensor:
        leading = noise.dim() - len(self.noise_shape)
        fits = leading >= 0 and noise.shape[leading:] == self.noise_shape
        if not fits or (sample_shape and noise.shape[:leading] != sample_shape):
            wanted = f"sample_shape + {tuple(self.noise_shape)}"
            if sample_shape:
                wanted = f"{tuple(sample_shape + self.noise_shape)} = {wanted}"
            raise ParameterError(
                f"{type(self).__name__}: noise must have shape {wanted}; got {tuple(noise.shape)}. "
                "Make it with law.noise(sample_shape)"
            )
        if not noise.is_floating_point():
            raise ParameterError(f"{type(self).__name__}: noise must be floating point; got {noise.dtype}")
        return noise


class Pathwise(Reparameterized):
    """A law with a differentiable draw ``y = g(noise, parameters)``.

    A subclass fills in :meth:`from_noise` and :meth:`_draw_noise`, and :attr:`noise_shape` where the noise of
    one draw has another shape than the draw.

    Example:
        >>> from reparam.distributions import Normal
        >>> law = Normal(torch.zeros(2), torch.ones(2))
        >>> noise = law.noise((5,))
        >>> bool((law.rsample(noise=noise) == law.from_noise(noise)).all())
        True
    """

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        return self.from_noise(self.noise(sample_shape, generator=generator))


class InverseCdf(Pathwise):
    """A law drawn by its quantile function, ``y = F⁻¹(u)``: a subclass fills in :meth:`_quantile`."""

    @abstractmethod
    def _quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        """See :meth:`Law._quantile`."""

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        return source.uniform(sample_shape, self.noise_shape, like=self._like)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = F⁻¹(u)``; see :meth:`Reparameterized.from_noise`. The noise is uniform on (0, 1)."""
        return inverse_cdf(noise, self._at_noise)

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        # from_noise(noise), but the memory of the noise is used again: more of it costs more than the arithmetic.
        return self._at_noise(self.noise(sample_shape, generator=generator), keep=False)

    def _at_noise(self, noise: Tensor, keep: bool = True) -> Tensor:
        quick = self._like.dtype != torch.float64 and self._like.device.type == "cpu"
        drawn = self._quick_quantile(noise) if quick else None
        if drawn is None:
            drawn = self._quantile(*tails(noise, self._like, keep))
        return drawn.to(self._like.dtype)

    def _quick_quantile(self, noise: Tensor) -> Tensor | None:
        """The same as :meth:`_quantile`, from the noise at once, in float32: for laws that have a faster way."""
        return None

    def icdf(self, value: Tensor) -> Tensor:
        """See :meth:`Law.icdf`; at 0 and 1, where no draw is, the ends of the support."""
        lowest, highest = value == 0, value == 1
        inside = super().icdf(torch.where(lowest | highest, 0.5, value))
        low, high = getattr(self.support, "lower_bound", -torch.inf), getattr(self.support, "upper_bound", torch.inf)
        return torch.where(lowest, low, torch.where(highest, high, inside)).to(inside.dtype)


class Implicit(Reparameterized):
    """A law drawn by any sampler, whose draws are then moved with the parameters (``reparam.reparameterize``).

    A subclass fills in :meth:`_draw`, which ends in ``attach``; where it also has a differentiable ``icdf``, that is
    its map from (uniform) noise, for quasi-Monte Carlo and common random numbers. The sampler is the faster way, and
    with the same generator it gives other draws than the noise.
    """

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        if type(self)._quantile is Law._quantile:
            raise NotImplementedError(
                f"{type(self).__name__} has no map from noise to draws; its randomness comes from a generator: "
                "use generator= instead of noise="
            )
        return source.uniform(sample_shape, self.noise_shape, like=self._like)

    def from_noise(self, noise: Tensor) -> Tensor:
        """``y = F⁻¹(u)``; see :meth:`Reparameterized.from_noise`. The noise is uniform on (0, 1).

        Raises:
            NotImplementedError: the law has no quantile function.
        """
        return inverse_cdf(noise, self.icdf)


class Unreparameterized(Law):
    """A law whose draws jump when a parameter moves, so that no pathwise gradient exists."""

    has_rsample = False
    _instead: ClassVar[str]  # what to use for the gradient, the end of a sentence

    def rsample(self, sample_shape: int | Sequence[int] = (), **_: Any) -> NoReturn:
        """Refused.

        Raises:
            NotImplementedError: always; the message names gradient estimators that do work.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no rsample: its draws are discrete and jump when a parameter moves, "
            f"so the pathwise gradient does not exist. Use {self._instead}"
        )


def _to_size(sample_shape: int | Sequence[int]) -> torch.Size:
    """A sample shape as torch wants it; everything that is not whole numbers >= 0 is refused."""
    if isinstance(sample_shape, torch.Size):
        return sample_shape
    parts = sample_shape if isinstance(sample_shape, (tuple, list)) else (sample_shape,)
    try:
        sizes = [-1 if isinstance(part, (bool, Tensor)) else operator.index(part) for part in parts]
    except TypeError:
        sizes = [-1]
    if any(size < 0 for size in sizes):
        raise ParameterError(
            "sample_shape must be a whole number >= 0 or a tuple of such numbers, e.g. 3 or (3, 2); "
            f"got {sample_shape!r}"
        )
    return torch.Size(sizes)
