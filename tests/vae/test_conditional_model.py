"""What is given reaches every draw of its own example, and no other: against the exact conditional model."""

import pytest
import torch
from torch import Tensor, nn

from reparam import noise, vae
from reparam.evaluation import bounds, log_likelihood
from tests.linear_gaussian import DTYPE, LinearGaussian, unbound

MODEL = LinearGaussian(num_values=4, latent_dim=2, sigma=0.5)
SLOPE = torch.tensor([[2.0, -1.0], [0.5, 3.0], [-2.0, 1.0], [1.0, 1.0]], dtype=DTYPE)  # [values, features]


def exact_given() -> vae.VAE:
    """``x | c`` is the linear-Gaussian model, moved by ``SLOPE c``: the posterior is that of ``x - SLOPE c``."""
    plain = MODEL.exact_vae()
    encoder, decoder = (nn.Linear(part.network.in_features + 2, part.network.out_features, dtype=DTYPE)
                        for part in (plain.encoder, plain.decoder))  # fmt: skip
    with torch.no_grad():
        weight = plain.encoder.network.weight
        encoder.weight.copy_(torch.cat([weight, -weight @ SLOPE], 1))
        encoder.bias.copy_(plain.encoder.network.bias)
        decoder.weight.copy_(torch.cat([plain.decoder.network.weight, SLOPE], 1))
        decoder.bias.copy_(plain.decoder.network.bias)
    plain.encoder.network, plain.decoder.network = encoder, decoder
    return plain


def rows(num_rows: int) -> tuple[Tensor, vae.Condition, Tensor]:
    """``x``, its condition, and the exact ``log p(x | c)``."""
    features = torch.randn(num_rows, 2, dtype=DTYPE, generator=torch.Generator().manual_seed(5))
    centred = MODEL.draw(num_rows, seed=6)
    return centred + features @ SLOPE.T, vae.Condition(features), MODEL.log_prob(centred)


def test_the_instrument_is_the_exact_model() -> None:
    assert unbound(torch.zeros(1), -1, 1).item() == 0  # what the posterior's scale went through
    x, condition, _ = rows(7)
    expected = MODEL.posterior(x - condition.features @ SLOPE.T)[0]
    torch.testing.assert_close(exact_given().given(condition).encoder(x).mean, expected)


@pytest.mark.parametrize("draws_at_once", [None, 8, 20, 1000])
def test_log_likelihood_is_exact_for_every_row_however_it_is_cut(draws_at_once: int | None) -> None:
    x, condition, expected = rows(13)
    given = exact_given().given(condition)
    found, effective = log_likelihood(
        given, x, num_samples=5, generator=noise.generator(0), draws_at_once=draws_at_once
    )
    # At the exact posterior every weight is p(x | c).
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(effective, torch.full_like(effective, 5))


def test_a_condition_that_belongs_to_other_draws_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def each_in_turn(self: vae.Condition, num_rows: int) -> vae.Condition:
        return vae.Condition(self.features.repeat_interleave(num_rows // len(self.features), 0))

    x, condition, expected = rows(13)
    given = exact_given().given(condition)
    monkeypatch.setattr(vae.Condition, "repeated", each_in_turn)
    found, _ = log_likelihood(given, x, num_samples=5, generator=noise.generator(0))
    assert (found < expected - 1).sum() > 6


def test_bounds_are_those_of_each_batch_with_its_condition() -> None:
    x, condition, expected = rows(50)
    batches = [(x[part], condition.take(part)) for part in (slice(0, 20), slice(20, 50))]
    found = bounds(exact_given(), batches, num_samples=3, seed=0)
    assert found.log_likelihood_nats == pytest.approx(expected.mean().item(), abs=1e-9)
    swapped = [(batches[0][0], condition.take(slice(20, 40))), batches[1]]
    assert bounds(exact_given(), swapped, num_samples=3, seed=0).log_likelihood_nats < expected.mean().item() - 1


@pytest.mark.parametrize("objective", [vae.Elbo(), vae.Elbo(4), vae.ImportanceWeighted(4)])
def test_objectives_see_the_model_that_is_given_its_condition(objective: vae.Objective) -> None:
    x, condition, expected = rows(400)
    terms = objective(exact_given().given(condition), x, generator=noise.generator(1))
    # The posterior is exact: with K draws every bound is log p(x | c) up to the draw of an ELBO's distortion.
    gap = (expected - terms.bound).detach()
    assert abs(gap.mean()) <= 5 * gap.std() / 20 + 1e-9
    if isinstance(objective, vae.ImportanceWeighted):
        torch.testing.assert_close(terms.bound, expected)


def test_parts_of_a_condition_keep_their_exposure() -> None:
    condition = vae.Condition(torch.arange(6.0)[:, None], torch.arange(6.0))
    some = condition.take(torch.tensor([4, 1]))
    assert some.features[:, 0].tolist() == some.exposure.tolist() == [4, 1]
    model = vae.VAE(nn.Identity(), nn.Identity(), nn.Identity()).given(condition)
    parts = list(vae.in_parts(model, torch.zeros(6, 1), 4))
    assert [part.condition.exposure.tolist() for part, _ in parts] == [[0, 1, 2, 3], [4, 5]]
