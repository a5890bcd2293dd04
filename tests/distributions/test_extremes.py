"""Weibull, Pareto and generalized Pareto: closed forms, and parameters that drive draws out of the dtype."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam.distributions import GeneralizedPareto, Pareto, Weibull
from reparam.noise import generator
from tests.statistical.instruments import check_mean


def gradients(law, *parameters, noise):
    """∂y/∂θ for each draw."""
    drawn = law.from_noise(noise)
    ones = torch.eye(len(noise), dtype=drawn.dtype)
    return torch.autograd.grad(drawn, parameters, ones, is_grads_batched=True)


@pytest.mark.parametrize("concentration", [-0.3, -1e-9, 0.0, 1e-9, 1e-3, 0.2])
def test_gradient_of_the_mean_of_generalized_pareto(concentration):
    """d/dc of scale/(1 - c) is scale/(1 - c)²; torch's is 0 near c = 0."""
    c = torch.tensor(concentration, dtype=torch.float64, requires_grad=True)
    law = GeneralizedPareto(0.5, 2.0, c)
    noise = law.noise((20_000,), generator=generator(0))
    drawn = law.from_noise(noise)
    slope = torch.func.jacfwd(lambda c: GeneralizedPareto(0.5, 2.0, c).from_noise(noise))(c.detach())
    check_mean(slope, 2 / (1 - concentration) ** 2)
    torch.testing.assert_close(torch.autograd.grad(drawn.sum(), c)[0], slope.sum())


def test_generalized_pareto_is_smooth_through_zero():
    """Level t: value t, slope t²/2, curvature t³/3."""
    noise = torch.tensor([1e-12, 0.3, 0.999], dtype=torch.float64)
    level = -torch.log1p(-noise)
    c = torch.zeros((), dtype=torch.float64)

    def draw(c):
        return GeneralizedPareto(0.0, 1.0, c, validate_args=False).from_noise(noise)

    torch.testing.assert_close(draw(c), level)
    torch.testing.assert_close(torch.func.jacfwd(draw)(c), level**2 / 2)
    torch.testing.assert_close(torch.func.jacfwd(torch.func.jacfwd(draw))(c), level**3 / 3)


def test_generalized_pareto_contains_the_uniform_and_the_exponential_law():
    value = torch.tensor([0.0, 0.3, 1.0, 2.0], dtype=torch.float64)
    uniform = GeneralizedPareto(torch.zeros((), dtype=torch.float64), 2.0, -1.0)
    torch.testing.assert_close(uniform.log_prob(value), torch.full_like(value, -math.log(2)))
    torch.testing.assert_close(uniform.cdf(value), value / 2)
    exponential = GeneralizedPareto(torch.zeros((), dtype=torch.float64), 2.0, 0.0)
    torch.testing.assert_close(exponential.log_prob(value), td.Exponential(0.5).log_prob(value))


def test_generalized_pareto_off_its_support():
    law = GeneralizedPareto(0.0, 1.0, -0.5, validate_args=False)
    outside = torch.tensor([-1.0, 3.0])
    assert (law.log_prob(outside) == -torch.inf).all()
    assert law.cdf(outside).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="support"):
        GeneralizedPareto(0.0, 1.0, -0.5).log_prob(outside)


def test_moments_that_do_not_exist_are_infinite():
    law = GeneralizedPareto(0.0, 1.0, torch.tensor([0.3, 0.5, 1.0, 3.0]))
    assert law.mean.isfinite().tolist() == [True, True, False, False]
    assert law.variance.isfinite().tolist() == [True, False, False, False]
    assert Pareto(1.0, torch.tensor([1.0, 2.0])).variance.tolist() == [torch.inf, torch.inf]
    assert GeneralizedPareto(1.0, 1.0, torch.tensor([-2.0, 0.5])).mode.tolist() == [1.5, 1.0]
    assert Weibull(2.0, torch.tensor([0.5, 2.0])).mode.tolist() == pytest.approx([0.0, math.sqrt(2)])


@pytest.mark.parametrize("law", [lambda k: Weibull(1.0, k), lambda k: Pareto(1.0, k)], ids=["Weibull", "Pareto"])
@pytest.mark.parametrize("shape", [1e-30, 1e-3, 0.01, 0.1])
def test_draws_beyond_the_dtype_are_its_largest_number(law, shape):
    """torch's are inf, and their gradients inf or NaN."""
    shape = torch.tensor(shape, requires_grad=True)
    noise = law(shape).noise((5000,), generator=generator(0))
    drawn = law(shape).from_noise(noise)
    assert drawn.isfinite().all()
    assert (drawn > 0).all()
    (speeds,) = gradients(law(shape), shape, noise=noise[:200])
    assert speeds.isfinite().all()
    assert law(shape).log_prob(drawn).isfinite().all()


def test_ends_of_the_quantile_function():
    ends = torch.tensor([0.0, 1.0])
    assert Weibull(2.0, 0.5).icdf(ends).tolist() == [0.0, torch.inf]
    assert Pareto(2.0, 0.5).icdf(ends).tolist() == [2.0, torch.inf]
    assert GeneralizedPareto(1.0, 2.0, torch.tensor([0.5, -0.5])).icdf(ends[:, None]).tolist() == [
        [1.0, 1.0],
        [torch.inf, 5.0],
    ]


def test_weibull_agrees_with_torch_where_torch_is_right():
    ours, theirs = Weibull(torch.tensor([1.5]), 2.5), td.Weibull(torch.tensor([1.5]), 2.5)
    value = torch.tensor([0.1, 1.0, 4.0])
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    for name in ("mean", "mode", "variance"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
    assert isinstance(ours, td.Weibull)


def test_variance_of_a_narrow_weibull_in_float32():
    """It is about π²/6k²; a difference of two numbers near 1 in float32 has no digit of it left."""
    assert Weibull(1.0, torch.tensor(1e4)).variance.item() == pytest.approx(stats.weibull_min(1e4).var(), rel=1e-4)


def test_kl_of_weibull_laws():
    p = Weibull(torch.tensor([1.5], dtype=torch.float64), 2.5)
    q = Weibull(torch.tensor([0.7], dtype=torch.float64), 1.2)
    value = p.sample((100_000,), generator=generator(0))
    check_mean(p.log_prob(value) - q.log_prob(value), td.kl_divergence(p, q))
    assert td.kl_divergence(p, p).abs() < 1e-12


def test_pareto_next_to_its_scale():
    """1e-10 above the scale; ``log(value) - log(scale)`` would keep six digits."""
    scale = torch.tensor(1000.0, dtype=torch.float64)
    value = scale * (1 + 1e-10)
    exact = -math.expm1(-3 * math.log1p(((value - scale) / scale).item()))
    assert Pareto(scale, 3.0).cdf(value).item() == pytest.approx(exact, rel=1e-12)
    np.testing.assert_array_equal(Pareto(scale, 1e30).icdf(torch.tensor(0.5, dtype=torch.float64)), scale)
