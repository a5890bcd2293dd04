"""DiscretizedLogistic against the definition in high precision, and where cancellation would strike."""

import itertools

import mpmath
import numpy as np
import pytest
import torch

from reparam.distributions import DiscretizedLogistic
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.statistical.instruments import check_discrete


def grid(levels, dtype=torch.float64):
    return torch.arange(levels, dtype=dtype) / (levels - 1)


def exact_log_prob(level, levels, loc, scale):
    """The definition, difference of two CDFs, with enough digits that the cancellation does not matter."""
    with mpmath.workdps(60):
        loc, scale, last = mpmath.mpf(loc), mpmath.mpf(scale), levels - 1

        def cdf(position):
            return 1 / (1 + mpmath.exp(-(mpmath.mpf(position) / last - loc) / scale))

        upper = mpmath.mpf(1) if level == last else cdf(level + mpmath.mpf("0.5"))
        lower = mpmath.mpf(0) if level == 0 else cdf(level - mpmath.mpf("0.5"))
        return upper - lower


@pytest.mark.parametrize("levels", [2, 3, 16, 256])
@pytest.mark.parametrize(("loc", "scale"), [(0.4, 0.1), (0.0, 0.01), (1.3, 0.3), (-0.2, 2.0), (0.5, 1e-3)])
def test_log_prob_is_the_difference_of_cdfs(levels, loc, scale):
    law = DiscretizedLogistic(torch.tensor(loc, dtype=torch.float64), scale, levels)
    seen = law.log_prob(grid(levels))
    places = sorted({0, 1, levels // 3, levels // 2, levels - 2, levels - 1} & set(range(levels)))
    for level in places:
        exact = exact_log_prob(level, levels, loc, scale)
        if exact > mpmath.mpf(10) ** -50:  # 60 digits of the reference are left with 10
            assert seen[level].item() == pytest.approx(float(mpmath.log(exact)), rel=1e-9, abs=1e-12)
    assert seen.exp().sum().item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("loc", [-100.0, -1.0, 0.0, 0.3, 1.0, 100.0])
@pytest.mark.parametrize("scale", [1e-5, 1e-3, 0.1, 10.0, 1e3])
@pytest.mark.parametrize("levels", [2, 256])
def test_finite_in_float32_wherever_the_law_lies(loc, scale, levels):
    loc = torch.full((levels,), loc, requires_grad=True)
    scale = torch.full((levels,), scale, requires_grad=True)
    log_prob = DiscretizedLogistic(loc, scale, levels).log_prob(grid(levels, torch.float32))
    assert log_prob.isfinite().all()
    assert (log_prob <= 1e-6).all()
    assert log_prob.exp().sum().item() == pytest.approx(1.0, abs=1e-3 if scale[0] < 1e-4 else 2e-5)
    log_prob.sum().backward()  # one law a value, so that each gradient shows
    assert loc.grad.isfinite().all()
    assert scale.grad.isfinite().all()
    precise = DiscretizedLogistic(loc.detach().double(), scale.detach().double(), levels).log_prob(grid(levels))
    torch.testing.assert_close(log_prob.double(), precise, rtol=1e-3 if scale[0] < 1e-4 else 1e-4, atol=1e-4)


def test_known_tail_value():
    """Black pixel, law centred on white: log p = log s((h - loc) / scale) ≈ (h - loc) / scale."""
    law = DiscretizedLogistic(torch.tensor(1.0), 1e-3, 256)
    assert law.log_prob(torch.tensor(0.0)).item() == pytest.approx((0.5 / 255 - 1) / 1e-3, rel=1e-6)


def test_gradcheck_over_the_whole_grid():
    loc = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    values = grid(9)
    assert torch.autograd.gradcheck(lambda a, b: DiscretizedLogistic(a, b, 9).log_prob(values), (loc, scale))
    assert torch.autograd.gradcheck(lambda a, b: DiscretizedLogistic(a, b, 9).mean, (loc, scale))


@pytest.mark.parametrize(
    ("loc", "scale", "levels"), list(itertools.product([0.02, 0.5, 1.4], [0.003, 0.2], [2, 5, 256]))
)
def test_mean_and_draws_agree_with_the_probabilities(loc, scale, levels):
    law = DiscretizedLogistic(torch.tensor(loc, dtype=torch.float64), scale, levels)
    probabilities = law.log_prob(grid(levels)).exp()
    assert law.mean.item() == pytest.approx((probabilities * grid(levels)).sum().item(), abs=1e-12)
    draws = law.sample((100_000,), generator=generator(0))
    assert law.support.check(draws).all()
    check_discrete((draws * (levels - 1)).round(), probabilities)


def test_float32_draws_are_grid_points_exactly():
    """Equal to k / 255 in float32, which is what a reader of 8-bit images produces."""
    draws = DiscretizedLogistic(torch.tensor(0.5), 0.3, 256).sample((10_000,), generator=generator(0))
    levels = (draws * 255).round()
    assert torch.equal(draws, levels / 255)


@pytest.mark.parametrize("levels", [1, 0, -3, 2.0, True, "256"], ids=repr)
def test_bad_levels_are_refused(levels):
    with pytest.raises(ParameterError, match="levels must be a whole number >= 2; got"):
        DiscretizedLogistic(0.5, 0.1, levels)


def test_a_dtype_too_coarse_is_refused():
    with pytest.raises(ParameterError, match=r"256 levels cannot be told apart in torch\.bfloat16.*\.float\(\)"):
        DiscretizedLogistic(torch.tensor(0.5, dtype=torch.bfloat16), 0.1, 256)
    law = DiscretizedLogistic(torch.tensor(0.5, dtype=torch.float16), 0.1, 256)
    values = grid(256, torch.float16)
    assert law.support.check(values).all()
    assert np.array_equal(law._nearest_level(values).numpy(), np.arange(256))


@pytest.mark.parametrize("value", [0.5 / 255, -1 / 255, 256 / 255, 17.0, torch.nan])
def test_values_off_the_grid_are_refused(value):
    law = DiscretizedLogistic(torch.tensor(0.5), 0.1, 256)
    with pytest.raises(ValueError, match=r"support \(k / 255 for k = 0, \.\.\., 255\)"):
        law.log_prob(torch.tensor(value))


def test_expand_keeps_the_levels():
    law = DiscretizedLogistic(torch.tensor(0.5), 0.1, 16).expand((2, 3))
    assert law.levels == 16
    assert law.mean.shape == (2, 3)
