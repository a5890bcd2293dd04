"""Findings say what is seen and what to do."""

import pytest

from reparam.evaluation import health

NUMBERS = {
    "active_units": 3,
    "latent_dim": 8,
    "rate_nats": 12.0,
    "effective_sample_size": 40.0,
    "num_samples": 500,
    "log_likelihood_nats": -10.0,
    "baseline": {"name": "full-covariance Gaussian", "log_likelihood_nats": -12.0},
    "kl_per_dimension_nats": [1.5] * 8,
    "aggregate": {
        "num_rows": 1000, "rate_nats": 12.0, "information_nats": 11.8, "gap_nats": 0.2, "largest_shift": 0.1,
        "gap_standard_error_nats": 0.05, "saturated": False,
    },
}  # fmt: skip
AGGREGATE = NUMBERS["aggregate"]
LIKE = "Posteriors together look like the prior"
MOMENTS = "Posteriors together have mean and spread of the prior"
DIFFER = "Samples may differ from the data"


def levels(numbers: dict | None = None, metrics: list | None = None) -> dict[str, str]:
    return {finding.title: finding.level for finding in health(NUMBERS | (numbers or {}), metrics or [])}


def bounds(train: list[float], validation: list[float]) -> list[dict]:
    pairs = zip(train, validation, strict=True)
    return [{"split": s, "bound_nats": v} for pair in pairs for s, v in zip(("train", "validation"), pair, strict=True)]


def test_a_healthy_run_has_only_good_findings() -> None:
    assert set(levels(metrics=bounds([-12.0] * 10, [-12.1] * 10)).values()) == {"good"}


def test_collapse_is_a_warning() -> None:
    assert levels({"active_units": 0})["The latents are not used"] == "warning"
    assert levels({"rate_nats": 0.04})["The latents are not used"] == "warning"  # whatever the units say


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


@pytest.mark.parametrize(
    ("changes", "title", "level"),
    [
        ({}, LIKE, "good"),
        ({"gap_nats": 1.3}, DIFFER, "advice"),
        ({"gap_nats": 1.3, "gap_standard_error_nats": 0.5}, LIKE, "good"),  # within the error of its draws
        ({"gap_nats": 5.0, "saturated": True}, MOMENTS, "good"),
        ({"gap_nats": 5.0, "saturated": True, "largest_shift": 0.8}, DIFFER, "advice"),
        ({"saturated": True, "largest_shift": 0.8}, LIKE, "good"),  # an upper bound that is small is small
    ],
)
def test_the_gap_to_the_prior_is_named_in_nats(changes: dict, title: str, level: str) -> None:
    found = levels({"aggregate": AGGREGATE | changes})
    assert {LIKE, DIFFER, MOMENTS} & set(found) == {title}
    assert found[title] == level


def test_a_gap_that_was_not_measured_is_not_judged() -> None:
    assert not {LIKE, DIFFER, MOMENTS} & set(levels({"aggregate": {"left_out": "two rows are needed"}}))


def test_latents_that_depend_on_each_other_are_no_units() -> None:
    (said,) = (
        finding for finding in health(NUMBERS | {"kl_per_dimension_nats": None}, []) if "latent" in finding.title
    )
    assert said.title == "3 of 8 latent coordinates are in use"
    assert "follow the prior" not in said.text


def test_few_effective_samples_make_a_cautious_estimate() -> None:
    assert levels({"effective_sample_size": 1.5})["The log-likelihood is a cautious estimate"] == "advice"


def test_losing_to_the_baseline_is_a_warning() -> None:
    assert levels({"log_likelihood_nats": -13.0})["No better than a full-covariance Gaussian"] == "warning"
