"""Scaling: exact where it can be, and there and back again."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reparam.data import scaling as module
from reparam.data.scaling import Scaling
from reparam.data.schema import Column, Schema
from reparam.errors import DataError, UsageError

GREY = Schema("image", (1, 2, 3), levels=256)
COLOUR = Schema("image", (3, 4, 5))
RANDOM = np.random.default_rng(0)


def table(*names):
    return Schema("table", (len(names),), columns=tuple(Column(name) for name in names))


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_go_to_the_unit_interval_whatever_the_rows_hold(levels):
    schema = Schema("image", (1, 1, 2), levels=levels)
    scaling = Scaling.fit(np.zeros((3, 1, 1, 2), dtype=np.uint8), schema)
    assert scaling == Scaling(offset=(0.0,), scale=(levels - 1.0,), resolution=(1 / (levels - 1),))
    everything = np.arange(levels, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(2, axis=3)
    model = scaling.apply(everything)
    assert model.dtype == np.float32
    assert (model.min(), model.max()) == (0, 1)
    np.testing.assert_array_equal(np.round(scaling.undo(model)), everything)
    assert scaling.log_scale_nats(schema) == 0.0


def test_columns_get_mean_zero_and_deviation_one():
    values = RANDOM.normal([5.0, -3.0], [0.1, 100.0], (500, 2))
    scaling = Scaling.fit(values, table("a", "b"))
    np.testing.assert_allclose(scaling.offset, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(scaling.scale, values.std(0), rtol=1e-12)
    model = scaling.apply(values).astype(np.float64)
    np.testing.assert_allclose(model.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(model.std(0), 1, rtol=1e-6)


def test_real_images_are_scaled_by_channel():
    values = RANDOM.normal(np.array([0.0, 5.0, 9.0]).reshape(3, 1, 1), 2.0, (20, 3, 4, 5)).astype(np.float32)
    scaling = Scaling.fit(values, COLOUR)
    np.testing.assert_allclose(scaling.offset, values.mean((0, 2, 3), dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(scaling.scale, values.std((0, 2, 3), dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(scaling.undo(scaling.apply(values)), values, rtol=1e-5, atol=1e-5)


def test_the_resolution_is_the_smallest_gap_in_model_units():
    values = np.array([[0.0, 1.0], [3.0, 1.25], [10.0, 4.0], [10.0, 4.0]])
    scaling = Scaling.fit(values, table("a", "b"))
    np.testing.assert_allclose(scaling.resolution, [3 / values[:, 0].std(), 0.25 / values[:, 1].std()], rtol=1e-12)


def test_rounding_is_no_resolution():
    values = np.array([[0.3], [0.1 + 0.2], [0.7], [0.9]])
    assert values[0, 0] != values[1, 0]
    scaling = Scaling.fit(values, table("a"))
    np.testing.assert_allclose(scaling.resolution, [0.2 / values.std()], rtol=1e-9)


def test_the_resolution_of_many_values_comes_from_a_part_or_from_all(monkeypatch):
    monkeypatch.setattr(module, "_MAX_GAP_VALUES", 10)
    values = np.zeros((40, 1))
    values[1] = 5.0
    assert Scaling.fit(values, table("a")).resolution[0] == pytest.approx(5 / values.std())


columns = st.tuples(
    st.floats(-1e9, 1e9), st.floats(1e-3, 1e6), st.lists(st.floats(-1, 1), min_size=3, max_size=20)
).filter(lambda column: np.ptp(column[2]) > 1e-3)


@given(columns)
def test_there_and_back_again(column):
    offset, width, unit = column
    values = (offset + width * np.array(unit))[:, None]
    if np.ptp(values) == 0:
        return
    scaling = Scaling.fit(values, table("a"))
    model = scaling.apply(values)
    error = np.abs(scaling.undo(model) - values)
    # float32 holds the model value to 2**-24 of itself; float64 the offset to 2**-52 of itself.
    allowed = 2.0**-23 * scaling.scale[0] * (1 + np.abs(model)) + 2.0**-50 * np.abs(values).max()
    assert (error <= allowed).all()


def test_a_small_spread_on_a_large_offset_survives():
    values = 1e9 + np.linspace(0, 1e-3, 50)[:, None]
    scaling = Scaling.fit(values, table("a"))
    model = scaling.apply(values)
    assert abs(float(model.mean())) < 1e-3
    assert float(model.std()) == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(scaling.undo(model), values, rtol=0, atol=3e-7)


@pytest.mark.parametrize("size", [1e-250, 1e250])
def test_extreme_units_neither_overflow_nor_vanish(size):
    values = RANDOM.normal(size=(50, 1))
    scaling = Scaling.fit(values * size, table("a"))
    assert scaling.scale[0] == pytest.approx(values.std() * size, rel=1e-9, abs=0)


def test_a_column_constant_on_the_training_rows_is_refused():
    values = np.column_stack([np.arange(5.0), np.full(5, 2.5)])
    with pytest.raises(DataError, match=r"column 'b' is 2\.5 in all 5 training values"):
        Scaling.fit(values, table("a", "b"))


def test_a_constant_channel_is_refused():
    values = RANDOM.normal(size=(5, 3, 4, 5))
    values[:, 1] = 0
    with pytest.raises(DataError, match=r"channel 1 is 0\.0"):
        Scaling.fit(values, COLOUR)


@pytest.mark.parametrize("values", [[-1.7e308, 1.7e308], [0.0, 5e-324]])
def test_a_span_beyond_float64_is_refused(values):
    with pytest.raises(DataError, match=r"column 'a' runs from .* rescale"):
        Scaling.fit(np.array(values)[:, None], table("a"))


def test_values_that_leave_single_precision_are_refused():
    scaling = Scaling(offset=(0.0, 0.0), scale=(1.0, 1e-30), resolution=(0.1, 0.1))
    with pytest.raises(DataError, match=r"row 1, column or channel 1 \(from 0\) holds 1e\+20"):
        scaling.apply(np.array([[1.0, 0.0], [1.0, 1e20]]))


def test_other_shapes_are_refused():
    with pytest.raises(UsageError, match="expected training rows of shape"):
        Scaling.fit(np.zeros((5, 3)), table("a", "b"))
    with pytest.raises(UsageError, match="at least one"):
        Scaling.fit(np.zeros((0, 2)), table("a", "b"))
    scaling = Scaling(offset=(0.0, 0.0), scale=(1.0, 1.0), resolution=(0.1, 0.1))
    for call in (scaling.apply, scaling.undo):
        with pytest.raises(UsageError, match="rows with 2 columns or channels, got"):
            call(np.zeros((5, 3)))


def test_log_scale_counts_every_value():
    two = Scaling(offset=(0.0, 0.0), scale=(2.0, 8.0), resolution=(1.0, 1.0))
    assert two.log_scale_nats(table("a", "b")) == pytest.approx(math.log(16))
    three = Scaling(offset=(0.0,) * 3, scale=(2.0, 4.0, 8.0), resolution=(1.0,) * 3)
    assert three.log_scale_nats(COLOUR) == pytest.approx(20 * math.log(64))


def test_log_scale_converts_a_log_density():
    values = RANDOM.normal(7.0, 3.0, (400, 1))
    scaling = Scaling.fit(values, table("a"))

    def normal(x, loc, scale):
        return -0.5 * ((x - loc) / scale) ** 2 - math.log(scale) - 0.5 * math.log(2 * math.pi)

    in_model = normal(scaling.apply(values).astype(np.float64), 0.0, 1.0)
    in_data = normal(values, scaling.offset[0], scaling.scale[0])
    np.testing.assert_allclose(in_model - scaling.log_scale_nats(table("a")), in_data, atol=1e-5)


def test_json_gives_an_equal_scaling_back():
    scaling = Scaling.fit(RANDOM.normal(size=(30, 2)), table("a", "b"))
    assert Scaling.from_json(json.loads(json.dumps(scaling.to_json()))) == scaling
