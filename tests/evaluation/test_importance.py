"""Fast importance weights are the plain ones, to float32 accuracy, with the same draws."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from reparam import noise, vae
from reparam.distributions import Bernoulli, Independent, MultivariateNormal, Normal
from reparam.errors import UsageError
from reparam.evaluation import importance, log_likelihood
from reparam.evaluation.importance import event_log_prob, fast_log_weights
from reparam.vae import importance_log_weights
from tests.linear_gaussian import LinearGaussian
from tests.vae.small import small_vae


def bernoulli_vae(num_values: int = 300) -> vae.VAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = small_vae((num_values,), "bernoulli", latent_dim=3, width=32)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.5)
    return model


def binary(num_rows: int, num_values: int = 300) -> torch.Tensor:
    return (torch.rand(num_rows, num_values, generator=noise.generator(1)) < 0.3).float()


def test_the_fast_weights_are_the_plain_ones_with_the_same_draws() -> None:
    model, x = bernoulli_vae(), binary(20)
    fast = fast_log_weights(model, x, 10, generator=noise.generator(0), draws_at_once=60)
    with torch.no_grad():
        plain = importance_log_weights(model, model.encoder(x), x, 10, generator=noise.generator(0))
    assert fast.dtype == torch.float64
    # Sums of 300 float32 terms, in another order, of which the largest partial sum is not much above the result.
    torch.testing.assert_close(fast, plain.double(), rtol=1e-5, atol=0)


def test_parts_of_the_draws_have_the_condition_and_the_exposure_of_their_examples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = small_vae((4,), "poisson", latent_dim=2, num_features=3, exposure=True)
    condition = vae.Condition(torch.eye(3).repeat(2, 1)[:5], torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]))
    x = torch.poisson(torch.ones(5, 4), generator=noise.generator(0))
    given = model.given(condition)
    with torch.no_grad():
        plain = importance_log_weights(given, given.encoder(x), x, 12, generator=noise.generator(0))
    for values_in_cache in (1, 50, 10_000):
        monkeypatch.setattr(importance, "VALUES_IN_CACHE", values_in_cache)
        fast = fast_log_weights(given, x, 12, generator=noise.generator(0), draws_at_once=30)
        torch.testing.assert_close(fast, plain.double(), rtol=1e-5, atol=1e-5)


def test_a_decoder_that_is_any_callable_will_do() -> None:
    model, x = bernoulli_vae(), binary(20)
    decoder = model.decoder
    foreign = SimpleNamespace(encoder=model.encoder, decoder=lambda z: decoder(z), prior=model.prior)
    own, other = (fast_log_weights(each, x, 10, generator=noise.generator(0)) for each in (model, foreign))
    torch.testing.assert_close(other, own, rtol=1e-5, atol=0)


@pytest.mark.parametrize("num_values", [1, 111, 112, 113, 784])
def test_the_product_of_factors_is_the_sum_of_logarithms(num_values: int) -> None:
    generator = noise.generator(0)
    logits = 10 * torch.randn(12, num_values, generator=generator)
    logits[0], logits[1], logits[2] = 0.0, 200.0, -200.0
    for x in (binary(4, num_values), torch.rand(4, num_values, generator=generator)):
        exact = Independent(Bernoulli(logits=logits.double(), validate_args=False), 1).log_prob(x.double().repeat(3, 1))
        law = Independent(Bernoulli(logits=logits, validate_args=False), 1)
        found = event_log_prob(law, x)
        assert found.shape == (3, 4)
        error = (found.double().flatten() - exact).abs()
        # A rounding of 6e-8 for each factor, and the partial sums of float32 addition.
        assert (error <= 6e-8 * num_values + 1e-6 * exact.abs()).all(), error.max()


def test_at_probability_one_half_nothing_underflows() -> None:
    law = Independent(Bernoulli(logits=torch.zeros(1, 100_000), validate_args=False), 1)
    assert event_log_prob(law, torch.zeros(1, 100_000)).item() == pytest.approx(-69314.718, rel=1e-6)


def test_images_and_other_laws_give_their_own_log_prob() -> None:
    generator = noise.generator(0)
    image = torch.rand(2, 1, 4, 5, generator=generator)
    logits = torch.randn(6, 1, 4, 5, generator=generator)
    laws = [
        Independent(Bernoulli(logits=logits, validate_args=False), 3),
        Independent(Bernoulli(probs=logits.sigmoid(), validate_args=False), 3),
        Independent(Normal(logits, 0.3), 3),
    ]
    for law in laws:
        expected = law.log_prob(image.repeat(3, 1, 1, 1)).reshape(3, 2)
        torch.testing.assert_close(event_log_prob(law, image), expected)


class Counting(nn.Module):
    """A posterior that is no diagonal Normal, and counts how many rows it has been asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def forward(self, x: torch.Tensor) -> MultivariateNormal:
        self.rows += len(x)
        tril = torch.tensor([[1.0, 0.0], [0.9, 0.2]], dtype=x.dtype)
        return MultivariateNormal(x[:, :2], scale_tril=tril.expand(len(x), 2, 2))


def test_any_posterior_will_do_and_each_example_is_encoded_once() -> None:
    exact = LinearGaussian(num_values=3)
    model = exact.exact_vae()
    model.encoder = Counting()  # type: ignore[assignment]
    x = exact.draw(9)
    weights = fast_log_weights(model, x, 3000, generator=noise.generator(0), draws_at_once=500)
    assert weights.shape == (3000, 9)
    assert model.encoder.rows == 9


def test_in_bfloat16_the_densities_stay_wide() -> None:
    model, x = bernoulli_vae(), binary(20)
    half, full = (
        fast_log_weights(model, x, 10, generator=noise.generator(0), precision=precision)
        for precision in ("bfloat16", "float32")
    )
    assert not torch.equal(half, full)  # it was used
    # A logit is off by about 2^-8 of the size of the layer's outputs; log weights rounded to bfloat16 would be off by
    # 2^-9 of hundreds of nats, all to the same grid.
    assert (half - full).abs().mean() < 0.01 * full.abs().mean()
    assert not torch.equal(half, half.bfloat16().double())


@pytest.mark.parametrize(
    "wrong", [{"num_samples": 0}, {"num_samples": 2.5}, {"precision": "float16"}, {"draws_at_once": -1}]
)
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} must be"):
        log_likelihood(bernoulli_vae(), binary(2), **{"num_samples": 3, "generator": noise.generator(0), **wrong})
