"""Findings say what is seen and what to do."""

import pytest
import torch

from reparam import noise, vae
from reparam.evaluation import health, relative_to

NUMBERS = {
    "active_units": 3,
    "latent_dim": 8,
    "rate_nats": 12.0,
    "effective_sample_size": 40.0,
    "num_samples": 500,
    "log_likelihood_nats": -10.0,
    "baseline": {"name": "full-covariance Gaussian", "log_likelihood_nats": -12.0},
}
LIKE = "Posteriors together look like the prior"
LOC = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))
SCALE = torch.full_like(LOC, 0.1)


def levels(numbers: dict | None = None, metrics: list | None = None, loc: torch.Tensor = LOC) -> dict[str, str]:
    return {finding.title: finding.level for finding in health(NUMBERS | (numbers or {}), metrics or [], loc, SCALE)}


def bounds(train: list[float], validation: list[float]) -> list[dict]:
    pairs = zip(train, validation, strict=True)
    return [{"split": s, "bound_nats": v} for pair in pairs for s, v in zip(("train", "validation"), pair, strict=True)]


def test_a_healthy_run_has_only_good_findings() -> None:
    assert set(levels(metrics=bounds([-12.0] * 10, [-12.1] * 10)).values()) == {"good"}


def test_collapse_is_a_warning() -> None:
    assert levels({"active_units": 0})["The latents are not used"] == "warning"


def test_unused_latents_beside_what_is_given_are_a_regression() -> None:
    found = levels({"active_units": 0, "protocol": {"given": ["age"]}})
    assert found["The latents are not used"] == "advice"


def test_all_units_in_use_suggests_more() -> None:
    assert levels({"active_units": 8})["Every latent unit is in use"] == "advice"


def test_a_gap_to_validation_is_named() -> None:
    found = levels(metrics=bounds([-10.0, -8.0], [-12.0, -11.9]))
    assert found["The model knows the training data better than new data"] == "advice"


def test_a_run_cut_short_is_named() -> None:
    rising = [-100.0 + 5 * step for step in range(10)]
    assert levels(metrics=bounds(rising, rising))["It was still getting better when it ended"] == "advice"


def test_posteriors_far_from_the_prior_are_named() -> None:
    assert levels(loc=LOC + 2)["Samples may differ from the data"] == "advice"


@pytest.mark.parametrize(
    "prior",
    [vae.unit_gamma(4), vae.uniform_interval(4), vae.uniform_direction(3), vae.uniform_angles(4), vae.fair_coins(4)],
)
def test_posteriors_that_are_the_prior_are_found_good_whatever_it_is(prior: vae.FixedPrior) -> None:
    law = prior()
    draws = law.sample((2000,), generator=noise.generator(1))
    exactly = relative_to(law, draws, torch.zeros_like(draws))  # posteriors of no width, spread as the prior is
    assert {finding.title: finding.level for finding in health(NUMBERS, [], *exactly)}[LIKE] == "good"
    narrow = relative_to(law, draws[:1].expand(100, -1), torch.full((100, 4), 1e-3))
    assert LIKE not in {finding.title for finding in health(NUMBERS, [], *narrow)}


def test_few_effective_samples_make_a_cautious_estimate() -> None:
    assert levels({"effective_sample_size": 1.5})["The log-likelihood is a cautious estimate"] == "advice"


def test_losing_to_the_baseline_is_a_warning() -> None:
    assert levels({"log_likelihood_nats": -13.0})["No better than a full-covariance Gaussian"] == "warning"
