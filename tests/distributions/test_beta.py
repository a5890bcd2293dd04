"""Beta and FisherSnedecor: closed forms of their gradients, tiny and huge parameters, agreement with torch."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import special, stats

from reparam.distributions import Beta, FisherSnedecor
from reparam.distributions import beta as module
from reparam.noise import generator
from reparam.special import log_betainc
from tests.statistical.instruments import check_continuous, check_mean


def full(value, count, dtype=torch.float64):
    return torch.full((count,), value, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("a", [0.05, 0.5, 2.0, 50.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_mean_moves_by_a_quarter_of_the_reciprocal(a, dtype):
    """E t = a / (a + b): at a = b its derivative is 1 / (4a)."""
    one, other = full(a, 20_000, dtype), full(a, 20_000, dtype)
    draws = Beta(one, other).rsample(generator=generator(0))
    along_a, along_b = torch.autograd.grad(draws.sum(), (one, other))
    check_mean(along_a, 1 / (4 * a))
    check_mean(along_b, -1 / (4 * a))


@pytest.fixture
def on_the_logit_scale(monkeypatch):
    """Draws before they are rounded into (0, 1), where small concentrations have most of them at the ends."""
    monkeypatch.setattr(module, "open_sigmoid", lambda logit, like: logit)


@pytest.mark.parametrize(("a", "b"), [(1e-3, 1e-3), (1e-3, 2.0), (0.3, 40.0), (1e4, 3e3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logits_follow_their_law_and_move_with_it(on_the_logit_scale, a, b, dtype):
    """Also where a quarter of torch's draws are 0.5. E y = ψ(a) - ψ(b), so its derivatives are trigammas."""
    one, other = full(a, 20_000, dtype), full(b, 20_000, dtype)
    logits = Beta(one, other).rsample(generator=generator(1))
    exact = [value.detach().double() for value in (logits, one, other)]
    check_continuous(exact[0], lambda y: log_betainc(torch.from_numpy(y), *exact[1:])[0].exp().numpy())
    along_a, along_b = torch.autograd.grad(logits.sum(), (one, other))
    check_mean(along_a, special.polygamma(1, a))
    check_mean(along_b, -special.polygamma(1, b))


@pytest.mark.parametrize("a", [2.0**16 + 1039, 1e8, 1e30])
def test_huge_concentrations(a):
    """At the first torch's gradient is infinite. b = 1.5: 1 - t is nearly a gamma draw over a, and dt/da = (1-t)/a."""
    one, other = full(a, 1000, torch.float32), full(1.5, 1000, torch.float32)
    draws = Beta(one, other).rsample(generator=generator(0))
    (along_a,) = torch.autograd.grad(draws.sum(), one)
    assert along_a.isfinite().all()
    assert (along_a > 0).all() or a == 1e30  # where it underflows
    if a < 1e10:
        law = Beta(torch.tensor(a, dtype=torch.float64), torch.tensor(1.5, dtype=torch.float64))
        level = torch.linspace(0.01, 0.99, 9, dtype=torch.float64)
        np.testing.assert_allclose(1 - law.icdf(level).numpy(), stats.gamma(1.5).isf(level.numpy()) / a, rtol=1e-3)


