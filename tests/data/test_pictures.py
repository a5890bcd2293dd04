import numpy as np
import pytest

from reparam.data.pictures import contact_sheet, image_grid, to_levels, to_uint8
from reparam.data.schema import Schema
from reparam.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("levels", "values", "expected"),
    [
        (256, [-3.0, 0.4, 254.6, 300.0], [0, 0, 255, 255]),
        (17, [0.0, 1.0, 8.0, 16.4], [0, 16, 128, 255]),
        (2, [0.2, 0.8, -1.0, 1.0], [0, 255, 0, 255]),
        (1, [0.0, 5.0], [0, 0]),
        (None, [-1.0, 0.0, 1.0], [0, 128, 255]),
        (None, [3.0, 3.0], [0, 0]),
    ],
)
def test_values_become_shades(levels, values, expected):
    shades = to_uint8(np.array(values, np.float32), Schema("image", (1, 1, 1), levels=levels))
    assert shades.dtype == np.uint8
    assert shades.tolist() == expected


def test_values_that_are_not_finite_are_refused_with_their_place():
    values = np.zeros((2, 3))
    values[1, 2] = np.nan
    with pytest.raises(DataError, match=r"1 are not, the first at \(1, 2\): nan"):
        to_uint8(values, Schema("image", (1, 1, 3), levels=2))


def test_more_than_256_levels_keep_their_range():
    assert to_levels(np.array([999.6, 2000.0]), 1001).tolist() == [1000, 1000]


def test_a_grid_holds_each_image_in_its_place_and_grey_between():
    values = np.random.default_rng(0).integers(0, 255, (5, 3, 4, 6), np.uint8)
    grid = image_grid(values, columns=3)
    assert grid.shape == (4 + 2 + 4, 6 + 2 + 6 + 2 + 6, 3)
    np.testing.assert_array_equal(grid[6:, 8:14], values[4].transpose(1, 2, 0))
    assert (grid[4:6] == 128).all()
    assert (grid[6:, 16:] == 128).all()


def test_a_grid_of_grey_images_is_grey_and_no_wider_than_needed():
    values = np.zeros((2, 1, 4, 6), np.uint8)
    assert image_grid(values, columns=9).shape == (4, 14)
    assert image_grid(values[:1], columns=1).shape == (4, 6)


@pytest.mark.parametrize(
    "values", [np.zeros((2, 2, 3, 3), np.uint8), np.zeros((2, 1, 3, 3)), np.zeros((0, 1, 3, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(values):
    with pytest.raises(UsageError, match=r"with 1 or 3 channels, at least one, got .*\.npy"):
        image_grid(values, 2)


def test_a_grid_needs_a_column():
    with pytest.raises(UsageError, match="at least 1 column, got 0"):
        image_grid(np.zeros((1, 1, 2, 2), np.uint8), 0)


@pytest.mark.parametrize(("count", "shape", "expected"), [(9, (4, 4), (16, 16)), (10, (4, 40), (58, 40))])
def test_a_contact_sheet_is_about_square(count, shape, expected):
    assert contact_sheet(np.zeros((count, 1, *shape), np.uint8)).shape == expected


def test_a_contact_sheet_too_large_to_open_is_refused():
    many = np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (100, 1, 1000, 1000))
    with pytest.raises(UsageError, match=r"be 10018 x 10018 pixels, at most 64000000.*fewer"):
        contact_sheet(many)
