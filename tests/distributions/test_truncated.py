"""Truncated laws: draws and gradients far out in a tail, against mpmath and closed forms."""

import math

import mpmath
import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam.distributions import (
    Beta,
    Cauchy,
    Exponential,
    Gamma,
    GeneralizedPareto,
    Independent,
    Kumaraswamy,
    Laplace,
    Logistic,
    LogNormal,
    Normal,
    Pareto,
    Stable,
    StudentT,
    Truncated,
    TruncatedNormal,
    Weibull,
)
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.statistical.instruments import check_mean

LEVELS = [1e-9, 0.1, 0.5, 0.9, 1 - 1e-9]
INTERVALS = [
    (-0.5, 0.3),
    (-3.0, 2.0),
    (-1.5, math.inf),
    (0.0, math.inf),
    (5.0, math.inf),
    (-math.inf, -5.0),
    (8.0, 13.0),
    (20.0, 25.0),
    (-13.1, -13.0),
    (40.0, math.inf),
    (40.0, 40.0 + 1e-6),
    (1e4, math.inf),
    (-1e4 - 1, -1e4),
]


def exact(level, low, high):
    """The standard draw and its derivatives in loc, scale, low and high, in many digits."""
    low, high = mpmath.mpf(low), mpmath.mpf(high)
    mirrored = low + high < 0 if mpmath.isfinite(low) and mpmath.isfinite(high) else mpmath.isinf(low)
    a, b, w = (-high, -low, 1 - mpmath.mpf(level)) if mirrored else (low, high, mpmath.mpf(level))
    tail = lambda x: mpmath.erfc(x / mpmath.sqrt(2)) / 2  # noqa: E731
    goal = mpmath.log((1 - w) * tail(a) + w * tail(b))
    y = a + (1 if not mpmath.isfinite(b) else min(b - a, 1)) / 2 / max(a, 1)
    for _ in range(60):  # Newton's method on a concave function
        y = y - (mpmath.log(tail(y)) - goal) * -tail(y) / mpmath.npdf(y)
    by_a = (1 - w) * mpmath.exp((y - a) * (y + a) / 2)
    by_b = w * mpmath.exp((y - b) * (y + b) / 2) if mpmath.isfinite(b) else mpmath.mpf(0)
    by_loc = 1 - by_a - by_b
    by_scale = y - a * by_a - (b * by_b if mpmath.isfinite(b) else 0)
    if mirrored:
        return [-y, by_loc, -by_scale, by_b, by_a]
    return [y, by_loc, by_scale, by_a, by_b]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("low", "high"), INTERVALS)
def test_draws_and_gradients_against_mpmath(low, high, dtype):
    parameters = [torch.tensor(value, dtype=dtype, requires_grad=True) for value in (0.0, 1.0, low, high)]
    given = [parameter.item() for parameter in parameters]
    if given[2] >= given[3]:
        return  # one number in float32
    for level in LEVELS:
        noise = torch.tensor(level, dtype=torch.float64)
        drawn = TruncatedNormal(*parameters).from_noise(noise)
        # The law takes its level in its own dtype, from both sides.
        smaller = torch.minimum(noise, 1 - noise).to(dtype).item()
        with mpmath.workdps(60):
            taken = mpmath.mpf(smaller) if level < 0.5 else 1 - mpmath.mpf(smaller)
            expected = exact(taken, given[2], given[3])
        seen = [drawn.item(), *(slope.item() for slope in torch.autograd.grad(drawn, parameters))]
        eps = torch.finfo(dtype).eps
        assert seen[0] == pytest.approx(float(expected[0]), rel=2 * eps)
        assert given[2] <= seen[0] <= given[3]
        # Derivatives that are differences of numbers of size 1 (or of size y) are good to that size.
        reach = max(abs(float(expected[0])), 1.0)
        far = 3e-8 if reach > 1e3 else 1e-11
        for index, size in ((1, 1e-13), (2, 1e-13 * reach), (3, 1e-13), (4, 1e-13)):
            exactly = float(expected[index])
            assert seen[index] == pytest.approx(exactly, rel=4 * eps + far, abs=size * 10), (level, index)


