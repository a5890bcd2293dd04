"""Quantiles of CDFs that are only evaluated: to the last bits, at the knots, with the implicit gradient."""

import math
from functools import partial

import mpmath
import pytest
import torch

from reparam.distributions import Gamma
from reparam.errors import SamplerError
from reparam.noise import generator
from reparam.samplers import InverseCdf
from tests.statistical.instruments import check_continuous, check_discrete, check_mean

DOUBLE = partial(torch.tensor, dtype=torch.float64)
# Quantiles in the lower half, where a CDF in float64 has all its digits, over 300 orders of magnitude.
LEVELS = [1e-300, 1e-100, 1e-20, 1e-5, 0.01, 0.3, 0.5]


def normal() -> InverseCdf:
    return InverseCdf(torch.special.ndtr, dtype=torch.float64)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_quantiles_are_right_to_the_last_bits(scale: float) -> None:
    sampler = InverseCdf(lambda y: -torch.expm1(-y / scale), low=0.0, dtype=torch.float64)
    exact = [float(-mpmath.log1p(-mpmath.mpf(level)) * mpmath.mpf(scale)) for level in LEVELS]
    expected = DOUBLE(exact)
    levels = DOUBLE(LEVELS)
    fine = (expected == 0) | (expected > 1e-307)  # subnormal numbers have fewer bits
    error = (sampler.icdf(levels) - expected).abs() / expected.clamp(min=1e-307)
    assert error[fine].max() < 4 * torch.finfo(torch.float64).eps


def test_the_whole_line_needs_no_bracket() -> None:
    levels = DOUBLE([1e-300, 1e-20, 0.3, 0.5, 0.999])
    sampler = InverseCdf(lambda y: torch.special.log_ndtr(y).exp(), dtype=torch.float64)  # ndtr has no lower tail
    assert torch.allclose(sampler.icdf(levels), torch.special.ndtri(levels), rtol=1e-13, atol=1e-16)


def test_where_the_cdf_rises_it_has_the_level_to_rounding() -> None:
    levels = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    assert ((torch.special.ndtr(normal().icdf(levels)) - levels).abs() <= 1e-15 * levels).all()


def test_where_it_is_flat_or_jumps_the_quantile_is_the_smallest() -> None:
    stairs = InverseCdf(lambda y: 0.25 * (y >= -1e-30).double() + 0.75 * (y >= 3e40).double(), dtype=torch.float64)
    assert stairs.icdf(DOUBLE([0.1, 0.25, 0.2500001, 1.0])).tolist() == [-1e-30, -1e-30, 3e40, 3e40]


