"""Between the user's units and the model's: ``model = (raw - offset) / scale``, fitted on training rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reparam.data.schema import Schema
from reparam.errors import DataError, UsageError

__all__ = ["Scaling"]

_MAX_GAP_VALUES = 2**20


@dataclass(frozen=True)
class Scaling:
    """An affine map a column (tables), a channel (real images) or one for all values (data with levels).

    Args:
        offset: in the data's units.
        scale: in the data's units, positive.
        resolution: the smallest gap between distinct training values, in model units: nothing finer was
            measured, so it is a floor for the scale of a Gaussian. 0 where it was not looked for.

    Example:
        >>> schema = Schema("image", (1, 1, 2), levels=256)
        >>> scaling = Scaling.fit(np.array([[[[0, 255]]]], dtype=np.uint8), schema)
        >>> scaling.apply(np.array([[[[0, 51]]]], dtype=np.uint8))
        array([[[[0. , 0.2]]]], dtype=float32)
    """

    offset: tuple[float, ...]
    scale: tuple[float, ...]
    resolution: tuple[float, ...]

    @classmethod
    def fit(cls, values_train: np.ndarray[Any, Any], schema: Schema) -> "Scaling":
        """The scaling for a schema, from its training rows.

        Values with levels go to [0, 1] whatever the rows hold. Real values get mean 0 and standard deviation
        1 (population, computed in float64) a column or channel.

        Args:
            values_train: ``[N, *schema.shape]``, in the data's units.
            schema: what one row is.

        Raises:
            DataError: a column or channel is constant on these rows (dividing by 1 instead would be made up),
                or its range is too large for float64.
            UsageError: values of another shape.
        """
        if values_train.shape[1:] != schema.shape or not len(values_train):
            raise UsageError(f"expected training rows of shape {schema.shape}, at least one, got {values_train.shape=}")
        if schema.levels is not None:
            return cls(offset=(0.0,), scale=(schema.levels - 1.0,), resolution=(1 / (schema.levels - 1),))
        fitted = [
            _fit_one(np.asarray(values_train[:, index], dtype=np.float64).ravel(), _name(schema, index))
            for index in range(schema.shape[0])
        ]
        offset, scale, resolution = zip(*fitted, strict=True)
        return cls(offset=offset, scale=scale, resolution=resolution)

    @classmethod
    def identity(cls, schema: Schema) -> "Scaling":
        """Values as they are: counts, and shares between 0 and 1, whose zero and unit mean something.

        Example:
            >>> Scaling.identity(Schema("table", (2,))).apply(np.array([[0, 7]]))
            array([[0., 7.]], dtype=float32)
        """
        columns = schema.shape[0]
        return cls(offset=(0.0,) * columns, scale=(1.0,) * columns, resolution=(0.0,) * columns)

    def apply(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Model values ``[N, *shape]`` ``float32`` of raw values ``[N, *shape]``.

        Raises:
            DataError: a value so far from the training rows that it leaves the range of ``float32``.
            UsageError: the number of columns or channels is not the fitted one.
        """
        offset, scale = self._parameters(values)
        with np.errstate(over="ignore"):
            scaled = np.asarray((values.astype(np.float64) - offset) / scale, dtype=np.float32)
        bad = ~np.isfinite(scaled)
        if bad.any():
            place = tuple(int(index) for index in np.unravel_index(int(np.argmax(bad)), bad.shape))
            raise DataError(
                f"row {place[0]}, column or channel {place[1]} (from 0) holds {values[place]}, too far from "
                "the training rows for 32-bit floats; is it a mistake in the data?"
            )
        return scaled

    def undo(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Values in the data's units ``[N, *shape]`` ``float64`` of model values ``[N, *shape]``.

        Data with levels is not rounded here: a decoder's mean lies between levels.

        Raises:
            UsageError: the number of columns or channels is not the fitted one.
        """
        offset, scale = self._parameters(values)
        return np.asarray(values.astype(np.float64) * scale + offset)

    def log_scale_nats(self, schema: Schema) -> float:
        """Sum of ``log(scale)`` over all values of one example, in nats; 0 for data with levels.

        By the change of variables, a log density in the data's units is the one in model units minus this.
        Data with levels has probabilities, which no unit changes.
        """
        if schema.levels is not None:
            return 0.0
        each = schema.num_values // len(self.scale)
        return float(each * math.fsum(math.log(scale) for scale in self.scale))

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` makes an equal scaling."""
        return {"offset": list(self.offset), "scale": list(self.scale), "resolution": list(self.resolution)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Scaling":
        """The scaling that :meth:`to_json` described."""
        return cls(**{name: tuple(float(value) for value in values) for name, values in entry.items()})

    def _parameters(self, values: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        if values.ndim < 2 or len(self.offset) not in (1, values.shape[1]):
            raise UsageError(f"expected rows with {len(self.offset)} columns or channels, got {values.shape=}")
        shape = (-1,) + (1,) * (values.ndim - 2)
        return np.reshape(self.offset, shape), np.reshape(self.scale, shape)


def _name(schema: Schema, index: int) -> str:
    return f"column '{schema.columns[index].name}'" if schema.columns else f"channel {index}"


def _fit_one(values: np.ndarray[Any, Any], name: str) -> tuple[float, float, float]:
    low, high = float(values.min()), float(values.max())
    if low == high:
        raise DataError(
            f"{name} is {low} in all {len(values)} training values, so it has no scale; leave it out "
            "(it differs only in rows of the validation or test split), or use another seed"
        )
    span = high - low
    if not np.finfo(np.float64).tiny < span < math.inf:
        raise DataError(f"{name} runs from {low} to {high}: the span does not fit a 64-bit float; rescale it")
    # In units of its range, from its minimum: large offsets cost nothing, squares do not overflow or vanish.
    unit = (values - low) / span
    offset = low + span * float(unit.mean())
    scale = span * float(unit.std())
    return offset, scale, _smallest_gap(values) / scale


def _smallest_gap(values: np.ndarray[Any, Any]) -> float:
    """The smallest difference of distinct values, in their units; differences by rounding alone do not count.

    Of more than a million values an evenly spaced part is looked at, so that the answer is deterministic.
    """
    gaps = np.diff(np.unique(values[:: 1 + len(values) // _MAX_GAP_VALUES]))
    if not len(gaps):
        gaps = np.diff(np.unique(values))
    rounding = 8 * np.finfo(np.float64).eps * float(np.abs(values).max())
    real = gaps[gaps > rounding]
    return float((real if len(real) else gaps).min())
