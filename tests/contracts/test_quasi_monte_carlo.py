"""Under Sobol noise the error of a mean falls nearly as 1/N, for every law with a map from noise."""

import math

import pytest
import torch

from reparam.distributions import Implicit
from reparam.noise import Iid, Sobol, generator
from tests.contracts.laws import WITH_NOISE

SIZES = (2**8, 2**12)


def slope(law, source_of, seeds=range(12)):
    """d log(error) / d log(N) of E f, f smooth and bounded, between the two sizes: root mean square over seeds."""
    flat = law.event_shape.numel()
    pilot = law.sample((4096,), generator=generator(0)).reshape(4096, -1, flat)
    centre, spread = pilot.median(0).values, pilot.quantile(0.75, 0) - pilot.quantile(0.25, 0)

    def mean(count, seed, source_of=source_of):
        drawn = law.rsample((count,), noise=source_of(seed)).reshape(count, -1, flat)
        return torch.tanh((drawn - centre) / spread.clamp(min=1e-6)).mean((0, 2))

    truth = torch.stack([mean(2**15, 1000 + seed, Sobol) for seed in range(4)]).mean(0)
    errors = [torch.stack([mean(count, seed) - truth for seed in seeds]).square().mean().sqrt() for count in SIZES]
    return math.log(errors[1] / errors[0]) / math.log(SIZES[1] / SIZES[0])


@pytest.mark.parametrize("row", [row for row in WITH_NOISE if row.law().unbiased], ids=str)
def test_the_error_falls_nearly_as_one_over_n(row):
    # One law alone: the more dimensions, or the steeper the map (a mixture's between its modes), the later it shows.
    law = row.make(**{name: value[0] for name, value in row.tensors().items()})
    slowly = law.noise_shape.numel() >= 10 or (isinstance(law, Implicit) and law.event_shape)
    assert slope(law, Sobol) < (-0.6 if slowly else -0.85)


def test_ordinary_noise_is_slower():
    slow = slope(WITH_NOISE[0].law(), lambda seed: Iid(generator(seed)))
    assert -0.75 < slow < -0.25
