"""Evaluation against the model whose answers are exact."""

import pytest
import torch
from scipy import stats

from reparam import noise
from reparam.evaluation import bounds, log_likelihood
from reparam.vae import elbo_terms, importance_log_weights
from tests.linear_gaussian import LinearGaussian, bias_and_error_of_importance_weighting
from tests.statistical.instruments import FALSE_ALARM

MODEL = LinearGaussian()


def test_at_the_optimum_one_draw_gives_the_exact_log_likelihood_and_full_effective_samples() -> None:
    x = MODEL.draw(30)
    estimate, effective = log_likelihood(MODEL.exact_vae(), x, num_samples=8, generator=noise.generator(0))
    torch.testing.assert_close(estimate, MODEL.log_prob(x))
    torch.testing.assert_close(effective, torch.full((30,), 8.0, dtype=torch.float64))


def test_importance_weighting_reaches_the_exact_value_from_a_wrong_encoder() -> None:
    x = MODEL.draw(100)
    off = MODEL.exact_vae(shift=0.3, widen=1.5)
    estimate, effective = log_likelihood(off, x, num_samples=5000, generator=noise.generator(0))
    log_weights = importance_log_weights(off, off.encoder(x), x, 5000, generator=noise.generator(1))
    bias, standard_error = bias_and_error_of_importance_weighting(log_weights, num_samples=5000)
    expected = MODEL.log_prob(x).mean().item() - bias
    assert estimate.mean().item() == pytest.approx(expected, abs=stats.norm.isf(FALSE_ALARM / 2) * standard_error)
    assert (effective < 5000).all()
    assert (effective > 100).all()


def test_draws_are_split_into_batches_without_losing_any() -> None:
    x = MODEL.draw(7)
    off = MODEL.exact_vae(shift=0.3)
    small, small_effective = log_likelihood(off, x, num_samples=1000, generator=noise.generator(0), draws_at_once=64)
    large, large_effective = log_likelihood(
        off, x, num_samples=1000, generator=noise.generator(1), draws_at_once=100_000
    )
    # Delta method: the variance of the log of a mean of weights is about one over the effective sample size.
    tolerance = stats.norm.isf(FALSE_ALARM / 2 / len(x)) * (1 / small_effective + 1 / large_effective).sqrt()
    assert ((small - large).abs() < tolerance).all()


def test_numbers_agree_with_each_other_and_with_the_closed_form() -> None:
    x = MODEL.draw(3000)
    found = bounds(MODEL.exact_vae(), ((part, None) for part in x.split(700)), num_samples=4, seed=0)
    loc, scale = MODEL.posterior(x)
    kl = 0.5 * (loc.square() + scale.square() - 1 - 2 * scale.log())
    exact = MODEL.log_prob(x)
    assert found.num_examples == 3000
    assert found.kl_per_dimension_nats == pytest.approx(kl.mean(0).tolist())
    assert found.rate_nats == pytest.approx(kl.sum(1).mean().item())
    assert found.log_likelihood_nats == pytest.approx(exact.mean().item())
    assert found.standard_error_nats == pytest.approx(exact.std().item() / 3000**0.5)
    assert found.elbo_nats == pytest.approx(-(found.rate_nats + found.distortion_nats))
    gaps = exact - elbo_terms(MODEL.exact_vae(), x, generator=noise.generator(1)).elbo
    standard_error = gaps.std().item() / 3000**0.5
    assert found.elbo_nats == pytest.approx(exact.mean().item(), abs=stats.norm.isf(FALSE_ALARM / 2) * standard_error)
    assert found.active_units == 2
    torch.testing.assert_close(found.latent_loc.double(), loc, atol=1e-6, rtol=1e-5)


def test_a_unit_that_ignores_the_data_is_not_active() -> None:
    model = MODEL.exact_vae()
    with torch.no_grad():
        model.encoder.network.weight[0] = 0  # type: ignore[index]
    assert bounds(model, [(MODEL.draw(500), None)], num_samples=1, seed=0).active_units == 1


def test_the_same_seed_gives_the_same_numbers() -> None:
    first, second = (
        bounds(MODEL.exact_vae(shift=0.2), [(MODEL.draw(20), None)], num_samples=3, seed=5).to_json() for _ in range(2)
    )
    assert first == second
