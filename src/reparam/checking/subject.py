"""The law under examination, as a function of its parameters."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions.constraints import Constraint

from reparam import noise
from reparam.checking.tangent import Direction, directions
from reparam.errors import ParameterError

__all__ = ["Copies", "Density", "Subject", "Unavailable", "first_line", "quiet", "seeded"]

MAX_DIRECTIONS = 20
_COUNTS = 5, 7  # more than one, as a vector of the law may be of the same length
_CHUNK = 2_000_000  # numbers of one parameter in one backward pass


class Unavailable(Exception):
    """Something cannot be computed for this law; the text says why."""


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def seeded(seed: int, *stream: int | str) -> Iterator[None]:
    """Random numbers that follow from ``(seed, *stream)``; torch's global state is put back afterwards."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would import the compiler first, which takes seconds.
        torch.set_rng_state(noise.generator(seed, "check", *stream).get_state())
        yield


@contextmanager
def quiet(validate: bool) -> Iterator[None]:
    """Arguments of laws are validated or not; the default is put back afterwards."""
    before = td.Distribution._validate_args
    td.Distribution.set_default_validate_args(validate)
    try:
        yield
    finally:
        td.Distribution.set_default_validate_args(before)


def _copied(value: Tensor, count: int, width: int | None) -> Tensor:
    if width is None:
        return value
    return value.expand(count, *value.shape).reshape(count, *[1] * (width - value.dim()), *value.shape)


@dataclass(frozen=True)
class Copies:
    """A law with one copy of every parameter for each draw, so that one backward pass gives one gradient a draw."""

    law: td.Distribution
    leaves: dict[str, Tensor]
    along: tuple[Direction, ...]

    def gradients(self, output: Tensor, **options: Any) -> Tensor:
        """``[num_draws, num_directions]``: the gradient of output ``i`` along each direction, for copy ``i``."""
        gradients = torch.autograd.grad(output.sum(), list(self.leaves.values()), allow_unused=True, **options)
        named = dict(zip(self.leaves, gradients, strict=True))
        count = next(iter(self.leaves.values())).shape[0]
        columns = [
            output.new_zeros(count) if (found := named[way.parameter]) is None else _contract(found, way.step)
            for way in self.along
        ]
        return torch.stack(columns, -1) if columns else output.new_zeros(count, 0)

    def gradient(self, output: Tensor, way: Direction) -> Tensor:
        """The same along one direction; an error where the parameter has not been used at all."""
        (found,) = torch.autograd.grad(output.sum(), self.leaves[way.parameter], retain_graph=True)
        step = next(own.step for own in self.along if own.label == way.label)
        return _contract(found, step)


def _contract(gradient: Tensor, step: Tensor) -> Tensor:
    return (gradient * step).flatten(1).sum(1) if gradient.dim() > 1 else gradient * step


@dataclass(frozen=True)
class Density:
    """A log density with its derivatives: in the parameters (``score``) and in the value (``slope``)."""

    log_prob: Tensor  # [n]
    score: Tensor  # [n, directions]
    slope: Tensor  # the shape of the values


