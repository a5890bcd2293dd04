"""LogNormal, HalfNormal, HalfCauchy, Exponential: relative precision near 0, far tails, no overflow."""

import math

import mpmath
import numpy as np
import pytest
import torch
import torch.distributions as td

from reparam.distributions import Exponential, HalfCauchy, HalfNormal, LogNormal
from reparam.noise import generator

LOWEST, HIGHEST = 2.0**-54, 1 - 2.0**-53
ENDS = torch.tensor([LOWEST, HIGHEST], dtype=torch.float64)
DTYPES = [torch.float32, torch.float64]
ALL_DTYPES = [*DTYPES, torch.float16, torch.bfloat16]
LAWS = {
    "LogNormal": (LogNormal, td.LogNormal, (0.3, 0.8)),
    "HalfNormal": (HalfNormal, td.HalfNormal, (0.8,)),
    "HalfCauchy": (HalfCauchy, td.HalfCauchy, (0.8,)),
    "Exponential": (Exponential, td.Exponential, (0.8,)),
}
every = pytest.mark.parametrize("name", LAWS)


@every
def test_agrees_with_torch_where_torch_is_right(name):
    ours, theirs, parameters = LAWS[name]
    one, other = ours(*parameters), theirs(*parameters)
    for moment in ("mean", "variance", "mode"):
        torch.testing.assert_close(getattr(one, moment), getattr(other, moment), equal_nan=True)
    torch.testing.assert_close(one.entropy(), other.entropy())
    value = torch.tensor([0.1, 1.0, 2.0])
    torch.testing.assert_close(one.log_prob(value), other.log_prob(value))
    torch.testing.assert_close(one.cdf(value), other.cdf(value))
    torch.testing.assert_close(one.icdf(one.cdf(value)), value)
    two = tuple(2 * parameter for parameter in parameters)
    torch.testing.assert_close(td.kl_divergence(one, ours(*two)), td.kl_divergence(other, theirs(*two)))


@every
def test_outside_the_support(name):
    law = LAWS[name][0](*LAWS[name][2])
    with pytest.raises(ValueError, match="support"):
        law.log_prob(torch.tensor(-1.0))
    parameters = [torch.tensor(value, requires_grad=True) for value in LAWS[name][2]]
    law = LAWS[name][0](*parameters, validate_args=False)
    value = law.log_prob(torch.tensor([-1.0, 1.0]))
    assert value[0] == -torch.inf
    assert law.cdf(torch.tensor(-1.0)) == 0
    assert all(gradient.isfinite() for gradient in torch.autograd.grad(value[1] + law.cdf(torch.ones(())), parameters))


@every
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_ends_of_the_quantile(name, dtype):
    """Probability 0 and 1 are the ends of the support, though a draw never is there."""
    law = LAWS[name][0](*(torch.tensor(value, dtype=dtype) for value in LAWS[name][2]))
    assert law.icdf(torch.tensor([0.0, 1.0], dtype=dtype)).tolist() == [0.0, math.inf]


@every
@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_draws_neither_overflow_nor_vanish(name, dtype, size):
    """Half types cannot hold these scales themselves: there the scale is the end of the dtype's range."""
    size = min(max(size, torch.finfo(dtype).tiny), 0.5 * torch.finfo(dtype).max)
    values = (math.log(size), 3.0) if name == "LogNormal" else (size,)
    parameters = [torch.tensor(value, dtype=dtype, requires_grad=True) for value in values]
    law = LAWS[name][0](*parameters)
    drawn = law.rsample((2000,), generator=generator(0))
    quantiles = law.icdf(torch.tensor([LOWEST, 1e-3, 0.9, HIGHEST], dtype=torch.float64))
    for draws in (drawn, quantiles):
        assert ((draws > 0) & draws.isfinite()).all()
        assert not any(gradient.isnan() for gradient in torch.autograd.grad(draws.float().sum(), parameters))
        assert law.log_prob(draws.detach()).isfinite().all()


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("loc", [-2000.0, 2000.0])
def test_lognormal_beyond_the_dtype_is_the_last_number(dtype, loc):
    """Above, the last that leaves room for the derivative in the scale."""
    loc = torch.tensor(loc, dtype=dtype, requires_grad=True)
    scale = torch.tensor(1.0, dtype=dtype, requires_grad=True)
    drawn = LogNormal(loc, scale).rsample((5,), generator=generator(0))
    end = torch.finfo(dtype).max / 16 if loc > 0 else max(torch.finfo(dtype).tiny, 2.0**-24 * (dtype == torch.float16))
    assert (drawn > 0).all()
    assert drawn.isfinite().all()
    if dtype != torch.float16:
        np.testing.assert_allclose(drawn.detach().double().log(), math.log(end), rtol=1e-3)
    assert [gradient.item() for gradient in torch.autograd.grad(drawn.sum(), (loc, scale))] == [0.0, 0.0]


