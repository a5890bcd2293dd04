"""Densities under many normal components at once, held against the plain sum of squares in float64."""

import math

import pytest
import torch
import torch.distributions as td
from torch.autograd import gradcheck

from reparam import noise
from reparam.distributions import Independent, MixtureSameFamily, Normal
from reparam.distributions.mixture_densities import component_log_densities


def drawn(*shape, index=0, dtype=torch.float32):
    return noise.standard_normal(shape, like=torch.zeros((), dtype=dtype), generator=noise.generator(0, "test", index))


def components(loc, scale):
    return Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)


def plainly(loc, scale, value):
    loc, scale, value = loc.double(), scale.double(), value.double().unsqueeze(-2)
    return td.Normal(loc, scale).log_prob(value).sum(-1)


@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-3])
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_as_precise_as_float32_holds_it(spread, shift):
    loc, scale = drawn(50, 8) + shift, spread * drawn(50, 8, index=1).exp()
    value = loc[:20] + scale[:20] * drawn(20, 8, index=2)
    exact = plainly(loc, scale, value)
    found = component_log_densities(components(loc, scale), value)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=2e-7, atol=1e-5)


def test_any_leading_dimensions_and_gradients():
    loc = drawn(3, 2, dtype=torch.float64).requires_grad_()
    log_scale = drawn(3, 2, index=1, dtype=torch.float64).requires_grad_()
    value = drawn(2, 4, 2, index=2, dtype=torch.float64).requires_grad_()

    def f(loc, log_scale, value):
        return component_log_densities(components(loc, log_scale.exp()), value)

    assert f(loc, log_scale, value).shape == (2, 4, 3)
    torch.testing.assert_close(f(loc, log_scale, value), plainly(loc, log_scale.exp(), value))
    assert gradcheck(f, (loc, log_scale, value))


def test_half_precision_around_it_changes_nothing():
    loc, scale, value = drawn(5, 3), drawn(5, 3, index=1).exp(), drawn(7, 3, index=2)
    outside = component_log_densities(components(loc, scale), value)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = component_log_densities(components(loc, scale), value)
    assert torch.equal(inside, outside)


@pytest.mark.parametrize("batch_shape", [(), (4,)])
def test_a_mixture_is_the_same_with_components_of_its_own_for_each_element(batch_shape):
    loc, scale = drawn(3, 2), drawn(3, 2, index=1).exp()
    shared = MixtureSameFamily(td.Categorical(logits=drawn(3, index=2)), components(loc, scale)).expand(batch_shape)
    value = drawn(6, *batch_shape, 2, index=3)
    one = math.prod(batch_shape)
    own = MixtureSameFamily(
        td.Categorical(logits=drawn(3, index=2).expand(one, 3)),
        components(loc.expand(one, 3, 2).clone(), scale.expand(one, 3, 2).clone()),
    )
    torch.testing.assert_close(shared.log_prob(value), own.log_prob(value.reshape(6, one, 2)).reshape(6, *batch_shape))
