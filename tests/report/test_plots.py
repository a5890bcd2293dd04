"""Figures: valid PNG files of the expected size, equal bytes each time, and no trace left in matplotlib."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from reparam.report import pictures, plots, style, tableplots
from reparam.report.latent import Projection, group_labels, latent_map, project

NONE = (np.array([]), np.array([]))


def opened(png):
    image = Image.open(io.BytesIO(png))
    image.load()
    assert image.format == "PNG"
    return image


def pixels(inches):
    return int(inches * style.DOTS_PER_INCH)


def curve(count=300, split_at=5):
    steps = np.arange(1.0, count + 1)
    return steps, np.where(steps < split_at, -1e7, -90 + np.log(steps))


def pixel_grid(count, height=8, width=8, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (count, height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("count", [0, 1, 12, 1000])
def test_training_curves_have_the_expected_size_however_many_records_there_are(count):
    curves = {"train": curve(count) if count else NONE, "validation": NONE}
    best = (count, -88.0) if count else None
    assert opened(plots.training_bound(curves, best)).size == (pixels(6.2), pixels(4.2))
    assert opened(plots.training_terms(curves, curves)).size == (pixels(3.5), pixels(4.2))


def test_value_limits_leave_out_the_first_steps():
    low, high = plots.value_limits({"train": curve(), "validation": (np.array([300.0]), np.array([-86.0]))})
    assert -90 < low < -86
    assert -86 < high < -83


def test_value_limits_of_a_constant_have_a_width():
    low, high = plots.value_limits({"train": (np.arange(5.0), np.zeros(5))})
    assert low < 0 < high


def test_value_limits_without_records():
    assert plots.value_limits({"train": NONE}) is None


@pytest.mark.parametrize("count", [1, 32, 200])
@pytest.mark.parametrize("known", [True, False])
def test_kl_bars(count, known):
    kl = np.linspace(0, 2, count)
    png = plots.active_kl(kl, kl > 0.5 if known else None)
    assert opened(png).size == (pixels(9.6), pixels(3))


def test_projection_onto_principal_components_keeps_the_widest_directions():
    rng = np.random.default_rng(0)
    loc = rng.normal(size=(500, 5)) * np.array([3.0, 1e-4, 2.0, 0.5, 1e-4])
    seen = project(loc, loc.var(axis=0) > 0.01)
    assert seen.coordinates.shape == (500, 2)
    assert abs(np.corrcoef(seen.coordinates[:, 0], loc[:, 0])[0, 1]) > 0.99
    assert seen.explained == pytest.approx(13 / 13.25, abs=0.02)


def test_projection_does_not_flip_with_the_order_of_the_examples():
    loc = np.random.default_rng(1).normal(size=(200, 4)) * np.array([3, 2, 1, 1])
    active = np.ones(4, dtype=bool)
    np.testing.assert_allclose(
        project(loc, active).coordinates, project(loc[::-1], active).coordinates[::-1], atol=1e-10
    )


@pytest.mark.parametrize(
    ("dimensions", "active", "axes"),
    [
        (1, [0], ("latent dimension 0",)),
        (2, [0, 1], ("latent dimension 0", "latent dimension 1")),
        (2, [1], ("latent dimension 0", "latent dimension 1")),
        (6, [4], ("latent dimension 4",)),
        (6, [], None),
    ],
)
def test_small_latent_spaces_are_shown_as_they_are(dimensions, active, axes):
    loc = np.random.default_rng(0).normal(size=(30, dimensions))
    seen = project(loc, np.isin(np.arange(dimensions), active))
    if axes is None:
        assert seen is None
    else:
        assert seen.axes == axes
        assert seen.explained is None
        assert seen.coordinates.shape == (30, len(axes))


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("count", [None, 1, 25])
def test_latent_map(dimensions, count):
    rng = np.random.default_rng(0)
    projection = Projection(rng.normal(size=(200, dimensions)), ("a", "b")[:dimensions], None)
    groups = None
    if count is not None:
        groups = group_labels(np.arange(200) % count, tuple(f"name {i}" for i in range(count)))
    image = opened(latent_map(projection, groups))
    assert image.size == (pixels(9.6), pixels(3.2 if dimensions == 1 else 6.4))
    assert image.convert("RGBA").getpixel((2, 2))[3] == 0


def test_more_than_ten_labels_keep_the_nine_most_frequent():
    labels = np.repeat(np.arange(12), np.array([9, 1, 9, 9, 9, 2, 9, 9, 9, 9, 9, 3]))
    groups = group_labels(labels, tuple("abcdefghijkl"))
    assert groups.names == (*"acdeghijk", "3 others")
    assert groups.others == 3
    for label, member in zip(labels, groups.membership, strict=True):
        assert groups.names[member] == ("3 others" if label in (1, 5, 11) else "abcdefghijkl"[label])


@pytest.mark.parametrize(("columns", "size"), [(1, (5.0, 2.1)), (2, (9.6, 2.1)), (14, (9.6, 7.35))])
def test_marginals(columns, size):
    rng = np.random.default_rng(0)
    names = [f"column {index}" for index in range(columns)]
    png = tableplots.marginals(rng.normal(size=(90, columns)), rng.normal(size=(50, columns)), names)
    assert opened(png).size == (pixels(size[0]), pixels(size[1]))


@pytest.mark.parametrize(
    "data",
    [np.zeros(5), np.array([1e9]), np.r_[np.zeros(500), np.arange(20)], np.r_[np.linspace(0, 1, 99), 1e9]],
)
def test_bins_increase_whatever_the_column(data):
    assert (np.diff(tableplots.bin_edges(data.astype(np.float32))) > 0).all()


def test_a_column_that_does_not_vary_has_no_correlation():
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(size=60), np.full(60, 1e6 + 0.1), rng.normal(size=60)], axis=1)
    matrix = tableplots.correlations_of(values.astype(np.float32))
    assert np.isnan(matrix[1]).all()
    assert np.isnan(matrix[:, 1]).all()
    expected = np.corrcoef(values[:, 0], values[:, 2])[0, 1]
    assert matrix[0, 2] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("columns", [2, 9, 30])
def test_correlations(columns):
    matrix = np.eye(columns)
    png = tableplots.correlations(matrix, np.full_like(matrix, np.nan), ["a"] * columns)
    assert opened(png).size == (pixels(9.6), pixels(4.9))


def test_pixels_of_levels_and_of_real_values():
    assert pictures.to_pixels(np.array([[[0, 1]]]), levels=2).tolist() == [[[0] * 3, [255] * 3]]
    real = pictures.to_pixels(np.array([[[-5.0, 0.0, 1.0, 9.0]]]), None, (-1.0, 1.0))
    assert real[0, :, 0].tolist() == [0, 128, 255, 255]
    with pytest.raises(ValueError, match="expected value_range"):
        pictures.to_pixels(np.zeros((1, 2, 2)), None)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_have_three_colours(channels):
    assert pictures.to_pixels(np.zeros((5, channels, 4, 6)), 256).shape == (5, 4, 6, 3)


def test_pairs_show_every_original_above_its_reconstruction():
    originals, reconstructions = pixel_grid(13), pixel_grid(13, seed=1)
    shown = np.asarray(opened(pictures.pairs(originals, reconstructions)).convert("RGBA"))
    tile, left = 128, pictures.LABEL_WIDTH
    for index in (0, 9, 12):
        block, column = divmod(index, 10)
        top = block * (2 * tile + 3 + 30)
        across = left + column * (tile + 6)
        upper = shown[top : top + tile, across : across + tile]
        lower = shown[top + tile + 3 : top + 2 * tile + 3, across : across + tile]
        np.testing.assert_array_equal(upper[8::16, 8::16, :3], originals[index])
        np.testing.assert_array_equal(lower[8::16, 8::16, :3], reconstructions[index])
    assert shown[4, 4, 3] == 0


def test_the_samples_of_a_class_stand_in_its_row():
    images, widest = pixel_grid(6, 8, 8), "W" * 20
    shown = np.asarray(opened(pictures.samples_by_class(images, ["a", widest])).convert("RGBA"))
    left = style.text_width(widest, pictures.FONT_POINTS) + 24
    for index in range(6):
        row, column = divmod(index, 3)
        tile = shown[row * 134 : row * 134 + 128, left + column * 134 : left + column * 134 + 128]
        np.testing.assert_array_equal(tile[8::16, 8::16, :3], images[index])
    names = shown[:, : left - 6, 3] > 0
    assert names[:128].any()
    assert names[134:].sum() > 10 * names[:128].sum()
    assert not names[:, :2].any()  # no name is cut off
    assert names[:, :12].any()  # nor is room lost


@pytest.mark.parametrize(("height", "width"), [(1, 1), (28, 28), (48, 64), (300, 200), (7, 900)])
def test_pictures_of_any_size(height, width):
    images = pixel_grid(12, height, width)
    varied = pixel_grid(6, height, width).reshape(2, 3, height, width, 3)
    for png in (
        pictures.samples(images),
        pictures.samples_by_class(images, ["a", "b", "c"]),
        pictures.variations(images, varied),
        pictures.pairs(images, images),
    ):
        opened(png)


def test_equal_arguments_give_equal_bytes_whatever_the_users_settings():
    curves = {"train": curve(), "validation": NONE}
    first = plots.training_bound(curves, None)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 20}):
        assert plots.training_bound(curves, None) == first


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)
    plots.active_kl(np.array([1.0, 0.0]), None)
    assert dict(matplotlib.rcParams) == before


def test_text_of_users_is_drawn_as_it_is_and_without_a_warning():
    names = ["$x^2$", "漢字", "a\nb", "<b>", "\\frac{"]
    rng = np.random.default_rng(0)
    opened(tableplots.marginals(rng.normal(size=(9, 5)), rng.normal(size=(9, 5)), names))
    groups = group_labels(np.arange(5), tuple(names))
    opened(latent_map(Projection(rng.normal(size=(5, 2)), ("a", "b"), None), groups))
    assert style.plain("漢a\n b") == "?a b"
    assert style.plain("long" * 10, 8) == "longlon…"