def test_lognormal_gradient_in_closed_form():
    """dy/dμ = y and dy/dσ = ε·y."""
    loc, scale = torch.tensor(0.3, requires_grad=True), torch.tensor(0.8, requires_grad=True)
    noise = torch.tensor(-1.7)
    drawn = LogNormal(loc, scale).from_noise(noise)
    gradients = torch.autograd.grad(drawn, (loc, scale))
    assert gradients[0].item() == pytest.approx(drawn.item())
    assert gradients[1].item() == pytest.approx(-1.7 * drawn.item())


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_cauchy_tails_and_the_neighbourhood_of_zero(dtype):
    law = HalfCauchy(torch.tensor(2.0, dtype=dtype))
    expected = [float(2 * mpmath.tan(mpmath.pi / 2 * mpmath.mpf(level))) for level in (1e-30, LOWEST)]
    expected.append(float(2 * mpmath.cot(mpmath.pi / 2 * mpmath.mpf(2) ** -53)))
    levels = torch.tensor([1e-30, LOWEST, HIGHEST], dtype=torch.float64)
    np.testing.assert_allclose(law.icdf(levels).double(), expected, rtol=4 * torch.finfo(dtype).eps)
    small = torch.tensor(1e-25, dtype=dtype)
    assert law.cdf(small).item() == pytest.approx(float(mpmath.atan(small.item() / 2) * 2 / mpmath.pi), rel=1e-6)
    assert td.HalfCauchy(torch.tensor(2.0, dtype=dtype)).cdf(small) == 0


def test_half_cauchy_density_far_out_in_float32():
    """torch squares the value and gives -inf."""
    scale = torch.tensor(1.0, requires_grad=True)
    log_density = HalfCauchy(scale).log_prob(torch.tensor(1e30))
    assert log_density.item() == pytest.approx(math.log(2 / math.pi) - 60 * math.log(10), rel=1e-6)
    assert torch.autograd.grad(log_density, scale)[0].item() == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_normal_quantile_and_cdf(dtype):
    law = HalfNormal(torch.tensor(2.0, dtype=dtype))
    with mpmath.workdps(40):
        expected = [float(2 * mpmath.sqrt(2) * mpmath.erfinv(mpmath.mpf(level))) for level in (1e-30, LOWEST, 0.7)]
        upper = mpmath.mpf(2) ** -53
        expected.append(float(-2 * mpmath.findroot(lambda x: mpmath.ncdf(x) - upper / 2, -8.3)))
    levels = torch.tensor([1e-30, LOWEST, 0.7, HIGHEST], dtype=torch.float64)
    np.testing.assert_allclose(law.icdf(levels).double(), expected, rtol=8 * torch.finfo(dtype).eps)
    small = torch.tensor(1e-25, dtype=dtype)
    assert law.cdf(small).item() == pytest.approx(small.item() / 2 * math.sqrt(2 / math.pi), rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponential_reaches_both_tails(dtype):
    """torch's CDF is 1 - exp(-x), which is 0 below 1e-8 in float32."""
    law = Exponential(torch.tensor(2.0, dtype=dtype))
    np.testing.assert_allclose(law.from_noise(ENDS).double(), [LOWEST / 2, 53 * math.log(2) / 2], rtol=1e-6)
    small = torch.tensor(1e-25, dtype=dtype)
    assert law.cdf(small).item() == pytest.approx(2 * small.item(), rel=1e-6)
    assert td.Exponential(torch.tensor(2.0, dtype=dtype)).cdf(small) == 0


def test_exponential_gradient_in_closed_form():
    """dy/dλ = -y/λ, and 0 where y would overflow."""
    rate = torch.tensor([0.5, 1e-38], requires_grad=True)
    drawn = Exponential(rate).from_noise(torch.tensor([0.3, HIGHEST], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(drawn.sum(), rate)
    assert gradient.tolist() == pytest.approx([-drawn[0].item() / 0.5, 0.0])
    assert drawn[1] == torch.finfo(torch.float32).max
