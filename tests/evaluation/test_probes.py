"""Probes of latents whose classes are known to be there, or not."""

import numpy as np
import pytest
from scipy import stats

from reparam.errors import DataError, UsageError
from reparam.evaluation.probes import knn_probe, linear_probe
from tests.statistical.instruments import FALSE_ALARM

PROBES = [knn_probe, linear_probe]


def split(z: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    half = len(z) // 2
    return z[:half], labels[:half], z[half:], labels[half:]


@pytest.mark.parametrize("probe", PROBES)
def test_two_normals_are_told_apart_as_often_as_they_can_be(probe) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 8000)
    z = rng.normal(size=(8000, 3)) * [1.0, 0.05, 0.05] + labels[:, None] * [2.0, 0.0, 0.0]
    found = probe(*split(z, labels))
    best = stats.norm.cdf(1.0)  # means two standard deviations apart
    # No classifier is better; ten neighbours lose about a tenth of the best error rate, a line almost nothing.
    tolerance = stats.norm.isf(FALSE_ALARM) * found.standard_error
    assert best - 0.2 * (1 - best) - tolerance < found.accuracy < best + tolerance
    assert found.standard_error == pytest.approx(np.sqrt(best * (1 - best) / 4000), rel=0.1)
    assert found.chance == pytest.approx(0.5, abs=0.05)
    assert (found.num_train, found.num_test, found.num_classes) == (4000, 4000, 2)


@pytest.mark.parametrize("probe", PROBES)
def test_labels_that_have_nothing_to_do_with_the_latents_are_guessed(probe) -> None:
    rng = np.random.default_rng(0)
    found = probe(*split(rng.normal(size=(4000, 4)), rng.integers(0, 4, 4000)))
    assert stats.binomtest(round(found.accuracy * 2000), 2000, 0.25).pvalue > FALSE_ALARM


def test_chance_is_the_most_frequent_training_class() -> None:
    rng = np.random.default_rng(0)
    labels = np.array(["a"] * 70 + ["b"] * 30)
    found = linear_probe(rng.normal(size=(100, 2)), labels, rng.normal(size=(10, 2)), np.array(["a"] * 4 + ["b"] * 6))
    assert found.chance == pytest.approx(0.4)


def test_rings_are_seen_by_neighbours_and_not_by_a_line() -> None:
    rng = np.random.default_rng(0)
    angle, labels = rng.uniform(0, 2 * np.pi, 2000), rng.integers(0, 2, 2000)
    z = (1 + 2 * labels)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    assert knn_probe(*split(z, labels)).accuracy == 1
    # The best line cuts off the part of the outer ring that lies beyond the inner one.
    found, best = linear_probe(*split(z, labels)), 0.5 + np.arccos(1 / 3) / (2 * np.pi)
    assert found.accuracy < best + stats.norm.isf(FALSE_ALARM) * found.standard_error < 0.8


@pytest.mark.parametrize("probe", PROBES)
def test_the_same_rows_give_the_same_answer_and_units_matter_to_neighbours_alone(probe) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    z = rng.normal(size=(600, 2)) + labels[:, None] * [1.0, 0.0]
    assert probe(*split(z, labels)) == probe(*split(z, labels))
    moved = probe(*split(z * [1.0, 1000.0], labels)).accuracy
    same = moved == pytest.approx(probe(*split(z, labels)).accuracy)
    assert same == (probe is linear_probe)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({0: np.zeros(4)}, DataError, "training latents must have shape"),
        ({3: np.zeros(3)}, DataError, "test latents must have shape"),
        ({2: np.zeros((4, 3))}, DataError, "columns"),
        ({2: np.full((4, 2), np.nan)}, DataError, "row 0 is not"),
        ({1: np.zeros(4)}, DataError, "one class"),
    ],
)
def test_rows_that_do_not_go_together_are_refused(change, error, text) -> None:
    good = {0: np.zeros((4, 2)), 1: np.arange(4) % 2, 2: np.zeros((4, 2)), 3: np.arange(4) % 2}
    for probe in PROBES:
        with pytest.raises(error, match=text):
            probe(*{**good, **change}.values())


def test_numbers_out_of_range_are_refused() -> None:
    rows = (np.zeros((4, 2)), np.arange(4) % 2) * 2
    for number in (0, 5, 2.5):
        with pytest.raises(UsageError, match="num_neighbours must be"):
            knn_probe(*rows, num_neighbours=number)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="penalty must be"):
        linear_probe(*rows, penalty=0.0)