@pytest.mark.parametrize("edge", [1.0, 20.0, 40.0, 1e4])
def test_gradient_of_the_mean_in_the_tail(edge):
    """The mean is the hazard λ(a), and dλ/da = λ(λ - a), nearly 1 - 1/a²; dmean/dloc = 1 - dmean/da, nearly 1/a²."""
    with mpmath.workdps(60):
        a = mpmath.mpf(edge)
        hazard = mpmath.npdf(a) / (mpmath.erfc(a / mpmath.sqrt(2)) / 2)
        by_low = hazard * (hazard - a)
    loc, low = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.0, edge))
    law = TruncatedNormal(loc, 1.0, low, math.inf)
    slopes = torch.autograd.grad(law.mean, (loc, low))
    assert law.mean.item() == pytest.approx(float(hazard), rel=1e-14)
    np.testing.assert_allclose([slope.item() for slope in slopes], [float(1 - by_low), float(by_low)], rtol=1e-6)
    noise = law.noise((20_000,), generator=generator(0))

    def draw(loc, low):
        return TruncatedNormal(loc, 1.0, low, math.inf, validate_args=False).from_noise(noise)

    by_draw = torch.func.jacfwd(draw, (0, 1))(loc.detach(), low.detach())
    check_mean(by_draw[0] / float(1 - by_low), 1.0)
    check_mean(by_draw[1], float(by_low))


@pytest.mark.parametrize(("low", "high"), [interval for interval in INTERVALS if abs(interval[0]) < 30])
def test_moments_and_entropy_against_scipy(low, high):
    law = TruncatedNormal(torch.tensor(0.7, dtype=torch.float64), 2.0, 0.7 + 2 * low, 0.7 + 2 * high)
    with mpmath.workdps(40):
        left, right = (mpmath.mpf(max(min(end, 60), -60)) for end in (low, high))
        centre = min(max(left, 0), right)
        density = lambda x: mpmath.exp((centre - x) * (centre + x) / 2)  # noqa: E731
        nodes = mpmath.linspace(left, right, 60)
        mass, first = mpmath.quad(density, nodes), mpmath.quad(lambda x: x * density(x), nodes)
        second = mpmath.quad(lambda x: (x - first / mass) ** 2 * density(x), nodes) / mass
        entropy = mpmath.log(2 * mass) - centre**2 / 2 + (second + (first / mass) ** 2) / 2
    expected = [0.7 + 2 * float(first / mass), 4 * float(second), float(entropy)]
    seen = [law.mean.item(), law.variance.item(), law.entropy().item()]
    np.testing.assert_allclose(seen, expected, rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.5, 1.0), (-1.0, -0.5)])
def test_extreme_scales(scale, low, high):
    """A point mass at the place nearest to loc, or the uniform law."""
    parameters = [torch.tensor(value, requires_grad=True) for value in (0.0, scale, low, high)]
    law = TruncatedNormal(*parameters)
    drawn = law.rsample((1000,), generator=generator(0))
    assert ((drawn >= low) & (drawn <= high)).all()
    assert all(slope.isfinite() for slope in torch.autograd.grad(drawn.sum(), parameters))
    assert law.log_prob(drawn.detach())[drawn != 0].isfinite().all()
    if scale > 1:
        level = law.noise((1000,), generator=generator(0))
        torch.testing.assert_close(drawn.double(), low + (high - low) * level, rtol=1e-5, atol=1e-6)
        assert law.entropy().item() == pytest.approx(math.log(high - low), abs=1e-6)
    else:
        nearest = min(max(0.0, low), high)
        assert (drawn - nearest).abs().max() <= 10 * scale


