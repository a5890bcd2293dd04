"""The incomplete beta function on the logit scale against mpmath: both tails, the quantile, and how draws move."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch

from reparam.special import (
    beta_excess_velocities,
    beta_log_density,
    beta_quantile,
    beta_velocities,
    log1mexp,
    log_betainc,
)

# (y, a, b): both sides of the bulk, its far tails, small and large concentrations and mixtures of them.
POINTS = [
    (0.0, 1.0, 1.0),
    (-1.0, 2.0, 3.0),
    (1.0, 2.0, 3.0),
    (-30.0, 0.5, 7.0),
    (4.0, 0.3, 0.5),
    (-300.0, 1e-3, 1e-3),
    (0.0, 1e-3, 1e-3),
    (3.0, 1e-3, 0.4),
    (-5.0, 1e-3, 100.0),
    (-3.0, 0.1, 100.0),
    (6.0, 1e3, 0.9),
    (-5.2, 7.0, 1e3),
    (0.05, 1e3, 1e3),
    (12.0, 1e6, 1.5),
]


def exact_tails(y, a, b):
    with mpmath.workdps(60):
        y, a, b = mpmath.mpf(y), mpmath.mpf(a), mpmath.mpf(b)
        if y > 0:
            return exact_tails(-y, b, a)[::-1]
        lower = mpmath.betainc(a, b, 0, 1 / (1 + mpmath.exp(-y)), regularized=True)
        return lower, 1 - lower


def exact_velocities(y, a, b):
    """-(∂F/∂θ)/p by finite differences with 60 digits, from the smaller tail."""
    with mpmath.workdps(60):
        step, y = mpmath.mpf(10) ** -18, mpmath.mpf(y)
        lower, upper = exact_tails(y, a, b)
        side, sign = (0, 1) if lower < upper else (1, -1)
        t, rest = 1 / (1 + mpmath.exp(-y)), 1 / (1 + mpmath.exp(y))
        density = t**a * rest**b / mpmath.beta(a, b)
        moved = []
        for da, db in ((step, 0), (0, step)):
            ahead = exact_tails(y, mpmath.mpf(a) + da * a, mpmath.mpf(b) + db * b)[side]
            behind = exact_tails(y, mpmath.mpf(a) - da * a, mpmath.mpf(b) - db * b)[side]
            moved.append(-sign * (ahead - behind) / (2 * (da * a + db * b)) / density)
        return moved


def columns(points, dtype, requires_grad=False):
    made = torch.tensor(points, dtype=dtype).T
    return [column.clone().requires_grad_(requires_grad) for column in made]


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-5), (torch.float64, 1e-11)])
def test_velocities(dtype, rtol):
    y, a, b = columns(POINTS, dtype)
    seen = torch.stack(beta_velocities(y, a, b), -1).double()
    expected = [exact_velocities(*point) for point in zip(y.tolist(), a.tolist(), b.tolist(), strict=True)]
    np.testing.assert_allclose(seen.numpy(), np.array(expected, dtype=float), rtol=rtol)


def test_excess_velocities_are_what_is_left_of_them():
    y, a, b = columns(POINTS, torch.float64)
    for excess, whole in zip(beta_excess_velocities(y, a, b), beta_velocities(y, a, b), strict=True):
        missing = whole - excess
        torch.testing.assert_close(missing, 1 / a if (missing > 0).all() else -1 / b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 2e-4), (torch.float64, 1e-10)])
def test_excess_velocities_keep_their_digits_at_large_concentrations(dtype, rtol):
    points = [(12.0, 1e5, 0.5), (16.0, 1e6, 0.5), (19.5, 1e8, 0.5)]
    y, a, b = columns(points, dtype)
    with mpmath.workdps(60):
        expected = [
            float(exact_velocities(*point)[0] - 1 / mpmath.mpf(point[1]))
            for point in zip(y.tolist(), a.tolist(), b.tolist(), strict=True)
        ]
    np.testing.assert_allclose(beta_excess_velocities(y, a, b)[0].double().numpy(), expected, rtol=rtol)


# The tolerance is that of a tail of 4e-4 that is left of 1.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 3e-4), (torch.float64, 2e-12)])
def test_both_log_tails(dtype, tolerance):
    y, a, b = columns([*POINTS, (-2000.0, 2.0, 3.0), (5.0, 3.0, 200.0)], dtype)
    seen = torch.stack(log_betainc(y, a, b), -1).double()
    exact = [exact_tails(*point) for point in zip(y.tolist(), a.tolist(), b.tolist(), strict=True)]
    expected = [[float(mpmath.log(lower)), float(mpmath.log(upper))] for lower, upper in exact]
    # An error in the logarithm is a relative error of the probability; beyond, rounding of the logarithm itself.
    np.testing.assert_allclose(seen.numpy(), expected, rtol=4 * torch.finfo(dtype).eps, atol=tolerance)


def test_quantile_undoes_both_tails():
    concentrations = [1e-6, 1e-3, 0.1, 1.0, 7.0, 1e3, 1e6]
    a, b = (torch.tensor(list(itertools.product(concentrations, repeat=2)), dtype=torch.float64).T).unbind()
    for log_lower in (-1e5, -700.0, -14.0, -2.0, -math.log(2), -0.01, -1e-5):
        level = torch.tensor(log_lower, dtype=torch.float64)
        y = beta_quantile(level, log1mexp(level), a, b)
        lower, upper = log_betainc(y, a, b)
        seen, wanted = (lower, level) if log_lower < -0.6 else (upper, log1mexp(level))
        # What the rounding of y alone does to its level, and of the target: 1 - u is near 1 for the smallest of them.
        slope = torch.exp(beta_log_density(y, a, b) - seen)
        allowed = 1e-11 + 4e-16 * (y.abs() * slope + wanted.abs()) + 2e-15 / wanted.exp().clamp(min=1e-7)
        assert ((seen - wanted).abs() <= allowed).all(), (log_lower, (seen - wanted).abs().max())


def test_quantile_from_the_smaller_tail():
    """One minus 1e-30 is 1; its quantile is as good as that of 1e-30."""
    a, b = torch.tensor([2.5, 0.3], dtype=torch.float64), torch.tensor([0.7, 4.0], dtype=torch.float64)
    tail = torch.tensor(math.log(1e-30), dtype=torch.float64)
    zero = torch.zeros((), dtype=torch.float64)
    torch.testing.assert_close(beta_quantile(zero, tail, a, b), -beta_quantile(tail, zero, b, a))


def test_derivatives_of_every_order_and_argument():
    points = [
        (-1.0, 0.7, 2.0),
        (0.5, 3.0, 0.4),
        (3.0, 20.0, 0.2),
        (-20.0, 0.02, 5.0),
        (0.0, 2.0, 2.0),
        (4.0, 2e3, 40.0),
    ]
    arguments = columns(points, torch.float64, requires_grad=True)
    for function in (beta_log_density, log_betainc, beta_velocities, beta_excess_velocities):
        assert torch.autograd.gradcheck(function, arguments, rtol=1e-4)
        assert torch.autograd.gradgradcheck(function, arguments, rtol=1e-4, atol=1e-4)

    def quantile(log_lower, a, b):
        return beta_quantile(log_lower, log1mexp(log_lower), a, b)

    level = torch.tensor([-0.1, -3.0, -40.0, -0.7, -1e3, -0.69], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(quantile, (level, *arguments[1:]), rtol=1e-4)
    assert torch.autograd.gradgradcheck(quantile, (level, *arguments[1:]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_over_sixty_orders_of_magnitude(dtype):
    sizes = [1e-30, 1e-10, 1e-3, 1.0, 1e3, 1e10, 1e30]
    a, b = torch.tensor(list(itertools.product(sizes, repeat=2)), dtype=dtype).T
    for y in (-1e30, -1e3, -1.0, 0.0, 1.0, 1e3, 1e30):
        for part in (
            *beta_velocities(torch.tensor(y, dtype=dtype), a, b),
            *log_betainc(torch.tensor(y, dtype=dtype), a, b),
        ):
            assert not part.isnan().any()
        assert all(part.isfinite().all() for part in beta_velocities(torch.tensor(y, dtype=dtype), a, b))


def test_far_in_the_tail_of_a_tiny_concentration():
    """There t = u^(1/a) up to a factor: y = log u / a + ..., so ∂y/∂a = -y/a to leading order."""
    a = torch.tensor(1e-25, dtype=torch.float64)
    along_a, _ = beta_velocities(torch.tensor(-1e30, dtype=torch.float64), a, torch.tensor(1.0, dtype=torch.float64))
    assert along_a.item() == pytest.approx(1e55, rel=1e-4)


def test_blocks_of_elements_change_nothing():
    y = torch.linspace(-5, 5, 40_000, dtype=torch.float64).reshape(2, 20_000)
    a, b = torch.tensor(2.0, dtype=torch.float64), torch.tensor([[0.5], [3.0]], dtype=torch.float64)
    whole = beta_velocities(y, a, b)
    for seen, alone in zip(whole, beta_velocities(y[:, 17_000:17_010], a, b), strict=True):
        assert seen.shape == y.shape
        torch.testing.assert_close(seen[:, 17_000:17_010], alone, rtol=1e-14, atol=0)


@pytest.mark.filterwarnings("ignore:.*Function'> should not be instantiated:DeprecationWarning")
def test_compiled_and_batched():
    y, a, b = columns(POINTS[:5], torch.float64, requires_grad=True)

    def total(y, a, b):
        return beta_quantile(log_betainc(y, a, b)[0], -1 + 0 * y, a, b).sum()

    compiled = torch.compile(total, backend="aot_eager", fullgraph=True)
    seen, expected = (torch.autograd.grad(function(y, a, b), (y, a, b)) for function in (compiled, total))
    torch.testing.assert_close(seen, expected)
    torch.testing.assert_close(torch.vmap(beta_velocities)(y, a, b), beta_velocities(y, a, b))
