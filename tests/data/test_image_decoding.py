"""Each kind of file that Pillow reads in a surprising way, and each that must not be read at all."""

import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from reparam.data.image_decoding import MAX_PIXELS, BadImage, decode, decoder_warnings, read_header

ROTATED = Image.Exif()
ROTATED[0x0112] = 6


def _chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(path, width, depth, color_type, row, *, extra=b"", late=b""):
    """A PNG of one row, built chunk by chunk: Pillow writes only some of the kinds it reads."""
    header = struct.pack(">IIBBBBB", width, 1, depth, color_type, 0, 0, 0)
    body = _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", zlib.compress(b"\0" + row)) + late
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IEND", b""))
    return path


def _read(path):
    """The header, and the pixels at their own size and number of channels."""
    with decoder_warnings():
        header = read_header(path)
        return header, decode(path, 3 if header.color else 1, header.size, resize=False)


def _reason(path):
    with pytest.raises(BadImage) as caught:
        _read(path)
    return str(caught.value)


def _row(pixels):
    return pixels[:, 0].tolist()


def test_plain_grey_and_colour_come_back_exactly(tmp_path):
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    Image.fromarray(pixels).save(tmp_path / "c.png")
    Image.fromarray(pixels[..., 0].copy()).save(tmp_path / "g.bmp")
    header, colored = _read(tmp_path / "c.png")
    assert (header.size, header.color, header.traits) == ((4, 5), True, ())
    np.testing.assert_array_equal(colored, pixels.transpose(2, 0, 1))
    header, grey = _read(tmp_path / "g.bmp")
    assert (header.size, header.color, header.traits) == ((4, 5), False, ())
    np.testing.assert_array_equal(grey[0], pixels[..., 0])


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path):
    values = np.array([[0, 128, 129, 257, 40000, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    header, pixels = _read(tmp_path / "a.png")
    assert _row(pixels) == [[0, 0, 1, 1, 156, 255]]
    assert header.traits == ("with 16 bits a value, scaled to 8 bits",)


def test_sixteen_bit_colour_is_told(tmp_path):
    path = _png(tmp_path / "a.png", 2, 16, 2, struct.pack(">6H", 0, 65535, 40000, 0, 0, 0))
    header, pixels = _read(path)
    assert header.traits == ("with 16 bits a value, scaled to 8 bits",)
    assert _row(pixels) == [[0, 0], [255, 0], [156, 0]]


def test_one_bit_becomes_black_and_white(tmp_path):
    Image.fromarray(np.array([[True, False, True]])).save(tmp_path / "a.png")
    header, pixels = _read(tmp_path / "a.png")
    assert not header.color
    assert _row(pixels) == [[255, 0, 255]]


def test_a_palette_of_greys_is_grey_and_one_of_colours_is_colour(tmp_path):
    for name, palette in (("grey.png", [0, 0, 0, 9, 9, 9]), ("color.png", [0, 0, 0, 9, 8, 9])):
        image = Image.new("P", (2, 1))
        image.putpalette(palette)
        image.putpixel((1, 0), 1)
        image.save(tmp_path / name)
    header, pixels = _read(tmp_path / "grey.png")
    assert not header.color
    assert _row(pixels) == [[0, 9]]
    header, pixels = _read(tmp_path / "color.png")
    assert header.color
    assert _row(pixels) == [[0, 9], [0, 8], [0, 9]]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_an_alpha_channel_is_composited_on_white(tmp_path, mode):
    image = Image.new(mode, (3, 1), 0)
    for column, alpha in enumerate((0, 128, 255)):
        image.putpixel((column, 0), (*[0] * (len(mode) - 1), alpha))
    image.save(tmp_path / "a.png")
    header, pixels = _read(tmp_path / "a.png")
    assert header.color == (mode == "RGBA")
    assert header.traits == ("with transparency, shown on white",)
    assert _row(pixels) == [[255, 127, 0]] * (3 if header.color else 1)


def _transparent(*key):
    return _chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))


@pytest.mark.parametrize(
    ("width", "depth", "color_type", "row", "key", "expected"),
    [
        (4, 1, 0, b"\x50", (0,), [255, 255, 255, 255]),
        (4, 2, 0, b"\x1b", (1,), [0, 255, 170, 255]),
        (2, 4, 0, b"\x1e", (1,), [255, 238]),
        (3, 8, 0, b"\x00\x0a\x14", (10,), [0, 255, 20]),
        (2, 16, 0, struct.pack(">2H", 300, 40000), (300,), [255, 156]),
        (2, 8, 2, b"\1\2\3\4\4\4", (1, 2, 3), [255, 4]),
        (2, 16, 2, struct.pack(">6H", 256, 512, 768, 1024, 1024, 1024), (256, 512, 768), [255, 4]),
    ],
)
def test_a_transparent_grey_or_colour_of_any_depth_is_white(tmp_path, width, depth, color_type, row, key, expected):
    header, pixels = _read(_png(tmp_path / "a.png", width, depth, color_type, row, extra=_transparent(*key)))
    assert "with transparency, shown on white" in header.traits
    assert _row(pixels) == [expected] * (3 if header.color else 1)


def test_grey_with_alpha_of_sixteen_bits_is_grey(tmp_path):
    header, pixels = _read(_png(tmp_path / "a.png", 2, 16, 4, struct.pack(">4H", 0, 65535, 0, 0)))
    assert not header.color
    assert _row(pixels) == [[0, 255]]


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    header, pixels = _read(tmp_path / "a.jpg")
    assert header.color
    assert header.traits == ("in CMYK, converted to RGB without a colour profile",)
    assert pixels[0].min() > 250
    assert pixels[1:].max() < 5


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_exif_rotation_is_applied_to_size_and_pixels(tmp_path, ending):
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, 8:] = 255
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}", exif=ROTATED)
    header, read = _read(tmp_path / f"a.{ending}")
    assert header.size == (16, 8)
    assert header.traits == ("turned upright as their EXIF orientation says",)
    assert read[0, :6].max() < 30
    assert read[0, -6:].min() > 225


