"""Bounds and log-likelihood of every kind of latents, and against an exact sum where there is one."""

import itertools
import math

import pytest
import torch

from reparam import noise, vae
from reparam.evaluation import bounds
from tests.linear_gaussian import bias_and_error_of_importance_weighting

X = noise.standard_normal((30, 3), like=torch.zeros(()), generator=noise.generator(0, "rows"))


def moved_model(posterior, prior="standard", latent_dim=2):
    """A model away from where it starts, so that its latents matter."""
    noise.seed_global(0, "weights")
    model = vae.assemble(
        vae.Architecture(
            event_shape=(3,), likelihood="gaussian", latent_dim=latent_dim, width=8, num_blocks=1,
            network="residual-mlp", posterior=posterior, prior=prior, num_classes=3, prior_components=4,
        )
    )  # fmt: skip
    generator = noise.generator(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * noise.standard_normal(parameter.shape, like=parameter, generator=generator)
    return model


@torch.no_grad()
def log_weights(model):
    return vae.importance_log_weights(model, model.encoder(X), X, 200, generator=noise.generator(3))


PAIRS = [
    *((posterior, "standard") for posterior in vae.POSTERIORS),
    *(("full-normal", prior) for prior in vae.PRIORS if prior != "standard"),
    ("von-mises-fisher", "vampprior"),
    ("iaf", "realnvp"),
]


@pytest.mark.parametrize(("posterior", "prior"), PAIRS)
def test_a_bound_lies_below_the_log_likelihood_and_adds_up(posterior, prior):
    model = moved_model(posterior, prior)
    found = bounds(model, [(X[:20], None), (X[20:], None)], num_samples=200, seed=0)
    assert found.elbo_nats == pytest.approx(-(found.distortion_nats + found.rate_nats))
    assert found.elbo_nats < found.log_likelihood_nats + 5 * log_weights(model).var(0).sum().sqrt().item() / len(X)
    independent = posterior in ("diagonal-normal", "gamma", "beta", "von-mises", "bernoulli", "categorical")
    if independent and prior == "standard":
        assert sum(found.kl_per_dimension_nats) == pytest.approx(found.rate_nats, rel=1e-5)
        assert len(found.kl_per_dimension_nats) == 2
    else:
        assert found.kl_per_dimension_nats is None
    assert found.latent_loc.shape == found.latent_scale.shape
    assert found.latent_loc.dim() == 2
    assert 1 <= found.effective_sample_size <= 200


@pytest.mark.parametrize("posterior", ["bernoulli", "categorical"])
def test_the_log_likelihood_of_coins_and_classes_is_the_sum_over_all_of_them(posterior):
    model = moved_model(posterior)
    one = torch.eye(3) if posterior == "categorical" else torch.tensor([0.0, 1.0])
    values = torch.stack([torch.stack(pair) for pair in itertools.product(one, repeat=2)])
    with torch.no_grad():
        joint = vae.log_likelihood_of(model, X, values.unsqueeze(1).expand(-1, len(X), *values.shape[1:]))
    exact = (joint - math.log(len(values))).logsumexp(0).mean().item()
    found = bounds(model, [(X, None)], num_samples=2000, seed=0)
    bias, error = bias_and_error_of_importance_weighting(log_weights(model), 2000)
    error *= math.sqrt(200 / 2000)
    assert found.log_likelihood_nats == pytest.approx(exact - bias, abs=5 * error + 1e-5)
    assert error < 0.01
