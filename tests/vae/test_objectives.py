"""The bound against the model whose answers are exact."""

import pytest
import scipy.stats
import torch
from torch import nn
from torch.autograd import gradcheck

from reparam import noise, vae
from tests.linear_gaussian import DTYPE, LinearGaussian, bias_and_error_of_importance_weighting
from tests.statistical.instruments import FALSE_ALARM
from tests.vae.small import small_vae

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


class Lossy(nn.Module):
    """A model that is called for its loss, as ``functional_call`` wants it."""

    def __init__(self, model: vae.VAE, objective: vae.Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.objective(self.model, x, beta=0.7, generator=noise.generator(3)).loss


@pytest.mark.parametrize(
    "objective",
    [
        vae.Elbo(),
        vae.Elbo(3, noise="antithetic"),
        vae.Elbo(4, noise="sobol"),
        vae.Elbo(free_bits=1.0),
        vae.ImportanceWeighted(3, gradient="pathwise"),
    ],
    ids=str,
)
def test_the_gradient_of_the_objective_passes_gradcheck(objective: vae.Objective) -> None:
    model, x = Lossy(MODEL.exact_vae(shift=0.3, widen=1.5), objective), MODEL.draw(4)
    names = [name for name, _ in model.named_parameters()]

    def loss(*values: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = torch.func.functional_call(model, dict(zip(names, values, strict=True)), (x,))
        return found

    assert gradcheck(loss, [parameter.detach().clone().requires_grad_() for parameter in model.parameters()])


def test_the_loss_is_a_mean_over_examples_of_sums_with_an_explicit_beta() -> None:
    model, x = MODEL.exact_vae(shift=0.3), MODEL.draw(7)
    for beta in (1.0, 2.0, 0.0):
        terms = vae.Elbo()(model, x, beta=beta, generator=noise.generator(0))
        torch.testing.assert_close(terms.loss, (terms.distortion + beta * terms.rate).mean())
        torch.testing.assert_close(terms.bound, -(terms.distortion + terms.rate))
        assert torch.equal(terms.elbo, terms.bound)
        assert terms.loss.shape == ()


@pytest.mark.parametrize("objective", [vae.Elbo(2), vae.ImportanceWeighted(2)], ids=str)
def test_half_precision_networks_still_give_float32_terms(objective: vae.Objective) -> None:
    model = small_vae((6,), width=8)
    with torch.autocast("cpu", torch.bfloat16):
        terms = objective(model, torch.zeros(3, 6))
    assert {part.dtype for part in (terms.distortion, terms.rate, terms.bound, terms.loss)} == {torch.float32}


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
