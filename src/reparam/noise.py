"""Where randomness enters: base noise with no parameters, and the generators that make it repeatable.

Base noise is standard normal or uniform on (0, 1). It depends on shapes, never on parameters; what a law
makes of it is deterministic (``reparam.reparameterize``). No other module of the package draws random
numbers: that is why all of it is in this one file, long as it is, half of it docstrings.

A *source* decides how the draws of one call relate to each other: :class:`Iid` (independent),
:class:`Antithetic` (pairs that mirror each other) or :class:`Sobol` (points that fill space evenly).
``law.rsample(noise=source)`` takes any of them. Antithetic and Sobol sources hold a seed and no state: the
same source gives the same noise each time it is asked for the same shape. That is what common random numbers
need, and it is why two laws that must be independent need two different seeds, and why a training loop needs
a new seed each step.

Half precision parameters get float32 normals: their laws compute in float32 and round once, at the end. Uniform noise
is float64 whatever the law's dtype: near 1 a float32 has no numbers closer than 6e-8, and a tail cut there is a tail
that no quantile can bring back.

A few draws depend on a parameter and are made here too, as torch makes them natively (:func:`bernoulli`,
:func:`binomial`, :func:`categorical`, :func:`poisson`, :func:`standard_gamma`). They carry no gradient.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from reparam.errors import ParameterError

__all__ = [
    "Antithetic",
    "Iid",
    "Sobol",
    "Source",
    "bernoulli",
    "binomial",
    "categorical",
    "generator",
    "permutation",
    "poisson",
    "seed_global",
    "standard_gamma",
    "standard_normal",
    "uniform",
]


_BITS_OF_ONE = 1023 << 52


def generator(seed: int, *stream: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A new generator whose numbers are a function of ``(seed, *stream)`` alone.

    The seed is the beginning of SHA-256 of the JSON text of ``[seed, *stream]``, so streams of nearby seeds
    and indices are unrelated, and a run that stops and goes on needs no saved generator state: it asks for
    ``generator(seed, "noise", step)`` again. On the CPU torch keeps 32 bits of a seed: among ``n`` streams,
    two equal ones are expected about ``n**2 / 2**33`` times.

    Args:
        seed: the run's seed, any integer.
        stream: what the numbers are for, and an index: ``("shuffle", epoch)``.
        device: where the generator lives; numbers differ between kinds of device.

    Raises:
        ParameterError: ``seed`` or a part of ``stream`` is neither an integer nor (in ``stream``) a string.

    Example:
        >>> a, b = generator(0, "noise", 3), generator(0, "noise", 3)
        >>> bool((standard_normal((2,), like=torch.zeros(()), generator=a)
        ...       == standard_normal((2,), like=torch.zeros(()), generator=b)).all())
        True
    """
    made = torch.Generator(device)
    made.manual_seed(_seed(seed, *stream))
    return made


def seed_global(seed: int, *stream: int | str) -> None:
    """Seed torch's global generator from ``(seed, stream)``: for initialising weights and for networks with dropout.

    Callers put the state back (``torch.random.fork_rng``).
    """
    torch.manual_seed(_seed(seed, *stream))


def seed_from(generator: torch.Generator | None) -> int:
    """A seed drawn from a generator (torch's default one if ``None``): for a :class:`Source`, which has no state.

    Raises:
        ParameterError: ``generator`` is not a ``torch.Generator``.
    """
    device = torch.device("cpu") if generator is None else _device(torch.empty(0), generator)
    return int(torch.randint(2**62, (), generator=generator, device=device))


