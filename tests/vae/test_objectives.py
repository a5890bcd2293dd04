"""The bound against the model whose answers are exact."""

import pytest
import scipy.stats
import torch
from torch.autograd import gradcheck

from reparam import noise, vae
from tests.linear_gaussian import DTYPE, LinearGaussian, bias_and_error_of_importance_weighting
from tests.statistical.instruments import FALSE_ALARM

MODEL = LinearGaussian()


def test_at_the_optimum_every_importance_weight_is_the_exact_likelihood() -> None:
    x = MODEL.draw(50)
    exact = MODEL.exact_vae()
    log_weights = vae.importance_log_weights(exact, exact.encoder(x), x, 20, generator=noise.generator(0))
    assert log_weights.shape == (20, 50)
    torch.testing.assert_close(log_weights, MODEL.log_prob(x).expand(20, -1))


def test_the_rate_is_the_closed_form_kl_per_example() -> None:
    x = MODEL.draw(50)
    loc, scale = MODEL.posterior(x)
    expected = 0.5 * (loc.square() + scale.square() - 1 - 2 * scale.log()).sum(1)
    torch.testing.assert_close(vae.elbo_terms(MODEL.exact_vae(), x).rate, expected)


def test_at_the_optimum_the_bound_is_the_likelihood_on_average() -> None:
    x = MODEL.draw(20)
    elbos = repeated_elbos(MODEL.exact_vae(), x, draws=2000)
    gap = MODEL.log_prob(x) - elbos.mean(0)
    standard_error = elbos.std(0) / len(elbos) ** 0.5
    assert (gap.abs() < scipy.stats.norm.isf(FALSE_ALARM / 2 / len(x)) * standard_error).all()


def test_away_from_the_optimum_the_gap_is_the_kl_to_the_true_posterior() -> None:
    x = MODEL.draw(20)
    shift, widen = 0.5, 1.7
    _, scale = MODEL.posterior(x)
    true, ours = (
        torch.distributions.Normal(torch.zeros_like(scale), scale),
        torch.distributions.Normal(shift, widen * scale),
    )
    expected_gap = torch.distributions.kl_divergence(ours, true).sum()
    elbos = repeated_elbos(MODEL.exact_vae(shift=shift, widen=widen), x, draws=4000)
    gap = MODEL.log_prob(x) - elbos.mean(0)
    standard_error = elbos.std(0) / len(elbos) ** 0.5
    assert expected_gap > 0.5
    assert ((gap - expected_gap).abs() < scipy.stats.norm.isf(FALSE_ALARM / 2 / len(x)) * standard_error).all()


def test_more_importance_samples_close_the_gap_from_below() -> None:
    x = MODEL.draw(200)
    off = MODEL.exact_vae(shift=0.3, widen=1.5)
    log_weights = vae.importance_log_weights(off, off.encoder(x), x, 4096, generator=noise.generator(0))
    means = [
        vae.importance_weighted_bound(
            log_weights[: 4096 // size * size].unflatten(0, (-1, size)).transpose(0, 1).flatten(1)
        )
        .mean()
        .item()
        for size in (1, 4, 16, 64, 1024)
    ]
    exact = MODEL.log_prob(x).mean().item()
    assert means == sorted(means)
    assert means[0] < exact - 0.3
    bias, standard_error = bias_and_error_of_importance_weighting(log_weights, num_samples=1024)
    assert means[-1] == pytest.approx(exact - bias, abs=scipy.stats.norm.isf(FALSE_ALARM / 2) * standard_error)


def test_the_gradient_of_the_objective_passes_gradcheck() -> None:
    model = MODEL.exact_vae(shift=0.3, widen=1.5)
    x = MODEL.draw(4)
    parameters = list(model.parameters())

    def loss(*values: torch.Tensor) -> torch.Tensor:
        names = [name for name, _ in model.named_parameters()]
        generator = noise.generator(3)
        terms = torch.func.functional_call(model, dict(zip(names, values, strict=True)), (x, generator))
        return terms.loss(beta=0.7)

    assert gradcheck(loss, [parameter.detach().clone().requires_grad_() for parameter in parameters])


def test_the_loss_is_a_mean_over_examples_of_sums_with_an_explicit_beta() -> None:
    terms = vae.Terms(distortion=torch.tensor([1.0, 3.0]), rate=torch.tensor([0.5, 1.5]))
    assert terms.loss().item() == pytest.approx(3.0)
    assert terms.loss(beta=2.0).item() == pytest.approx(4.0)
    assert terms.elbo.tolist() == [-1.5, -4.5]


def test_half_precision_networks_still_give_float32_terms() -> None:
    model = vae.assemble((6,), vae.Gaussian((6,)), latent_dim=2, width=8)
    with torch.autocast("cpu", torch.bfloat16):
        terms = model(torch.zeros(3, 6))
    assert terms.distortion.dtype == terms.rate.dtype == torch.float32


def repeated_elbos(model: vae.VAE, x: torch.Tensor, draws: int) -> torch.Tensor:
    """``[draws, N]`` values of the one-draw bound."""
    generator = noise.generator(7)
    with torch.no_grad():
        return vae.elbo_terms(model, x.repeat(draws, 1), generator=generator).elbo.unflatten(0, (draws, -1))


def test_the_exact_model_is_exact_to_rounding() -> None:
    x = MODEL.draw(3)
    loc, scale = MODEL.posterior(x)
    law = MODEL.exact_vae().encoder(x)
    torch.testing.assert_close(law.mean, loc)
    torch.testing.assert_close(law.stddev, scale.expand_as(loc))
    assert law.mean.dtype == DTYPE
