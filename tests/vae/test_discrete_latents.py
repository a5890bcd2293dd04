"""Latents that are coins: every value and gradient is known by going through all of them."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reparam import noise, vae
from reparam.distributions import Bernoulli, Independent, Normal
from reparam.errors import UsageError
from reparam.estimators import DisArm, Estimator, GumbelSoftmax, LeaveOneOut, Rebar, ScoreFunction, StraightThrough
from tests.linear_gaussian import DTYPE
from tests.statistical.instruments import check_mean
from tests.vae.per_row import PerRow

X = torch.tensor([0.7, -1.1], dtype=DTYPE)
BITS = torch.tensor([*itertools.product([0.0, 1.0], repeat=3)], dtype=DTYPE)


class Coins(nn.Module):
    """A posterior of independent coins, from their log odds."""

    def num_outputs(self, num_values: int) -> int:
        return num_values

    def forward(self, outputs: Tensor) -> Independent:
        return Independent(Bernoulli(logits=outputs), 1)


class FairCoins(nn.Module):
    """The prior that knows nothing."""

    def forward(self) -> Independent:
        return Independent(Bernoulli(torch.full((3,), 0.5, dtype=DTYPE)), 1)


def make_vae() -> vae.VAE:
    with torch.random.fork_rng():
        noise.seed_global(0, "coins")
        encoder, decoder = nn.Linear(2, 3, dtype=DTYPE), nn.Linear(3, 2, dtype=DTYPE)
    with torch.no_grad():
        decoder.weight.mul_(2)
    likelihood = vae.Gaussian((2,)).to(DTYPE)
    return vae.VAE(vae.Conditional(encoder, Coins()), vae.Conditional(decoder, likelihood), FairCoins())


def exact(beta: float = 1.0) -> tuple[float, Tensor, Tensor]:
    """The bound, and the gradients of the loss in the outputs of both networks, as a sum over the 8 latents."""
    model = make_vae()
    logits = model.encoder.network(X[None]).detach().requires_grad_()
    shift = torch.zeros(2, dtype=DTYPE, requires_grad=True)
    law = Coins()(logits)
    likelihood = model.decoder.family(model.decoder.network(BITS) + shift).log_prob(X.expand(8, -1))
    log_q = law.log_prob(BITS)
    distortion = -(log_q.exp() * likelihood).sum()
    rate = (log_q.exp() * (log_q - FairCoins()().log_prob(BITS))).sum()
    encoder, decoder = torch.autograd.grad(distortion + beta * rate, (logits, shift))
    return -(distortion + rate).item(), encoder[0], decoder


UNBIASED: list[tuple[Estimator | None, int]] = [
    (None, 1),
    (DisArm(), 1),
    (ScoreFunction(LeaveOneOut()), 4),
    (Rebar(0.5), 1),
]
RELAXED: list[Estimator] = [GumbelSoftmax(0.5), StraightThrough()]


@pytest.mark.parametrize("beta", [1.0, 0.3])
@pytest.mark.parametrize(("estimator", "num_samples"), UNBIASED, ids=str)
def test_value_and_gradient_are_those_of_all_latents(
    estimator: Estimator | None, num_samples: int, beta: float
) -> None:
    bound, encoder, decoder = exact(beta)
    objective = vae.Elbo(num_samples, estimator=estimator)
    rows = PerRow(make_vae(), X, 20_000, (3, 2))
    terms, in_encoder, in_decoder = rows.estimates(objective, noise.generator(0), beta)
    check_mean(terms.bound.detach(), bound)
    check_mean(in_encoder, encoder)
    check_mean(in_decoder, decoder)
    torch.testing.assert_close(terms.loss, (terms.distortion + beta * terms.rate).mean())


@pytest.mark.parametrize("estimator", RELAXED, ids=str)
def test_what_is_reported_is_exact_where_what_is_moved_is_not(estimator: Estimator) -> None:
    bound, encoder, _ = exact()
    terms, in_encoder, _ = PerRow(make_vae(), X, 20_000, (3, 2)).estimates(
        vae.Elbo(estimator=estimator), noise.generator(0)
    )
    check_mean(terms.bound.detach(), bound)
    with pytest.raises(AssertionError, match="mean is off"):
        check_mean(in_encoder, encoder)


def test_the_loss_of_a_relaxed_draw_is_another() -> None:
    bound, _, _ = exact()
    model, x = make_vae(), X.expand(20_000, -1)
    terms = vae.Elbo(estimator=GumbelSoftmax(1.0))(model, x, generator=noise.generator(0))
    spread = terms.distortion.std().item() / len(x) ** 0.5
    assert abs(terms.loss.item() + bound) > 10 * spread
    assert abs(terms.bound.mean().item() - bound) < 5 * spread


@pytest.mark.parametrize("estimator", [*RELAXED, *(estimator for estimator, _ in UNBIASED)], ids=str)
def test_without_gradients_every_estimator_reports_the_same_exact_bound(estimator: Estimator | None) -> None:
    x, found = X.expand(20_000, -1), []
    with torch.no_grad():
        for made in (vae.Elbo(2, estimator=estimator), vae.Elbo(2)):
            terms = made(make_vae(), x, generator=noise.generator(0))
            torch.testing.assert_close(terms.loss, -terms.bound.mean())
            found.append(terms.bound)
    assert torch.equal(*found)
    check_mean(found[0], exact()[0])


class Plain(nn.Module):
    """A prior on the line, which coins have no KL to."""

    def forward(self) -> Independent:
        return Independent(Normal(torch.zeros(3, dtype=DTYPE), 1.0), 1)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (vae.ImportanceWeighted(4), r"and those of Independent cannot move; use the ELBO"),
        (vae.Elbo(sticking_the_landing=True), r"sticking the landing needs draws that move, and those of Independent"),
        (vae.Elbo(2, noise="sobol"), r"sobol noise needs draws that move, and those of Independent cannot"),
        (vae.Elbo(2, noise="antithetic"), r"antithetic noise needs draws that move"),
    ],
)
def test_what_needs_draws_that_move_is_refused(objective: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        objective(make_vae(), X[None])


def test_without_a_closed_rate_coins_are_refused() -> None:
    model = make_vae()
    model.prior = Plain()
    with pytest.raises(UsageError, match=r"no KL in closed form between Independent and Independent, which discrete"):
        vae.Elbo()(model, X[None])
