"""Each measure, as it is taken of a model: against the linear-Gaussian model, whose samples are exact."""

import math

import numpy as np
import pytest
import torch

from reparam import noise, vae
from reparam.evaluation import measures
from reparam.evaluation.measures import Seen, evenly, latent_means
from reparam.vae import Architecture, Condition, StandardNormal, assemble
from tests.linear_gaussian import LinearGaussian
from tests.statistical.instruments import FALSE_ALARM

TABLE = LinearGaussian(num_values=4, latent_dim=2, sigma=0.4)
X = TABLE.draw(1600, seed=3).float()
TEST, SECOND, TRAIN = Seen(X[:400]), Seen(X[400:800]), Seen(X[800:])


@pytest.fixture(scope="module")
def exact() -> vae.VAE:
    model = TABLE.exact_vae().float()
    model.prior = StandardNormal(2)
    return model


def small(posterior: str = "diagonal-normal", prior: str = "standard", num_features: int = 0) -> vae.VAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return assemble(
            Architecture(
                event_shape=(6,), likelihood="bernoulli", latent_dim=3, network="residual-mlp", width=8,
                posterior=posterior, prior=prior, num_features=num_features,
            )
        ).eval()  # fmt: skip


BITS = noise.bernoulli(torch.full((30, 6), 0.5), generator=noise.generator(1))


def test_rows_are_spread_evenly_and_all_where_there_are_few() -> None:
    assert evenly(7, 100).tolist() == list(range(7))
    assert evenly(10, 4).tolist() == [0, 3, 6, 9]
    seen = Seen(torch.arange(10.0)[:, None], Condition(torch.arange(10.0)[:, None])).evenly(4)
    assert seen.x.flatten().tolist() == seen.condition.features.flatten().tolist() == [0, 3, 6, 9]


# Against the exact model


def test_samples_of_the_exact_model_cannot_be_told_from_rows(exact: vae.VAE) -> None:
    found = measures.measure_samples(exact, TEST, SECOND, TRAIN, seed=0)
    for each in (found, found["reference"]):
        assert each["two_sample_test"]["p_value"] > FALSE_ALARM
        assert each["neighbours"]["coverage"] == pytest.approx(each["neighbours"]["expected_coverage"], abs=0.08)
    assert (
        found["protocol"]["num_rows"] == found["protocol"]["num_samples"] == found["protocol"]["num_reference"] == 400
    )
    assert "4 principal components of 800 other training rows" in found["protocol"]["feature_space"]


def test_samples_of_a_wrong_model_are_told_from_rows() -> None:
    wrong = LinearGaussian(num_values=4, latent_dim=2, sigma=0.4, seed=5).exact_vae().float()
    found = measures.measure_samples(wrong, TEST, SECOND, TRAIN, seed=0)
    assert found["two_sample_test"]["p_value"] < FALSE_ALARM < found["reference"]["two_sample_test"]["p_value"]


def test_annealing_and_importance_weighting_give_the_exact_answer(exact: vae.VAE) -> None:
    found = measures.measure_annealing(exact, TEST.evenly(20), num_samples=7, seed=0)
    truth = TABLE.log_prob(TEST.evenly(20).x.double()).mean().item()
    assert found["importance_weighted_nats"] == pytest.approx(truth, abs=1e-3)
    assert found["annealed_nats"] == pytest.approx(truth, abs=0.05)
    assert found["protocol"] == {
        "split": "test", "num_rows": 20, "num_chains": 16, "num_steps": 200, "num_samples": 7,
    }  # fmt: skip


def test_the_gap_of_the_exact_model_is_that_of_few_rows(exact: vae.VAE) -> None:
    loc, scale = (values.float() for values in TABLE.posterior(TEST.x.double()))
    found = measures.measure_gap(exact, TEST, loc, scale.expand_as(loc), seed=0)
    assert abs(found["gap_nats"]) < 0.2 < found["information_nats"] < math.log(400)
    assert found["largest_shift"] < 0.3
    assert found["protocol"] == {"split": "test", "num_rows": 400, "num_samples": 1}
    assert not found["saturated"]
    sharp = LinearGaussian(num_values=4, latent_dim=2, sigma=0.01).exact_vae().float()
    assert measures.measure_gap(sharp, TEST.evenly(20), loc, scale.expand_as(loc), seed=0)["saturated"]
    moved = measures.measure_gap(exact, TEST, loc + 3, scale.expand_as(loc), seed=0)
    assert moved["largest_shift"] == pytest.approx(3, abs=0.3)


