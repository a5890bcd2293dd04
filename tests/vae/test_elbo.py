"""The ELBO and its options, against gradients of the linear-Gaussian model that are known in closed form."""

import itertools
import math
from typing import Any

import pytest
import scipy.stats
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from reparam import noise, vae
from reparam.distributions import Independent, MixtureSameFamily, MultivariateNormal, Normal
from reparam.errors import UsageError
from reparam.estimators import DisArm
from tests.linear_gaussian import DTYPE, LinearGaussian
from tests.statistical.instruments import FALSE_ALARM, check_mean
from tests.vae.per_row import PerRow

MODEL = LinearGaussian()
X = MODEL.draw(1, seed=4)[0]
OFF = {"shift": 0.4, "widen": 1.6}


def rows(num_rows: int, **away: float) -> PerRow:
    return PerRow(MODEL.exact_vae(**away), X, num_rows, (4, 5))


class Exact:
    """Distortion, rate and their gradients in the outputs of both networks, in closed form, at one example."""

    def __init__(self, **away: float) -> None:
        model = MODEL.exact_vae(**away)
        outputs = model.encoder.network(X[None])[0].detach().requires_grad_()
        shift = torch.zeros(5, dtype=DTYPE, requires_grad=True)
        self.loc, raw = outputs.chunk(2)
        self.scale = vae.soft_bound(raw, *vae.DiagonalNormal.log_scale_bounds).exp()
        residual = X - MODEL.mean - MODEL.W @ self.loc - shift
        variance = MODEL.sigma**2
        self.curvature = MODEL.W.square().sum(0) / variance
        square = residual.square().sum() / variance + (self.scale.square() * self.curvature).sum()
        self.distortion = 0.5 * square + 2.5 * math.log(2 * math.pi * variance)
        self.rate = 0.5 * (self.loc.square() + self.scale.square() - 1 - 2 * self.scale.log()).sum()
        self.outputs, self.shift = outputs, shift
        # The distortion of a draw is a parabola in each latent, of this slope where the posterior's mean is.
        self.slope = torch.autograd.grad(self.distortion, self.loc, retain_graph=True)[0]
        (self.widening,) = torch.autograd.grad(self.scale.sum(), raw, retain_graph=True)

    def gradients(self, beta: float = 1.0) -> tuple[Tensor, Tensor]:
        loss = self.distortion + beta * self.rate
        encoder, decoder = torch.autograd.grad(loss, (self.outputs, self.shift), retain_graph=True)
        return encoder, decoder


def test_several_draws_are_averaged() -> None:
    model, x = MODEL.exact_vae(**OFF), MODEL.draw(6)
    terms = vae.Elbo(5)(model, x, generator=noise.generator(0))
    z = model.encoder(x).rsample((5,), generator=noise.generator(0))
    each = torch.stack([model.decoder(z_BD).log_prob(x) for z_BD in z])
    torch.testing.assert_close(terms.distortion, -each.mean(0))
    torch.testing.assert_close(terms.bound, each.mean(0) - terms.rate)


@pytest.mark.parametrize("kind", ["iid", "antithetic", "sobol"])
def test_value_and_gradients_are_right_on_average_however_draws_are_spread(kind: Any) -> None:
    exact = Exact(**OFF)
    terms, encoder, decoder = rows(20_000, **OFF).estimates(vae.Elbo(4, noise=kind), noise.generator(1), beta=0.7)
    check_mean(terms.bound.detach(), -(exact.distortion + exact.rate).item())
    for found, expected in zip((encoder, decoder), exact.gradients(beta=0.7), strict=True):
        check_mean(found, expected)