def test_rotation_that_a_png_tells_after_its_pixels_needs_a_resize(tmp_path):
    path = _png(tmp_path / "a.png", 3, 8, 0, b"\1\2\3", late=_chunk(b"eXIf", ROTATED.tobytes()[6:]))
    assert "turns out as 3x1 and not 1x3" in _reason(path)
    with decoder_warnings():
        assert decode(path, 1, (3, 1), resize=True)[0].tolist() == [[1], [2], [3]]


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path, ending):
    frames = [Image.new("RGB", (4, 4), (value, 0, 0)) for value in (200, 10)]
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], lossless=True)
    header, pixels = _read(tmp_path / f"a.{ending}")
    assert header.traits == ("with several frames, of which the first is used",)
    assert (pixels[0] == 200).all()


def test_resizing_keeps_a_flat_image_flat(tmp_path):
    Image.new("L", (7, 5), 77).save(tmp_path / "a.png")
    with decoder_warnings():
        assert (decode(tmp_path / "a.png", 1, (3, 4), resize=True) == np.full((1, 3, 4), 77)).all()


def test_truncated_files_are_bad(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8))
    for ending in ("jpg", "png", "bmp", "webp"):
        path = tmp_path / f"a.{ending}"
        noise.save(path)
        path.write_bytes(path.read_bytes()[:-300])
        assert _reason(path).startswith("cannot be read: ")


def test_files_that_are_no_images_or_of_a_foreign_format_are_bad(tmp_path):
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.new("P", (4, 4)).save(tmp_path / "gif.png", format="GIF")
    Image.new("RGB", (4, 4)).save(tmp_path / "eps.png", format="EPS")
    for name in ("text.png", "gif.png", "eps.png"):
        assert _reason(tmp_path / name) == "is not a PNG, JPEG, WebP or BMP image inside"
    assert _reason(tmp_path / "empty.png") == "is empty"


def test_what_is_no_file_is_bad_and_nothing_waits_for_a_pipe(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert _reason(tmp_path / "link.png") == "is a link to nothing"
    assert _reason(tmp_path / "self.png") == "is a link to nothing"
    assert _reason(tmp_path / "pipe.png") == "is not a regular file"


@pytest.mark.parametrize("side", [9_000, 13_000, 14_000])
def test_a_small_file_of_very_many_pixels_is_refused_by_its_header(tmp_path, side):
    path = tmp_path / "bomb.png"
    Image.new("1", (side, side)).save(path)
    assert path.stat().st_size < 25_000
    assert f"at most {MAX_PIXELS} are allowed" in _reason(path)


def test_nothing_global_is_changed(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    _read(tmp_path / "a.png")
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_warnings_are_collected_and_not_shown(tmp_path):
    image = Image.new("RGB", (4, 4))
    image.save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")
    with decoder_warnings() as recorded:
        read_header(tmp_path / "a.jpg")
    assert any("Corrupt EXIF" in str(warning.message) for warning in recorded)


def test_any_damage_is_bad_or_read_but_nothing_else(tmp_path):
    generator = np.random.default_rng(1)
    image = Image.fromarray(generator.integers(0, 255, (12, 10, 3), np.uint8))
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    image.save(tmp_path / "a.png", exif=ROTATED)
    image.quantize(8).save(tmp_path / "b.png", pnginfo=text)
    image.save(tmp_path / "c.jpg", exif=ROTATED)
    image.save(tmp_path / "d.webp", lossless=True)
    image.quantize(8).save(tmp_path / "e.bmp")
    for path in sorted(tmp_path.iterdir()):
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(60):
            damaged = whole[: generator.integers(1, len(whole))] if generator.random() < 0.3 else whole.copy()
            places = generator.integers(0, min(len(damaged), 150), 3)
            damaged = damaged.copy()
            damaged[places] = generator.integers(0, 256, 3)
            path.write_bytes(damaged.tobytes())
            try:
                header, pixels = _read(path)
            except BadImage:
                continue
            assert pixels.shape[1:] == header.size
