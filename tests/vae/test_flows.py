"""Flows: their start, their densities, what they can hold, and what training them reaches."""

import copy
import math
import subprocess
import sys

import pytest
import torch
import torch.distributions as td

from reparam import vae
from reparam.distributions import rsample_with_log_prob
from reparam.errors import ParameterError, UsageError
from reparam.noise import generator, seed_global
from tests.linear_gaussian import DTYPE, LinearGaussian

PRIORS = ("spline", "realnvp")
FAMILIES = ("iaf", "spline")


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        seed_global(0, "flows")
        yield


def bent(module, size=0.3):
    """The module with weights as training might have left them."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += size * torch.randn_like(parameter)
    return module


def outputs_of(family, rows, dtype=torch.float64):
    return torch.randn(rows, family.num_outputs(family.latent_dim), dtype=dtype)


# --- the start ---


@pytest.mark.parametrize("kind", PRIORS)
@pytest.mark.parametrize("latent_dim", [1, 2, 5])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_a_prior_starts_at_the_standard_normal(kind, latent_dim, dtype, tolerance):
    law = vae.FlowPrior(latent_dim, kind).to(dtype)()
    standard = vae.StandardNormal(latent_dim).to(dtype)()
    z = 3 * torch.randn(7, 4, latent_dim, dtype=dtype)
    assert (law.batch_shape, law.event_shape) == ((), (latent_dim,))
    torch.testing.assert_close(law.log_prob(z), standard.log_prob(z), rtol=tolerance, atol=tolerance)
    draws = [each.sample((9,), generator=generator(0)) for each in (law, standard)]
    torch.testing.assert_close(*draws, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("context_dim", [0, 3])
@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_outputs_of_zero_give_the_standard_normal(kind, latent_dim, context_dim):
    family = vae.FlowFamily(latent_dim, kind, context_dim=context_dim).to(DTYPE)
    assert family.num_outputs(latent_dim) == 2 * latent_dim + context_dim
    law = family(torch.zeros(4, 2 * latent_dim + context_dim, dtype=DTYPE))
    z = torch.randn(6, 4, latent_dim, dtype=DTYPE)
    assert (law.batch_shape, law.event_shape) == ((4,), (latent_dim,))
    torch.testing.assert_close(law.log_prob(z), vae.StandardNormal(latent_dim).to(DTYPE)().log_prob(z))


# --- densities ---


def laws(latent_dim=3):
    """Each kind with bent weights, by name; two rows of a posterior."""
    made = {f"prior {kind}": bent(vae.FlowPrior(latent_dim, kind, hidden=(16,)).to(DTYPE))() for kind in PRIORS}
    for kind in FAMILIES:
        family = bent(vae.FlowFamily(latent_dim, kind, context_dim=4, hidden=(16,)).to(DTYPE))
        made[f"family {kind}"] = family(outputs_of(family, 2))
    return made


@pytest.mark.parametrize("name", [f"prior {kind}" for kind in PRIORS] + [f"family {kind}" for kind in FAMILIES])
def test_the_density_is_that_of_the_noise_over_the_determinant(name):
    law = laws()[name]
    noise = law.noise((5,), generator=generator(0))
    value = law.from_noise(noise)
    flat = noise.reshape(-1, *law.noise_shape)
    jacobians = torch.stack([torch.autograd.functional.jacobian(law.from_noise, one) for one in flat])
    if law.batch_shape:  # rows depend on their own noise only
        jacobians = torch.stack([jacobians[:, row, :, row] for row in range(2)], 1)
    log_det = torch.linalg.slogdet(jacobians).logabsdet.reshape(value.shape[:-1])
    expected = td.Normal(0.0, 1.0).log_prob(noise).sum(-1) - log_det
    torch.testing.assert_close(law.log_prob(value), expected, rtol=1e-8, atol=1e-8)
    assert (value - noise).abs().max() > 0.1  # bent indeed
    draw, log_prob = rsample_with_log_prob(law, (5,), noise=noise)
    assert torch.equal(draw, value)
    torch.testing.assert_close(log_prob, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", PRIORS)
def test_the_density_of_a_plane_integrates_to_one(kind):
    law = bent(vae.FlowPrior(2, kind, hidden=(16,)).to(DTYPE), 0.1)()
    axis = torch.linspace(-12, 12, 401, dtype=DTYPE)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    with torch.no_grad():
        mass = law.log_prob(grid).exp().sum() * 0.06**2
    assert mass.item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_gradient_of_a_draw_and_of_its_density_is_exact(kind):
    family = bent(vae.FlowFamily(2, kind, context_dim=2, hidden=(8,)).to(DTYPE))
    outputs = outputs_of(family, 3).requires_grad_()
    noise = family(outputs).noise((2,), generator=generator(0))
    assert torch.autograd.gradcheck(
        lambda outputs: rsample_with_log_prob(family(outputs), noise=noise), (outputs,), check_batched_grad=False
    )


def test_an_autoregressive_posterior_draws_in_one_pass_for_any_number_of_dimensions():
    family = vae.FlowFamily(7, "iaf", num_transforms=2)
    passes = []
    for step in family.flow.steps:
        step.hyper.register_forward_hook(lambda *_: passes.append(1))
    law = family(outputs_of(family, 4, torch.float32))
    draw, log_prob = rsample_with_log_prob(law)
    assert len(passes) == 2
    passes.clear()
    torch.testing.assert_close(law.log_prob(draw), log_prob, rtol=1e-4, atol=1e-4)
    assert len(passes) > 2 * 7


# --- far out, coarse, and copied ---


@pytest.mark.parametrize("kind", PRIORS)
@pytest.mark.parametrize("size", [0.0, 0.3])
def test_far_away_values_have_a_finite_density_and_gradient(kind, size):
    law = bent(vae.FlowPrior(6, kind), size)()
    z = torch.cat([1e3 * torch.randn(500, 6), torch.full((1, 6), 1e3), torch.full((1, 6), -1e3)]).requires_grad_()
    log_prob = law.log_prob(z)
    (gradient,) = torch.autograd.grad(log_prob.sum(), z)
    assert log_prob.isfinite().all()
    assert gradient.isfinite().all()
    if size == 0:
        torch.testing.assert_close(gradient, -z.detach(), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("kind", PRIORS)
def test_extreme_weights_give_finite_draws(kind):
    law = bent(vae.FlowPrior(6, kind), 1.0)()
    draws = law.sample((20_000,), generator=generator(0))
    assert draws.isfinite().all()
    assert law.log_prob(draws).isfinite().all()


def test_the_steepest_splines_are_inverted_in_float32():
    # One dimension: no network amplifies what is lost. Slopes up to 40, twice: an error of rounding of 5 · 6e-8
    # becomes 5e-4 at most.
    for _ in range(30):
        prior = vae.FlowPrior(1)
        for step in prior.flow.steps[1::2]:
            bent(step, 10.0)
        law = prior()
        with torch.no_grad():
            noise = law.noise((1000,))
            draws = law.from_noise(noise)
            assert (law.transform.inv(draws) - noise).abs().max() < 1e-3
        assert (draws - noise).abs().max() > 0.5


def test_half_precision_outside_leaves_the_numbers_alone():
    prior = bent(vae.FlowPrior(4, "realnvp"), 0.1)
    family = bent(vae.FlowFamily(4), 0.1)
    z, outputs = torch.randn(8, 4), outputs_of(family, 8, torch.float32)

    def numbers():
        draw, log_prob = rsample_with_log_prob(family(outputs), generator=generator(0))
        return prior().log_prob(z), prior().sample((3,), generator=generator(0)), draw, log_prob

    plain = numbers()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.nn.functional.linear(z, z).dtype == torch.bfloat16
        coarse = numbers()
    for one, other in zip(plain, coarse, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("make", [lambda: vae.FlowPrior(3), lambda: vae.FlowFamily(3, "spline")])
def test_weights_are_ordinary_ones(make):
    module, other = bent(make()), make()
    other.load_state_dict(module.state_dict())
    twin = copy.deepcopy(module)
    assert [name for name, _ in module.named_parameters()]

    def numbers(module):
        law = module() if isinstance(module, vae.FlowPrior) else module(torch.ones(2, module.num_outputs(3)))
        return law.sample((4,), generator=generator(0))

    assert torch.equal(numbers(module), numbers(other))
    before = numbers(module)
    bent(twin)
    assert torch.equal(numbers(module), before)
    assert not torch.equal(numbers(twin), before)


# --- training ---


def fit(parameters, loss, num_steps, rate):
    parameters = list(parameters)
    optimizer = torch.optim.Adam(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=num_steps, pct_start=0.1)
    for _ in range(num_steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        schedule.step()


def divergence(truth, law, num_draws=20_000):
    """``KL(truth || law)`` by draws, and six standard errors."""
    value = truth.sample((num_draws,))
    with torch.no_grad():
        ratio = truth.log_prob(value) - law.log_prob(value)
    return ratio.mean().item(), 6 * ratio.std().item() / math.sqrt(num_draws)


def correlated():
    factor = torch.tensor([[1.2, 0.0, 0.0], [0.9, 0.4, 0.0], [-0.7, 0.5, 0.3]])
    return td.MultivariateNormal(torch.tensor([1.0, -0.5, 0.0]), scale_tril=factor)


def test_the_linear_step_holds_any_normal_law_exactly():
    truth, prior = correlated(), vae.FlowPrior(3, "realnvp", num_transforms=1).to(DTYPE)
    factor, loc = truth.scale_tril.double(), truth.loc.double()
    whitening = torch.linalg.inv(factor)
    linear = prior.flow.steps[0]
    with torch.no_grad():
        linear.off_diagonal.copy_(whitening.tril(-1))
        linear.log_diagonal.copy_(whitening.diagonal().log())
        linear.shift.copy_(-whitening @ loc)
    value = torch.randn(20, 3, dtype=DTYPE)
    expected = td.MultivariateNormal(loc, scale_tril=factor).log_prob(value)
    torch.testing.assert_close(prior().log_prob(value), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", PRIORS)
def test_maximum_likelihood_reaches_the_entropy_of_a_correlated_normal_law(kind):
    truth, prior = correlated(), vae.FlowPrior(3, kind)
    start, _ = divergence(truth, prior())
    fit(prior.parameters(), lambda: -prior().log_prob(truth.sample((512,))).mean(), 250, 2e-2)
    excess, error = divergence(truth, prior())
    # Which, as the step before can hold the law, is what is left of the optimisation: a thousandth of the way.
    assert start > 1
    assert -error < excess < 0.005 * start + error


def test_a_mixture_is_held_where_no_normal_law_can():
    components = td.Normal(
        torch.tensor([[-1.5, -1.0], [1.5, -1.0], [0.0, 1.7]]), torch.tensor([[0.3, 0.5], [0.4, 0.2], [0.6, 0.25]])
    )
    truth = td.MixtureSameFamily(td.Categorical(torch.tensor([0.4, 0.3, 0.3])), td.Independent(components, 1))
    weights, loc, variance = truth.mixture_distribution.probs, components.loc, components.variance
    spread = loc - truth.mean
    covariance = (weights[:, None] * variance).sum(0).diag() + (weights[:, None] * spread).mT @ spread
    best_normal, _ = divergence(truth, td.MultivariateNormal(truth.mean, covariance))
    prior = vae.FlowPrior(2)
    fit(prior.parameters(), lambda: -prior().log_prob(truth.sample((512,))).mean(), 300, 1e-2)
    excess, error = divergence(truth, prior())
    assert best_normal > 1
    assert -error < excess < 0.05 * best_normal


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_posterior_that_can_hold_the_truth_makes_the_bound_exact(kind):
    """Splines hold it nearly: they end at 5 standard deviations."""
    model = LinearGaussian()
    model.W = torch.tensor([[1.5, 1.2], [0.3, 1.0], [0.9, 0.1], [-0.6, -0.9], [0.2, 0.4]], dtype=DTYPE)
    model.marginal = td.MultivariateNormal(model.mean, model.W @ model.W.T + 0.36 * torch.eye(5, dtype=DTYPE))
    precision = (model.W.T @ model.W) / 0.36 + torch.eye(2, dtype=DTYPE)
    # The best diagonal normal law stays this far below log p(x), for every x.
    diagonal_gap = 0.5 * (precision.diagonal().log().sum() - precision.logdet())
    family = vae.FlowFamily(2, kind, context_dim=2, hidden=(32,))
    head = torch.nn.Linear(5, family.num_outputs(2))
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    encoder = vae.Conditional(head, family).to(DTYPE)
    prior = vae.StandardNormal(2).to(DTYPE)()

    def bound(x):
        z, log_q = rsample_with_log_prob(encoder(x))
        return td.Normal(z @ model.W.T + model.mean, 0.6).log_prob(x).sum(-1) + prior.log_prob(z) - log_q

    rows = model.draw(4096)
    fit(
        encoder.parameters(),
        lambda: -bound(rows[torch.randint(4096, (256,))]).mean(),
        500,
        1e-2 if kind == "spline" else 2e-2,
    )
    with torch.no_grad():
        gaps = model.log_prob(rows) - bound(rows)
    error = 6 * gaps.std().item() / math.sqrt(len(gaps))
    assert diagonal_gap > 0.3
    assert -error < gaps.mean().item() < (0.05 if kind == "spline" else 0.01)


# --- what is refused ---


def test_the_package_imports_without_zuko():
    script = "import sys; sys.modules['zuko'] = None; import reparam.vae; print(reparam.vae.FlowPrior.__name__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "FlowPrior", done.stderr


def test_a_missing_zuko_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko", None)
    for make in (vae.FlowPrior, vae.FlowFamily):
        with pytest.raises(UsageError, match=r"pip install 'reparam\[flows\]'"):
            make(2)


@pytest.mark.parametrize("make", [vae.FlowPrior, vae.FlowFamily])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 0}, "latent_dim must be a whole number >= 1; got 0"),
        ({"latent_dim": 2.0}, "latent_dim must be a whole number"),
        ({"kind": "realnvp2"}, "kind must be .* got 'realnvp2'"),
        ({"num_transforms": 0}, "num_transforms must be a whole number >= 1; got 0"),
        ({"hidden": 64}, r"hidden must be sizes of layers, such as \(64, 64\); got 64"),
        ({"hidden": (64, 0)}, "hidden must be sizes of layers"),
    ],
)
def test_bad_arguments_are_refused(make, options, message):
    with pytest.raises(ParameterError, match=message):
        make(**{"latent_dim": 2, **options})


def test_bad_outputs_are_refused():
    family = vae.FlowFamily(2, context_dim=3)
    with pytest.raises(ParameterError, match=r"outputs must have shape \[B, 7\]; got \[4, 8\]"):
        family(torch.zeros(4, 8))
    with pytest.raises(ParameterError, match="made for 2 latent"):
        family.num_outputs(3)
    with pytest.raises(ParameterError, match="context_dim must be a whole number >= 0; got -1"):
        vae.FlowFamily(2, context_dim=-1)
