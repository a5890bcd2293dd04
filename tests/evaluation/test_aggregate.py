"""The rate taken apart, against models whose parts are known."""

import math

import pytest
import torch
from scipy import stats

from reparam import noise, vae
from reparam.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal
from reparam.errors import UsageError
from reparam.evaluation import aggregate
from reparam.evaluation.aggregate import aggregate_gap, largest_shift
from tests.linear_gaussian import LinearGaussian
from tests.statistical.instruments import FALSE_ALARM

SIGMAS = stats.norm.isf(FALSE_ALARM / 2)
PRIOR = Independent(Normal(torch.zeros(2, dtype=torch.float64), 1.0), 1)


def normal(loc, scale) -> Independent:
    return Independent(Normal(torch.as_tensor(loc, dtype=torch.float64), scale), 1)


def test_a_linear_gaussian_model_at_its_optimum_has_its_own_information_and_no_gap() -> None:
    exact = LinearGaussian(num_values=4, latent_dim=2, sigma=1.0)
    x = exact.draw(4000)
    # One draw a row, so that the standard errors are those over rows and draws.
    found = aggregate_gap(exact.exact_vae().encoder(x), PRIOR, generator=noise.generator(0))
    precision = (exact.W.T @ exact.W).diagonal() / exact.sigma**2 + 1
    information = 0.5 * precision.log().sum().item()
    # KL(q_N(z) || p(z)) of N random rows is χ²/2N to second order, with E ∫ q(z|x)²/p(z) dz - 1 degrees of freedom in
    # all, where for normals of scale s and means of variance 1 - s² the integral is Π 1/s². Weights of that χ² are not
    # equal; twice its quantile allows for that.
    surplus = 2 * stats.chi2(precision.prod().item() - 1).isf(FALSE_ALARM) / (2 * len(x))
    tolerance = SIGMAS * found.information_standard_error_nats + surplus
    assert found.information_nats == pytest.approx(information, abs=tolerance)
    assert abs(found.gap_nats) < SIGMAS * found.gap_standard_error_nats + surplus
    assert tolerance < 0.1 * information
    assert not found.saturated


def test_the_parts_add_up_and_the_rate_is_the_closed_form() -> None:
    loc = torch.linspace(-2, 2, 200, dtype=torch.float64)[:, None] * torch.tensor([1.0, 0.2])
    found = aggregate_gap(normal(loc, 0.5), PRIOR, generator=noise.generator(0), num_samples=50)
    rate = 0.5 * (loc.square() + 0.25 - 1 - math.log(0.25)).sum(1).mean().item()
    assert found.rate_nats == pytest.approx(rate, abs=SIGMAS * found.rate_standard_error_nats)
    assert found.information_nats + found.gap_nats == pytest.approx(found.rate_nats, abs=1e-12)


def test_posteriors_that_make_up_the_prior_have_no_gap() -> None:
    # The prior is the mixture of the posteriors, so the gap is 0 draw by draw, and the rate is all information.
    posterior = normal([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]], 0.7)
    prior = MixtureSameFamily(Categorical(logits=torch.zeros(3, dtype=torch.float64)), posterior)
    found = aggregate_gap(posterior, prior, generator=noise.generator(0), num_samples=1000)
    assert found.gap_nats == pytest.approx(0, abs=1e-12)
    assert found.gap_standard_error_nats < 1e-12
    assert 0.5 < found.information_nats < math.log(3)


def test_posteriors_that_ignore_the_row_have_no_information_and_all_of_the_gap() -> None:
    found = aggregate_gap(normal([[1.0, 0.0]] * 50, 1.0), PRIOR, generator=noise.generator(0), num_samples=200)
    assert found.information_nats == pytest.approx(0, abs=1e-12)
    assert found.gap_nats == pytest.approx(0.5, abs=SIGMAS * found.gap_standard_error_nats)


def test_rows_far_apart_show_log_n_and_say_so() -> None:
    loc = 100 * torch.arange(30, dtype=torch.float64)[:, None] * torch.ones(2)
    found = aggregate_gap(normal(loc, 1.0), PRIOR, generator=noise.generator(0))
    assert found.information_nats == pytest.approx(math.log(30))
    assert found.saturated
    assert "cannot show more information than log N = 3.40" in found.sentence()


def test_any_law_will_do_and_the_size_of_the_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = noise.generator(1)
    loc = torch.randn(40, 2, generator=generator, dtype=torch.float64)
    tril = torch.tensor([[1.0, 0.0], [0.9, 0.3]], dtype=torch.float64).expand(40, 2, 2)
    posterior = MultivariateNormal(loc, scale_tril=tril)
    whole = aggregate_gap(posterior, PRIOR, generator=noise.generator(0), num_samples=3)
    monkeypatch.setattr(aggregate, "PAIRS_AT_ONCE", 100)
    parts = aggregate_gap(posterior, PRIOR, generator=noise.generator(0), num_samples=3)
    assert parts.to_json() == pytest.approx(whole.to_json())


def test_the_standard_error_is_that_of_repetitions() -> None:
    loc = torch.linspace(-2, 2, 60, dtype=torch.float64)[:, None] * torch.ones(2)
    found = [
        aggregate_gap(normal(loc, 0.5), PRIOR, generator=noise.generator(seed), num_samples=4) for seed in range(200)
    ]
    seen = torch.tensor([each.information_nats for each in found]).var().item()
    said = torch.tensor([each.information_standard_error_nats**2 for each in found]).mean().item()
    low, high = stats.chi2(199).ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2]) / 199
    assert low < seen / said < high


@pytest.mark.parametrize(
    ("posterior", "prior", "num_samples", "text"),
    [
        (normal([1.0, 2.0], 1.0), PRIOR, 1, "batch shape"),
        (normal([[1.0, 2.0]], 1.0), PRIOR, 1, "N >= 2"),
        (normal([[1.0], [2.0]], 1.0), PRIOR, 1, "event shape"),
        (normal([[1.0, 2.0]] * 2, 1.0), PRIOR, 0, "num_samples"),
    ],
)
def test_what_does_not_go_together_is_refused(posterior, prior, num_samples, text) -> None:
    with pytest.raises(UsageError, match=text):
        aggregate_gap(posterior, prior, generator=noise.generator(0), num_samples=num_samples)


@pytest.mark.parametrize(
    "prior",
    [vae.unit_gamma(4), vae.uniform_interval(4), vae.uniform_direction(3), vae.uniform_angles(4), vae.fair_coins(4)],
)
def test_posteriors_that_are_the_prior_are_not_shifted_whatever_it_is(prior: vae.FixedPrior) -> None:
    draws = prior().sample((2000,), generator=noise.generator(1))
    made = noise.generator(2)
    assert largest_shift(prior(), draws, torch.zeros_like(draws), generator=made) < 0.3  # spread as the prior is
    assert largest_shift(prior(), draws[:1].expand(100, -1), torch.full((100, 4), 1e-3), generator=made) > 1
    away = draws + 2 * draws.std(0)
    assert largest_shift(prior(), away, torch.zeros_like(draws), generator=made) == pytest.approx(2, abs=0.4)
