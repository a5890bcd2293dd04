"""Three small runs, trained once by the command line itself, and what the tests of every verb need."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from reparam.cli.main import main

SMALL = "epochs = 1\nbatch_size = 128\nnum_samples = 5\nwidth = 4\nlatent_dim = 2\n"


class Result(NamedTuple):
    """What came of one command line."""

    code: int
    out: str
    err: str


@pytest.fixture
def reparam(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run ``reparam WORDS...`` in this process."""

    def call(*words: object) -> Result:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Result(code, *capsys.readouterr())

    return call


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything under a folder: the bytes of files, ``None`` for folders."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def write_table(path: Path, header: str = "height,row,Lohn (k€)", seed: int = 0, num_rows: int = 60) -> None:
    """A CSV of correlated columns in different units."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(num_rows, 1)) * [7, 0.01, 900] + rng.normal(size=(num_rows, 3)) * [3, 0.01, 500]
    rows += [170, 0.5, 4000]
    lines = [",".join(f"{value:.6g}" for value in row) for row in rows]
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")


def write_photos(folder: Path, num: int = 24, size: tuple[int, int] = (12, 10)) -> None:
    """Colour images in two labelled folders."""
    rng = np.random.default_rng(0)
    for index in range(num):
        place = folder / ("sea", "été à la mer")[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{index:02}.png")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs ``digits``, ``table`` and ``photos``, and beside them their data and ``small.toml``."""
    folder = tmp_path_factory.mktemp("with spaces and ü")
    write_table(folder / "table.csv")
    write_photos(folder / "pictures")
    (folder / "small.toml").write_text(SMALL)
    for source, name in (("digits", "digits"), (folder / "table.csv", "table"), (folder / "pictures", "photos")):
        words = ["train", str(source), "--out", str(folder / name), "--config", str(folder / "small.toml")]
        assert main(words) == 0
    return folder
