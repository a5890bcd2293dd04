"""The contract of a law rejects laws that break it."""

from dataclasses import replace

import pytest
import torch

from reparam.distributions import Normal
from tests.contracts import test_laws as contract
from tests.contracts.rows.location_scale import ROWS
from tests.statistical.test_instruments import Tampered


class GradientHalved(Normal):
    def from_noise(self, noise):
        return Tampered.apply(super().from_noise(noise), 0.5)


class GradientZero(Normal):
    def from_noise(self, noise):
        return super().from_noise(noise).detach() + 0 * (self.loc + self.scale)


class GradientFlipped(Normal):
    def from_noise(self, noise):
        return Tampered.apply(super().from_noise(noise), -1.0)


class ScaleInflated(Normal):
    def from_noise(self, noise):
        return self.loc + 1.05 * self.scale * noise


class TailClipped(Normal):
    def from_noise(self, noise):
        return super().from_noise(noise.clamp(-3.3, 3.3))


class NoiseKnowsParameters(Normal):
    def _draw_noise(self, source, sample_shape):
        return super()._draw_noise(source, sample_shape) * self.scale.detach()


class GlobalRandomness(Normal):
    def _draw_noise(self, source, sample_shape):
        return torch.randn(sample_shape + self.noise_shape, dtype=self.loc.dtype)


class DensityOff(Normal):
    def log_prob(self, value):
        return super().log_prob(value) + 1e-3


class HalfInHalf(Normal):
    def from_noise(self, noise):
        return self.loc + self.scale * noise.to(self.loc.dtype)


FAULTS = [
    (GradientHalved, contract.test_the_gradient_is_exact),
    (GradientFlipped, contract.test_the_gradient_is_exact),
    (GradientHalved, contract.test_the_gradient_is_minus_dcdf_over_density),
    (GradientZero, contract.test_the_gradient_is_minus_dcdf_over_density),
    (GradientFlipped, contract.test_the_gradient_is_minus_dcdf_over_density),
    (ScaleInflated, lambda row: contract.test_draws_follow_the_reference_law(row, torch.float64)),
    (TailClipped, lambda row: contract.test_draws_follow_the_reference_law(row, torch.float64)),
    (NoiseKnowsParameters, contract.test_noise_knows_shapes_and_no_parameters),
    (GlobalRandomness, contract.test_draws_follow_the_generator_and_leave_the_global_one_alone),
    (DensityOff, contract.test_density_cdf_quantile_and_moments_agree_with_scipy),
    (HalfInHalf, lambda row: contract.test_half_draws_are_float32_draws_rounded_once(row, torch.bfloat16)),
]


@pytest.mark.parametrize(("law", "test"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_the_contract_rejects(law, test):
    planted = replace(ROWS[0], name=law.__name__, make=law)
    test(ROWS[0])
    with pytest.raises((AssertionError, RuntimeError)):
        test(planted)
