import numpy as np
import pytest
from PIL import Image

from reparam.data import image_findings
from reparam.data.images import MAX_PIXELS, parse_size, read_images
from reparam.errors import DataError, UsageError


def _grey(index, size=(6, 4)):
    return Image.fromarray(np.random.default_rng(index).integers(0, 256, size[::-1], np.uint8))


def _fill(folder, count=12, size=(6, 4), prefix=""):
    """Grey images of noise, the first called 00.png."""
    for index in range(count):
        path = folder / f"{prefix}{index:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _grey(index, size).save(path)
    return folder


def _truncate(path):
    path.write_bytes(path.read_bytes()[:50])


def test_images_come_as_eight_bit_values_in_the_order_of_their_names(tmp_path):
    examples = read_images(_fill(tmp_path))
    assert examples.values.shape == (12, 1, 4, 6)
    assert examples.values.dtype == np.uint8
    for index in range(12):
        np.testing.assert_array_equal(examples.values[index, 0], np.asarray(_grey(index)))
    assert examples.names == tuple(f"{index:02d}.png" for index in range(12))
    assert examples.schema.describe() == "images, 4 x 6, 1 channel, 256 levels"
    assert not examples.schema.binary
    assert examples.labels is None
    assert examples.schema.label is None
    assert examples.notes == ()
    assert examples.num_test == 0


def test_reading_twice_gives_the_same(tmp_path):
    _fill(tmp_path, count=40)
    assert read_images(tmp_path).fingerprint == read_images(str(tmp_path)).fingerprint


def test_black_and_white_is_binary_until_it_is_resized(tmp_path):
    for index in range(10):
        pixels = np.random.default_rng(index).random((9, 9)) < 0.5
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    assert read_images(tmp_path).schema.binary
    assert not read_images(tmp_path, resize=(4, 4)).schema.binary


def test_grey_and_colour_together_become_colour_with_a_note(tmp_path):
    _fill(tmp_path)
    Image.new("RGB", (6, 4), (1, 2, 3)).save(tmp_path / "z.png")
    examples = read_images(tmp_path)
    assert examples.values.shape == (13, 3, 4, 6)
    assert examples.values[-1, :, 0, 0].tolist() == [1, 2, 3]
    assert (examples.values[0] == np.asarray(_grey(0))).all()
    assert "grey images: 12, images with colours: 1; all were read as RGB" in examples.notes


def test_notes_tell_what_was_changed(tmp_path):
    _fill(tmp_path)
    Image.new("LA", (6, 4), (0, 0)).save(tmp_path / "alpha.png")
    Image.new("L", (6, 4), 9).save(tmp_path / "flat.png")
    (tmp_path / "labels.txt").write_text("")
    notes = "\n".join(read_images(tmp_path).notes)
    assert "1 of 14 images: with transparency, shown on white" in notes
    assert "images of one single colour: alpha.png, flat.png" in notes
    assert "not read, because by its extension no image: .txt: 1" in notes


def test_what_pillow_warns_of_is_noted(tmp_path):
    _fill(tmp_path)
    _grey(0).save(tmp_path / "odd.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")
    assert any(note.startswith("Pillow warns of odd.jpg: Corrupt EXIF") for note in read_images(tmp_path).notes)


def test_folders_one_level_down_are_labels(tmp_path):
    _fill(tmp_path, prefix="cat/")
    _fill(tmp_path, prefix="dog/", count=3)
    examples = read_images(tmp_path)
    assert examples.schema.label == "folder"
    assert examples.labels.tolist() == ["cat"] * 12 + ["dog"] * 3
    assert examples.names[12] == "dog/00.png"


@pytest.mark.parametrize("prefixes", [("cat/",), ("cat/", ""), ("cat/", "dog/a/"), ("a/cat/", "a/dog/")])
def test_other_arrangements_of_folders_are_no_labels(tmp_path, prefixes):
    for prefix in prefixes:
        _fill(tmp_path, prefix=prefix)
    examples = read_images(tmp_path)
    assert examples.labels is None
    assert examples.schema.label is None


def test_different_sizes_are_refused_with_a_table_and_an_example(tmp_path):
    _fill(tmp_path, prefix="a", size=(6, 4))
    _fill(tmp_path, prefix="b", size=(8, 8), count=20)
    with pytest.raises(DataError) as caught:
        read_images(tmp_path)
    message = str(caught.value)
    assert "2 different sizes" in message
    assert message.index("8x8") < message.index("4x6")
    assert "20 images, first b00.png" in message
    assert "12 images, first a00.png" in message
    assert "--resize 8x8" in message


def test_the_table_of_sizes_is_cut(tmp_path):
    for index in range(12):
        _grey(index, (5 + index, 5)).save(tmp_path / f"{index}.png")
    with pytest.raises(DataError, match="and 4 more sizes"):
        read_images(tmp_path)