def standard_normal(shape: Sequence[int], *, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Independent draws from N(0, 1).

    On the CPU torch makes float32 normals from 24 random bits: none lies beyond ±5.8 (two-sided probability
    8e-9).

    Args:
        shape: shape of the result.
        like: gives device and dtype (float32 for half types).
        generator: torch's default generator if None. With a generator of another device the draws are made
            there and moved, so that one CPU generator gives the same numbers everywhere.

    Raises:
        ParameterError: ``generator`` is not a ``torch.Generator``.

    Example:
        >>> standard_normal((2, 3), like=torch.zeros(()), generator=generator(0)).shape
        torch.Size([2, 3])
    """
    device = _device(like, generator)
    return torch.randn(tuple(shape), generator=generator, dtype=_dtype(like), device=device).to(like.device)


def uniform(shape: Sequence[int], *, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Independent draws from the open interval (0, 1), in float64: never 0, never 1.

    Drawn from the middles of 2^52 equal cells: the smallest possible draw is 2^-53, the largest 1 - 2^-53, and
    ``1 - u`` is exact, so a quantile written from the smaller of both sees both tails. torch's float32 lattice has 2^24
    points and contains 0.

    Args:
        shape: shape of the result.
        like: gives the device.
        generator: as for :func:`standard_normal`.

    Raises:
        ParameterError: ``generator`` is not a ``torch.Generator``.

    Example:
        >>> u = uniform((1000,), like=torch.zeros(()), generator=generator(0))
        >>> bool(((u > 0) & (u < 1)).all()), u.dtype
        (True, torch.float64)
    """
    device = _device(like, generator)
    # A compiler that does not know the shape yet refuses generator=None.
    given: dict[str, Any] = {} if generator is None else {"generator": generator}
    cell = torch.randint(2**52, tuple(shape), device=device, **given)
    # The cell is the fraction of a float64 in [1, 2): put in place, without another array, which would cost as much as
    # the draw.
    return cell.bitwise_or_(_BITS_OF_ONE).view(torch.float64).sub_(1 - 2.0**-53).to(like.device)


def bernoulli(probabilities: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Independent zeros and ones, of the shape and dtype of ``probabilities`` (in [0, 1]); no gradient.

    Half types are compared in float32, so a probability is not rounded a second time.

    Raises:
        ParameterError: ``generator`` is not a ``torch.Generator``.

    Example:
        >>> bernoulli(torch.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """
    device = _device(probabilities, generator)
    chances = probabilities.detach().to(device=device, dtype=_dtype(probabilities))
    return torch.bernoulli(chances, generator=generator).to(probabilities)


def binomial(total_count: Tensor, probabilities: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Independent numbers of successes in ``total_count`` trials; no gradient.

    Args:
        total_count: whole numbers >= 0; any shape.
        probabilities: in [0, 1]; shape and dtype of ``total_count``, and of the result.
        generator: as for :func:`standard_normal`.

    Raises:
        ParameterError: ``generator`` is not a ``torch.Generator``.

    Example:
        >>> binomial(torch.tensor([3.0, 3.0]), torch.tensor([0.0, 1.0]))
        tensor([0., 3.])
    """
    device = _device(total_count, generator)
    count, chance = (part.detach().to(device=device, dtype=_dtype(part)) for part in (total_count, probabilities))
    return torch.binomial(count, chance, generator=generator).to(total_count)


def categorical(weights: Tensor, num_draws: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Independent classes ``0 .. K - 1`` with these probabilities, with replacement; no gradient.

    Drawn by the sums of the weights in float64, so classes of small probability keep theirs.

    Args:
        weights: >= 0, not all 0, need not sum to 1; shape ``[*batch_shape, K]``.
        num_draws: how many for each element of the batch.
        generator: as for :func:`standard_normal`.

    Returns:
        int64, shape ``[num_draws, *batch_shape]``.

    Raises:
        ParameterError: ``generator`` is not a ``torch.Generator``.

    Example:
        >>> categorical(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]), 3)
        tensor([[1, 2],
                [1, 2],
                [1, 2]])
    """
    device, batch_shape = _device(weights, generator), weights.shape[:-1]
    if num_draws == 0 or batch_shape.numel() == 0:
        return torch.empty((num_draws, *batch_shape), dtype=torch.int64, device=weights.device)
    rows = weights.detach().to(device=device, dtype=torch.float64).reshape(-1, weights.shape[-1])
    drawn = torch.multinomial(rows, num_draws, replacement=True, generator=generator)
    return drawn.T.reshape(num_draws, *batch_shape).to(weights.device)


def poisson(rate: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Independent Poisson counts of the shape and dtype of ``rate``; no gradient.

    Above a rate of 2^62 the count is the rate itself: it would differ from it by less than a part in 1e8, and torch,
    which counts in int64, gives a negative number there. A count too large for the dtype is its largest number.

    Args:
        rate: >= 0; any shape.
        generator: as for :func:`standard_normal`.

    Raises:
        ParameterError: ``generator`` is not a ``torch.Generator``.

    Example:
        >>> poisson(torch.tensor([0.0, 1e30]))
        tensor([0.0000e+00, 1.0000e+30])
    """
    device = _device(rate, generator)
    wide = rate.detach().to(device=device, dtype=_dtype(rate))
    counts = torch.poisson(wide.clamp(max=2.0**62), generator=generator)
    return torch.where(wide < 2.0**62, counts, wide).clamp(max=torch.finfo(rate.dtype).max).to(rate)


def standard_gamma(concentration: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Independent draws from Gamma(concentration, 1), in two factors that do not underflow; no gradient.

    Returns ``(g, e)``: the draw is ``g · exp(-e / concentration)``, and its logarithm ``log g - e / concentration`` is
    exact however small the concentration is. Here g follows Gamma(concentration + 1, 1), e is standard exponential, and
    the product is a draw by Stuart's theorem (1962). Shape of ``concentration``; float32 for half types.

    Args:
        concentration: positive; any shape.
        generator: as for :func:`standard_normal`.

    Raises:
        ParameterError: ``generator`` is not a ``torch.Generator``.

    Example:
        >>> concentration = torch.tensor(1e-6)
        >>> g, e = standard_gamma(concentration, generator=generator(0))
        >>> bool(g > 0), bool((g.log() - e / concentration).isfinite())
        (True, True)
    """
    device = _device(concentration, generator)
    wide = concentration.detach().to(device=device, dtype=_dtype(concentration))
    g = torch._standard_gamma(wide + 1, generator=generator)
    # Faster than torch's exponential_, whose float32 tail has 24 bits.
    e = uniform(wide.shape, like=wide, generator=generator).log_().neg_()
    return g.to(concentration.device), e.to(concentration.device, g.dtype)


def permutation(n: int, *, generator: torch.Generator) -> Tensor:
    """The numbers ``0 .. n - 1`` in random order: int64, shape ``[n]``, on the generator's device.

    Raises:
        ParameterError: ``generator`` is not a ``torch.Generator``.

    Example:
        >>> sorted(permutation(4, generator=generator(0, "shuffle", 1)).tolist())
        [0, 1, 2, 3]
    """
    _require_generator(generator)
    return torch.randperm(n, generator=generator, device=generator.device)


@runtime_checkable
class Source(Protocol):
    """Anything that makes base noise of shape ``[*sample_shape, *shape]``; ``like`` gives device and dtype.

    ``sample_shape`` counts the draws, ``shape`` is the noise of one draw (batch and event). A law calls the
    method of the noise it needs.
    """

    def standard_normal(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """Noise that is N(0, 1) in every element."""

    def uniform(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """Noise that is uniform on the open interval (0, 1) in every element."""


@dataclass(frozen=True)
class Iid:
    """Independent draws, from ``generator`` or torch's default one: what a law uses unless told so.

    Example:
        >>> Iid(generator(0)).uniform(torch.Size([4]), torch.Size([2]), like=torch.zeros(())).shape
        torch.Size([4, 2])
    """

    generator: torch.Generator | None = None

    def standard_normal(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`Source`."""
        return standard_normal(sample_shape + shape, like=like, generator=self.generator)

    def uniform(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`Source`."""
        return uniform(sample_shape + shape, like=like, generator=self.generator)


@dataclass(frozen=True)
class Antithetic:
    """Draws in mirrored pairs: the second half of the first sample dimension is -ε or 1-u of the first half.

    Every draw has the right law; an odd number leaves the middle draw unpaired. The mean of a function that
    is monotone in the noise has a smaller variance than with independent draws (Hammersley & Morton 1956).

    Raises (when drawing):
        ParameterError: there is no sample dimension to mirror, or ``seed`` is not an integer.

    Example:
        >>> drawn = Antithetic(0).standard_normal(torch.Size([4]), torch.Size([]), like=torch.zeros(()))
        >>> bool((drawn[:2] == -drawn[2:]).all())
        True
    """

    seed: int

    def standard_normal(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`Source`."""
        first = self._first_half(sample_shape, shape)
        drawn = standard_normal(first, like=like, generator=generator(self.seed, "antithetic"))
        return torch.cat([drawn, -drawn[: sample_shape[0] - first[0]]])

    def uniform(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`Source`."""
        first = self._first_half(sample_shape, shape)
        drawn = uniform(first, like=like, generator=generator(self.seed, "antithetic"))
        return torch.cat([drawn, 1 - drawn[: sample_shape[0] - first[0]]])

    def _first_half(self, sample_shape: torch.Size, shape: torch.Size) -> tuple[int, ...]:
        if not sample_shape:
            raise ParameterError(
                "antithetic draws come in pairs, but sample_shape=() asks for a single one; "
                "ask for at least two, e.g. rsample((2,), noise=Antithetic(seed))"
            )
        return (-(-sample_shape[0] // 2), *sample_shape[1:], *shape)


@dataclass(frozen=True)
class Sobol:
    """Draws that fill space evenly: a scrambled Sobol sequence, one dimension for each element of one draw.

    Each draw alone has the right law (random linear scrambling and a digital shift, Matoušek 1998); together
    their mean converges nearly as 1/n for smooth functions, instead of 1/√n. Balanced for powers of two.
    Normal noise is the inverse normal CDF of the points. The points are made on the CPU, in float64, with 30
    bits.

    Raises (when drawing):
        ParameterError: one draw has more than 21201 elements, or ``seed`` is not an integer.

    Example:
        >>> u = Sobol(0).uniform(torch.Size([8]), torch.Size([2]), like=torch.zeros(()))
        >>> sorted((u[:, 0] * 8).floor().int().tolist())
        [0, 1, 2, 3, 4, 5, 6, 7]
    """

    seed: int
    most_dimensions: ClassVar[int] = int(SobolEngine.MAXDIM)

    def standard_normal(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`Source`."""
        points: Tensor = torch.special.ndtri(self._points(sample_shape, shape))
        return points.to(dtype=_dtype(like)).to(like.device)

    def uniform(self, sample_shape: torch.Size, shape: torch.Size, *, like: Tensor) -> Tensor:
        """See :class:`Source`."""
        return self._points(sample_shape, shape).to(like.device)

    def _points(self, sample_shape: torch.Size, shape: torch.Size) -> Tensor:
        draws, dimensions = math.prod(sample_shape), math.prod(shape)
        if dimensions > self.most_dimensions:
            raise ParameterError(
                f"Sobol noise has at most {self.most_dimensions} dimensions, but one draw of shape "
                f"{tuple(shape)} needs {dimensions}; use noise=Antithetic(seed) or independent draws"
            )
        if draws * dimensions == 0:
            return torch.empty(sample_shape + shape, dtype=torch.float64)
        engine = SobolEngine(dimensions, scramble=True, seed=_seed(self.seed, "sobol"))
        # The points are multiples of 2^-30 and may be 0: the middle of each cell never is.
        points: Tensor = engine.draw(draws, dtype=torch.float64) + 2.0**-31
        return points.reshape(sample_shape + shape)


def _seed(seed: int, *stream: int | str) -> int:
    for part in (seed, *stream):
        if isinstance(part, bool) or not isinstance(part, (int, str)) or isinstance(seed, str):
            raise ParameterError(
                f"a seed is an integer and a stream consists of integers and strings; got {part!r} "
                f"({type(part).__name__})"
            )
    text = json.dumps([seed, *stream])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _dtype(like: Tensor) -> torch.dtype:
    return torch.promote_types(like.dtype, torch.float32)


def _device(like: Tensor, generator: torch.Generator | None) -> torch.device:
    if generator is None:
        return like.device
    _require_generator(generator)
    return generator.device


def _require_generator(generator: torch.Generator) -> None:
    if not isinstance(generator, torch.Generator):
        raise ParameterError(
            f"generator must be a torch.Generator; got {generator!r} ({type(generator).__name__}). "
            "Make one from a seed with reparam.noise.generator(seed)"
        )