@dataclass(frozen=True)
class Subject:
    """A law as a function of parameters, all float64, with batch shape ``()``.

    Args:
        name: how the law is called.
        make: the law from its parameters by name.
        parameters: where it is examined.
        constraints: what is known of the parameters.
        seed: everything random follows from it.
    """

    name: str
    make: Callable[[Mapping[str, Tensor]], td.Distribution]
    parameters: dict[str, Tensor]
    constraints: dict[str, Constraint] = field(default_factory=dict)
    seed: int = 0

    def law(self, dtype: torch.dtype = torch.float64) -> td.Distribution:
        """The law itself."""
        return self.make({name: value.to(dtype) for name, value in self.parameters.items()})

    def at(self, **changes: Tensor) -> "Subject":
        """The same law at other parameters."""
        return replace(self, parameters={**self.parameters, **changes})

    @cached_property
    def sketch(self) -> td.Distribution:
        """The law, for looking at its shapes and support."""
        return self.law()

    @cached_property
    def is_discrete(self) -> bool:
        """Whether the law is one on isolated values."""
        try:
            return bool(self.sketch.support.is_discrete)  # type: ignore[union-attr]
        except (NotImplementedError, AttributeError):
            return False

    @cached_property
    def along(self) -> tuple[Direction, ...]:
        """In which directions the parameters are moved: at most ``MAX_DIRECTIONS``, chosen by the seed."""
        every = [
            way
            for name, value in self.parameters.items()
            if self._widths[name] is not None
            for way in directions(name, value, self.constraints.get(name))
        ]
        if len(every) > MAX_DIRECTIONS:
            order = noise.permutation(len(every), generator=noise.generator(self.seed, "check", "directions"))
            every = [every[index] for index in sorted(order[:MAX_DIRECTIONS].tolist())]
        return tuple(every)

    @cached_property
    def _widths(self) -> dict[str, int | None]:
        """How many dimensions each parameter needs behind the copies; None where the law takes it only once."""
        most = max((value.dim() for value in self.parameters.values()), default=0)
        options: list[int | None] = [0, most, None] if most else [0]
        for with_density in (True, False):
            for scalars in options:
                widths = {name: value.dim() or scalars for name, value in self.parameters.items()}
                if any(width is not None for width in widths.values()) and all(
                    self._broadcasts(widths, count, with_density) for count in _COUNTS
                ):
                    return widths
        raise ParameterError(
            f"{self.name}: a law made from parameters with one more dimension in front, of size n, must have batch "
            "shape (n,); this one has not. Write the function so that its parameters broadcast"
        )

    def _broadcasts(self, widths: Mapping[str, int | None], count: int, with_density: bool) -> bool:
        try:
            law = self.make({name: _copied(value, count, widths[name]) for name, value in self.parameters.items()})
            if law.batch_shape != (count,) or law.event_shape != self.sketch.event_shape:
                return False
            if not with_density:
                return True
            with seeded(self.seed, "shapes"), torch.no_grad():
                drawn = law.rsample() if self.has_rsample else law.sample()
            return drawn.shape == (count, *law.event_shape) and law.log_prob(drawn).shape == (count,)
        except Exception:  # noqa: BLE001  whatever a law raises when it does not broadcast
            return False

    def require_broadcasting(self) -> None:
        """Raise ParameterError where no law with a copy of the parameters for each draw can be made."""
        _ = self._widths

    @property
    def fixed(self) -> tuple[str, ...]:
        """Parameters that the law does not broadcast, so that no gradient of single draws is to be had."""
        return tuple(name for name, width in self._widths.items() if width is None)

    @cached_property
    def has_rsample(self) -> bool:
        """Whether ``rsample`` gives draws that move with a parameter, whatever the law says of itself."""
        if not self.parameters:
            return False
        if self.sketch.has_rsample:
            return True
        try:
            with seeded(self.seed, "has_rsample"):
                self.law().rsample()
        except (NotImplementedError, AttributeError):
            return False
        return True

    def copies(self, count: int, dtype: torch.dtype = torch.float64) -> Copies:
        """One law with ``count`` copies of every parameter: batch shape ``(count,)``."""
        leaves = {
            name: value.to(dtype).expand(count, *value.shape).clone().requires_grad_()
            for name, value in self.parameters.items()
            if self._widths[name] is not None
        }
        given = {name: value.to(dtype) for name, value in self.parameters.items()}
        for name, leaf in leaves.items():
            padding = [1] * ((self._widths[name] or 0) - leaf.dim() + 1)
            given[name] = leaf.reshape(count, *padding, *leaf.shape[1:])
        ways = tuple(replace(way, step=way.step.to(dtype)) for way in self.along)
        return Copies(self.make(given), leaves, ways)

    def affordable(self, count: int) -> int:
        """At most ``count`` draws, and no more than memory and a few seconds allow."""
        largest = max(
            [1, *(value.numel() for value in self.parameters.values()), torch.Size(self.sketch.event_shape).numel()]
        )
        return max(1000, min(count, 5 * _CHUNK // largest))

    def draw(self, count: int, *stream: int | str, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Copies]:
        """``count`` differentiable draws, each with its own copy of the parameters."""
        copies = self.copies(count, dtype)
        with seeded(self.seed, *stream):
            return copies.law.rsample(), copies

    def sample(self, count: int, *stream: int | str, dtype: torch.dtype = torch.float64) -> Tensor:
        """``count`` draws without gradient."""
        law = self.law(dtype)
        with seeded(self.seed, *stream), torch.no_grad():
            return law.sample(torch.Size((count,)))

    def density(self, values: Tensor) -> Density:
        """Log density at each value, with its derivatives.

        Raises:
            Unavailable: there is no ``log_prob``, or it has no gradient.
        """
        values = values.detach().double().requires_grad_()
        copies = self.copies(len(values))
        try:
            log_prob = copies.law.log_prob(values)
        except (NotImplementedError, AttributeError, RuntimeError, ValueError) as error:
            raise Unavailable(f"log_prob raises {type(error).__name__}: {error}") from None
        if log_prob.shape != (len(values),):
            raise Unavailable(f"log_prob of {len(values)} draws has shape {tuple(log_prob.shape)}")
        if not log_prob.requires_grad:
            raise Unavailable("log_prob has no gradient")
        try:
            (slope,) = torch.autograd.grad(log_prob.sum(), values, allow_unused=True, retain_graph=True)
            score = copies.gradients(log_prob)
        except (RuntimeError, NotImplementedError) as error:
            raise Unavailable(f"log_prob has no gradient: {error}") from None
        return Density(log_prob.detach(), score, torch.zeros_like(values) if slope is None else slope)

    def shown(self) -> dict[str, Any]:
        """The parameters as plain numbers and lists."""
        return {name: value.tolist() for name, value in self.parameters.items()}