def test_probes_tell_a_label_that_is_a_side_of_the_latents(exact: vae.VAE) -> None:
    z = [latent_means(exact, seen) for seen in (TRAIN, TEST)]
    labels = [(each[:, 0] > 0).astype(int) for each in z]
    found = measures.measure_probes(z[0], labels[0], z[1], labels[1])
    assert min(found["nearest"]["accuracy"], found["linear"]["accuracy"]) > 0.95
    shuffled = np.random.default_rng(0).permutation(labels[0])
    assert measures.measure_probes(z[0], shuffled, z[1], labels[1])["linear"]["accuracy"] < 0.75
    assert found["protocol"]["learned_from"] == "800 training rows"


def test_latents_that_are_factors_are_disentangled() -> None:
    levels = np.array([[a, b] for a in range(4) for b in range(4)] * 10)
    factors = {"a": levels[:, 0], "b": np.array(["x", "y", "z", "w"])[levels[:, 1]]}
    found = measures.measure_disentanglement(levels, factors, levels, factors, seed=0)
    assert found["mutual_information_gap"] == pytest.approx(1)
    assert min(found["dci"][name] for name in ("disentanglement", "completeness", "informativeness")) > 0.9
    one = measures.measure_disentanglement(levels, {"a": levels[:, 0]}, levels, {"a": levels[:, 0]}, seed=0)
    assert one["dci"] is None
    assert one["protocol"]["factors"] == ["a"]


# Latents of any kind, and what is refused


@pytest.mark.parametrize("posterior", ["von-mises-fisher", "bernoulli", "categorical", "gamma", "iaf", "two-level"])
def test_gap_and_encodings_of_latents_of_any_shape(posterior: str) -> None:
    model, seen = small(posterior), Seen(BITS)
    z = latent_means(model, seen)
    assert z.shape == (30, math.prod(model.prior().event_shape))
    found = measures.measure_gap(model, seen, torch.from_numpy(z), torch.ones(z.shape), seed=0)
    assert math.isfinite(found["gap_nats"])
    assert found["information_nats"] <= found["most_information_nats"] + 1e-6


@pytest.mark.parametrize(
    ("posterior", "support"), [("bernoulli", "Boolean"), ("gamma", "GreaterThan"), ("von-mises-fisher", "UnitVector")]
)
def test_annealing_of_latents_that_cannot_move_is_left_out_with_the_reason(posterior: str, support: str) -> None:
    found = measures.measure_annealing(small(posterior), Seen(BITS), num_samples=2, seed=0)
    assert list(found) == ["left_out"]
    assert f"the start is a law on {support}" in found["left_out"]


@pytest.mark.parametrize(
    ("posterior", "prior"), [("iaf", "standard"), ("two-level", "standard"), ("diagonal-normal", "vampprior")]
)
def test_real_latents_anneal_whatever_law_they_have(
    posterior: str, prior: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "NUM_STEPS", 5)
    found = measures.measure_annealing(small(posterior, prior), Seen(BITS[:4]), num_samples=50, seed=0)
    assert found["annealed_nats"] == pytest.approx(found["importance_weighted_nats"], abs=0.5)


def test_samples_are_drawn_for_the_conditions_of_the_test_rows() -> None:
    given = []

    class Spied(vae.VAE):
        def given(self, condition: Condition | None) -> object:
            given.append(condition)
            return super().given(condition)

    made = small(num_features=2)
    model = Spied(made.encoder, made.decoder, made.prior)
    features = torch.eye(2).repeat(15, 1)
    test = Seen(BITS, Condition(features))
    found = measures.measure_samples(model, test, Seen(BITS, Condition(1 - features)), Seen(BITS), seed=0)
    assert found["protocol"]["num_samples"] == 30
    assert [condition.features.tolist() for condition in given] == [features.tolist()]
    assert measures.measure_annealing(model, test.evenly(3), num_samples=2, seed=0)["protocol"]["num_rows"] == 3


def test_what_the_data_is_not_for_is_left_out_with_the_reason(exact: vae.VAE) -> None:
    few = measures.measure_samples(exact, TEST.evenly(5), SECOND.evenly(5), TRAIN, seed=0)
    assert "with at least 20 rows" in few["left_out"]
    z, many = np.zeros((300, 2)), np.arange(300)
    assert "300 classes in 300 rows" in measures.measure_probes(z, many, z, many)["left_out"]
    assert "one class only" in measures.measure_probes(z, many * 0, z, many * 0)["left_out"]
    factors = {"age": many}
    found = measures.measure_disentanglement(z, factors, z, factors, seed=0)
    assert found["left_out"] == "factor 'age' has 300 levels, more than 100: factors must be discrete"
    one = measures.measure_disentanglement(z[:, :1], {"a": many % 2}, z[:, :1], {"a": many % 2}, seed=0)
    assert "D >= 2" in one["left_out"]


def test_a_gap_needs_two_rows(exact: vae.VAE) -> None:
    found = measures.measure_gap(exact, TEST.evenly(1), torch.zeros(1, 2), torch.ones(1, 2), seed=0)
    assert "N >= 2" in found["left_out"]
