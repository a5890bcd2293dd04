"""Inverse CDF sampling, where the CDF is known and its inverse is not: a function, or a table."""

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor

from reparam import noise
from reparam.errors import SamplerError
from reparam.estimators.base import wants_gradient
from reparam.reparameterize import implicit
from reparam.samplers.table import MonotoneTable

__all__ = ["InverseCdf"]

Function = Callable[[Tensor], Tensor]
_NUDGE = 4 * torch.finfo(torch.float64).eps  # by how much a Newton step is made longer
_MOST = 140  # evaluations of the CDF: a bisection over all float64 takes 64, and every second step may be one


class InverseCdf:
    """Draws ``y = F⁻¹(u)``, u uniform on (0, 1), from a CDF that can be evaluated but not inverted.

    The quantile is the smallest y with ``F(y) >= u``, to the last bits that the CDF has in float64: a bracket that is
    halved in the order of the floating-point numbers, so that it needs no scale, and Newton steps where F has a slope.
    A jump of F is an atom, drawn with the probability of its height; a stretch where F is flat is never drawn. What F
    cannot tell apart close to 1, within about 1e-16, the draws cannot either.

    The gradient of :meth:`rsample` is implicit, ``∂y/∂θ = -(∂F/∂θ) / p(y)``, in whatever parameters ``cdf`` holds.

    Args:
        cdf: F, elementwise: float64 tensors ``[*sample_shape, *batch_shape]`` to probabilities of that shape; never
            falling. Differentiable in its parameters, for :meth:`rsample`.
        density: F', in the same way; None differentiates ``cdf`` in y, where it can be.
        low: no draw is below; -inf for no end. A number or ``[*batch_shape]``.
        high: no draw is above; as ``low``.
        batch_shape: how many laws ``cdf`` holds.
        dtype: of the draws; torch's default dtype if None.

    Raises:
        SamplerError: ``cdf`` is no function, or the ends are not in order.

    Example:
        >>> rate = torch.tensor([0.5, 2.0], requires_grad=True)
        >>> sampler = InverseCdf(lambda y: -torch.expm1(-rate * y), low=0.0, batch_shape=(2,))
        >>> sampler.icdf(torch.tensor(0.5))  # log 2 / rate
        tensor([1.3863, 0.3466])
        >>> y = sampler.rsample((5,), generator=torch.Generator().manual_seed(0))
        >>> torch.allclose(torch.autograd.grad(y.sum(), rate)[0], -y.sum(0) / rate)
        True
        >>> table = InverseCdf.from_table(torch.tensor([0.0, 1.0, 4.0]), torch.tensor([0.0, 0.3, 1.0]))
        >>> table.icdf(torch.tensor([0.0, 0.3, 1.0]))
        tensor([0., 1., 4.])

    Source: Devroye, Non-Uniform Random Variate Generation (1986), chapter II.2.
    """

    def __init__(
        self,
        cdf: Function,
        *,
        density: Function | None = None,
        low: Tensor | float = -torch.inf,
        high: Tensor | float = torch.inf,
        batch_shape: Sequence[int] = (),
        dtype: torch.dtype | None = None,
    ) -> None:
        if not callable(cdf):
            raise SamplerError(f"cdf must be a function of y; got {cdf!r}. For a table use InverseCdf.from_table")
        self.batch_shape, self.dtype = torch.Size(batch_shape), dtype or torch.get_default_dtype()
        self._cdf, self._density = cdf, density
        ends = [torch.as_tensor(end).detach().double() for end in (low, high)]
        largest = torch.finfo(torch.float64).max
        self._low, self._high = (end.clamp(-largest, largest).expand(self.batch_shape) for end in ends)
        if not bool((self._low < self._high).all()):
            raise SamplerError(f"low must be below high everywhere; got low={low}, high={high}")
        self._table: MonotoneTable | None = None

    @classmethod
    def from_table(cls, grid: Tensor, values: Tensor, *, dtype: torch.dtype | None = None) -> Self:
        """Of a CDF that is known at some knots: exact there, a monotone cubic between them; no draw is outside.

        Args:
            grid: the knots, strictly rising; shape ``[*batch_shape, K]``, K >= 2.
            values: the CDF there, from 0 to 1, never falling; broadcasts against ``grid``.
            dtype: of the draws; that of ``grid`` if None.

        Raises:
            SamplerError: they are no such table; the message names the index.
        """
        table = MonotoneTable(grid, values)
        low, high = table.ends
        shape, dtype = table.batch_shape, dtype or grid.dtype
        made = cls(table.cdf, density=table.density, low=low, high=high, batch_shape=shape, dtype=dtype)
        made._table = table
        return made

    def cdf(self, y: Tensor) -> Tensor:
        """F(y), for y of shape ``[*sample_shape, *batch_shape]``, in float64.

        Raises:
            SamplerError: it has another shape than y, or is NaN.
        """
        values = self._cdf(y.double())
        if not isinstance(values, Tensor) or values.shape != y.shape:
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise SamplerError(f"cdf must return one probability for each y, of shape {tuple(y.shape)}; got {shape}")
        if bool(values.isnan().any()):
            place = y[values.isnan()].flatten()[0].item()
            raise SamplerError(f"cdf is NaN at y = {place:.9g}; say where the law ends: low=, high=")
        return values.double()

    def icdf(self, probability: Tensor) -> Tensor:
        """The smallest y with ``F(y) >= probability``, to rounding; ``[*sample_shape, *batch_shape]``, no gradient.

        Raises:
            SamplerError: a probability is not in [0, 1].
        """
        levels = probability.detach().double()
        if not bool(((levels >= 0) & (levels <= 1)).all()):
            raise SamplerError("a probability must be in [0, 1]")
        levels = levels.expand(torch.broadcast_shapes(levels.shape, self.batch_shape)).contiguous()
        return self._solve(levels).to(self.dtype)

    def sample(self, sample_shape: Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Draws without gradient, shape ``[*sample_shape, *batch_shape]``."""
        return self._draw(sample_shape, generator).to(self.dtype)

    def rsample(self, sample_shape: Sequence[int] = (), *, generator: torch.Generator | None = None) -> Tensor:
        """Draws that move with the parameters of the CDF, shape ``[*sample_shape, *batch_shape]``.

        Raises:
            SamplerError: no gradient exists: the CDF does not depend on anything that wants one, or the density is
                unknown or 0 at a draw (an atom, a flat stretch).
        """
        draws = self._draw(sample_shape, generator)
        if not torch.is_grad_enabled():
            return draws.to(self.dtype)
        if not wants_gradient(self.cdf(draws)):
            raise SamplerError(
                "no gradient exists: what cdf returns depends on no tensor that wants one, or is cut off from it "
                "(numpy, detach); use sample() for draws without gradient"
            )
        density = self._slope(draws)
        if not bool(((density > 0) & density.isfinite()).all()):
            raise SamplerError(
                "no gradient exists: the density is not positive and finite at a draw (the CDF has a jump or a flat "
                "stretch there); use sample() and an estimator that does not move the draws"
            )
        return implicit(draws, self.cdf, lambda _: density).to(self.dtype)

    def _draw(self, sample_shape: Sequence[int], generator: torch.Generator | None) -> Tensor:
        shape = torch.Size(sample_shape) + self.batch_shape
        return self._solve(noise.uniform(shape, like=self._low, generator=generator))

    def _slope(self, y: Tensor) -> Tensor:
        """The density at y, without gradient."""
        if self._density is not None:
            return self._density(y).detach().double()
        with torch.enable_grad():
            y = y.detach().requires_grad_()
            values = self.cdf(y)
            if values.requires_grad:
                (slope,) = torch.autograd.grad(values.sum(), y, allow_unused=True)
                if slope is not None:
                    return slope
        raise SamplerError("cdf cannot be differentiated in y; give its derivative as density=")

    def _solve(self, levels: Tensor) -> Tensor:
        with torch.no_grad():
            if self._table is None:
                low, high = self._low.expand_as(levels), self._high.expand_as(levels)
                at_high = self.cdf(high) < levels
            else:
                low, high = self._table.cell(levels)
                at_high = self.cdf(high) <= levels  # the knot itself, not what rounds to it
            at_low = self.cdf(low) >= levels
            low, high = torch.where(at_high, high, low), torch.where(at_low & ~at_high, low, high)
            best, off = low, torch.full_like(levels, torch.inf)
            for step in range(_MOST):
                point = _between(low, high)
                if bool((point == low).all()):  # neighbours: nothing is between
                    break
                if step % 2:
                    point, low, high = self._newton(best, off, levels, low, high, point)
                residual = self.cdf(point) - levels
                inside, below = low < high, residual < 0
                low, high = torch.where(inside & below, point, low), torch.where(inside & ~below, point, high)
                closer = residual.abs() < off.abs()
                best, off = torch.where(closer, point, best), torch.where(closer, residual, off)
            return high

    def _newton(
        self, best: Tensor, off: Tensor, levels: Tensor, low: Tensor, high: Tensor, otherwise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A step from the best point so far, where it stays within the bracket, and the bracket.

        That closes on a point where F is the level, to rounding, and rises.
        """
        try:
            slope = self._slope(best).nan_to_num(0.0, 0.0, 0.0)
        except SamplerError:
            return otherwise, low, high
        rises = slope > 0
        slope = torch.where(rises, slope, 1.0)
        # A little further than the rounding of y and F, so that near the root the step ends beyond it.
        further = _NUDGE * (best.abs() + levels / slope)
        point = best - off / slope + torch.where(off < 0, further, -further)
        found = rises & (off.abs() <= _NUDGE / 2 * levels) & (low < high)
        low, high = torch.where(found, best, low), torch.where(found, best, high)
        return torch.where(rises & (point > low) & (point < high), point, otherwise), low, high


def _between(low: Tensor, high: Tensor) -> Tensor:
    """The number half way between two float64, counted in numbers: ``low`` if they are equal or neighbours."""
    first, last = _rank(low), _rank(high)
    return _unrank((first >> 1) + (last >> 1) + (first & last & 1))


def _rank(x: Tensor) -> Tensor:
    """The place of a float64 in the order of all of them: the bits, with those of the negative ones turned round."""
    bits = (x + 0.0).contiguous().view(torch.int64)
    return torch.where(bits < 0, -(bits & (2**63 - 1)), bits)


def _unrank(rank: Tensor) -> Tensor:
    value = rank.abs().view(torch.float64)
    return torch.where(rank < 0, -value, value)