def test_no_truncation_is_the_normal_law():
    noise = torch.tensor(LEVELS, dtype=torch.float64)
    loc, scale = torch.tensor(0.7, dtype=torch.float64), torch.tensor(1.3, dtype=torch.float64)
    law, base = TruncatedNormal(loc, scale, -math.inf, math.inf), Normal(loc, scale)
    torch.testing.assert_close(law.icdf(noise), base.icdf(noise))
    torch.testing.assert_close(law.log_prob(noise), base.log_prob(noise))
    torch.testing.assert_close(law.cdf(noise), base.cdf(noise))
    torch.testing.assert_close(law.entropy(), base.entropy())
    assert law.mean == loc
    torch.testing.assert_close(law.variance, base.variance)


def test_truncated_normal_is_truncated_of_a_normal():
    parameters = [torch.tensor(value, dtype=torch.float64) for value in (0.7, 1.3, 40.0, 45.0)]
    one, other = TruncatedNormal(*parameters), Truncated(Normal(*parameters[:2]), *parameters[2:])
    value = one.sample((100,), generator=generator(0))
    assert torch.equal(value, other.sample((100,), generator=generator(0)))
    assert torch.equal(one.log_prob(value), other.log_prob(value))
    assert torch.equal(one.cdf(value), other.cdf(value))
    torch.testing.assert_close(other.mean, one.mean, rtol=1e-9, atol=0)
    torch.testing.assert_close(other.variance, one.variance, rtol=1e-6, atol=0)
    torch.testing.assert_close(other.entropy(), one.entropy(), rtol=1e-8, atol=0)


CASES = [
    (lambda: Logistic(torch.zeros((), dtype=torch.float64), 1.0), 1e3, 1e3 + 5),
    (lambda: Laplace(torch.zeros((), dtype=torch.float64), 1.0), -math.inf, -1e3),
    (lambda: Exponential(torch.ones((), dtype=torch.float64)), 1e3, math.inf),
    (lambda: Exponential(torch.ones((), dtype=torch.float64)), 0.0, 1e-20),
    (lambda: Gamma(torch.tensor(2.0, dtype=torch.float64), 1.0), 500.0, math.inf),
    (lambda: Gamma(torch.tensor(2.0, dtype=torch.float64), 1.0), 0.0, 1e-200),
    (lambda: Beta(torch.tensor(2.0, dtype=torch.float64), 3.0), 0.0, 1e-200),
    (lambda: StudentT(torch.tensor(3.0, dtype=torch.float64)), 1e10, math.inf),
    (lambda: LogNormal(torch.tensor(0.0, dtype=torch.float64), 1.0), 0.0, 1e-12),
    (lambda: LogNormal(torch.tensor(0.0, dtype=torch.float64), 1.0), 1e12, math.inf),
    (lambda: Weibull(torch.tensor(1.0, dtype=torch.float64), 2.0), 50.0, math.inf),
    (lambda: GeneralizedPareto(torch.tensor(0.0, dtype=torch.float64), 1.0, 0.1), 1e5, 1e6),
    (lambda: Kumaraswamy(torch.tensor(2.0, dtype=torch.float64), 3.0), 0.2, 0.3),
    (lambda: Cauchy(torch.tensor(0.0, dtype=torch.float64), 1.0), -8.0, -5.0),
]


@pytest.mark.parametrize(
    ("base", "low", "high"), CASES, ids=lambda case: type(case()).__name__ if callable(case) else ""
)
def test_far_tails_of_other_laws(base, low, high):
    """The quantile inverts the CDF, whose density is log_prob, and the gradient is that of the implicit formula."""
    law = Truncated(base(), low, high)
    level = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64, requires_grad=True)
    y = law.icdf(level)
    assert ((y > low) & (y < high)).all()
    torch.testing.assert_close(law.cdf(y), level, rtol=1e-9, atol=0)
    (by_level,) = torch.autograd.grad(y.sum(), level)
    torch.testing.assert_close(by_level, torch.exp(-law.log_prob(y.detach())), rtol=1e-6, atol=0)
    assert low <= law.mean <= high


