"""Families for the posterior: any outputs give a finite law, outputs of 0 the prior, and gradients are right."""

import math

import pytest
import torch
from scipy.special import ive
from torch.autograd import gradcheck

from reparam import noise, vae
from reparam.distributions import rsample_with_log_prob
from reparam.errors import ParameterError
from reparam.vae.posteriors import CategoricalFamily, FullNormal, LowRankNormal, TwoLevelFamily
from tests.statistical.instruments import check_mean

D = 6
FAMILIES = {
    "diagonal-normal": (vae.DiagonalNormal(), vae.StandardNormal(D)),
    "full-normal": (vae.FullNormal(D), vae.StandardNormal(D)),
    "low-rank-normal": (vae.LowRankNormal(D, 2), vae.StandardNormal(D)),
    "von-mises-fisher": (vae.VonMisesFisherFamily(D), vae.uniform_direction(D)),
    "power-spherical": (vae.PowerSphericalFamily(D), vae.uniform_direction(D)),
    "gamma": (vae.GammaFamily(), vae.unit_gamma(D)),
    "beta": (vae.BetaFamily(), vae.uniform_interval(D)),
    "dirichlet": (vae.DirichletFamily(), vae.uniform_simplex(D)),
    "von-mises": (vae.VonMisesFamily(), vae.uniform_angles(D)),
    "bernoulli": (vae.BernoulliFamily(), vae.fair_coins(D)),
    "categorical": (vae.CategoricalFamily(4), vae.even_classes(D, 4)),
    "two-level": (vae.TwoLevelFamily(D, 3), vae.TwoLevelPrior(D, 3)),
}
# What the first KL may be, where it cannot be 0 because a gradient would be, too.
FIRST_RATE = {"low-rank-normal": 2 / 400, "von-mises-fisher": (D + 1) / 200, "power-spherical": (D + 1) / 100}


def outputs_of(family, kind, dtype=torch.float32):
    count = family.num_outputs(D)
    generator = noise.generator(0, kind)
    drawn = noise.standard_normal((4, count), like=torch.zeros((), dtype=dtype), generator=generator)
    return {"up": torch.full_like(drawn, 1e4), "down": torch.full_like(drawn, -1e4), "signs": 1e4 * drawn.sign(),
            "wide": 100 * drawn, "usual": drawn}[kind]  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", ["up", "down", "signs", "wide", "usual"])
def test_any_outputs_give_a_finite_law_with_finite_gradients(name, kind):
    family, prior = FAMILIES[name]
    outputs = outputs_of(family, kind).requires_grad_()
    law, generator = family(outputs), noise.generator(0)
    assert law.batch_shape == (4,)
    assert law.event_shape == prior().event_shape
    if law.has_rsample:
        z, log_q = rsample_with_log_prob(law, (3,), generator=generator)
    else:
        z = law.sample((3,), generator=generator)
        log_q = law.log_prob(z)
    rate = vae.closed_rate(law, prior())
    rate = log_q - prior().log_prob(z) if rate is None else rate
    (gradient,) = torch.autograd.grad(rate.sum() + log_q.sum() + z.sum(), outputs)
    for values in (z, log_q, rate, gradient, vae.central_value(law), *vae.moments(law)):
        assert values.isfinite().all()


@pytest.mark.parametrize("name", FAMILIES)
def test_outputs_of_zero_give_the_prior(name):
    if name == "two-level":
        family, prior = TwoLevelFamily(D, 3), vae.TwoLevelPrior(D, 3, torch.nn.Linear(3, 2 * D))
        torch.nn.init.zeros_(prior.lower.network.weight)
        torch.nn.init.zeros_(prior.lower.network.bias)
    else:
        family, prior = FAMILIES[name]
    law, standard = family(torch.zeros(2, family.num_outputs(D))), prior()
    rate = vae.closed_rate(law, standard)
    if rate is None:
        z = law.sample((100,), generator=noise.generator(0))
        rate = (law.log_prob(z) - standard.log_prob(z)).abs().amax(0)
    most = FIRST_RATE.get(name, D * 0.0025 if name == "von-mises" else 1e-6)
    assert (rate >= -1e-6).all()
    assert (rate <= most).all()


@pytest.mark.parametrize("name", ["full-normal", "low-rank-normal"])
def test_the_rate_of_a_dependent_normal_is_that_of_torch(name):
    family, prior = FAMILIES[name]
    law = family(outputs_of(family, "usual"))
    same = torch.distributions.MultivariateNormal(law.loc.double(), law.covariance_matrix.double())
    standard = torch.distributions.MultivariateNormal(torch.zeros(D).double(), torch.eye(D).double())
    exact = torch.distributions.kl_divergence(same, standard)
    torch.testing.assert_close(vae.closed_rate(law, prior()).double(), exact, rtol=1e-5, atol=1e-5)


