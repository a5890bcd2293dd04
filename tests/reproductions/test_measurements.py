"""Measurements of our own run, and say what their numbers say."""

import doctest
import math
from dataclasses import replace

import pytest
import torch

import reparam
from reparam.vae import Gaussian
from reproductions import calibration, changes, dreg, exact, experiment
from reproductions.experiment import t_interval, trained


@pytest.fixture
def quick(monkeypatch):
    """Runs with few importance samples and without a report, which no measurement looks at."""
    fit = reparam.fit
    monkeypatch.setattr(
        reparam, "fit", lambda source, settings, **more: fit(source, replace(settings, num_samples=10), **more)
    )
    monkeypatch.setattr(reparam.TrainedVAE, "report", lambda run, x=None: run.run.path)


@pytest.mark.parametrize("module", [changes, experiment])
def test_examples_in_docstrings_say_what_comes(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_the_interval_is_students():
    # Of 5 values: t = 2.7764, and a standard error of sqrt(2.5 / 5).
    found = t_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445105 * math.sqrt(0.5)
    assert found == pytest.approx((3.0, 3.0 - half, 3.0 + half))


def test_objectives_of_a_pair_differ_in_their_gradient_alone():
    iwae, dreg_ = (dreg.settings_of(objective, epochs=1, draws=16).to_json() for objective in dreg.OBJECTIVES)
    assert {name for name in iwae if iwae[name] != dreg_[name]} == {"objective"}


def test_dreg_is_measured_and_reported(quick):
    result = dreg.measure(epochs=1, seeds=2, draws=3, rounds=3)
    runs = {(run["objective"], run["seed"]): run for run in result["runs"]}
    assert set(runs) == {(objective, seed) for objective in dreg.OBJECTIVES for seed in (0, 1)}
    first = runs["dreg", 0]["log_likelihood_nats"] - runs["iwae", 0]["log_likelihood_nats"]
    assert dreg.differences(result, "log_likelihood_nats")[0] == first != 0
    assert f"| 0 | {runs['iwae', 0]['log_likelihood_nats']:.2f} |" in dreg.section(result)
    assert min(result["milliseconds_a_step"][name] for name in dreg.OBJECTIVES) > 0


@pytest.mark.parametrize(
    ("gains", "said"),
    [([1.0, 1.1, 0.9], "DReG is better"), ([-1.0, -1.1, -0.9], "DReG is worse"), ([1.0, -1.1, 0.2], "No difference")],
)
def test_the_verdict_follows_from_the_interval(gains, said):
    runs = [
        {"objective": name, "seed": seed, "log_likelihood_nats": -10 + (gain if name == "dreg" else 0)}
        for seed, gain in enumerate(gains)
        for name in dreg.OBJECTIVES
    ]
    assert dreg.verdict({"runs": runs}).startswith(said)


def test_noise_is_fixed_learned_and_fitted(quick):
    result = calibration.measure(epochs=1, seeds=2)
    kinds = {run["noise"] for run in result["runs"]}
    assert kinds == {"fixed at 1", "fixed at 1, fitted afterwards", "learned"}
    assert len({run["log_likelihood_nats"] for run in result["runs"]}) == len(result["runs"]) == 6
    assert result["eigenvalues_above_1"] == 6
    page = calibration.section(result)
    assert all(f"| {kind} |" in page for kind in kinds)
    assert page.count("95 % interval") == 2


def test_noise_is_fitted_to_the_squared_error_of_the_training_rows():
    # A decoder that says 2 whatever z is: of columns of mean 0 and variance 1, that is wrong by 1 + 4.
    table = torch.randn(200, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    settings = reparam.Settings(epochs=1, num_samples=2)
    with trained(table, settings, calibration.network(3, 0, learned=False)) as run:
        with torch.no_grad():
            for parameter in run.model.decoder.network.parameters():
                parameter.zero_()
            run.model.decoder.family.offset.fill_(2.0)
        calibration.fit_noise(run, table)
        assert run.model.decoder.family.scale.detach().numpy() == pytest.approx(math.sqrt(5), abs=1e-3)


def test_a_noise_that_is_fixed_stays_at_1():
    for learned in (True, False):
        family = calibration.network(4, 0, learned=learned).decoder.family
        assert isinstance(family, Gaussian)
        assert family.log_scale.requires_grad is learned
        assert family.scale.detach().numpy() == pytest.approx(1.0, abs=1e-6)


def test_gaps_are_measured_and_reported():
    result = exact.measure(steps=5)
    assert len(result["posteriors"]) == 7
    assert all(found["gap_nats"] > found["expected_nats"] for found in result["posteriors"])
    expected = [found["expected_nats"] for found in result["posteriors"] if "on each other" in found["posterior"]]
    assert expected == [pytest.approx(0.2027, abs=1e-4)]
    assert f"| {expected[0]:.4f} |" in exact.section(result)
