"""Sample quality, on sets whose faults are planted."""

import math

import numpy as np
import pytest
from scipy import stats

from reparam.errors import DataError, UsageError
from reparam.evaluation import samples
from reparam.evaluation.samples import neighbour_scores, principal_features, two_sample_test
from tests.statistical.instruments import FALSE_ALARM, check_mean


def circle(num_rows: int, seed: int) -> np.ndarray:
    """A circle in ten dimensions, with a little noise."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, num_rows)
    rows = 0.01 * rng.normal(size=(num_rows, 10))
    rows[:, 0] += np.cos(angle)
    rows[:, 1] += np.sin(angle)
    return rows


# ---- classifier two-sample test


def test_sets_of_one_law_cannot_be_told_apart() -> None:
    # Accuracies of independent pairs are binomial around one half.
    rng = np.random.default_rng(0)
    found = [two_sample_test(rng.normal(size=(100, 3)), rng.normal(size=(100, 3)), seed=seed) for seed in range(40)]
    right = round(sum(each.accuracy * each.num_judged for each in found))
    assert stats.binomtest(right, 40 * 100).pvalue > FALSE_ALARM
    spread = np.var([each.accuracy for each in found], ddof=1) / (0.25 / 100)
    low, high = stats.chi2(39).ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2]) / 39
    assert low < spread < high
    assert stats.kstest([each.p_value for each in found], "uniform").pvalue > FALSE_ALARM


def test_a_shift_is_told_as_often_as_it_can_be() -> None:
    rng = np.random.default_rng(0)
    found = two_sample_test(rng.normal(size=(3000, 1)) + 2, rng.normal(size=(3000, 1)))
    best = stats.norm.cdf(1.0)
    tolerance = stats.norm.isf(FALSE_ALARM) * found.standard_error
    assert best - 0.2 * (1 - best) - tolerance < found.accuracy < best + tolerance
    assert found.p_value < FALSE_ALARM
    assert found.num_judged == 3000


@pytest.mark.parametrize("fault", ["dependence", "rounding", "smoothing"])
def test_planted_faults_are_seen(fault: str) -> None:
    rng = np.random.default_rng(0)
    real, fake = (
        rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 1000) + rng.choice([-3, 3], (1000, 1)) for _ in "12"
    )
    if fault == "dependence":
        fake[:, 1] = rng.permutation(fake[:, 1])
    elif fault == "rounding":
        fake = fake.round(1)
    else:
        fake = (fake + fake[rng.permutation(1000)]) / 2
    assert two_sample_test(fake, real).p_value < FALSE_ALARM


def test_the_same_seed_gives_the_same_answer_and_the_order_of_the_rows_gives_nothing_away() -> None:
    rng = np.random.default_rng(0)
    fake, real = rng.normal(size=(2, 400, 2))
    assert two_sample_test(fake, real, seed=1) == two_sample_test(fake, real, seed=1)
    ordered = two_sample_test(fake[fake[:, 0].argsort()], real[real[:, 0].argsort()[::-1]])
    assert FALSE_ALARM < ordered.p_value < 1 - FALSE_ALARM


# ---- neighbours


def by_hand(fake: np.ndarray, real: np.ndarray, k: int) -> tuple[float, float, float, float]:
    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return math.sqrt(sum((a - b) ** 2))

    reach_real = [sorted(distance(a, b) for j, b in enumerate(real) if j != i)[k - 1] for i, a in enumerate(real)]
    reach_fake = [sorted(distance(a, b) for j, b in enumerate(fake) if j != i)[k - 1] for i, a in enumerate(fake)]
    balls = [sum(distance(a, b) <= reach for b, reach in zip(real, reach_real, strict=True)) for a in fake]
    recalled = [any(distance(a, b) <= reach for b, reach in zip(fake, reach_fake, strict=True)) for a in real]
    covered = [any(distance(a, b) <= reach for b in fake) for a, reach in zip(real, reach_real, strict=True)]
    return (
        float(np.mean([n > 0 for n in balls])),
        float(np.mean(recalled)),
        sum(balls) / (k * len(fake)),
        np.mean(covered),
    )


def test_the_scores_are_those_of_their_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    fake, real = 1.5 * rng.normal(size=(40, 3)), rng.normal(size=(50, 3))
    monkeypatch.setattr(samples, "PAIRS_AT_ONCE", 300)  # several batches
    found = neighbour_scores(fake, real, num_neighbours=3)
    expected = by_hand(fake, real, 3)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(expected)
    assert len(set(expected)) == 4


def test_sets_of_one_law_have_density_one_and_the_coverage_that_counting_gives() -> None:
    rng = np.random.default_rng(0)
    found = [neighbour_scores(rng.normal(size=(60, 4)), rng.normal(size=(90, 4)), num_neighbours=3) for _ in range(200)]
    check_mean([[each.density, each.coverage] for each in found], [1.0, found[0].expected_coverage])
    # With sets of equal size precision and recall are the same question.
    found = [neighbour_scores(rng.normal(size=(60, 4)), rng.normal(size=(60, 4)), num_neighbours=3) for _ in range(200)]
    check_mean([each.precision - each.recall for each in found], 0.0)


def test_a_dropped_mode_lowers_recall_and_coverage_and_not_precision() -> None:
    real, same = circle(1000, 0), circle(1000, 1)
    half = circle(2000, 2)
    half = half[half[:, 0] > 0][:900]
    whole, found = neighbour_scores(same, real), neighbour_scores(half, real)
    assert whole.recall > 0.9
    assert found.precision == pytest.approx(whole.precision, abs=0.05)
    assert found.recall == pytest.approx(whole.recall / 2, abs=0.05)
    assert found.coverage == pytest.approx(whole.coverage / 2, abs=0.05)


def test_averages_of_rows_lie_off_the_circle_and_lower_precision() -> None:
    real, same = circle(1000, 0), circle(1000, 1)
    blurred = (same + same[np.random.default_rng(3).permutation(1000)]) / 2
    found = neighbour_scores(blurred, real)
    assert neighbour_scores(same, real).precision > 0.9
    assert found.precision < 0.3
    assert found.density < 0.3


def test_a_shift_leaves_nothing_plausible_and_nothing_covered() -> None:
    found = neighbour_scores(circle(200, 1) + 5, circle(200, 0))
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)


def test_copies_of_one_row_are_precise_and_recall_nothing() -> None:
    real = circle(200, 0)
    found = neighbour_scores(np.repeat(real[:1], 100, axis=0), real)
    assert found.precision == 1
    assert found.recall == 1 / 200  # the row itself
    assert found.coverage < 0.1


# ---- features and bad input


def test_features_keep_distances_and_know_the_training_rows_alone() -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(size=(300, 2, 3)) * [1.0, 10.0, 0.1]
    x = rng.normal(size=(2, 2, 3))
    whole = principal_features(train)(x)
    assert whole.shape == (2, 6)
    assert np.linalg.norm(whole[0] - whole[1]) == pytest.approx(np.linalg.norm(x[0] - x[1]))  # not whitened
    first = principal_features(train, num_components=2)
    assert first(train).var(0) == pytest.approx([100, 100], rel=0.3)


@pytest.mark.parametrize("score", [two_sample_test, neighbour_scores])
@pytest.mark.parametrize(
    ("fake", "real", "text"),
    [
        (np.zeros(30), np.zeros((30, 1)), "generated rows must have shape"),
        (np.zeros((30, 2)), np.zeros((30, 1)), "2 values and real rows 1"),
        (np.zeros((30, 2)), np.zeros((3, 2)), "real rows .* at least"),
        (np.full((30, 2), np.inf), np.zeros((30, 2)), "row 0 is not"),
    ],
)
def test_rows_that_do_not_go_together_are_refused(score, fake, real, text) -> None:
    with pytest.raises(DataError, match=text):
        score(fake, real)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(DataError, match="30 and 40"):
        two_sample_test(np.zeros((30, 2)), np.zeros((40, 2)))
    with pytest.raises(UsageError, match="num_neighbours"):
        neighbour_scores(np.zeros((30, 2)), np.zeros((30, 2)), num_neighbours=0)
    with pytest.raises(UsageError, match="num_components"):
        principal_features(np.zeros((30, 2)), num_components=0)
    with pytest.raises(DataError, match="at least 2"):
        principal_features(np.zeros((1, 2)))
