"""The incomplete gamma functions and the velocity of a gamma draw, against mpmath."""

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from reparam.special import (
    elementwise,
    fits,
    log1mexp,
    log_gamma_density,
    log_gamma_quantile,
    log_gamma_tails,
    log_gamma_velocity,
    log_gammainc,
    log_gammaincc,
    log_minus_digamma,
)

CONCENTRATIONS = [1e-6, 1e-3, 0.3, 1.46, 3.0, 50.0, 1e4, 1e8]
LEVELS = [1e-6, 0.1, 0.5, 0.9, 1 - 1e-6]


def double(*values, requires_grad=False):
    return torch.tensor(values, dtype=torch.float64, requires_grad=requires_grad)


def log_quantiles(a):
    x = stats.gamma.ppf(LEVELS, a)
    power_law = np.log(LEVELS) / a - np.euler_gamma  # exact for the x that underflow
    return np.where(x > 1e-200, np.log(np.maximum(x, 1e-300)), power_law)


def exact_velocity(a, log_x):
    """``-(∂P/∂a) / (x p)`` with ``∂P/∂a = ∫ (log t - digamma(a)) p(t) dt``, over the tail that x is in."""
    a, log_x = mpmath.mpf(a), mpmath.mpf(log_x)
    x, mean_log = mpmath.exp(log_x), mpmath.digamma(a)

    def moved(t):
        return (mpmath.log(t) - mean_log) * mpmath.exp((a - 1) * (mpmath.log(t) - log_x) - (t - x)) / x

    if log_x < mean_log or x < 0.5:
        if a < 1:  # t = x e^(-s/a) takes the singularity at 0 away
            steps = [0, 0.1 * a, a, 3 * a, 0.5, 2, 8, 30, 100]
            near = lambda s: (log_x - s / a - mean_log) * mpmath.exp(-s - x * mpmath.expm1(-s / a)) / a  # noqa: E731
            return -mpmath.quad(near, sorted(step for step in steps if step <= 0.5 or step >= 2))
        width = mpmath.sqrt(a)
        return -mpmath.quad(moved, [max(x - k * width, x * mpmath.mpf("1e-30")) for k in (40, 20, 10, 4, 1, 0)])
    width = max(mpmath.sqrt(a), 1)
    return mpmath.quad(moved, [x + k * width for k in (0, 1, 4, 10, 20, 40, 80)])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 5e-6)])
@pytest.mark.parametrize("a", CONCENTRATIONS)
@pytest.mark.parametrize("fitted", [True, False])
def test_velocity(fitted, a, dtype, tolerance, monkeypatch):
    if not fitted:
        monkeypatch.setattr(fits, "applies", lambda like: False)
    log_x, a = torch.tensor(log_quantiles(a), dtype=dtype), torch.tensor(a, dtype=dtype)
    with mpmath.workdps(30):
        expected = [float(exact_velocity(a.item(), y)) for y in log_x.tolist()]
    np.testing.assert_allclose(log_gamma_velocity(log_x, a).double().numpy(), expected, rtol=tolerance)


def test_velocity_of_the_tiniest_concentrations():
    """``v -> (digamma(1) - log x) / a``."""
    a = double(1e-30, 1e-100)
    log_x = double(-3.0, -0.01) / a
    torch.testing.assert_close(log_gamma_velocity(log_x, a), -log_x / a)
    assert log_gamma_velocity(torch.tensor(-1e30), torch.tensor(1e-30)) == torch.finfo(torch.float32).max


@pytest.mark.parametrize(
    ("a", "log_x"), [(1e-3, -900.0), (0.4, -0.2), (0.4, 1.1), (3.0, 0.7), (3.0, 1.9), (200.0, 5.3)]
)
def test_derivatives_of_the_velocity(a, log_x):
    argument, concentration = double(log_x, requires_grad=True), double(a, requires_grad=True)
    value = log_gamma_velocity(argument, concentration)
    seen = torch.autograd.grad(value, (argument, concentration))
    with mpmath.workdps(40):
        along = mpmath.diff(lambda y: exact_velocity(a, y), log_x, h=mpmath.mpf(10) ** -12)
        across = mpmath.diff(lambda b: exact_velocity(b, log_x), a, h=a * mpmath.mpf(10) ** -12)
    assert seen[0].item() == pytest.approx(float(along), rel=1e-9)
    assert seen[1].item() == pytest.approx(float(across), rel=1e-9)


POINTS = ((-30.0, 0.2, -1.0, 2.0, 3.5, 3.0, 4.9), (1e-2, 0.3, 2.0, 5.0, 40.0, 2.0, 100.0))


@pytest.mark.parametrize(
    "function",
    [
        log_gamma_velocity,
        lambda log_x, a: log_gamma_tails(log_x, a),
        lambda log_x, a: log_gamma_density(log_x - a.log(), a),
        lambda log_x, a: log_minus_digamma(a) * log_x,
        lambda log_x, a: log_gamma_quantile(a, -log_x.exp(), log1mexp(-log_x.exp())),
    ],
    ids=["velocity", "tails", "density", "digamma", "quantile"],
)
def test_first_and_second_derivatives_of_everything(function):
    log_x, a = (double(*values, requires_grad=True) for values in POINTS)
    assert torch.autograd.gradcheck(function, (log_x, a))
    assert torch.autograd.gradgradcheck(function, (log_x, a))