def test_a_dependent_normal_and_another_law_have_no_closed_form():
    law = FullNormal(D)(torch.zeros(2, FullNormal(D).num_outputs(D)))
    assert vae.closed_rate(law, vae.unit_gamma(D)()) is None


@pytest.mark.parametrize("name", ["diagonal-normal", "full-normal", "low-rank-normal", "von-mises-fisher",
                                  "power-spherical", "von-mises", "two-level"])  # fmt: skip
def test_draws_and_densities_have_the_gradient_of_the_map(name):
    family, _ = FAMILIES[name]
    family = TwoLevelFamily(D, 3, width=4).double() if name == "two-level" else family
    outputs = (0.5 * outputs_of(family, "usual", torch.float64)[:2]).requires_grad_()
    law = family(outputs.detach())
    fixed = law.noise((2,), generator=noise.generator(0))
    elsewhere = law.sample((2,), generator=noise.generator(1))

    def draw(outputs):
        law = family(outputs)
        return law.from_noise(fixed), law.log_prob(elsewhere)

    assert gradcheck(draw, outputs, atol=1e-5)


@pytest.mark.parametrize("name", ["gamma", "beta", "dirichlet", "bernoulli", "categorical", "full-normal",
                                  "low-rank-normal"])  # fmt: skip
def test_rates_have_the_gradient_of_their_formula(name):
    family, prior = FAMILIES[name]
    outputs = outputs_of(family, "usual", torch.float64)[:2].requires_grad_()
    standard = type(prior).forward(prior)
    assert gradcheck(lambda outputs: vae.closed_rate(family(outputs), standard), outputs)


def test_full_normal_holds_strong_correlations():
    family = FullNormal(2)
    outputs = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1e3]])
    covariance = family(outputs).covariance_matrix[0]
    correlation = covariance[0, 1] / (covariance[0, 0] * covariance[1, 1]).sqrt()
    assert correlation > 0.98


def test_directions_that_have_none_are_the_first_axis_and_have_a_gradient():
    for family in (vae.VonMisesFisherFamily(2), vae.PowerSphericalFamily(2)):
        outputs = torch.tensor([[-1.0, 0.0, 0.0, 3.0]], requires_grad=True)  # just opposite: their sum with it is 0
        law = family(outputs)
        assert law.loc.tolist() == [[1.0, 0.0, 0.0]]
        law.rsample(generator=noise.generator(0)).sum().backward()
        assert outputs.grad.isfinite().all()
    angles = vae.VonMisesFamily()(torch.tensor([[-1.0, 0.0, 0.0]], requires_grad=True))
    assert angles.mean.tolist() == [[0.0]]


def bessel_ratio(dim, kappa):
    return ive(dim / 2, kappa) / ive(dim / 2 - 1, kappa)


