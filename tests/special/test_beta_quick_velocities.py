"""The quick velocities of single precision against the general ones in float64, which are tested against mpmath."""

import math

import mpmath
import numpy as np
import pytest
import torch

from reparam.special import beta_excess_velocities, beta_velocities
from reparam.special.beta_general_velocities import general_velocities
from reparam.special.beta_quick_velocities import _rule_on, quick_enough, quick_velocities
from reparam.special.elementwise import in_pieces
from reparam.special.stirling import digamma_rise

NUMBER = 30_000


def log_uniform(rng, low, high):
    return np.exp(rng.uniform(math.log(low), math.log(high), NUMBER))


def points(low, high, seed=0):
    """Concentrations over a whole domain, with draws, half of them moved up to three times as far out."""
    rng = np.random.default_rng(seed)
    a, b = log_uniform(rng, low, high), log_uniform(rng, low, high)
    log_g = [np.log(rng.gamma(c + 1)) + np.log(rng.uniform(size=NUMBER)) / c for c in (a, b)]
    middle, out = np.log(a / b), np.where(np.arange(NUMBER) % 2, rng.uniform(1, 3, NUMBER), 1.0)
    y = middle + (log_g[0] - log_g[1] - middle) * out
    return [torch.tensor(value, dtype=torch.float32) for value in (y, a, b)]


def test_velocities_to_one_part_in_a_hundred_thousand():
    at = points(0.05, 200.0)
    assert quick_enough(*at[1:], excess=False).float().mean() > 0.999
    exact = beta_velocities(*(value.double() for value in at))
    for seen, expected in zip(quick_velocities(*at, excess=False), exact, strict=True):
        error = (seen / expected - 1).abs()
        assert error.max() < 1e-5
        assert error.median() < 2e-7


def test_excess_velocities_as_good_as_the_velocities():
    """They cross 0, so their error is compared with the velocity from which 1/a is taken."""
    at = points(0.05, 30.0, seed=1)
    assert quick_enough(*at[1:], excess=True).float().mean() > 0.999
    wide = [value.double() for value in at]
    whole, exact = beta_velocities(*wide), beta_excess_velocities(*wide)
    for size, seen, expected in zip(whole, quick_velocities(*at, excess=True), exact, strict=True):
        assert ((seen - expected).abs() / size.abs()).median() < 1e-7
        assert ((seen - expected) ** 2).mean().sqrt() < 3e-7 * (expected**2).mean().sqrt()


@pytest.mark.parametrize("y", [-1e30, -1e4, -88.0, -20.0, 0.0, 20.0, 88.0, 1e4, 1e30])
def test_tails_however_far(y):
    concentrations = torch.tensor([0.051, 0.9, 1.0, 30.0, 199.0])
    a, b = torch.cartesian_prod(concentrations, concentrations).unbind(-1)
    at = torch.full_like(a, y), a, b
    exact = beta_velocities(*(value.double() for value in at))
    for seen, expected in zip(quick_velocities(*at, excess=False), exact, strict=True):
        torch.testing.assert_close(seen.double(), expected, rtol=1e-5, atol=0)


def test_each_element_goes_the_way_that_is_good_for_it():
    """At the seams the quick and the general way agree; beyond them, and for NaN, only the general one is taken."""
    y, a, b = points(1e-3, 1e4, seed=2)
    quick = quick_enough(a, b, excess=False)
    assert 0.2 < quick.float().mean() < 0.8
    ways = quick_velocities(y, a, b, excess=False), in_pieces(general_velocities, y, a, b)
    for seen, one, other in zip(beta_velocities(y, a, b), *ways, strict=True):
        torch.testing.assert_close(seen, torch.where(quick, one, other), rtol=2e-6, atol=0)
        torch.testing.assert_close(one[quick], other[quick], rtol=5e-5, atol=0)
    assert all(part.isnan().all() for part in beta_velocities(torch.tensor([torch.nan]), y[:1].exp(), b[:1]))


def test_second_derivatives_in_single_precision():
    at = [value[:50].clone().requires_grad_() for value in points(0.05, 200.0, seed=3)]
    wide = [value.detach().double().requires_grad_() for value in at]
    for function in (beta_velocities, beta_excess_velocities):
        for which in (0, 1):
            seen = torch.autograd.grad(function(*at)[which].sum(), at)
            expected = torch.autograd.grad(function(*wide)[which].sum(), wide)
            for part, exact in zip(seen, expected, strict=True):
                torch.testing.assert_close(part.double(), exact, rtol=3e-3, atol=1e-5)


def test_digamma_rise():
    rng = np.random.default_rng(0)
    x, step = (torch.tensor(log_uniform(rng, 0.05, 250.0)[:300], dtype=torch.float32) for _ in range(2))
    with mpmath.workdps(40):
        pairs = zip(x.tolist(), step.tolist(), strict=True)
        exact = [float(mpmath.digamma(mpmath.mpf(p) + mpmath.mpf(q)) - mpmath.digamma(p)) for p, q in pairs]
    np.testing.assert_allclose(digamma_rise(x, step).double().numpy(), exact, rtol=1e-6)


def test_the_default_dtype_does_not_matter():
    y, a, b = points(0.05, 200.0, seed=4)
    expected = quick_velocities(y, a, b, excess=False)
    _rule_on.cache_clear()
    torch.set_default_dtype(torch.float64)
    try:
        seen = quick_velocities(y, a, b, excess=False)
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(one, other) for one, other in zip(seen, expected, strict=True))
