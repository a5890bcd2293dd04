"""The gamma family: its law and its gradient at every concentration, and where torch's go wrong."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import special, stats

from reparam.distributions import Chi2, Gamma, InverseGamma, LogGamma
from reparam.errors import ParameterError
from reparam.noise import generator
from reparam.special import log_gamma_velocity
from tests.statistical.instruments import check_continuous, check_mean

DTYPES = [torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("a", [1e-30, 1e-3, 0.3, 5.0, 1e6])
def test_the_mean_of_log_x_is_digamma_and_its_gradient_trigamma(a, dtype):
    """torch's gradient is 40 % off at 0.01 already: it clamps x."""
    if a < 1e-19 and dtype == torch.float32:
        return  # the gradient itself, 1/a², is not a float32
    concentration = torch.full((50_000,), a, dtype=dtype, requires_grad=True)
    y = LogGamma(concentration, 1.0).rsample(generator=generator(0))
    (gradient,) = torch.autograd.grad(y.sum(), concentration)
    a = float(torch.tensor(a, dtype=dtype))
    mean = float(special.digamma(a))
    check_mean(y.detach().double() / abs(mean), np.sign(mean))
    check_mean(gradient.double() / float(special.polygamma(1, a)), 1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("a", [0.2, 3.0, 1000.0])
def test_the_gradient_of_the_second_moment(a, dtype):
    """E x² = a (a + 1); and the second derivative, where torch has none."""
    concentration = torch.full((50_000,), a, dtype=dtype, requires_grad=True)
    x = Gamma(concentration, 1.0).rsample(generator=generator(0))
    (gradient,) = torch.autograd.grad(x.square().sum(), concentration, create_graph=True)
    check_mean(gradient.detach().double(), 2 * a + 1)
    check_mean(torch.autograd.grad(gradient.sum(), concentration)[0].double(), 2.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("a", [1e-30, 1e-3])
def test_tiny_concentrations_are_drawn_in_log_space(a, dtype):
    """``a log x`` is minus an exponential there: P(a, x) = x^a."""
    y = LogGamma(torch.tensor(a, dtype=dtype), 1.0).sample((100_000,), generator=generator(3)).double()
    a = float(torch.tensor(a, dtype=dtype))
    check_continuous(y * a, lambda scaled: np.exp(np.minimum(scaled, 0.0)) if a < 1e-10 else tiny_cdf(a, scaled / a))


def tiny_cdf(a, log_x):
    return np.where(log_x < -600, np.exp(a * log_x - math.lgamma(a + 1)), special.gammainc(a, np.exp(log_x)))


@pytest.mark.parametrize("a", [1e6, 1e8])
def test_large_concentrations_keep_their_digits_in_float32(a):
    """The spacing of float32 numbers at 1e8 is 8, and the standard deviation 1e4: log x would know it to 10 %."""
    law = Gamma(torch.tensor(a), 1.0)
    x = law.sample((100_000,), generator=generator(1))
    exact = stats.gamma(a)
    check_continuous(x.double().numpy() + 4 * np.random.default_rng(0).uniform(-1, 1, len(x)) * (a > 1e7), exact.cdf)
    points = torch.tensor([a - 3 * math.sqrt(a), a, a + 5 * math.sqrt(a)])
    np.testing.assert_allclose(law.log_prob(points).double(), exact.logpdf(points.double().numpy()), rtol=1e-5)
    np.testing.assert_allclose(law.cdf(points).double(), exact.cdf(points.double().numpy()), rtol=1e-5)
    z = stats.norm.ppf([1e-6, 0.5])
    quantiles = a + z * math.sqrt(a) + (z**2 - 1) / 3  # Cornish and Fisher; scipy's is 0.09 standard deviations off
    np.testing.assert_allclose(law.icdf(torch.tensor([1e-6, 0.5])).double(), quantiles, rtol=1e-7)
    np.testing.assert_allclose(law.entropy().item(), exact.entropy(), rtol=1e-6)


@pytest.mark.parametrize("law", [Gamma, LogGamma, InverseGamma])
@pytest.mark.parametrize("rate", [1.2e-38, 1e-30, 1.0, 1e30, 3e38])
def test_extreme_parameters_give_numbers(law, rate):
    concentration = torch.tensor([1e-30, 1e-10, 1e-3, 0.05, 1.0, 1e10, 1e30], requires_grad=True)
    rate = torch.tensor(rate, requires_grad=True)
    y = law(concentration, rate).rsample((200,), generator=generator(0))
    assert y.isfinite().all()
    assert (law is LogGamma) | (y > 0).all()
    weight = 1 / (1 + y.detach().abs())
    gradients = torch.autograd.grad((weight * y)[:, 1:].sum(), (concentration, rate))
    assert not any(gradient.isnan().any() for gradient in gradients)
    noisy = law(concentration.detach(), rate).rsample((50,), noise=torch.rand(50, 7, dtype=torch.float64))
    assert noisy.isfinite().all()


@pytest.mark.parametrize("a", [0.01, 0.05, 0.2])
def test_inverse_gamma_with_heavy_tails_in_float32(a):
    """torch's gradient is NaN here: its gamma draws are clamped, and their inverse is infinite."""
    concentration = torch.tensor(a, requires_grad=True)
    law = InverseGamma(concentration, 2.0)
    z = law.rsample((20_000,), generator=generator(0))
    assert z.isfinite().all()
    (gradient,) = torch.autograd.grad(z.log1p().sum(), concentration)
    assert gradient.isfinite()
    z = z.detach()[z < 1e38]
    check_continuous(z, lambda value: special.gammaincc(a, 2.0 / value) / special.gammaincc(a, 2e-38))


def test_quantiles_and_levels_of_inverse_gamma_in_both_tails():
    law = InverseGamma(torch.tensor(3.0, dtype=torch.float64), 2.0)
    level = torch.tensor([1e-300, 1e-30, 0.3, 1 - 1e-12], dtype=torch.float64)
    torch.testing.assert_close(law.cdf(law.icdf(level)), level, rtol=1e-10, atol=0)


@pytest.mark.parametrize("law", [Gamma, LogGamma, InverseGamma])
def test_cdf_is_differentiable_in_everything(law):
    arguments = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in ([0.4, 1.7], [0.6, 3.0], [1.5, 0.7])]

    def cdf(value, concentration, rate):
        return law(concentration, rate, validate_args=False).cdf(value)

    assert torch.autograd.gradcheck(cdf, arguments)
    assert torch.autograd.gradgradcheck(cdf, arguments)


@pytest.mark.parametrize("law", [Gamma, InverseGamma])
@pytest.mark.parametrize("value", [1e-30, 1.0, 1e30])
def test_densities_at_extreme_parameters(law, value):
    """Also where rate · value or its ratio to the concentration is beyond the numbers of float32."""
    concentration = torch.tensor([1e-30, 1e-3, 1.0, 1e3]).repeat(3).requires_grad_()
    rate = torch.tensor([1e-30, 1.0, 1e30]).repeat_interleave(4).requires_grad_()
    seen = law(concentration, rate).log_prob(torch.tensor(value))
    a, r = concentration.detach().double(), rate.detach().double()
    log_x = math.log(value) * (1 if law is Gamma else -1) + r.log()
    exact = a * log_x - log_x.exp() - torch.lgamma(a) - math.log(value)
    representable = exact.abs() < 3e38
    torch.testing.assert_close(seen.detach().double()[representable], exact[representable], rtol=1e-5, atol=1e-5)
    gradients = torch.autograd.grad(seen.sum(), (concentration, rate))
    assert not any(gradient.isnan().any() for gradient in gradients)


def test_gamma_at_zero():
    law = Gamma(torch.tensor([0.5, 1.0, 2.0]), 3.0)
    assert law.cdf(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    expected = td.Gamma(torch.tensor([0.5, 1.0, 2.0]), 3.0).log_prob(torch.zeros(3))
    torch.testing.assert_close(law.log_prob(torch.zeros(3)), expected)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(Gamma, td.Gamma), (InverseGamma, td.InverseGamma), (lambda a, _: Chi2(a), lambda a, _: td.Chi2(a))],
    ids=["Gamma", "InverseGamma", "Chi2"],
)
def test_torchs_laws_where_torch_is_right(ours, theirs):
    a, rate = torch.tensor([0.7, 3.0, 20.0]).double(), torch.tensor([2.0, 0.3, 1.0]).double()
    ours, theirs = ours(a, rate), theirs(a, rate)
    assert isinstance(ours, type(theirs))
    value = torch.tensor([[0.1], [1.0], [30.0]]).double()
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    for name in ("mean", "mode", "variance"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    assert ours.support is theirs.support
    if not isinstance(ours, InverseGamma):
        torch.testing.assert_close(td.kl_divergence(ours, theirs), torch.zeros(3).double())


def test_log_gamma_is_the_logarithm():
    gamma, log_gamma = (law(torch.tensor([0.3, 40.0]), 2.5) for law in (Gamma, LogGamma))
    x, y = (law.rsample((1000,), generator=generator(0)) for law in (gamma, log_gamma))
    torch.testing.assert_close(x.log(), y, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gamma.log_prob(x) + x.log(), log_gamma.log_prob(x.log()), rtol=1e-4, atol=2e-5)
    noise = gamma.noise((100,))
    torch.testing.assert_close(gamma.from_noise(noise).log(), log_gamma.from_noise(noise), rtol=1e-5, atol=1e-5)


def test_the_sampler_and_the_quantile_move_alike():
    """Both ways to the same draw have the same derivative: at level P(a, x)."""
    concentration = torch.tensor([0.05, 2.0, 300.0], dtype=torch.float64, requires_grad=True)
    law = Gamma(concentration, 1.5)
    x = law.rsample((5,), generator=generator(0))
    again = law.icdf(law.cdf(x.detach()).detach())
    torch.testing.assert_close(again, x)
    weight = torch.rand(5, 3, dtype=torch.float64)
    (one,) = torch.autograd.grad((weight * x).sum(), concentration)
    (other,) = torch.autograd.grad((weight * again).sum(), concentration)
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("law", "power"), [(Gamma, 1), (InverseGamma, -1)])
def test_float32_draws_move_as_the_exact_velocity_says(law, power):
    """Whose float64 value at the draw is theirs to 4e-6, the rounding of the draw itself included."""
    size = torch.linspace(-7, 14, 20_000)
    concentration, rate = size.exp().requires_grad_(), size.sin().exp().requires_grad_()
    y = law(concentration, rate).rsample(generator=generator(3))
    seen = torch.autograd.grad(y.sum(), (concentration, rate))
    value, a, b = (part.detach().double() for part in (y, concentration, rate))
    moving = (value > 1.2e-38) & (value < 1e30)
    assert moving.double().mean() > 0.75
    velocity = log_gamma_velocity(power * value.log() + b.log(), a)
    expected = power * value * velocity, -power * value / b
    for one, other in zip(seen, expected, strict=True):
        normal = moving & (other.abs() > 1.2e-38)
        np.testing.assert_allclose(one.double()[normal].numpy(), other[normal].numpy(), rtol=4e-6)
    still = (y <= torch.finfo(torch.float32).tiny) | (y >= torch.finfo(torch.float32).max)
    assert still.any()
    assert (seen[0][still] == 0).all()


def test_chi2_is_made_of_its_degrees_of_freedom():
    law = Chi2(torch.tensor([1.0, 5.0]))
    assert law.expand((3, 2)).df.shape == (3, 2)
    assert repr(law) == "Chi2()" or "df" in repr(law)
    with pytest.raises(ParameterError, match="Chi2: df must be positive"):
        Chi2(torch.tensor(0.0))


def test_bad_parameters_are_refused():
    for law in (Gamma, LogGamma, InverseGamma):
        with pytest.raises(ParameterError, match="concentration must be positive"):
            law(torch.tensor(-1.0), 1.0)
        with pytest.raises(ParameterError, match="rate must be positive"):
            law(torch.tensor(1.0), 0.0)
