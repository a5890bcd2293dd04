"""What our laws add to ``torch.distributions``: a generator for each draw, and noise apart from it.

:class:`Law` takes a ``generator=``. :class:`Pathwise` has a differentiable draw in two halves: ``noise``
(random, knows shapes and no parameters) and ``from_noise`` (deterministic, differentiable), and ``rsample``
is their composition, written here and nowhere else. So the gradient of a law is that of ``from_noise``, which
``gradcheck`` checks exactly. :class:`Unreparameterized` is for laws whose draws jump. A new law fills in what
is abstract.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn, Self, cast

import torch
import torch.distributions as td
from torch import Tensor

from reparam.errors import ParameterError
from reparam.noise import Iid, Source

__all__ = ["Independent", "Law", "Pathwise", "Unreparameterized"]


class Law(td.Distribution, ABC):
    """A torch distribution whose draws take a generator."""

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

    def _validate_sample(self, value: Tensor) -> None:
        # A compiled graph cannot branch on values; torch's own laws escape this only because the first
        # compilation of a process switches the default validation off.
        if not torch.compiler.is_compiling():
            super()._validate_sample(value)

    def _expand_into(self, new: Self, batch_shape: Sequence[int], *names: str) -> Self:
        """Fill the bare instance ``new`` with the parameters ``names``, expanded, without new checks."""
        shape = torch.Size(batch_shape)
        for name in names:
            setattr(new, name, getattr(self, name).expand(shape))
        td.Distribution.__init__(new, shape, validate_args=False)
        new._validate_args = self._validate_args
        return new


class Pathwise(Law):
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

    has_rsample = True

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

    def noise(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """The randomness alone: depends on shapes, dtype and device, never on the parameters' values.

        Returns:
            shape ``[*sample_shape, *noise_shape]``; float32 for laws in half precision.

        Raises:
            ParameterError: as :meth:`sample`.
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
        """
        shape = _to_size(sample_shape)
        if noise is None:
            return self.from_noise(self.noise(shape, generator=generator))
        if generator is not None:
            raise ParameterError("give generator= or noise=, not both: the noise is the randomness already")
        if isinstance(noise, Tensor):
            return self.from_noise(self._check_noise(noise, shape))
        if isinstance(noise, Source):
            return self.from_noise(self._draw_noise(noise, shape))
        raise ParameterError(
            f"noise must be a tensor or a source such as reparam.noise.Sobol(seed); got {noise!r} "
            f"({type(noise).__name__})"
        )

    def sample(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`Law.sample`."""
        with torch.no_grad():
            return self.rsample(sample_shape, generator=generator)

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
        """See :meth:`Pathwise.rsample`; a base law of another package takes no option (ParameterError)."""
        if generator is None and noise is None:
            return self.base_dist.rsample(_to_size(sample_shape))
        base = self._base("generator= or noise=", Law, Independent)
        return base.rsample(sample_shape, generator=generator, noise=noise)

    def noise(self, sample_shape: int | Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`Pathwise.noise`; ParameterError where the base law has no noise apart from its draws."""
        return self._base("noise()", Pathwise, Independent).noise(sample_shape, generator=generator)

    def from_noise(self, noise: Tensor) -> Tensor:
        """See :meth:`Pathwise.from_noise`; ParameterError where the base law has no such map."""
        return self._base("from_noise()", Pathwise, Independent).from_noise(noise)

    def _base(self, what: str, *kinds: type) -> "Pathwise":
        if isinstance(self.base_dist, kinds):
            return cast(Pathwise, self.base_dist)
        base = type(self.base_dist)
        raise ParameterError(
            f"Independent: the base law {base.__module__}.{base.__qualname__} has no {what}; "
            "use a law of reparam.distributions that has"
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