@pytest.mark.parametrize("kind", ["iid", "antithetic", "sobol"])
def test_terms_follow_the_generator(kind: Any) -> None:
    model, x, objective = MODEL.exact_vae(**OFF), MODEL.draw(6), vae.Elbo(4, noise=kind)
    first, again, other = (objective(model, x, generator=noise.generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.distortion, again.distortion)
    assert torch.equal(first.loss, again.loss)
    assert not torch.equal(first.distortion, other.distortion)
    generator = noise.generator(0)
    pair = [objective(model, x, generator=generator).distortion for _ in range(2)]
    assert not torch.equal(*pair)


def spread_of_gradient(kind: Any, num_samples: int) -> Tensor:
    """How far gradients of the distortion are from the exact one, ``[R, 2, D]``: in location and log-scale."""
    _, encoder, _ = rows(20_000, **OFF).estimates(vae.Elbo(num_samples, noise=kind), noise.generator(2), beta=0.0)
    return (encoder - Exact(**OFF).gradients(beta=0.0)[0]).unflatten(1, (2, -1))


def variances(num_samples: int) -> tuple[Tensor, Tensor]:
    """Of the gradients with independent draws: slope ``c + Asε`` in location, ``(c + Asε)·ε·ds`` in log-scale."""
    exact = Exact(**OFF)
    bend = exact.curvature * exact.scale
    in_scale = exact.widening.square() * (exact.slope.square() + 2 * bend.square())
    return (bend.square() / num_samples).detach(), (in_scale / num_samples).detach()


def test_independent_draws_have_the_variance_of_a_parabola() -> None:
    for found, expected in zip(spread_of_gradient("iid", 4).unbind(1), variances(4), strict=True):
        check_mean(found.square(), expected)


def test_pairs_leave_only_what_is_even_in_the_noise() -> None:
    exact = Exact(**OFF)
    in_loc, in_scale = spread_of_gradient("antithetic", 2).unbind(1)
    assert in_loc.abs().max() < 1e-10
    even = 2 * (exact.widening * exact.curvature * exact.scale).square()  # of bε²·ds, which a pair has in common
    check_mean(in_scale.square(), even.detach())
    # Alone it is more than independent draws leave of the log-scale (the pair has it twice); of all together, less.
    assert even.sum() < 0.7 * sum(part.sum() for part in variances(2))


def test_a_sobol_sequence_has_the_variance_of_strata() -> None:
    # Of 2^k points one lies in each of 2^k equal cells, uniform in it, and any two are uncorrelated given their cells
    # (random linear scrambling with a digital shift): the variance of a mean is that of stratified draws.
    num_samples = 8
    edges = scipy.stats.norm.ppf([index / num_samples for index in range(num_samples + 1)])
    cells = [scipy.stats.truncnorm(low, high).var() for low, high in itertools.pairwise(edges)]
    share = sum(cells) / num_samples
    in_loc, in_scale = spread_of_gradient("sobol", num_samples).unbind(1)
    check_mean(in_loc.square(), share * variances(num_samples)[0])
    assert share < 0.25
    # In the log-scale, of a variance ratio of 1 the chance is one in a million: an F test, with room for heavy tails.
    limit = scipy.stats.f.ppf(FALSE_ALARM, 1000, 1000)
    assert (in_scale.var(0) < limit * spread_of_gradient("iid", num_samples).unbind(1)[1].var(0)).all()


def test_sobol_noise_reaches_any_number_of_examples() -> None:
    model, x = MODEL.exact_vae(), MODEL.draw(1).expand(11_000, -1)  # 22,000 dimensions; a sequence has 21,201
    z_of = []
    model.decoder.register_forward_hook(lambda module, given, law: z_of.append(given[0]))
    vae.Elbo(2, noise="sobol")(model, x, generator=noise.generator(0))
    drawn = z_of[0].unflatten(0, (2, 11_000)).detach()
    loc, scale = MODEL.posterior(x[:1])
    uniform = torch.special.ndtr((drawn - loc) / scale)
    assert ((uniform[0] < 0.5) != (uniform[1] < 0.5)).all()  # both halves, for each example and latent
    check_mean(uniform[0], 0.5)
    assert uniform[0].unique(dim=0).shape == (11_000, 2)


# Sticking the landing

STL = vae.Elbo(sticking_the_landing=True)


def test_at_the_posterior_sticking_the_landing_has_no_variance() -> None:
    terms, encoder, _ = rows(1000).estimates(STL, noise.generator(0))
    torch.testing.assert_close(terms.bound, MODEL.log_prob(X).expand(1000))
    assert encoder.abs().max() < 1e-10
    _, plain, _ = rows(1000).estimates(vae.Elbo(), noise.generator(0))
    assert (plain.var(0) > 0.1).all()


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_away_from_it_sticking_the_landing_is_right_on_average(beta: float) -> None:
    exact = Exact(**OFF)
    terms, encoder, decoder = rows(50_000, **OFF).estimates(STL, noise.generator(3), beta)
    check_mean(terms.bound.detach(), -(exact.distortion + exact.rate).item())
    check_mean(terms.rate.detach(), exact.rate.item())
    check_mean(encoder, exact.gradients(beta)[0])
    torch.testing.assert_close(decoder, rows(50_000, **OFF).estimates(vae.Elbo(), noise.generator(3), beta)[2])


# Free bits


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_free_bits_by_hand(beta: float) -> None:
    model, x = MODEL.exact_vae(**OFF), MODEL.draw(9)
    law = model.encoder(x)
    kl = 0.5 * (law.mean.square() + law.variance - 1 - law.variance.log()).mean(0)
    free = kl.mean().item()
    assert kl.min() < free < kl.max()
    terms = vae.Elbo(free_bits=free)(model, x, beta=beta, generator=noise.generator(0))
    plain = vae.Elbo()(model, x, beta=beta, generator=noise.generator(0))
    torch.testing.assert_close(terms.loss, plain.distortion.mean() + beta * (free + kl.max()))
    assert torch.equal(terms.bound, plain.bound)
    assert torch.equal(terms.rate, plain.rate)


def test_free_nats_pull_at_nothing() -> None:
    model, x = MODEL.exact_vae(), MODEL.draw(9)
    terms = vae.Elbo(free_bits=100.0)(model, x, generator=noise.generator(0))
    expected = torch.autograd.grad(terms.distortion.mean(), model.encoder.parameters(), retain_graph=True)
    for found, other in zip(torch.autograd.grad(terms.loss, model.encoder.parameters()), expected, strict=True):
        torch.testing.assert_close(found, other)


class Correlated(nn.Module):
    """A posterior whose latents depend on each other."""

    factor = torch.tensor([[0.8, 0.0], [0.5, 0.6]], dtype=DTYPE)

    def num_outputs(self, num_values: int) -> int:
        return num_values

    def forward(self, outputs: Tensor) -> MultivariateNormal:
        return MultivariateNormal(outputs, scale_tril=self.factor)


class OneComponent(nn.Module):
    """N(0, I), written as a mixture, to which there is no KL in closed form."""

    def forward(self) -> MixtureSameFamily:
        normal = Normal(torch.zeros(1, 2, dtype=DTYPE), torch.ones(1, 2, dtype=DTYPE))
        return MixtureSameFamily(Categorical(logits=torch.zeros(1, dtype=DTYPE)), Independent(normal, 1))


def correlated_vae() -> vae.VAE:
    model = MODEL.exact_vae()
    return vae.VAE(vae.Conditional(nn.Linear(5, 2, dtype=DTYPE), Correlated()), model.decoder, OneComponent())


def test_without_a_closed_form_the_rate_is_that_of_the_draws() -> None:
    model = correlated_vae()
    terms = vae.Elbo(2)(model, X.expand(20_000, -1), generator=noise.generator(0))
    loc = model.encoder(X[None]).mean[0].detach()
    trace = Correlated.factor.square().sum()
    expected = 0.5 * (loc.square().sum() + trace - 2) - Correlated.factor.diagonal().log().sum()
    check_mean(terms.rate.detach(), expected.item())
    torch.testing.assert_close(terms.loss, (terms.distortion + terms.rate).mean())
    z = model.encoder(X.expand(3, -1)).rsample((2,), generator=noise.generator(0))
    law, prior = model.encoder(X.expand(3, -1)), model.prior()
    found = vae.Elbo(2)(model, X.expand(3, -1), generator=noise.generator(0)).rate
    torch.testing.assert_close(found, (law.log_prob(z) - prior.log_prob(z)).mean(0))


def test_free_bits_need_independent_dimensions() -> None:
    with pytest.raises(UsageError, match=r"posterior and a prior of independent dimensions .*, got MultivariateNormal"):
        vae.Elbo(free_bits=0.1)(correlated_vae(), X[None])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sticking_the_landing": True, "num_samples": 2}, r"takes one draw, got num_samples=2; .*ImportanceWeighted"),
        ({"sticking_the_landing": True, "free_bits": 0.1}, r"free bits need the rate in closed form"),
        ({"free_bits": -0.1}, r"free_bits must be a number of at least 0, got -0\.1"),
        ({"free_bits": math.nan}, r"free_bits must be a number of at least 0, got nan"),
        ({"num_samples": 0}, r"num_samples must be a whole number >= 1; got 0"),
        ({"num_samples": True}, r"num_samples must be a whole number >= 1; got True"),
        ({"num_samples": 1.5}, r"num_samples must be a whole number >= 1; got 1\.5"),
        ({"noise": "antithetic"}, r"antithetic noise spreads several draws of an example, got num_samples=1"),
        ({"noise": "halton", "num_samples": 2}, r"noise must be one of iid, antithetic, sobol, got 'halton'"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        vae.Elbo(**wrong)


def test_an_estimator_for_draws_that_move_is_refused() -> None:
    with pytest.raises(UsageError, match=r"for draws that cannot move, and those of Independent move: .*DisArm"):
        vae.Elbo(estimator=DisArm())(MODEL.exact_vae(), X[None])