def test_few_evaluations_are_needed() -> None:
    calls = 0

    def cdf(y: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return torch.special.ndtr(y)

    InverseCdf(cdf).sample((10_000,), generator=generator(0))
    assert calls <= 50  # a bisection alone takes 64


def test_without_a_slope_it_bisects() -> None:
    stairs = InverseCdf(lambda y: 0.3 * (y >= 1).double() + 0.7 * (y >= 2).double())
    drawn = stairs.sample((100_000,), generator=generator(0))
    assert set(drawn.tolist()) == {1.0, 2.0}
    check_discrete(drawn - 1, [0.3, 0.7])


def test_draws_follow_the_law() -> None:
    check_continuous(normal().sample((100_000,), generator=generator(1)), lambda y: torch.special.ndtr(torch.tensor(y)))


def test_probabilities_0_and_1_are_the_ends() -> None:
    uniform = InverseCdf(lambda y: y.clamp(0, 1), low=-3.0, high=5.0)
    assert uniform.icdf(torch.tensor([0.0, 1.0])).tolist() == [-3.0, 1.0]


def test_the_gradient_is_that_of_the_law() -> None:
    concentration = torch.tensor([0.7, 3.0], dtype=torch.float64, requires_grad=True)
    sampler = InverseCdf(
        lambda y: Gamma(concentration, 1.0).cdf(y), low=1e-300, high=1e4, batch_shape=(2,), dtype=torch.float64
    )
    y = sampler.rsample((50,), generator=generator(2))
    (found,) = torch.autograd.grad(y.sum(), concentration)
    law = Gamma(concentration, 1.0)
    expected = law.icdf(law.cdf(y.detach()).detach())
    (wanted,) = torch.autograd.grad(expected.sum(), concentration)
    assert torch.allclose(found, wanted, rtol=1e-8)


def test_a_given_density_is_used() -> None:
    rate = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    sampler = InverseCdf(
        lambda y: -torch.expm1(-rate * y),
        density=lambda y: 2 * rate * torch.exp(-rate * y),  # twice too large: planted
        low=0.0,
        dtype=torch.float64,
    )
    y = sampler.rsample(generator=generator(0))
    assert torch.autograd.grad(y, rate)[0] == pytest.approx(-y.item() / 4)


def test_what_has_no_gradient_says_so() -> None:
    with pytest.raises(SamplerError, match=r"no gradient exists.*sample\(\)"):
        normal().rsample((3,))
    with torch.no_grad():
        assert normal().rsample((3,)).shape == (3,)
    height = torch.tensor(0.3, requires_grad=True)
    stairs = InverseCdf(lambda y: height * (y >= 1) + (1 - height) * (y >= 2))
    with pytest.raises(SamplerError, match="differentiated in y"):
        stairs.rsample((3,))
    flat = InverseCdf(lambda y: height * (y >= 1) + (1 - height) * (y >= 2), density=torch.zeros_like)
    with pytest.raises(SamplerError, match="jump or a flat"):
        flat.rsample((3,))


def table(knots: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    grid = torch.linspace(-4, 4, knots, dtype=torch.float64)
    values = torch.special.ndtr(grid)
    return grid, (values - values[0]) / (values[-1] - values[0])


def test_a_table_is_exact_at_its_knots() -> None:
    grid, values = table()
    sampler = InverseCdf.from_table(grid, values)
    assert (sampler.icdf(values) == grid).all()
    assert torch.equal(sampler.cdf(grid), values)


def test_between_the_knots_a_table_is_close_and_monotone() -> None:
    grid, values = table()
    sampler = InverseCdf.from_table(grid, values)
    fine = torch.linspace(-4, 4, 5001, dtype=torch.float64)
    cdf = sampler.cdf(fine)
    low, high = torch.special.ndtr(DOUBLE(-4.0)), torch.special.ndtr(DOUBLE(4.0))
    assert (cdf - (torch.special.ndtr(fine) - low) / (high - low)).abs().max() < 1e-3
    assert (cdf.diff() >= 0).all()
    levels = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    assert torch.allclose(sampler.cdf(sampler.icdf(levels)), levels, atol=1e-15)


def test_a_density_of_a_table_is_its_slope() -> None:
    grid, values = table(8)
    sampler = InverseCdf.from_table(grid, values)
    y = torch.linspace(-3.9, 3.9, 101, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(sampler.cdf(y).sum(), y)
    assert torch.allclose(sampler._slope(y.detach()), slope, rtol=1e-12)


def test_nothing_is_drawn_where_a_table_is_flat() -> None:
    sampler = InverseCdf.from_table(DOUBLE([0.0, 1.0, 3.0, 4.0]), DOUBLE([0.0, 0.5, 0.5, 1.0]))
    drawn = sampler.sample((10_000,), generator=generator(0))
    assert not ((drawn > 1) & (drawn < 3)).any()
    check_mean((drawn <= 1).double(), 0.5)


def test_tables_come_in_batches() -> None:
    grid = DOUBLE([[0.0, 1.0, 2.0], [10.0, 20.0, 40.0]])
    sampler = InverseCdf.from_table(grid, DOUBLE([0.0, 0.25, 1.0]))
    found = sampler.icdf(DOUBLE([[0.25, 0.25], [1.0, 0.0]]))
    assert found.tolist() == [[1.0, 20.0], [2.0, 10.0]]
    assert sampler.sample((7,), generator=generator(0)).shape == (7, 2)


def test_the_gradient_in_the_values_of_a_table() -> None:
    grid, values = table(9)
    inner = values[1:-1].clone().requires_grad_()

    def drawn(inner: torch.Tensor) -> torch.Tensor:
        whole = torch.cat([values[:1], inner, values[-1:]])
        return InverseCdf.from_table(grid, whole)

    levels = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
    y = drawn(inner).rsample((7,), generator=generator(3))
    (found,) = torch.autograd.grad(y.sum(), inner)
    levels, step = drawn(inner.detach()).cdf(y.detach()), 1e-6
    for index in range(len(inner)):
        move = torch.zeros_like(inner)
        move[index] = step
        ends = [drawn(inner.detach() + sign * move).icdf(levels).sum() for sign in (1, -1)]
        assert found[index] == pytest.approx(((ends[0] - ends[1]) / (2 * step)).item(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("grid", "values", "message"),
    [
        ([0.0, 1.0, 2.0, 3.0], [0.0, 0.6, 0.5, 1.0], r"values must never fall.*index 2 it is 0\.5"),
        ([0.0, 1.0, 1.0, 3.0], [0.0, 0.4, 0.5, 1.0], r"grid must rise strictly.*index 2 it is 1"),
        ([0.0, math.nan, 1.0], [0.0, 0.4, 1.0], r"grid must be finite: at index 1"),
        ([0.0, 1.0, 2.0], [0.1, 0.4, 1.0], r"the first is 0\.1; add a knot where the CDF is 0"),
        ([0.0, 1.0, 2.0], [0.0, 0.4, 0.9], r"the last is 0\.9; add a knot where the CDF is 1"),
        ([0.0, 1.0], [0.0, 0.4, 0.9], "do not go together"),
        ([0.0], [0.0], "at least two knots"),
    ],
)
def test_what_is_no_table_is_refused(grid: list[float], values: list[float], message: str) -> None:
    with pytest.raises(SamplerError, match=message):
        InverseCdf.from_table(DOUBLE(grid), DOUBLE(values))


def test_what_is_no_cdf_is_refused() -> None:
    with pytest.raises(SamplerError, match="from_table"):
        InverseCdf(torch.zeros(3))
    with pytest.raises(SamplerError, match="low must be below high"):
        InverseCdf(torch.special.ndtr, low=1.0, high=0.0)
    with pytest.raises(SamplerError, match="NaN"):
        InverseCdf(lambda y: y.log()).sample()
    with pytest.raises(SamplerError, match="of shape"):
        InverseCdf(lambda y: y.sum()).sample((3,))
    with pytest.raises(SamplerError, match=r"in \[0, 1\]"):
        normal().icdf(torch.tensor(1.5))


def test_dtype_generator_and_empty_batches() -> None:
    sampler = InverseCdf(torch.special.ndtr)
    first, second = (sampler.sample((5,), generator=generator(7)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.dtype == torch.float32
    assert InverseCdf(torch.special.ndtr, dtype=torch.float16).sample((2,)).dtype == torch.float16
    assert sampler.sample((0,)).shape == (0,)
