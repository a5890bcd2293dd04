"""Values and the likelihood they are given to: do they go together, and in which units does the model see them?"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam.data.checks import first_bad
from reparam.data.scaling import Scaling
from reparam.data.schema import Schema
from reparam.vae import ContinuousBernoulli, CountFamily

__all__ = ["LARGEST_COUNT", "misfit", "row_totals", "scaling_for"]

Array = np.ndarray[Any, Any]

# A float32 holds each whole number up to here.
LARGEST_COUNT = 2**24


def misfit(values: Array, schema: Schema, family: type) -> str | None:
    """What a likelihood needs of values and they are not, or ``None`` where they go together.

    Args:
        values: ``[N, *schema.shape]``, finite, in the user's units.
        family: class of the likelihood.

    Example:
        >>> from reparam.vae import Poisson
        >>> misfit(np.full((1, 1, 1, 1), 0.5), Schema("image", (1, 1, 1)), Poisson)
        'needs counts, whole numbers from 0 on; row 0, channel 0, y 0, x 0 (from 0) is 0.5'
    """
    names = [column.name for column in schema.columns]
    if issubclass(family, CountFamily):
        found = first_bad(values, (values < 0) | (values != np.trunc(values)), names)
        if found is not None:
            return f"needs counts, whole numbers from 0 on; {found}"
        found = first_bad(values, values > LARGEST_COUNT, names)
        return None if found is None else f"takes counts up to {LARGEST_COUNT:,}, as 32-bit floats do; {found}"
    if issubclass(family, ContinuousBernoulli) and schema.levels is None:
        found = first_bad(values, (values < 0) | (values > 1), names)
        return None if found is None else f"needs values between 0 and 1; {found}"
    return None


def scaling_for(values_train: Array, schema: Schema, family: type) -> Scaling:
    """How the model of this likelihood sees the values: as they are where their zero and unit mean something.

    Raises:
        DataError: see :meth:`reparam.data.scaling.Scaling.fit`.
    """
    if issubclass(family, CountFamily) or (issubclass(family, ContinuousBernoulli) and schema.levels is None):
        return Scaling.identity(schema)
    return Scaling.fit(values_train, schema)


def row_totals(values: Array) -> Tensor:
    """The total of each row, ``[N]``, float32: what expected counts are proportional to. A total of 0 counts as 1.

    Example:
        >>> row_totals(np.array([[3, 4], [0, 0]]))
        tensor([7., 1.])
    """
    totals = values.reshape(len(values), -1).sum(1, dtype=np.float64)
    return torch.from_numpy(np.maximum(totals, 1.0)).float()
