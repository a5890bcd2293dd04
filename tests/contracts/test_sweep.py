"""A short sweep of every law; the long one is a command (``sweeping.py``)."""

import pytest
import torch

from reparam.distributions import Normal
from tests.contracts.laws import REPARAMETERIZED
from tests.contracts.row import Row
from tests.contracts.rows.location_scale import LOC, SCALE
from tests.contracts.sweeping import failures
from tests.statistical.test_instruments import Tampered


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("row", REPARAMETERIZED, ids=str)
def test_no_draw_and_no_gradient_is_nan_or_infinite(row, dtype):
    assert failures(row, 20_000, dtype) == []


class Overflowing(Normal):
    def from_noise(self, noise):
        y = super().from_noise(noise)
        return torch.where(y > 300, torch.inf, y)


class NanGradient(Normal):
    def from_noise(self, noise):
        y = super().from_noise(noise)
        return Tampered.apply(y, torch.where(y.detach() > 300, torch.nan, 1.0))


@pytest.mark.parametrize(("law", "what"), [(Overflowing, "draw"), (NanGradient, "gradient in loc")])
def test_planted_faults_are_found(law, what):
    row = Row(law.__name__, law, {"loc": LOC, "scale": SCALE})
    found = failures(row, 20_000, torch.float32)
    assert found
    assert found[0].startswith(what)
