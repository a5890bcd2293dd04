"""The joint law of two vectors, the second given the first: what a posterior or prior with two levels is."""

from collections.abc import Callable, Sequence
from typing import Any, Self, cast

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from reparam.distributions.base import Reparameterized, _to_size
from reparam.distributions.drawing import rsample_with_log_prob
from reparam.distributions.independent import Independent
from reparam.distributions.precision import narrow, widen
from reparam.distributions.transformed import smooth_part
from reparam.errors import ParameterError
from reparam.noise import Source

__all__ = ["Chained"]


class Chained(Reparameterized):
    """The joint law of ``(a, b)``, ``a ~ first`` and ``b ~ then(a)``: ``log p(a, b) = log p(a) + log p(b | a)``.

    One vector, a and b one after the other along the last dimension; ``value.split(law.sizes, -1)`` takes them apart.

    ``then`` sees rows only, as networks want them: all sample and batch dimensions of a are made one. What else the law
    of b depends on, one value for each element of the batch (features of x, say), goes into ``given`` and comes along
    row by row; a tensor of batch shape that ``then`` merely closes over would not fit draws of more than one sample.

    Shapes:
        first: batch shape ``[*batch]``, event shape ``[D_a]``; given: ``[*batch, *]`` each.
        then: ``([N, D_a], [N, *], ...)`` to a law of batch shape ``[N]`` and event shape ``[D_b]``.
        The law has the batch shape of ``first`` and the event shape ``[D_a + D_b]``.

    Args:
        first: the law of a: of this package, with ``rsample`` and ``log_prob``, or ``Independent`` of one.
        then: a function or module that gives the law of b, of the same kind.
        sizes: ``(D_a, D_b)``.
        given: further arguments of ``then``.
        validate_args: as for :class:`Normal`; ``log_prob`` leaves the check of values to the two laws.

    Raises:
        ParameterError: ``first``, ``sizes`` or ``given`` do not go together; or, when ``then`` is asked, what it gives
            is no such law. With a noise source: the two need noise of different kinds.

    Example:
        >>> from reparam.distributions import Normal
        >>> a = Independent(Normal(torch.zeros(1), torch.ones(1)), 1)
        >>> law = Chained(a, lambda a: Independent(Normal(a + 5, torch.full_like(a, 0.1)), 1), sizes=(1, 1))
        >>> law.from_noise(torch.tensor([2.0, -1.0]))          # a = 2, b = 2 + 5 - 0.1
        tensor([2.0000, 6.9000])
    """

    arg_constraints = {}  # noqa: RUF012

    def __init__(
        self,
        first: td.Distribution,
        then: Callable[..., td.Distribution],
        sizes: tuple[int, int],
        *,
        given: Sequence[Tensor] = (),
        validate_args: bool | None = None,
    ) -> None:
        self._parameter, self.first = smooth_part("Chained: first", first)
        self.then, self.sizes = then, sizes
        self.given = tuple(widen(value) if value.is_floating_point() else value for value in given)
        if first.event_shape != (sizes[0],):
            raise ParameterError(
                f"Chained: first must have the event shape ({sizes[0]},) that sizes={sizes} says; got "
                f"{tuple(first.event_shape)}"
            )
        for value in given:
            if value.shape[: len(first.batch_shape)] != first.batch_shape:
                raise ParameterError(
                    f"Chained: what is given must begin with the batch shape {tuple(first.batch_shape)} of first; got "
                    f"shape {tuple(value.shape)}"
                )
        validating = self._validate_args if validate_args is None else validate_args
        super().__init__(first.batch_shape, torch.Size((sum(sizes),)), validate_args=False)
        self._validate_args = validating

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """See :meth:`Law.expand`."""
        shape, old = torch.Size(batch_shape), len(self.batch_shape)
        given = [value.expand(shape + value.shape[old:]) for value in self.given]
        new = type(self)(self.first.expand(shape), self.then, self.sizes, given=given, validate_args=False)
        new._validate_args, new._parameter = self._validate_args, self._parameter
        if _instance is None:
            return new
        _instance.__dict__.update(new.__dict__)
        return cast(Self, _instance)

    @constraints.dependent_property(is_discrete=False, event_dim=1)
    def support(self) -> constraints.Constraint:
        """That of a, and that of b given a."""
        return _BothSupports(self)

    @property
    def noise_shape(self) -> torch.Size:
        """See :attr:`Reparameterized.noise_shape`: that of a, then that of b."""
        return torch.Size(self.batch_shape + self.event_shape)

    def from_noise(self, noise: Tensor) -> Tensor:
        """See :meth:`Reparameterized.from_noise`: a from the first ``D_a`` numbers, b from the others."""
        for_a, for_b = noise.split(self.sizes, -1)
        a = self.first.from_noise(for_a)
        return self._joined(a, self.conditional(a).from_noise(_rows(for_b, a.shape[:-1])))

    def _draw_noise(self, source: Source, sample_shape: torch.Size) -> Tensor:
        columns = _Columns(source, sample_shape, self.noise_shape)
        for_a = columns.take(self.first, self.sizes[0], sample_shape)
        # Which kind of noise b needs is known of its law only, and that is made from an a.
        a = self.first.from_noise(for_a)
        for_b = columns.take(self.conditional(a), self.sizes[1], torch.Size())
        return torch.cat([for_a, for_b.reshape(a.shape[:-1] + self.sizes[1:])], -1).detach()

    def _draw(self, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        a = self.first.rsample(sample_shape, generator=generator)
        return self._joined(a, self.conditional(a).rsample(generator=generator))

    def rsample_with_log_prob(
        self,
        sample_shape: int | Sequence[int] = (),
        *,
        generator: torch.Generator | None = None,
        noise: Tensor | Source | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draws and their log density in nats; ``then`` is asked once. See ``distributions.rsample_with_log_prob``."""
        shape = _to_size(sample_shape)
        drawn = self._noise_given(shape, generator, noise)
        for_a, for_b = (None, None) if drawn is None else drawn.split(self.sizes, -1)
        a, log_prob = rsample_with_log_prob(self.first, shape, generator=generator, noise=for_a)
        for_rows = None if for_b is None else _rows(for_b, a.shape[:-1])
        b, log_rest = rsample_with_log_prob(self.conditional(a), generator=generator, noise=for_rows)
        value = self._joined(a, b)
        return value, narrow(log_prob + log_rest.reshape(log_prob.shape), value, self._like)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats, ``log p(a) + log p(b | a)``."""
        leading = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        a, b = widen(value).expand(*leading, -1).split(self.sizes, -1)
        rest: Tensor = self.conditional(a).log_prob(_rows(b, leading))
        return narrow(self.first.log_prob(a) + rest.reshape(leading), value, self._like)

    def conditional(self, a: Tensor) -> Reparameterized | Independent:
        """The law of b given a, of rows.

        Shapes:
            a: ``[*sample_shape, *batch_shape, D_a]``; the law has batch shape ``[N]``, as many as a has rows.

        Raises:
            ParameterError: ``then`` gives no law of this package of that shape.
        """
        leading, old = a.shape[:-1], len(self.batch_shape)
        given = (_rows(value, leading, value.shape[old:]) for value in self.given)
        _, made = smooth_part("Chained: what then(a) gives", self.then(_rows(a, leading), *given))
        wanted = (leading.numel(),), (self.sizes[1],)
        if (made.batch_shape, made.event_shape) != wanted:
            raise ParameterError(
                f"Chained: then(a) must give a law with batch shape {wanted[0]} and event shape {wanted[1]}; got "
                f"{tuple(made.batch_shape)} and {tuple(made.event_shape)}. It is called with a of shape "
                f"{(leading.numel(), self.sizes[0])}; Independent(law, 1) makes a batch dimension one of the event"
            )
        return made

    def _joined(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.cat([a, b.reshape(a.shape[:-1] + self.sizes[1:])], -1).to(self._like.dtype)

    @property
    def _like(self) -> Tensor:
        return self._parameter


def _rows(value: Tensor, leading: torch.Size, row: torch.Size | None = None) -> Tensor:
    """``[*, *row]`` expanded to ``[*leading, *row]``, as rows ``[N, *row]``."""
    row = value.shape[-1:] if row is None else row
    return value.expand(leading + row).reshape(leading.numel(), *row)


class _BothSupports(constraints.Constraint):
    """What a vector of both can be."""

    is_discrete, event_dim = False, 1

    def __init__(self, law: Chained) -> None:
        self.law = law

    def check(self, value: Tensor) -> Tensor:
        """For each vector: is its first part in the support of a, and the second in that of b given a?"""
        a, b = value.split(self.law.sizes, -1)
        supports = [cast(constraints.Constraint, part.support) for part in (self.law.first, self.law.conditional(a))]
        good: Tensor = supports[0].check(a) & supports[1].check(_rows(b, a.shape[:-1])).reshape(a.shape[:-1])
        return good


class _Columns:
    """A source of noise whose vectors are shared out: whoever asks gets the coordinates after those of the last."""

    def __init__(self, source: Source, sample_shape: torch.Size, shape: torch.Size) -> None:
        self.source, self.sample_shape, self.shape = source, sample_shape, shape
        self.start, self.size, self.kind = 0, 0, ""

    def take(self, law: Reparameterized | Independent, size: int, sample_shape: torch.Size) -> Tensor:
        """The noise of this law, ``size`` coordinates."""
        self.size = size
        noise = law._draw_noise(self, sample_shape)
        self.start += size
        return noise

    def standard_normal(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`Source`."""
        return self._cut("standard normal", self.source.standard_normal, sample_shape + shape, like)

    def uniform(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`Source`."""
        return self._cut("uniform", self.source.uniform, sample_shape + shape, like)

    def _cut(self, kind: str, ask: Callable[..., Tensor], shape: torch.Size, like: Tensor) -> Tensor:
        if self.kind not in ("", kind):
            # A source with a seed would make both from the same random bits.
            raise ParameterError(
                f"Chained: a needs {self.kind} noise and b {kind}; one noise= cannot be both. Use generator="
            )
        self.kind = kind
        mine = ask(self.sample_shape, self.shape, like=like)[..., self.start : self.start + self.size]
        if mine.numel() != shape.numel():
            raise ParameterError(
                f"Chained: one draw of {self.size} numbers needs noise of shape {tuple(shape)}, which is not one "
                "number each. Use generator="
            )
        return mine.reshape(shape)