def test_resize_brings_all_to_one_size_and_says_how_many(tmp_path):
    _fill(tmp_path, prefix="a", size=(6, 4))
    _fill(tmp_path, prefix="b", size=(8, 8))
    examples = read_images(tmp_path, resize=(8, 8))
    assert examples.values.shape == (24, 1, 8, 8)
    np.testing.assert_array_equal(examples.values[12, 0], np.asarray(_grey(0, (8, 8))))
    assert "12 of 24 images: resized to 8x8 (height x width)" in examples.notes


def test_a_truncated_image_is_named_with_the_way_out(tmp_path):
    _fill(tmp_path)
    _truncate(tmp_path / "03.png")
    with pytest.raises(DataError, match=r"03\.png cannot be read: .*pass --skip-bad"):
        read_images(tmp_path)


def test_many_files_that_are_no_images_are_listed_up_to_eight(tmp_path):
    _fill(tmp_path)
    for index in range(9):
        (tmp_path / f"x{index}.png").write_text("no")
    with pytest.raises(DataError) as caught:
        read_images(tmp_path)
    message = str(caught.value)
    assert "9 of 21 image files" in message
    assert "  x7.png is not a PNG, JPEG, WebP or BMP image inside" in message
    assert "x8.png" not in message
    assert "and 1 more" in message
    assert "--skip-bad" in message


def test_skip_bad_leaves_files_out_and_names_them(tmp_path):
    _fill(tmp_path, count=14)
    _truncate(tmp_path / "00.png")
    _truncate(tmp_path / "07.png")
    (tmp_path / "zero.jpg").write_bytes(b"")
    examples = read_images(tmp_path, skip_bad=True)
    left = [index for index in range(14) if index not in (0, 7)]
    assert examples.names == tuple(f"{index:02d}.png" for index in left)
    for row, index in enumerate(left):
        np.testing.assert_array_equal(examples.values[row, 0], np.asarray(_grey(index)))
    assert "left out, because they cannot be read: zero.jpg, 00.png, 07.png" in examples.notes


def test_of_many_bad_files_twenty_are_named(tmp_path):
    _fill(tmp_path)
    for index in range(25):
        (tmp_path / f"x{index:02d}.png").write_text("no")
    (note,) = read_images(tmp_path, skip_bad=True).notes
    assert note.endswith("x18.png, x19.png and 5 more")


def test_a_bomb_is_refused_by_its_header_even_when_it_would_be_resized(tmp_path):
    _fill(tmp_path)
    Image.new("1", (13_000, 13_000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match=rf"bomb\.png has too many pixels, at most {MAX_PIXELS} are allowed"):
        read_images(tmp_path, resize=(8, 8))


def test_a_folder_whose_images_are_all_bad_is_refused_even_when_bad_ones_are_skipped(tmp_path):
    _fill(tmp_path, count=3)
    for index in range(3):
        _truncate(tmp_path / f"{index:02d}.png")
    with pytest.raises(DataError, match=r"found none that can be read .* left out as bad"):
        read_images(tmp_path, skip_bad=True)


def test_a_single_image_can_be_read(tmp_path):
    _fill(tmp_path, count=1)
    assert len(read_images(tmp_path)) == 1


def test_more_than_the_memory_holds_is_refused_before_decoding(tmp_path, monkeypatch):
    monkeypatch.setattr(image_findings, "_available_memory", lambda: 1000)
    _fill(tmp_path, count=34)
    with pytest.raises(DataError, match=r"34 grey images of 4x6 in .*--resize.*2x3"):
        read_images(tmp_path)
    assert len(read_images(tmp_path, resize=(4, 5))) == 34


def test_the_available_memory_is_known_here():
    assert image_findings._available_memory() > 10_000_000


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="no images in"):
        read_images(tmp_path)


def test_sizes_are_height_by_width():
    assert parse_size("48x64") == (48, 64)
    assert parse_size("1X2") == (1, 2)


@pytest.mark.parametrize("text", ["", "48", "48x", "x64", "48 x 64", "-1x2", "1.5x2", "48x64x3", "٤x٤", "9" * 5000])
def test_what_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match="expected an image size HEIGHTxWIDTH such as 48x64, got"):
        parse_size(text)


@pytest.mark.parametrize("size", [(0, 3), (3, -1), (1.5, 2), (1, 2, 3)])
def test_impossible_sizes_are_refused(tmp_path, size):
    with pytest.raises(UsageError, match="at least 1"):
        read_images(tmp_path, resize=size)


def test_zero_and_huge_sizes_are_refused():
    with pytest.raises(UsageError, match="at least 1"):
        parse_size("0x4")
    with pytest.raises(UsageError, match="more than 64000000 pixels"):
        parse_size("9000x9000")
