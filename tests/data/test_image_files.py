import os

import pytest

from reparam.data.image_files import find_images
from reparam.errors import DataError, InputOutputError


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def _names(folder):
    return [file.name for file in find_images(folder).files]


def test_nested_files_in_the_order_of_their_names_whatever_the_case_of_the_ending(tmp_path):
    _touch(tmp_path, "b/2.JPeG", "b/10.webp", "a.PNG", "a/z.jpg", "c/d/e.bmp")
    assert _names(tmp_path) == ["a.PNG", "a/z.jpg", "b/10.webp", "b/2.JPeG", "c/d/e.bmp"]


def test_hidden_files_and_folders_are_skipped(tmp_path):
    _touch(tmp_path, ".hidden.png", ".cache/x.png", "._a.png", "a.png")
    assert _names(tmp_path) == ["a.png"]


def test_other_files_are_noted_with_counts(tmp_path):
    _touch(tmp_path, "a.png", "b.txt", "c.TXT", "d.json", "README")
    (note,) = find_images(tmp_path).notes
    assert note == "not read, because by its extension no image: .txt: 2, (no extension): 1, .json: 1"


def test_a_loop_of_links_ends_and_nothing_is_read_twice(tmp_path):
    _touch(tmp_path, "z/a.png")
    (tmp_path / "z" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "z", target_is_directory=True)
    found = find_images(tmp_path)
    assert [file.name for file in found.files] == ["z/a.png"]
    assert "folder again is a link to z, which was read already; not read twice" in found.notes


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path):
    _touch(tmp_path, "elsewhere/a.png", "data/b.png")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert _names(tmp_path / "data") == ["b.png", "more/a.png"]


def test_a_name_that_is_no_text_is_shown_with_escapes(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"\xff\n.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes only names that are text")
    assert _names(tmp_path) == [r"\udcff\n.png"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), r"holds no files \(hidden ones are skipped\)"),
        ((".a.png",), r"holds no files \(hidden ones are skipped\)"),
        (("a.gif", "b.GIF", "c.tif"), r"extensions seen: \.gif: 2, \.tif: 1; convert them to PNG first"),
        (tuple(f"a.x{index}" for index in range(10)), r"\.x7: 1, and 2 more"),
    ],
)
def test_a_folder_without_images_says_what_it_holds(tmp_path, names, message):
    _touch(tmp_path, *names)
    with pytest.raises(DataError, match=message):
        find_images(tmp_path)


def test_a_missing_folder_and_a_file_are_told_apart(tmp_path):
    _touch(tmp_path, "file")
    with pytest.raises(DataError, match="it does not exist"):
        find_images(tmp_path / "nothing")
    with pytest.raises(DataError, match="it is a file"):
        find_images(tmp_path / "file")


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_left_out(tmp_path, monkeypatch):
    _touch(tmp_path, "a.png", "locked/b.png")
    original = type(tmp_path).iterdir

    def refuse(self):
        if self.name == "locked":
            raise PermissionError(13, "Permission denied")
        return original(self)

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(InputOutputError, match="locked cannot be listed: Permission denied"):
        find_images(tmp_path)