def test_gradient_in_the_degrees_of_freedom():
    """d/ddf E tanh y of StudentT(3) beyond 1/2, by quadrature with scipy."""
    df = torch.tensor(3.0, dtype=torch.float64)
    noise = torch.rand(100_000, dtype=torch.float64, generator=generator(0))

    def draw(df):
        base = StudentT(df, 0.0, 1.0, validate_args=False)
        return torch.tanh(Truncated(base, 0.5, math.inf, validate_args=False).from_noise(noise))

    check_mean(torch.func.jacfwd(draw)(df), -0.011863)


def test_draws_beyond_the_dtype_are_its_largest_number():
    drawn = Truncated(Pareto(torch.tensor(1.0), 0.02), 2.0, math.inf).sample((1000,), generator=generator(0))
    assert drawn.isfinite().all()
    assert (drawn == torch.finfo(torch.float32).max).any()


def test_infinite_ends_take_gradients():
    parameters = [torch.tensor(value, requires_grad=True) for value in (0.0, 1.0, -math.inf, 3.0)]
    law = TruncatedNormal(*parameters)
    gradients = torch.autograd.grad(law.rsample((100,), generator=generator(0)).sum(), parameters)
    assert all(gradient.isfinite() for gradient in gradients)
    assert gradients[2] == 0
    for quantity in (
        law.mean,
        law.variance,
        law.entropy(),
        law.log_prob(torch.tensor(0.5)),
        law.cdf(torch.tensor(0.5)),
    ):
        gradients = torch.autograd.grad(quantity, parameters, retain_graph=True, allow_unused=True)
        assert all(gradient is None or gradient.isfinite() for gradient in gradients)


def test_values_off_the_interval():
    for law in (TruncatedNormal(0.0, 1.0, 1.0, 2.0, False), Truncated(Logistic(0.0, 1.0), 1.0, 2.0, False)):
        outside = torch.tensor([0.5, 2.5])
        assert law.log_prob(outside).tolist() == [-torch.inf, -torch.inf]
        assert law.cdf(outside).tolist() == [0.0, 1.0]
        assert law.icdf(torch.tensor([0.0, 1.0])).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="support"):
        TruncatedNormal(0.0, 1.0, 1.0, 2.0).log_prob(outside)


def test_shapes_broadcast_and_numbers_take_the_dtype_of_the_base():
    law = Truncated(Logistic(torch.zeros(3, dtype=torch.float64), 1.0), 0.0, torch.ones(2, 1, dtype=torch.float64))
    assert law.batch_shape == (2, 3)
    assert law.sample((4,)).shape == (4, 2, 3)
    assert law.low.dtype == torch.float64
    assert law.expand((5, 2, 3)).rsample().shape == (5, 2, 3)
    assert Independent(law, 1).log_prob(law.sample()).shape == (2,)


def test_refusals():
    base = Logistic(torch.zeros(2), 1.0)
    with pytest.raises(ParameterError, match=r"high must be greater than low; got 1 at index \(1,\)"):
        Truncated(base, torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0]))
    with pytest.raises(ParameterError, match="high must be greater than low"):
        TruncatedNormal(0.0, 1.0, math.inf, math.inf)
    with pytest.raises(ParameterError, match="low must be a number, or infinite; got nan"):
        TruncatedNormal(0.0, 1.0, math.nan, 1.0)
    with pytest.raises(ParameterError, match="low must be such that the base law has some probability"):
        Truncated(Exponential(1.0), -2.0, -1.0)
    with pytest.raises(ParameterError, match="low must be such that the base law has some probability"):
        Truncated(Kumaraswamy(2.0, 2.0), 3.0, 4.0)
    with pytest.raises(ParameterError, match=r"low has torch\.float64 and the base law torch\.float32"):
        Truncated(base, *torch.tensor([0.0, 1.0], dtype=torch.float64))
    with pytest.raises(ParameterError, match="does not broadcast"):
        Truncated(base, torch.zeros(3), 1.0)
    for wrong in (td.Normal(0.0, 1.0), Stable(1.5, 0.0, 0.0, 1.0), Independent(base, 1), 3.0):
        with pytest.raises(ParameterError, match="base must be a law"):
            Truncated(wrong, 0.0, 1.0)