@pytest.mark.parametrize("a", [1e-10, 1e-3, 0.3, 1.46, 3.0, 50.0, 1000.0])
def test_tails(a):
    log_x = double(-50.0, -3.0, -0.1, 0.1, 1.0, 3.0, 6.0, 8.0)
    lower, upper = log_gamma_tails(log_x, double(a))
    with mpmath.workdps(50):
        for k, y in enumerate(log_x.tolist()):
            x = mpmath.exp(y)
            exact_lower = mpmath.log(mpmath.gammainc(a, 0, x, regularized=True))
            exact_upper = mpmath.log(mpmath.gammainc(a, x, mpmath.inf, regularized=True))
            assert lower[k].item() == pytest.approx(float(exact_lower), rel=1e-12)
            assert upper[k].item() == pytest.approx(float(exact_upper), rel=1e-12)


def test_tails_far_beyond_underflow():
    assert log_gammainc(torch.tensor(2.0), torch.tensor(1e-30)).item() == pytest.approx(-138.84825, rel=1e-6)
    a, x = double(1.0, requires_grad=True), double(1e6, requires_grad=True)
    value = log_gammaincc(a, x)
    assert value.item() == pytest.approx(-1e6)
    seen = torch.autograd.grad(value, (a, x))
    # Q(1, x) = e^-x; and ∂Q/∂a = ∫_x^∞ (log t - digamma(1)) e^-t dt = e^-x (log x - digamma(1) + e^x E1(x))
    assert seen[0].item() == pytest.approx(np.log(1e6) + np.euler_gamma + 1e-6, rel=1e-12)
    assert seen[1].item() == pytest.approx(-1.0, rel=1e-12)


def test_tails_agree_with_torch():
    a, x = double(0.3, 2.0, 30.0)[:, None], double(0.1, 1.0, 5.0, 40.0)
    torch.testing.assert_close(log_gammainc(a, x).exp(), torch.special.gammainc(a, x))
    torch.testing.assert_close(log_gammaincc(a, x).exp(), torch.special.gammaincc(a, x), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("side", ["lower", "upper"])
def test_quantile_is_the_inverse(side):
    a = double(1e-30, 1e-6, 1e-3, 0.1, 0.7, 1.0, 1.46, 2.0, 5.0, 30.0, 1e3, 1e5)[:, None]
    level = -double(1e-300, 1e-30, 1e-3, 0.3, 0.6931, 0.7, 1.0, 10.0, 1e3, 1e6, 1e10)
    levels = (level, log1mexp(level)) if side == "lower" else (log1mexp(level), level)
    y = log_gamma_quantile(a, *levels)
    lower, upper = log_gamma_tails(y, a.expand_as(y))
    seen, expected = torch.where(
        levels[0] < levels[1],
        torch.stack([lower, levels[0].expand_as(y)]),
        torch.stack([upper, levels[1].expand_as(y)]),
    )
    torch.testing.assert_close(seen, expected, rtol=2e-12, atol=0)


def test_quantile_keeps_the_digits_of_float32_levels_in_both_tails():
    level = torch.tensor([1e-30, 0.5])
    y = log_gamma_quantile(torch.tensor(2.0), torch.log1p(-level), level.log())
    np.testing.assert_allclose(y.exp().numpy(), stats.gamma.isf(level.numpy().astype(float), 2.0), rtol=1e-6)


def test_quantile_of_level_zero_is_finite():
    y = log_gamma_quantile(double(0.5, 3.0), double(-torch.inf, 0.0), double(0.0, -torch.inf))
    assert y.isfinite().all()


@pytest.mark.parametrize("a", [1e-30, 1e-3, 0.7, 1.4616, 9.0, 1e3, 1e8, 1e30])
def test_log_minus_digamma(a):
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-5)):
        concentration = torch.tensor(a, dtype=dtype)
        with mpmath.workdps(60):
            exact = mpmath.log(concentration.item()) - mpmath.digamma(concentration.item())
        assert log_minus_digamma(concentration).item() == pytest.approx(float(exact), rel=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_device_that_computes_every_case_for_all_elements_gets_the_same(dtype, monkeypatch):
    log_x = torch.linspace(-5, 7, 200, dtype=dtype)
    a = torch.linspace(0.01, 90, 200, dtype=dtype)
    monkeypatch.setattr(fits, "applies", lambda like: False)
    compact = log_gamma_velocity(log_x, a)
    monkeypatch.setattr(elementwise, "_waits_for_nobody", lambda tensor: False)
    torch.testing.assert_close(
        log_gamma_velocity(log_x, a), compact, rtol=2e-6 if dtype == torch.float32 else 1e-14, atol=0
    )


def test_nan_stays_nan():
    assert log_gamma_velocity(double(torch.nan), double(1.0)).isnan()


@pytest.mark.parametrize("a", [1e-3, 0.7, 3.0, 1e8])
def test_tails_where_x_overflows(a):
    log_x = torch.tensor([600.0, 700.0, 709.7, 720.0, 1e4, 1e300], dtype=torch.float64, requires_grad=True)
    lower, upper = log_gamma_tails(log_x, torch.full_like(log_x, a).requires_grad_())
    assert (lower == 0).all()
    assert (upper < -1e200).all()
    (slope,) = torch.autograd.grad(lower.sum(), log_x)
    assert (slope == 0).all()
