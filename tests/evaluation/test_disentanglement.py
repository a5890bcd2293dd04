"""Codes whose scores are known."""

import itertools

import numpy as np
import pytest

from reparam.errors import DataError, UsageError
from reparam.evaluation.disentanglement import dci, mutual_information_gap

FACTORS = np.array(list(itertools.product(range(5), range(4), range(3))) * 5)  # every combination equally often


def noisy(codes: np.ndarray, seed: int = 1) -> np.ndarray:
    return codes + 0.01 * np.random.default_rng(seed).normal(size=codes.shape)


def test_each_factor_in_a_latent_of_its_own_has_gap_one_in_any_order_sign_and_unit() -> None:
    assert mutual_information_gap(FACTORS, FACTORS) == pytest.approx(1, abs=1e-12)
    moved = FACTORS[:, [2, 0, 1]] * [-3.0, 100.0, 0.01] + 7
    assert mutual_information_gap(moved, FACTORS) == pytest.approx(1, abs=1e-12)
    spare = np.concatenate([FACTORS, np.zeros((len(FACTORS), 2))], 1)
    assert mutual_information_gap(spare, FACTORS) == pytest.approx(1, abs=1e-12)


def test_a_factor_told_twice_has_no_gap() -> None:
    assert mutual_information_gap(np.repeat(FACTORS, 2, axis=1), FACTORS) == pytest.approx(0, abs=1e-12)


def test_one_of_two_factors_told_twice_has_half_the_gap() -> None:
    codes = FACTORS[:, [0, 0, 1]]
    assert mutual_information_gap(codes, FACTORS[:, :2]) == pytest.approx(0.5, abs=1e-12)


def test_a_latent_that_tells_part_of_a_factor_takes_its_part_away() -> None:
    # The second latent tells one of four levels from the other three: its information is H(1/4).
    codes = np.stack([FACTORS[:, 1], FACTORS[:, 1] == 0], 1)
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert mutual_information_gap(codes, FACTORS[:, [1]]) == pytest.approx(1 - entropy / np.log(4), abs=1e-12)


def test_a_turn_by_45_degrees_loses_the_gap_and_what_is_disentangled_but_not_what_is_known() -> None:
    pair = np.array(list(itertools.product(range(5), range(5))) * 12)
    turned = pair @ np.array([[1, 1], [1, -1]])
    assert mutual_information_gap(turned, pair) == pytest.approx(0, abs=1e-12)  # both latents know as much, by symmetry
    before, after = (dci(noisy(z), pair, noisy(z, 2), pair) for z in (pair, turned))
    assert min(before.disentanglement, before.completeness) > 0.95
    assert max(after.disentanglement, after.completeness) < 0.1
    assert min(before.informativeness, after.informativeness) > 0.95


def test_the_order_of_the_latents_does_not_matter_and_importances_say_which_is_which() -> None:
    found = dci(noisy(FACTORS)[:, [2, 0, 1]], FACTORS, noisy(FACTORS, 2)[:, [2, 0, 1]], FACTORS)
    assert np.array(found.importances).argmax(0).tolist() == [1, 2, 0]
    assert np.array(found.importances).sum(0) == pytest.approx([1, 1, 1])
    assert found.disentanglement > 0.95


def test_two_factors_in_one_latent_are_complete_and_not_disentangled() -> None:
    pair = FACTORS[:, :2]
    both = np.stack([pair[:, 0] * 4 + pair[:, 1], np.random.default_rng(0).normal(size=len(pair))], 1)
    found = dci(both, pair, both, pair)
    assert found.completeness > 0.8
    assert found.disentanglement < 0.1


def test_codes_that_know_nothing_are_right_by_chance() -> None:
    codes = np.random.default_rng(0).normal(size=(len(FACTORS), 3))
    test = np.random.default_rng(1).normal(size=(len(FACTORS), 3))
    # Chance is 1/5, 1/4 and 1/3; 300 test rows each have a standard error of at most 0.027.
    assert dci(codes, FACTORS, test, FACTORS).informativeness == pytest.approx((1 / 5 + 1 / 4 + 1 / 3) / 3, abs=0.1)


def test_the_same_seed_gives_the_same_scores() -> None:
    rows = (noisy(FACTORS), FACTORS, noisy(FACTORS, 2), FACTORS)
    assert dci(*rows, seed=3) == dci(*rows, seed=3)


@pytest.mark.parametrize(
    ("codes", "factors", "text"),
    [
        (FACTORS[:, 0], FACTORS, r"\[N, D\]"),
        (FACTORS[:, :1], FACTORS, "D >= 2"),
        (FACTORS[:-1], FACTORS, "got"),
        (FACTORS * np.nan, FACTORS, "row 0 is not"),
        (FACTORS, FACTORS * [1, 0, 1], "factor 1 has one level"),
    ],
)
def test_rows_that_do_not_go_together_are_refused(codes, factors, text) -> None:
    with pytest.raises(DataError, match=text):
        mutual_information_gap(codes, factors)
    with pytest.raises(DataError, match=text):
        dci(codes, factors, FACTORS, FACTORS)


def test_test_rows_and_bins_are_checked() -> None:
    with pytest.raises(DataError, match="test rows"):
        dci(FACTORS, FACTORS, FACTORS[:, :2], FACTORS)
    with pytest.raises(DataError, match="F >= 2"):
        dci(FACTORS, FACTORS[:, :1], FACTORS, FACTORS[:, :1])
    with pytest.raises(UsageError, match="num_bins"):
        mutual_information_gap(FACTORS, FACTORS, num_bins=1)