def test_agrees_with_scipy_where_scipy_holds():
    reference = stats.truncnorm(-1.0, 2.5, 0.7, 1.3)
    law = TruncatedNormal(torch.tensor(0.7, dtype=torch.float64), 1.3, 0.7 - 1.3, 0.7 + 2.5 * 1.3)
    value = torch.linspace(-0.5, 3.9, 7, dtype=torch.float64)
    np.testing.assert_allclose(law.log_prob(value), reference.logpdf(value), rtol=1e-10)
    np.testing.assert_allclose(law.cdf(value), reference.cdf(value), rtol=1e-10)


def test_float32_has_the_digits_of_float64_everywhere():
    """Ordinary draws in float32 go another way than extreme ones: here they are side by side, seams included."""
    rng = np.random.default_rng(0)
    size = 4000
    near = torch.from_numpy(rng.uniform(-12, 12, size))
    width = torch.from_numpy(np.exp(rng.uniform(np.log(1e-4), np.log(20), size)))
    low, high = near - width / 2, near + width / 2
    low[:400], high[200:600] = -math.inf, math.inf
    level = torch.from_numpy(rng.uniform(0, 1, size))
    level[::3] = torch.from_numpy(np.exp(rng.uniform(-36, 0, size)))[::3]
    loc, scale = torch.from_numpy(rng.normal(size=size)), torch.from_numpy(np.exp(rng.normal(size=size)))
    loc[600:1200] = -scale[600:1200] * low[600:1200]  # the lower end is 0: distances from it are what counts
    ends = loc + scale * low, loc + scale * high
    ends[0][600:1200] = 0.0
    single = [part.float().requires_grad_() for part in (loc, scale, *ends)]
    double = [part.detach().double().requires_grad_() for part in single]
    # Both get the level that the float32 law takes.
    smaller = torch.minimum(level, 1 - level).float().double()
    level = torch.where(level < 0.5, smaller, 1 - smaller)
    drawn, exact = (TruncatedNormal(*parts).from_noise(level) for parts in (single, double))
    assert ((drawn >= single[2]) & (drawn <= single[3])).all()
    torch.testing.assert_close(drawn.double(), exact, rtol=3e-7, atol=0)
    slopes, expected = (torch.autograd.grad(y.sum(), parts) for y, parts in ((drawn, single), (exact, double)))
    for name, seen, right in zip(("loc", "scale", "low", "high"), slopes, expected, strict=True):
        # Next to loc, the derivative in the scale goes through 0.
        torch.testing.assert_close(seen.double(), right, rtol=1e-6, atol=1e-9, msg=lambda text, name=name: name + text)


def test_second_derivatives_of_ordinary_draws_in_float32():
    noise = torch.tensor([0.1, 0.4, 0.97], dtype=torch.float64)
    curvatures = []
    for dtype in (torch.float32, torch.float64):
        parameters = [torch.tensor(value, dtype=dtype, requires_grad=True) for value in (0.3, 1.5, -1.0, 2.0)]
        y = TruncatedNormal(*parameters).from_noise(noise)
        slopes = torch.autograd.grad(y.sum(), parameters, create_graph=True)
        curvatures.append(torch.stack(torch.autograd.grad(sum(slopes), parameters)).double())
    torch.testing.assert_close(*curvatures, rtol=1e-5, atol=1e-6)
