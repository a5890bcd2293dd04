"""Annealing against the model whose log-likelihood is exact."""

import math

import pytest
import torch
from scipy import stats

from reparam import noise
from reparam.distributions import Bernoulli, Independent, LogNormal, VonMisesFisher
from reparam.errors import UsageError
from reparam.evaluation import log_likelihood
from reparam.evaluation.annealing import Annealed, agreement, annealed_log_likelihood
from tests.linear_gaussian import LinearGaussian
from tests.statistical.instruments import FALSE_ALARM, check_mean

SIGMAS = stats.norm.isf(FALSE_ALARM / 2)
MODEL = LinearGaussian(num_values=5, latent_dim=2, sigma=0.5)
SHIFT, WIDEN = 0.5, 0.6
OFF = MODEL.exact_vae(shift=SHIFT, widen=WIDEN)
X = MODEL.draw(40)
EXACT = MODEL.log_prob(X)


def known_gap() -> float:
    """KL from the encoder that is off to the true posterior: what one importance sample loses on average, in nats."""
    scale = MODEL.posterior(X)[1]
    return (SHIFT**2 / (2 * scale**2) + (WIDEN**2 - 1) / 2 - math.log(WIDEN)).sum().item()


def annealed(start=None, x=X, **options) -> Annealed:
    with torch.no_grad():
        start = OFF.encoder(x) if start is None else start
    settings = {"num_steps": 100, "num_chains": 16, "generator": noise.generator(0), **options}
    return annealed_log_likelihood(OFF, start, x, **settings)


def test_one_importance_sample_is_low_by_a_known_amount_and_annealing_closes_most_of_it() -> None:
    single = [log_likelihood(OFF, X, num_samples=1, generator=noise.generator(seed))[0] for seed in range(200)]
    check_mean([EXACT.mean() - each.mean() for each in single], known_gap())
    assert known_gap() > 1
    found = annealed()
    left = (EXACT - found.log_likelihood).mean().item()
    error = SIGMAS * found.standard_error.square().sum().sqrt().item() / len(X)
    assert left < 0.1 * known_gap()
    assert left > -error
    few, _ = log_likelihood(OFF, X, num_samples=16, generator=noise.generator(1))
    assert left < (EXACT - few).mean().item() / 2  # as many chains as importance samples, and a fraction of the gap


def test_weights_are_unbiased_and_the_bound_is_never_above_the_truth_beyond_error() -> None:
    # E[w] = p(x), exactly so for each row, whatever the steps. The encoder is too wide here: one that is narrower than
    # 1/√2 of the truth has weights of infinite variance, and no standard error means anything.
    wide = MODEL.exact_vae(shift=0.2, widen=1.4)
    for num_steps, step_size in ((3, None), (10, 1.0)):
        with torch.no_grad():
            start = wide.encoder(X[:5])
        found = annealed(start, X[:5], num_steps=num_steps, step_size=step_size, num_chains=4000)
        standardised = (found.log_likelihood - EXACT[:5]) / found.standard_error
        assert (standardised.abs() < SIGMAS).all(), standardised
        assert (found.standard_error < 0.1).all()


def test_more_steps_are_nearer_to_the_truth() -> None:
    left = [(EXACT - annealed(num_steps=steps, num_chains=4).log_likelihood).mean().item() for steps in (2, 10, 100)]
    assert left[0] > left[1] > left[2]


def test_chains_may_start_from_the_prior() -> None:
    found = annealed(start=OFF.prior(), num_steps=200)
    assert (EXACT - found.log_likelihood).mean().abs() < 0.1


def test_the_pilot_gives_each_row_its_own_step_and_does_no_worse_than_one_step_for_all() -> None:
    found = annealed(num_steps=30)
    assert set(found.step_size.tolist()) <= {0.1, 0.2, 0.4, 0.8}
    worst = min(annealed(num_steps=30, step_size=size).log_likelihood.mean() for size in (0.1, 0.2, 0.4, 0.8))
    assert found.log_likelihood.mean() > worst


def test_the_same_generator_gives_the_same_numbers_and_no_gradient() -> None:
    first, second = annealed(num_steps=5), annealed(num_steps=5)
    assert torch.equal(first.log_likelihood, second.log_likelihood)
    assert not first.log_likelihood.requires_grad
    assert first.log_likelihood.dtype == torch.float64


def test_a_chain_that_leaves_the_numbers_counts_as_nothing() -> None:
    found = annealed(num_steps=60, step_size=1e30)
    assert (found.log_likelihood <= EXACT).all()
    assert not found.log_likelihood.isnan().any()


def test_a_good_encoder_agrees_and_a_bad_one_is_told_by_how_much() -> None:
    good = MODEL.exact_vae()
    importance, effective = log_likelihood(good, X, num_samples=50, generator=noise.generator(0))
    with torch.no_grad():
        found = annealed_log_likelihood(
            good, good.encoder(X), X, num_steps=300, num_chains=50, generator=noise.generator(1), step_size=0.1
        )
    fine = agreement(importance, effective, 50, found)
    assert abs(fine.gap_nats) < 0.01
    importance, effective = log_likelihood(OFF, X, num_samples=2, generator=noise.generator(0))
    low = agreement(importance, effective, 2, annealed())
    assert not low.agree
    assert low.gap_nats == pytest.approx((EXACT - importance).mean().item(), abs=0.2)
    assert f"the importance-weighted log-likelihood is {low.gap_nats:.2f} ±" in low.sentence()


def test_the_words_follow_the_numbers() -> None:
    one = torch.ones(4, dtype=torch.float64)
    found = Annealed(-86 * one, 0.2 * one, 50 * one, 0.4 * one)
    assert (
        agreement(-86.1 * one, 400 * one, 500, found).sentence().startswith("annealing and importance weighting agree")
    )
    above = agreement(-80 * one, 500 * one, 500, found)
    assert (above.gap_nats, above.standard_error_nats) == pytest.approx((-6, 0.1))
    assert "more steps are needed" in above.sentence()
    with pytest.raises(UsageError, match="same rows"):
        agreement(-80 * one[:2], one, 500, found)


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (Independent(LogNormal(torch.zeros(40, 2), 1.0), 1), "the start is a law on"),
        (Independent(Bernoulli(torch.full((40, 2), 0.5)), 1), "the start is a law on"),
        (VonMisesFisher(torch.tensor([1.0, 0.0]).expand(40, 2), torch.ones(40)), "the start is a law on"),
    ],
)
def test_latents_that_cannot_move_freely_are_refused(start, text) -> None:
    with pytest.raises(UsageError, match=text):
        annealed(start=start)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"x": X[:3]}, r"batch shape \(3,\) or \(\)"),
        ({"num_steps": 0}, "num_steps"),
        ({"num_chains": 1}, "num_chains must be a whole number >= 2"),
        ({"step_size": 0.0}, "step_size"),
    ],
)
def test_what_makes_no_sense_is_refused(options, text) -> None:
    with pytest.raises(UsageError, match=text):
        annealed(start=OFF.encoder(X), **options)
