"""A CDF from a table: a monotone curve through its knots, with a continuous density."""

import torch
from torch import Tensor

from reparam.errors import SamplerError

__all__ = ["MonotoneTable"]

_ROUNDING = 1e-6  # how far the ends of a table may be from 0 and 1


class MonotoneTable:
    """``F(y)`` by monotone cubic interpolation: exact at the knots, rising and flat where the table is.

    Between two knots a cubic in Hermite form whose slopes at the knots are the weighted harmonic means of those of the
    two sides, 0 where one of them is flat. Differentiable in grid and values almost everywhere.

    Args:
        grid: where the CDF is known, strictly rising; shape ``[*batch, K]``, K >= 2.
        values: the CDF there, from 0 to 1, never falling; broadcasts against ``grid``.

    Raises:
        SamplerError: they are no such table; the message names the index.

    Source: Fritsch & Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300-304.
    """

    def __init__(self, grid: Tensor, values: Tensor) -> None:
        for name, tensor in (("grid", grid), ("values", values)):
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.dim() == 0:
                raise SamplerError(f"{name} must be a floating-point tensor of shape [*batch, K]; got {tensor!r}")
        try:
            grid, values = torch.broadcast_tensors(grid, values)
        except RuntimeError as error:
            raise SamplerError(f"grid and values do not go together: {error}") from None
        if grid.shape[-1] < 2:
            raise SamplerError(f"a table needs at least two knots; got {grid.shape[-1]}")
        _check(grid.detach(), values.detach())
        self._grid, self._values = grid.double(), values.double()
        self._rise = self._values.diff(dim=-1)
        self._width = self._grid.diff(dim=-1)
        self._slopes = _slopes(self._width, self._rise / self._width)
        self.batch_shape = grid.shape[:-1]

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """The first and the last knot, ``[*batch]``."""
        return self._grid[..., 0].detach(), self._grid[..., -1].detach()

    def cell(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """The two knots between which the CDF reaches ``levels``, of shape ``[*sample_shape, *batch]``."""
        grid, values = self._grid.detach(), self._values.detach()
        index = _search(values, levels, right=False).clamp(1, grid.shape[-1] - 1)
        return _at(grid, index - 1), _at(grid, index)

    def cdf(self, y: Tensor) -> Tensor:
        """F, for y of shape ``[*sample_shape, *batch]``."""
        place, index = self._place(y)
        start, rise, width = (_at(part, index) for part in (self._values, self._rise, self._width))
        left, right = _at(self._slopes, index) * width, _at(self._slopes, index + 1) * width
        # From the nearer knot, so that the value at a knot is the knot's.
        from_left = start + place * (left + place * (3 * rise - 2 * left - right + place * (left + right - 2 * rise)))
        rest = 1 - place
        end = _at(self._values, index + 1)
        from_right = end - rest * (right + rest * (3 * rise - left - 2 * right + rest * (left + right - 2 * rise)))
        return torch.where(place < 0.5, from_left, from_right)

    def density(self, y: Tensor) -> Tensor:
        """F', of the shape of y."""
        place, index = self._place(y)
        rise, width = _at(self._rise, index), _at(self._width, index)
        left, right = _at(self._slopes, index), _at(self._slopes, index + 1)
        rest = 1 - place
        return left * rest * (1 - 3 * place) + right * place * (1 - 3 * rest) + 6 * place * rest * rise / width

    def _place(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Where in its cell y lies, from 0 to 1, and the index of the cell."""
        y = y.double()
        index = (_search(self._grid.detach(), y.detach(), right=True) - 1).clamp(0, self._width.shape[-1] - 1)
        return ((y - _at(self._grid, index)) / _at(self._width, index)).clamp(0, 1), index


def _check(grid: Tensor, values: Tensor) -> None:
    for name, tensor in (("grid", grid), ("values", values)):
        _refuse(~tensor.isfinite(), tensor, f"{name} must be finite")
    _refuse(_after(grid.diff(dim=-1) <= 0), grid, "grid must rise strictly, and does not from the knot before")
    _refuse(_after(values.diff(dim=-1) < 0), values, "values must never fall, and do from the knot before")
    for place, end in ((0, 0.0), (-1, 1.0)):
        off = (values[..., place] - end).abs() > _ROUNDING
        if off.any():
            raise SamplerError(
                f"values must go from 0 to 1, and the {'first' if place == 0 else 'last'} is "
                f"{values[..., place][off][0].item():.6g}; add a knot where the CDF is {end:.0f}"
            )


def _after(bad: Tensor) -> Tensor:
    """A mask of intervals as one of their right ends."""
    return torch.cat([torch.zeros_like(bad[..., :1]), bad], -1)


def _refuse(bad: Tensor, tensor: Tensor, what: str) -> None:
    if bad.any():
        index = tuple(int(part) for part in bad.nonzero()[0])
        where = index[0] if len(index) == 1 else index
        raise SamplerError(f"{what}: at index {where} it is {tensor[index].item():.9g}")


def _slopes(width: Tensor, secant: Tensor) -> Tensor:
    """The derivative at each knot, ``[*batch, K]``."""
    before, after = secant[..., :-1], secant[..., 1:]
    weight = (width[..., :-1] + 2 * width[..., 1:]) / (3 * (width[..., :-1] + width[..., 1:]))
    flat = (before <= 0) | (after <= 0)
    mean = weight * torch.where(flat, 1.0, after) + (1 - weight) * torch.where(flat, 1.0, before)
    inner = torch.where(flat, 0.0, before * after / mean)
    # At the ends, twice the secant less the slope at the other side of the cell: a parabola, kept monotone.
    if inner.shape[-1] == 0:
        return torch.cat([secant, secant], -1)
    first, last = secant[..., :1], secant[..., -1:]
    first = (1.5 * first - 0.5 * inner[..., :1]).clamp(min=0).minimum(3 * first)
    last = (1.5 * last - 0.5 * inner[..., -1:]).clamp(min=0).minimum(3 * last)
    return torch.cat([first, inner, last], -1)


def _search(rows: Tensor, wanted: Tensor, right: bool) -> Tensor:
    """``searchsorted`` of numbers ``[*sample_shape, *batch]`` in rows ``[*batch, K]``; of the shape of the numbers."""
    batch_shape = rows.shape[:-1]
    flat = wanted.reshape(-1, batch_shape.numel()).T.contiguous()
    found = torch.searchsorted(rows.reshape(-1, rows.shape[-1]).contiguous(), flat, right=right)
    return found.T.reshape(wanted.shape)


def _at(rows: Tensor, index: Tensor) -> Tensor:
    """``rows[..., index]`` for rows ``[*batch, K]`` and an index ``[*sample_shape, *batch]``."""
    batch_shape = rows.shape[:-1]
    flat = index.reshape(-1, batch_shape.numel()).T
    return rows.reshape(-1, rows.shape[-1]).gather(-1, flat).T.reshape(index.shape)
