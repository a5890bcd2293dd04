"""Splits: disjoint, complete, deterministic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reparam.data.splits import split_rows
from reparam.errors import DataError, UsageError


@given(num_rows=st.integers(10, 400), own=st.sampled_from([0, 2, 7, 200]), seed=st.integers(0, 2**40))
def test_parts_are_disjoint_sorted_and_complete(num_rows, own, seed):
    split = split_rows(num_rows + own, num_test=own, seed=seed)
    parts = (split.train, split.validation, split.test)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(num_rows + own))
    for part in parts:
        assert part.dtype == np.int64
        assert len(part) >= 1
        assert (np.diff(part) > 0).all()
    assert len(split.test) >= 2
    if own:
        np.testing.assert_array_equal(split.test, np.arange(num_rows, num_rows + own))


def test_the_seed_decides():
    first, again, other = (split_rows(100, num_test=0, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.validation, again.validation)
    assert first.validation.tolist() != other.validation.tolist()


def test_this_split_never_changes():
    split = split_rows(12, num_test=0, seed=0, validation_fraction=0.25, test_fraction=0.25)
    order = np.random.Generator(np.random.PCG64(0)).permutation(12)
    assert split.test.tolist() == sorted(order[:3].tolist())
    assert split.validation.tolist() == sorted(order[3:6].tolist())


def test_sizes():
    def sizes(split):
        return len(split.train), len(split.validation), len(split.test)

    assert sizes(split_rows(1797, num_test=0, seed=0)) == (1437, 180, 180)
    assert sizes(split_rows(70_000, num_test=10_000, seed=0)) == (54_000, 6_000, 10_000)
    assert sizes(split_rows(1_000_000, num_test=0, seed=0)) == (890_000, 10_000, 100_000)
    assert sizes(split_rows(10, num_test=0, seed=0, validation_fraction=1e-3, test_fraction=1e-3)) == (
        7,
        1,
        2,
    )


@pytest.mark.parametrize(("num_rows", "num_test"), [(0, 0), (2, 0), (3, 2), (10, 10), (10, 9), (5, 6)])
def test_too_few_rows_are_refused(num_rows, num_test):
    with pytest.raises(DataError, match=f"{num_rows} rows.*too few"):
        split_rows(num_rows, num_test=num_test, seed=0)


def test_a_test_split_of_one_row_is_refused():
    with pytest.raises(DataError, match="own test split is a single row; at least 2"):
        split_rows(100, num_test=1, seed=0)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"num_test": -1}, "num_test must be at least 0"),
        ({"validation_fraction": 0.0}, "validation_fraction must lie between 0 and 1, got 0.0"),
        ({"test_fraction": 1.0}, "test_fraction must lie between"),
        ({"test_fraction": float("nan")}, "test_fraction must lie between"),
        ({"validation_fraction": 0.5, "test_fraction": 0.5}, "together below 1"),
    ],
)
def test_arguments_out_of_range_are_refused(options, match):
    with pytest.raises(UsageError, match=match):
        split_rows(100, **({"num_test": 0, "seed": 0} | options))
