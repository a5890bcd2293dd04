"""Kumaraswamy: draws inside (0, 1) and finite gradients where torch has neither."""

import math

import pytest
import torch
import torch.distributions as td

from reparam.distributions import Kumaraswamy
from reparam.noise import generator
from tests.statistical.instruments import check_mean


@pytest.mark.parametrize("b", [0.3, 1.0, 4.0])
def test_gradient_of_the_mean(b):
    """With a = 1 the mean is 1/(1 + b)."""
    b = torch.tensor(b, dtype=torch.float64)
    noise = Kumaraswamy(1.0, b).noise((20_000,), generator=generator(0))
    slope = torch.func.jacfwd(lambda b: Kumaraswamy(1.0, b, validate_args=False).from_noise(noise))(b)
    check_mean(slope, -1 / (1 + b) ** 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("a", [1e-30, 1e-3, 0.1, 1.0, 1000.0, 1e30])
@pytest.mark.parametrize("b", [1e-30, 1e-3, 0.1, 1.0, 1000.0, 1e30])
def test_extreme_parameters(a, b, dtype):
    """torch: -inf at a = b = 1000, and 18 % of the draws are 1 at a = b = 0.1."""
    a, b = (torch.tensor(value, dtype=dtype, requires_grad=True) for value in (a, b))
    law = Kumaraswamy(a, b)
    drawn = law.rsample((2000,), generator=generator(0))
    assert ((drawn > 0) & (drawn < 1)).all()
    for speed in torch.autograd.grad(drawn, (a, b), torch.eye(2000, dtype=dtype)[:100].sum(0)):
        assert speed.isfinite()
    assert law.log_prob(drawn).isfinite().all()


def test_draws_where_the_quotient_underflows():
    """The median of a = b = 1e30: 1 - x = -log(1 - (1/2)^(1/b))/a = 1e-30·log(1e30/log 2), which rounds to 1."""
    assert Kumaraswamy(torch.tensor(1e30), 1e30).icdf(torch.tensor(0.5)) > 0.999999
    median = Kumaraswamy(torch.tensor(10.0), 1e38).icdf(torch.tensor(0.5)).item()
    assert median == pytest.approx((math.log(2) / 1e38) ** 0.1, rel=1e-5)


def test_the_uniform_law_and_the_ends():
    law = Kumaraswamy(torch.ones(()), 1.0)
    value = torch.tensor([0.0, 0.25, 1.0])
    assert law.log_prob(value).abs().max() < 1e-6
    assert law.cdf(value).tolist() == pytest.approx([0.0, 0.25, 1.0])
    assert law.icdf(value).tolist() == pytest.approx([0.0, 0.25, 1.0])
    assert law.mode.isnan()
    outside = Kumaraswamy(2.0, 2.0, validate_args=False)
    assert outside.log_prob(torch.tensor([-0.5, 1.5])).tolist() == [-torch.inf, -torch.inf]
    assert outside.cdf(torch.tensor([-0.5, 1.5])).tolist() == [0.0, 1.0]
    assert Kumaraswamy(3.0, 2.0).log_prob(torch.tensor([0.0, 1.0])).isfinite().all()


def test_mode_is_where_the_density_is_largest():
    """torch's is the logarithm of a negative number: NaN everywhere."""
    law = Kumaraswamy(torch.tensor([2.0, 1.5, 0.5, 3.0, 0.5]), torch.tensor([3.0, 20.0, 2.0, 0.5, 0.5]))
    grid = torch.linspace(0, 1, 100_001)[:, None].clamp(1e-9, 1 - 1e-6)
    best = grid[law.log_prob(grid.expand(-1, 5)).argmax(0), 0]
    torch.testing.assert_close(law.mode[:4], best[:4], rtol=0, atol=1e-4)
    assert law.mode[4].isnan()


def test_moments_agree_with_torch_in_float64_and_hold_in_float32():
    a, b = torch.tensor([1.5, 800.0], dtype=torch.float64), torch.tensor([700.0, 0.3], dtype=torch.float64)
    ours, theirs = Kumaraswamy(a, b), td.Kumaraswamy(a, b)
    narrow = Kumaraswamy(a.float(), b.float())
    for name in ("mean", "variance"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=1e-7, atol=0)
        torch.testing.assert_close(getattr(narrow, name).double(), getattr(ours, name), rtol=1e-5, atol=0)