@pytest.mark.parametrize("parameters", [(1e-30, 1e-30), (1e-30, 1e30), (1e30, 1e30), (1e-3, 1e-3), (1e-3, 1e3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_stay_inside_and_gradients_finite(parameters, dtype):
    one, other = (full(value, 2000, dtype) for value in parameters)
    law = Beta(one, other)
    draws = law.rsample(generator=generator(0))
    assert ((draws > 0) & (draws < 1)).all()
    assert law.log_prob(draws.detach()).isfinite().all()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(draws.sum(), (one, other)))


def test_the_gradient_near_one_is_not_that_of_the_rounded_draw():
    """t = 1 - 1e-10 is 1 in float32; its derivative is t·(1-t)·∂y/∂b, from y."""
    b = torch.tensor(1.0, requires_grad=True)
    upper = torch.tensor(1e-10, dtype=torch.float64)
    draw = Beta(torch.tensor(1.0), b)._quantile((1 - upper).float(), upper.float())
    # 1 - t = u^(1/b): dt/db at 1 is u·log u.
    assert torch.autograd.grad(draw, b)[0].item() == pytest.approx(1e-10 * math.log(1e-10), rel=1e-4)


def test_density_at_the_ends_is_that_of_the_next_number():
    law = Beta(torch.tensor([0.5, 2.0, 1.0]), torch.tensor([2.0, 0.5, 1.0]))
    for end in (0.0, 1.0):
        assert law.log_prob(torch.tensor(end)).isfinite().all()
    torch.testing.assert_close(law.cdf(torch.tensor([0.0])), torch.zeros(3))
    torch.testing.assert_close(law.cdf(torch.tensor([1.0])), torch.ones(3))


def test_density_at_large_concentrations_in_float32():
    a, b = torch.tensor(1e6), torch.tensor(2e6)
    value = torch.tensor(1 / 3 + 1e-4)
    expected = stats.beta(1e6, 2e6).logpdf(value.double().item())
    # One rounding of the value moves the density by this much.
    assert Beta(a, b).log_prob(value).item() == pytest.approx(expected, abs=3e6 * 1e-4 * 6e-8 * 30)


def test_modes():
    a = torch.tensor([3.0, 0.5, 2.0, 1.0, 0.5, 1.0])
    b = torch.tensor([2.0, 2.0, 0.5, 3.0, 0.5, 1.0])
    expected = torch.tensor([2 / 3, 0.0, 1.0, 0.0, torch.nan, torch.nan])
    torch.testing.assert_close(Beta(a, b).mode, expected, equal_nan=True)


def test_what_torch_gets_right_is_kept():
    a, b = torch.tensor([0.7, 3.5], dtype=torch.float64), torch.tensor([2.2, 2.4], dtype=torch.float64)
    ours, theirs = Beta(a, b), td.Beta(a, b)
    for name in ("mean", "variance", "stddev"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    value = theirs.sample((50,))
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(td.kl_divergence(ours, Beta(b, a)), td.kl_divergence(theirs, td.Beta(b, a)))
    torch.testing.assert_close(td.kl_divergence(ours, td.Gamma(a, b)), td.kl_divergence(theirs, td.Gamma(a, b)))
    f, their_f = FisherSnedecor(a, b), td.FisherSnedecor(a, b)
    torch.testing.assert_close(f.log_prob(value), their_f.log_prob(value))


@pytest.mark.parametrize("level", [1e-300, 1e-30, 1e-3, 0.5, 0.999])
def test_quantiles_in_the_tails(level):
    a, b = (1.7, 300.0), (2.2, 40.0)
    law = Beta(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64))
    seen = law.icdf(torch.tensor(level, dtype=torch.float64))
    np.testing.assert_allclose(law.cdf(seen).numpy(), level, rtol=1e-11)


def test_f_draws_at_tiny_degrees_of_freedom():
    """torch's gradient is NaN here in float32."""
    df1, df2 = full(0.05, 20_000, torch.float32), full(0.05, 20_000, torch.float32)
    draws = FisherSnedecor(df1, df2).rsample(generator=generator(0))
    assert ((draws > 0) & draws.isfinite()).all()
    gradients = torch.autograd.grad(draws.sum(), (df1, df2), retain_graph=True)
    assert all(gradient.isfinite().all() for gradient in gradients)
    bounded = draws / (1 + draws)
    (along_1,) = torch.autograd.grad(bounded.sum(), df1)
    # The odds of a Beta(1/40, 1/40) draw, as df1 = df2: d/d(df1) E t = 1 / (4·df1), less the odds' own factor df2/df1.
    own = (bounded * (1 - bounded)).detach().double() / df1.detach().double()
    check_mean(along_1.double() + own, 1 / (4 * 0.05))


def test_f_gradient_against_scipy():
    levels = np.array([1e-6, 0.1, 0.5, 0.9, 1 - 1e-6])
    df1, df2 = full(3.0, 5), full(7.0, 5)
    quantiles = FisherSnedecor(df1, df2).icdf(torch.from_numpy(levels))
    np.testing.assert_allclose(quantiles.detach().numpy(), stats.f(3.0, 7.0).ppf(levels), rtol=1e-9)
    along_1, along_2 = torch.autograd.grad(quantiles.sum(), (df1, df2))
    step = 1e-4
    expected_1 = (stats.f(3 + step, 7.0).ppf(levels) - stats.f(3 - step, 7.0).ppf(levels)) / (2 * step)
    expected_2 = (stats.f(3.0, 7 + step).ppf(levels) - stats.f(3.0, 7 - step).ppf(levels)) / (2 * step)
    np.testing.assert_allclose(along_1.numpy(), expected_1, rtol=1e-5)
    np.testing.assert_allclose(along_2.numpy(), expected_2, rtol=1e-5)


def test_f_entropy_and_moments():
    law = FisherSnedecor(torch.tensor(3.0, dtype=torch.float64), torch.tensor([1.5, 3.0, 6.0], dtype=torch.float64))
    np.testing.assert_allclose(law.entropy().numpy(), [stats.f(3.0, df).entropy() for df in (1.5, 3.0, 6.0)], rtol=1e-6)
    assert law.mean.isnan().tolist() == [True, False, False]
    assert law.variance.isnan().tolist() == [True, True, False]
