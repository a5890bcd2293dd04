"""Every combination of parts trains, or is refused with a sentence."""

import itertools

import numpy as np
import pytest
import torch

from reparam import noise, vae
from reparam.errors import UsageError
from reparam.planning import make_objective, make_plan, read_examples
from reparam.training import settings as training_settings
from reparam.training.settings import Settings

OBJECTIVES = ("elbo", "iwae", "dreg", "stl")


def tiny(posterior, prior, **more):
    return vae.Architecture(
        event_shape=(3,),
        likelihood="gaussian",
        latent_dim=2,
        width=4,
        num_blocks=1,
        network="residual-mlp",
        posterior=posterior,
        prior=prior,
        num_classes=3,
        prior_components=3,
        num_transforms=1,
        **more,
    )


def train_two_steps(architecture, settings):
    """Losses of two steps of Adam, each finite with finite gradients, or the UsageError."""
    objective = make_objective(settings, architecture)
    noise.seed_global(0, "weights")
    model = vae.assemble(architecture)
    x = noise.standard_normal((6, 3), like=torch.zeros(()), generator=noise.generator(0))
    for part in model.modules():
        if hasattr(part, "start_at"):
            part.start_at(x, resolution=torch.tensor(0.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for step in range(2):
        terms = objective(model, x, generator=noise.generator(0, "step", step))
        optimizer.zero_grad()
        terms.loss.backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients)
        optimizer.step()
        losses.append(terms.loss.item())
        assert terms.bound.shape == terms.rate.shape == terms.distortion.shape == (6,)
    return losses


def refused(architecture, settings):
    try:
        losses = train_two_steps(architecture, settings)
    except UsageError as error:
        return str(error)
    assert all(torch.tensor(losses).isfinite())
    return None


def test_settings_offer_what_there_is():
    assert set(training_settings.POSTERIORS) == set(vae.POSTERIORS)
    assert set(training_settings.PRIORS) == set(vae.PRIORS)
    assert set(training_settings.ESTIMATORS) == set(vae.ESTIMATORS)


REAL = ("diagonal-normal", "full-normal", "low-rank-normal", "iaf", "spline-flow")


@pytest.mark.parametrize("posterior", vae.POSTERIORS)
def test_every_prior_and_objective_trains_or_is_refused_with_a_sentence(posterior):
    for prior, objective in itertools.product(vae.PRIORS, OBJECTIVES):
        sentence = refused(tiny(posterior, prior), Settings(objective=objective))
        fits_prior = {
            "standard": True,
            "vampprior": posterior not in ("bernoulli", "categorical", "iaf", "two-level"),
        }.get(prior, posterior in REAL)
        fits_objective = objective == "elbo" or (
            posterior not in ("bernoulli", "categorical") and (posterior != "iaf" or objective == "iwae")
        )
        assert (sentence is None) == (fits_prior and fits_objective), (prior, objective, sentence)
        assert sentence is None or "use " in sentence


@pytest.mark.parametrize("posterior", vae.POSTERIORS)
@pytest.mark.parametrize("draw_noise", ["antithetic", "sobol"])
def test_noise_that_spreads_needs_draws_made_of_noise(posterior, draw_noise):
    sentence = refused(tiny(posterior, "standard"), Settings(draw_noise=draw_noise, draws=4))
    assert (sentence is None) == (posterior not in ("dirichlet", "bernoulli", "categorical")), sentence


@pytest.mark.parametrize(("posterior", "prior"), list(itertools.product(vae.POSTERIORS, ["standard", "vampprior"])))
def test_free_bits_need_independent_dimensions(posterior, prior):
    sentence = refused(tiny(posterior, prior), Settings(free_bits=0.1))
    independent = posterior in ("diagonal-normal", "gamma", "beta", "von-mises", "bernoulli", "categorical")
    assert (sentence is None) == (independent and prior == "standard"), sentence


@pytest.mark.parametrize("estimator", vae.ESTIMATORS)
@pytest.mark.parametrize("draws", [None, 1, 4])
@pytest.mark.parametrize("posterior", ["bernoulli", "categorical", "diagonal-normal"])
def test_estimators_are_for_draws_that_cannot_move(posterior, draws, estimator):
    sentence = refused(tiny(posterior, "standard"), Settings(estimator=estimator, draws=draws))
    unfit = (estimator == "disarm" and posterior != "bernoulli") or (estimator == "leave-one-out" and draws == 1)
    assert (sentence is None) == (posterior != "diagonal-normal" and not unfit), sentence


@pytest.mark.parametrize("posterior", ["bernoulli", "categorical"])
@pytest.mark.parametrize("draws", [None, 1, 2])
def test_the_estimator_that_is_taken_is_unbiased(posterior, draws):
    objective = make_objective(Settings(draws=draws), tiny(posterior, "standard"))
    assert objective.estimator.unbiased
    assert refused(tiny(posterior, "standard"), Settings(draws=draws)) is None


def test_enumerating_too_many_values_is_refused_before_it_is_tried():
    with pytest.raises(UsageError, match=r"every value of the latents, 1\.31e\+05 here, and 65536 are the most"):
        vae.check_objective(
            vae.Architecture(
                event_shape=(3,), likelihood="gaussian", latent_dim=17, width=4, network="residual-mlp",
                posterior="bernoulli",
            ),
            estimator="enumerate",
        )  # fmt: skip


def test_a_vampprior_knows_no_condition():
    with pytest.raises(UsageError, match="for which no condition is known"):
        vae.assemble(tiny("diagonal-normal", "vampprior", num_features=2))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"posterior": "gamma", "prior": "mixture"}, "law of real numbers, and the gamma posterior one of positive"),
        ({"posterior": "categorical", "objective": "dreg"}, "classes cannot move; use elbo"),
        ({"posterior": "iaf", "objective": "stl"}, "a pass of each network for every dimension; use objective elbo"),
    ],
)
def test_a_plan_is_refused_before_anything_is_built(settings, sentence):
    examples = read_examples(np.random.default_rng(0).normal(size=(60, 3)), Settings())
    with pytest.raises(UsageError, match=sentence):
        make_plan(examples, Settings(**settings))