@pytest.mark.parametrize("fault", [1.0, 0.87])
@pytest.mark.parametrize("latent_dim", [2, 4])
def test_the_gradient_of_the_bound_of_a_von_mises_fisher_model_is_unbiased(latent_dim, fault):
    # For x | z ~ N(z, σ²) and |z| = 1 the distortion is a constant less x·E[z]/σ² = x·μ·A(κ)/σ²; d rate/dκ = κ·A'(κ).
    dim, sigma, num_rows = latent_dim + 1, 0.5, 20_000
    raw = torch.tensor([0.3, *[0.4] * latent_dim, 2.0], dtype=torch.float64)
    outputs = raw.repeat(num_rows, 1).requires_grad_()
    likelihood = vae.Gaussian((dim,), floor=1e-3).double()
    with torch.no_grad():
        likelihood.log_scale.fill_(0.5 * math.log(sigma**2 - 1e-6))

    class Known(torch.nn.Module):
        def forward(self, x):
            return outputs

    family = vae.VonMisesFisherFamily(latent_dim)
    prior = vae.uniform_direction(latent_dim).double()
    model = vae.VAE(vae.Conditional(Known(), family), vae.Conditional(torch.nn.Identity(), likelihood), prior)
    x = torch.linspace(0.5, 1.0, dim, dtype=torch.float64)
    terms = vae.Elbo()(model, x.expand(num_rows, -1), generator=noise.generator(0))
    (gradient,) = torch.autograd.grad(num_rows * terms.loss, outputs)

    law = family(raw[None])
    kappa = law.concentration.item()
    step = 1e-6
    up, down = (family(torch.cat([raw[:-1], raw[-1:] + s])[None]).concentration.item() for s in (step, -step))
    slope = (up - down) / (2 * step)
    ratio = bessel_ratio(dim, kappa)
    ratio_slope = 1 - ratio**2 - (dim - 1) / kappa * ratio
    exact = slope * ratio_slope * (kappa - (x @ law.loc[0]).item() / sigma**2)
    if fault == 1.0:
        check_mean(gradient[:, -1].numpy(), exact)
    else:  # 13 % of the gradient of the distortion missing is seen
        rate_part = slope * ratio_slope * kappa
        with pytest.raises(AssertionError, match="mean is off"):
            check_mean((rate_part + fault * (gradient[:, -1] - rate_part)).numpy(), exact)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FullNormal(0), r"FullNormal: latent_dim must be a whole number >= 1; got 0"),
        (lambda: LowRankNormal(3, 0), r"LowRankNormal: rank must be a whole number >= 1; got 0"),
        (lambda: CategoricalFamily(1), r"CategoricalFamily: num_classes must be a whole number >= 2; got 1"),
        (lambda: TwoLevelFamily(3, 2.0), r"TwoLevelFamily: upper_dim must be a whole number >= 1; got 2.0"),
        (lambda: vae.VonMisesFisherFamily(True), r"VonMisesFisherFamily: latent_dim must be .*; got True"),
        (lambda: vae.MixturePrior(0, 2), r"MixturePrior: num_components must be a whole number >= 1; got 0"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_two_levels_see_what_they_are_given():
    family = TwoLevelFamily(2, 3, context_dim=4)
    assert family.num_outputs(2) == 8
    law = family(torch.zeros(5, 8))
    assert law.event_shape == (5,)
    z = law.rsample((7,), generator=noise.generator(0))
    assert z.shape == (7, 5, 5)
    assert vae.FirstLevel(2)(z[0]).shape == (5, 2)


def test_a_prior_of_two_levels_is_the_product_of_its_conditionals():
    prior = vae.TwoLevelPrior(2, 3).double()
    z = prior().sample(50, generator=noise.generator(0))
    z1, z2 = z[:, :2], z[:, 2:]
    product = prior.upper().log_prob(z2) + prior.lower(z2).log_prob(z1)
    torch.testing.assert_close(prior().log_prob(z), product)
    assert not torch.allclose(prior.lower(z2).mean[0], prior.lower(z2).mean[1])  # it does depend on z2


def test_central_values_are_values_of_the_law():
    for name, (family, prior) in FAMILIES.items():
        law = family(outputs_of(family, "usual"))
        centre = vae.central_value(law)
        assert centre.shape == law.batch_shape + law.event_shape, name
        assert centre.dtype == torch.float32, name
        assert torch.equal(centre, vae.central_value(law)), name
        assert prior().support.check(centre).all(), name


def test_fair_coins_and_even_classes_have_a_central_value_too():
    coins = vae.BernoulliFamily()(torch.zeros(1, 3))
    assert vae.central_value(coins).tolist() == [[0.0, 0.0, 0.0]]
    classes = vae.CategoricalFamily(3)(torch.zeros(1, 3))
    assert vae.central_value(classes).tolist() == [[[1.0, 0.0, 0.0]]]


def test_moments_without_closed_form_leave_the_random_state_alone():
    law = TwoLevelFamily(2, 2)(torch.zeros(3, 4))
    before = torch.get_rng_state()
    mean, deviation = vae.moments(law)
    assert torch.equal(before, torch.get_rng_state())
    assert mean.shape == deviation.shape == (3, 4)
    assert (mean.abs() < 6 / 16).all()  # 256 draws of N(0, 1)
    assert ((deviation - 1).abs() < 6 / math.sqrt(2 * 255)).all()


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "two-level"])
def test_draws_densities_and_rates_are_the_same_under_autocast(name):
    family, prior = FAMILIES[name]
    outputs = outputs_of(family, "usual")

    def measured():
        law, generator = family(outputs), noise.generator(0)
        z = law.sample((3,), generator=generator)
        return z, law.log_prob(z), prior().log_prob(z), vae.closed_rate(law, prior())

    with torch.autocast("cpu", torch.bfloat16):
        inside = measured()
    for found, expected in zip(inside, measured(), strict=True):
        assert torch.equal(found, expected)
