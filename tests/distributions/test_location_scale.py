"""Normal, Logistic, Cauchy and Gumbel: exact against torch where torch is exact, and right where it is not."""

import math

import mpmath
import numpy as np
import pytest
import torch
import torch.distributions as td

from reparam.distributions import Cauchy, Gumbel, Logistic, Normal
from reparam.noise import generator


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normal_draws_what_torch_draws(dtype):
    """The same numbers bit for bit from the same seed, and the gradient is 1 and the noise, exactly."""
    loc = torch.randn(4, 5, dtype=dtype, requires_grad=True)
    scale = torch.rand(4, 5, dtype=dtype).add(0.1).requires_grad_()
    torch.manual_seed(7)
    theirs = td.Normal(loc, scale).rsample((6,))
    torch.manual_seed(7)
    law = Normal(loc, scale)
    noise = law.noise((6,))
    ours = law.rsample(noise=noise)
    assert torch.equal(ours, theirs)
    ours.sum().backward()
    assert torch.equal(loc.grad, torch.full_like(loc, 6))
    torch.testing.assert_close(scale.grad, noise.sum(0))


def test_normal_keeps_torchs_other_methods():
    ours, theirs = Normal(torch.tensor([0.5]), 2.0), td.Normal(torch.tensor([0.5]), 2.0)
    for name in ("mean", "mode", "stddev", "variance"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name))
    assert torch.equal(ours.entropy(), theirs.entropy())
    assert ours.support is theirs.support
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("scale", [1e-30, 1e-5, 1.0, 1e30])
def test_normal_density_at_extreme_scales(scale):
    """torch squares the scale: at 1e-30 its float32 density is NaN."""
    law = Normal(torch.zeros((), requires_grad=True), torch.tensor(scale, requires_grad=True))
    value = law.log_prob(torch.tensor(2 * scale))
    assert value.item() == pytest.approx(-2 - math.log(scale) - 0.5 * math.log(2 * math.pi), rel=1e-5)
    assert all(gradient.isfinite() for gradient in torch.autograd.grad(value, (law.loc, law.scale)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normal_cdf_keeps_relative_precision_in_the_tail(dtype):
    """torch's is exactly 0 here, in both dtypes."""
    points = torch.tensor([-9.0, -12.0], dtype=dtype)
    exact = [float(mpmath.ncdf(point)) for point in points.tolist()]
    law = Normal(torch.zeros((), dtype=dtype), 1.0)
    np.testing.assert_allclose(law.cdf(points).double(), exact, rtol=300 * torch.finfo(dtype).eps)
    assert (td.Normal(torch.zeros((), dtype=dtype), 1.0).cdf(points) == 0).all()
    torch.testing.assert_close(law.icdf(law.cdf(points)), points)


@pytest.mark.parametrize("law", [Normal, Logistic])
def test_density_far_out_in_float32(law):
    loc = torch.tensor(0.0, requires_grad=True)
    scale = torch.tensor(1.0, requires_grad=True)
    value = law(loc, scale).log_prob(torch.tensor([-1e4, 1e4, 50.0]))
    assert value.isfinite().all()
    value.sum().backward()
    assert loc.grad.isfinite()
    assert scale.grad.isfinite()


def test_logistic_tails_are_not_cut_by_a_24_bit_lattice():
    """Smallest draw: log(2^-54) = -37. On torch's float32 lattice none lies beyond 24 log 2 = 16.6."""
    law = Logistic(torch.tensor(0.0), 1.0)
    assert law.from_noise(torch.tensor(2.0**-54)).item() == pytest.approx(-54 * math.log(2))
    assert law.from_noise(torch.tensor(1 - 2.0**-24)).item() == pytest.approx(24 * math.log(2))


def test_logistic_is_the_transformed_uniform():
    transform = td.ComposeTransform([td.SigmoidTransform().inv, td.AffineTransform(0.7, 1.3)])
    reference = td.TransformedDistribution(td.Uniform(torch.zeros(()), 1.0), transform)
    law = Logistic(torch.tensor(0.7), 1.3)
    value = law.sample((100,), generator=generator(0))
    torch.testing.assert_close(law.log_prob(value), reference.log_prob(value), rtol=1e-4, atol=1e-4)


def test_logistic_repr_and_mode():
    law = Logistic(torch.tensor([1.0, 2.0]), 1.0)
    assert repr(law) == "Logistic(loc: torch.Size([2]), scale: torch.Size([2]))"
    assert law.mode is law.loc


def test_value_outside_the_support_is_refused():
    for law in (Normal(0.0, 1.0), Logistic(0.0, 1.0)):
        with pytest.raises(ValueError, match="support"):
            law.log_prob(torch.tensor(torch.nan))
        with pytest.raises(ValueError, match="support"):
            law.cdf(torch.tensor(torch.nan))


def test_standardized_values_in_mixed_precision():
    law = Normal(torch.zeros(2, dtype=torch.bfloat16), 1.0)
    assert law.log_prob(torch.zeros(2)).dtype == torch.float32
    assert law.log_prob(torch.zeros(2, dtype=torch.bfloat16)).dtype == torch.bfloat16


ENDS = torch.tensor([2.0**-54, 1 - 2.0**-53], dtype=torch.float64)


@pytest.mark.parametrize("law", [Cauchy, Gumbel])
def test_agrees_with_torch_where_torch_is_right(law):
    theirs = getattr(td, law.__name__)
    one, other = law(torch.tensor([0.5]), 2.0), theirs(torch.tensor([0.5]), 2.0)
    for name in ("mean", "mode", "stddev", "variance"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), equal_nan=True)
    torch.testing.assert_close(one.entropy(), other.entropy())
    value = torch.tensor([-3.0, 0.5, 2.0, 7.0])
    torch.testing.assert_close(one.log_prob(value), other.log_prob(value))
    torch.testing.assert_close(one.cdf(value), other.cdf(value))
    torch.testing.assert_close(td.kl_divergence(one, law(1.0, 3.0)), td.kl_divergence(other, theirs(1.0, 3.0)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gumbel_tails_are_not_cut(dtype):
    """torch's float32 draws end at 22 log 2 = 15.2."""
    law = Gumbel(torch.zeros((), dtype=dtype), 1.0)
    np.testing.assert_allclose(law.from_noise(ENDS), [-math.log(54 * math.log(2)), 53 * math.log(2)], rtol=1e-6)


def test_gumbel_far_in_its_lower_tail_has_no_nan():
    loc = torch.tensor(0.0, requires_grad=True)
    scale = torch.tensor(1.0, requires_grad=True)
    law = Gumbel(loc, scale)
    assert law.cdf(torch.tensor(-4.0)).item() == pytest.approx(math.exp(-math.exp(4)), rel=1e-5)
    far = law.cdf(torch.tensor([-1e4, -100.0, 1e4]))
    assert far.tolist() == [0.0, 0.0, 1.0]
    assert [gradient.item() for gradient in torch.autograd.grad(far.sum(), (loc, scale))] == [0.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cauchy_quantiles_keep_their_digits(dtype):
    levels = [1e-30, 2.0**-54, 0.1, 0.25, 0.3, 0.5 - 2.0**-20, 0.5, 0.6, 0.75, 0.9]
    law = Cauchy(torch.zeros((), dtype=dtype), 1.0)
    with mpmath.workdps(50):
        expected = [float(-mpmath.cot(mpmath.pi * mpmath.mpf(level))) for level in levels]
        highest = float(mpmath.cot(mpmath.pi * mpmath.mpf(2) ** -53))
    seen = law.icdf(torch.tensor([*levels, 1 - 2.0**-53], dtype=torch.float64)).double()
    rounded = 6 * torch.finfo(dtype).eps
    np.testing.assert_allclose(seen, [*expected, highest], rtol=rounded, atol=1e-16)
    assert law.icdf(torch.tensor(0.5)) == 0


def test_cauchy_cdf_and_density_far_out_in_float32():
    """torch's CDF is 0 and its density -inf."""
    loc, scale = torch.tensor(0.0, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    law, far = Cauchy(loc, scale), torch.tensor(-1e30)
    assert law.cdf(far).item() == pytest.approx(1e-30 / math.pi, rel=1e-5)
    assert law.log_prob(far).item() == pytest.approx(-math.log(math.pi) - 60 * math.log(10), rel=1e-6)
    for output in (law.cdf(far), law.log_prob(far)):
        assert all(gradient.isfinite() for gradient in torch.autograd.grad(output, (loc, scale)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_cauchy_draws_end_at_the_largest_number(dtype):
    scale = torch.tensor(0.4 * torch.finfo(dtype).max, dtype=dtype, requires_grad=True)
    drawn = Cauchy(torch.zeros((), dtype=dtype), scale).from_noise(ENDS)
    assert drawn.tolist() == [-torch.finfo(dtype).max, torch.finfo(dtype).max]
    assert torch.autograd.grad(drawn.float().sum(), scale)[0] == 0


@pytest.mark.parametrize("law", [Cauchy, Gumbel, Logistic])
def test_the_gradient_at_the_median_of_the_noise(law):
    """Both tails have the same length there: dy/du is 1/p all the same."""
    noise = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    made = law(torch.zeros((), dtype=torch.float64), 1.0)
    (slope,) = torch.autograd.grad(made.from_noise(noise), noise)
    assert slope.item() == pytest.approx((-made.log_prob(made.icdf(noise.detach()))).exp().item())
