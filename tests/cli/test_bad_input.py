"""Whatever is wrong: what, where and what to do, the documented exit code, no traceback, nothing changed on disk."""

import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from PIL import Image

from reparam.trained import TrainedVAE
from tests.cli.conftest import SMALL, snapshot, write_photos, write_table

Prepare = Callable[[Path, Path], object]
USAGE, DATA, RUN, SYSTEM = 2, 3, 4, 6


@dataclass(frozen=True)
class Case:
    """One bad command line, run in a folder that ``prepare(folder, runs)`` fills."""

    name: str
    line: str
    code: int
    says: tuple[str, ...]
    prepare: Prepare = lambda folder, runs: None


def table(text: str) -> Prepare:
    return lambda folder, runs: (folder / "t.csv").write_text(text, encoding="utf-8")


def lines(change: Callable[[list[str]], object]) -> Prepare:
    """A good table, its lines changed."""

    def prepare(folder: Path, runs: Path) -> None:
        write_table(folder / "t.csv", header="a,b,c")
        rows = (folder / "t.csv").read_text().splitlines()
        change(rows)
        (folder / "t.csv").write_text("\n".join(rows) + "\n")

    return prepare


def cell(row: int, column: int, text: str) -> Prepare:
    """A good table with one bad cell; row 1 is the first after the header."""

    def change(rows: list[str]) -> None:
        cells = rows[row].split(",")
        cells[column] = text
        rows[row] = ",".join(cells)

    return lines(change)


def array(row: int, column: int, value: float) -> Prepare:
    def prepare(folder: Path, runs: Path) -> None:
        values = np.random.default_rng(0).normal(size=(30, 4))
        values[row, column] = value
        np.save(folder / "a.npy", values)

    return prepare


def photos(change: Callable[[Path], object]) -> Prepare:
    """A good folder of images, one of them (``pictures/sea/00.png``) changed."""

    def prepare(folder: Path, runs: Path) -> None:
        write_photos(folder / "pictures")
        change(folder / "pictures" / "sea" / "00.png")

    return prepare


def bomb(path: Path) -> None:
    Image.new("1", (13_000, 13_000)).save(path)


def config(text: str) -> Prepare:
    return lambda folder, runs: (folder / "my.toml").write_text(text)


def run(name: str, change: Callable[[Path], object] = lambda path: None) -> Prepare:
    """A finished run, changed."""

    def prepare(folder: Path, runs: Path) -> None:
        shutil.copytree(runs / name, folder / name)
        change(folder / name)

    return prepare


def model_file(path: Path) -> Path:
    step = (path / "best").read_text().strip()
    return path / "checkpoints" / step / "model.safetensors"


def truncated(path: Path) -> None:
    os.truncate(model_file(path), 1000)


def bit_flipped(path: Path) -> None:
    data = bytearray(model_file(path).read_bytes())
    data[-3] ^= 16
    model_file(path).write_bytes(data)


class Payload:
    """Unpickling it makes a folder."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("executed",)


def foreign(path: Path) -> None:
    model_file(path).write_bytes(pickle.dumps(Payload()))


def foreign_with_manifest(path: Path) -> None:
    """Somebody else's file, by its size what the manifest says."""
    size = model_file(path).stat().st_size
    model_file(path).write_bytes(pickle.dumps(Payload()).ljust(size, b"\0"))


def described(**changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        description = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text(json.dumps(description | changes))

    return change


def unfinished(path: Path) -> None:
    described(status="training")(path)
    shutil.rmtree(path / "checkpoints")
    (path / "best").unlink()
    (path / "latest").unlink()


def other_data(folder: Path, runs: Path) -> None:
    run("table", described(status="training"))(folder, runs)
    write_table(folder / "other.csv", seed=1)


def parquet(folder: Path, runs: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"a": np.arange(99.0), "b": np.arange(99.0) ** 2}), folder / "t.parquet")
    os.truncate(folder / "t.parquet", 500)


def text_array(folder: Path, runs: Path) -> None:
    np.save(folder / "a.npy", np.array([Payload()] * 20, dtype=object), allow_pickle=True)


def two(first: Prepare, second: Prepare) -> Prepare:
    return lambda folder, runs: (first(folder, runs), second(folder, runs))


def make(*names: str) -> Prepare:
    """Files (``x.txt``) and folders (``x/``)."""

    def prepare(folder: Path, runs: Path) -> None:
        for name in names:
            if name.endswith("/"):
                (folder / name).mkdir(parents=True)
            else:
                (folder / name).write_text("something")

    return prepare


CASES = [
    # The source.
    Case("missing path", "train nothere.csv", DATA, ("nothere.csv does not exist", "check the path")),
    Case("nearly the name", "train tt.csv", DATA, ("did you mean 't.csv'",), table("a\n1\n")),
    Case("empty folder", "train empty", DATA, ("empty", "a folder of images"), make("empty/")),
    Case("folder of other files", "train f", DATA, ("1 .txt", "a folder of images"), make("f/", "f/a.txt")),
    Case("unknown kind of file", "train a.docx", DATA, ("a.docx", "Accepted are"), make("a.docx")),
    Case(
        "image that is text",
        "train pictures",
        DATA,
        ("00.png", "--skip-bad"),
        photos(lambda path: path.write_text("x")),
    ),
    Case(
        "truncated image", "train pictures", DATA, ("00.png", "--skip-bad"), photos(lambda path: os.truncate(path, 200))
    ),
    Case(
        "empty image file", "train pictures", DATA, ("00.png", "--skip-bad"), photos(lambda path: os.truncate(path, 0))
    ),
    Case("decompression bomb", "train pictures", DATA, ("00.png", "pixels", "--skip-bad"), photos(bomb)),
    Case(
        "mixed sizes",
        "train pictures",
        DATA,
        ("2 different sizes", "23 images", "sea/00.png", "--resize 12x10"),
        photos(lambda path: Image.new("RGB", (20, 12)).save(path)),
    ),
    Case("all images bad", "train f --skip-bad", DATA, ("f", "left out as bad"), make("f/", "f/a.png", "f/b.png")),
    Case("text cell", "train t.csv", DATA, ("row 3", "line 4", "'b'", "'abc'"), cell(3, 1, "abc")),
    Case("decimal comma", "train t.csv", DATA, ("row 3", "'b'", "1,5"), cell(3, 1, '"1,5"')),
    Case("missing cell", "train t.csv", DATA, ("row 3", "line 4", "'b'", "missing"), cell(3, 1, "")),
    Case("NaN cell", "train t.csv", DATA, ("row 3", "line 4", "'b'", "nan"), cell(3, 1, "nan")),
    Case("infinite cell", "train t.csv", DATA, ("row 60", "line 61", "'c'", "inf"), cell(60, 2, "inf")),
    Case("NaN in an array", "train a.npy", DATA, ("row 7, column 'x2'", "is nan"), array(7, 2, np.nan)),
    Case("infinity in an array", "train a.npy", DATA, ("row 0, column 'x3'", "is -inf"), array(0, 3, -np.inf)),
    Case("ragged row", "train t.csv", DATA, ("line 3", "4", "3"), lines(lambda rows: rows.__setitem__(2, "1,2,3,4"))),
    Case(
        "constant column",
        "train t.csv",
        DATA,
        ("'b'", "same value in every row", "columns"),
        lambda folder, runs: table("a,b\n" + "".join(f"{i},7\n" for i in range(30)))(folder, runs),
    ),
    Case("a single row", "train t.csv", DATA, ("1 row", "at least 10"), table("a,b\n1,2\n")),
    Case("no row", "train t.csv", DATA, ("t.csv", "no rows"), table("a,b\n")),
    Case("empty file", "train t.csv", DATA, ("t.csv", "empty"), table("")),
    Case("column twice", "train t.csv", DATA, ("more than one column", "'a'"), table("a,a\n1,2\n" * 1 + "3,4\n" * 20)),
    Case("truncated parquet", "train t.parquet", DATA, ("t.parquet",), parquet),
    Case("array of objects", "train a.npy", DATA, ("a.npy",), text_array),
    Case("one image", "train 00.png", DATA, ("give the folder",), make("00.png")),
    # Options and settings.
    Case("unknown verb", "trian digits", USAGE, ("trian", "Did you mean 'train'", "reparam --help")),
    Case("unknown option", "train digits --epoch 3", USAGE, ("--epoch", "--epochs", "reparam train --help")),
    Case("no source", "train", USAGE, ("SOURCE is missing", "`reparam train digits")),
    Case("no run", "encode", USAGE, ("RUN", "reparam encode --help")),
    Case("one argument too many", "train digits more", USAGE, ("more",)),
    Case("epochs 0", "train digits --epochs 0", USAGE, ("error: --epochs must be", "at least 1", "got 0")),
    Case("epochs in words", "train digits --epochs ten", USAGE, ("--epochs", "integer")),
    Case("batch 0", "train digits --batch-size 0", USAGE, ("--batch-size", "at least 1", "got 0")),
    Case("latent 0", "train digits --latent-dim 0", USAGE, ("--latent-dim", "at least 1", "got 0")),
    Case("learning rate -1", "train digits --learning-rate -1", USAGE, ("--learning-rate", "above 0", "0.002", "-1.0")),
    Case("learning rate NaN", "train digits --learning-rate nan", USAGE, ("--learning-rate", "above 0", "got nan")),
    Case("learning rate inf", "train digits --learning-rate inf", USAGE, ("--learning-rate", "at most 1", "got inf")),
    Case("negative seed", "train digits --seed -1", USAGE, ("--seed", "at least 0", "got -1")),
    Case("seed beyond 63 bits", f"train digits --seed {2**63}", USAGE, ("--seed", str(2**63))),
    Case("unknown precision", "train digits --precision half", USAGE, ("--precision", "bfloat16", "'half'")),
    Case("unknown likelihood", "train digits --likelihood normal", USAGE, ("--likelihood", "gaussian", "'normal'")),
    Case("unknown binarisation", "train digits --binarize yes", USAGE, ("--binarize", "dynamic, static", "'yes'")),
    Case("unknown device", "train digits --device gpu", USAGE, ("device", "auto, cpu, cuda", "'gpu'")),
    Case("device that is not there", "train digits --device cuda:77", USAGE, ("cuda:77", "available: cpu")),
    Case("size in words", "train pictures --resize big", USAGE, ("48x64", "'big'"), photos(lambda path: None)),
    Case("size of 0", "train pictures --resize 0x9", USAGE, ("at least 1", "(0, 9)"), photos(lambda path: None)),
    Case("resize for a table", "train t.csv --resize 8x8", USAGE, ("resize", "images"), lines(lambda rows: None)),
    Case("skip-bad for a table", "train t.csv --skip-bad", USAGE, ("skip_bad", "images"), lines(lambda rows: None)),
    Case("binarize reals", "train t.csv --binarize static", USAGE, ("grey levels",), lines(lambda rows: None)),
    Case("wrong likelihood", "train t.csv --likelihood bernoulli", USAGE, ("--likelihood gaussian",), lines(len)),
    Case(
        "unknown key", "train digits --config my.toml", USAGE, ("my.toml", "'epoch'", "'epochs'"), config("epoch = 3")
    ),
    Case("key of wrong type", "train digits --config my.toml", USAGE, ("my.toml", "'3'"), config('epochs = "3"')),
    Case("NaN in config", "train digits --config my.toml", USAGE, ("my.toml", "beta", "nan"), config("beta = nan")),
    Case("not TOML", "train digits --config my.toml", USAGE, ("my.toml", "line 2"), config("seed = 1\nepochs 3")),
    Case("key twice", "train digits --config my.toml", USAGE, ("my.toml", "overwrite"), config("seed = 1\nseed = 2")),
    Case("no config", "train digits --config my.toml", SYSTEM, ("my.toml", "No such file")),
    Case("config is a folder", "train digits --config f", SYSTEM, ("f", "directory"), make("f/")),
    # Where to write.
    Case("out is a run", "train digits --out digits", RUN, ("digits exists", "train --resume digits"), run("digits")),
    Case("out is a folder", "train digits --out f", RUN, ("f exists", "--out"), make("f/")),
    Case("out is a file", "train digits --out f.txt", RUN, ("f.txt exists", "--out"), make("f.txt")),
    Case("out below a file", "train digits --out f.txt/run", SYSTEM, ("f.txt", "--out"), make("f.txt")),
    Case(
        "encode: out exists", "encode digits --out a.csv", SYSTEM, ("a.csv exists",), two(run("digits"), make("a.csv"))
    ),
    Case("encode: unknown ending", "encode digits --out a.xls", USAGE, (".xls", ".parquet"), run("digits")),
    Case("encode: no ending", "encode digits --out codes", USAGE, ("codes", ".parquet", "no ending"), run("digits")),
    Case("encode: no out", "encode digits", USAGE, ("--out",), run("digits")),
    Case("sample: out exists", "sample digits --out f", SYSTEM, ("f exists", "--out"), two(run("digits"), make("f/"))),
    Case("sample: below a file", "sample digits --out f/a", SYSTEM, ("f is a file",), two(run("digits"), make("f"))),
    Case("sample: unknown ending", "sample digits --out a.gif", USAGE, (".gif", ".png"), run("digits")),
    Case("sample: rows as a picture", "sample table --out a.png", USAGE, (".png", ".csv"), run("table")),
    Case("reconstruct: out exists", "reconstruct digits --out f", SYSTEM, ("f exists",), two(run("digits"), make("f"))),
    Case("vary: out exists", "vary digits --out f", SYSTEM, ("f exists",), two(run("digits"), make("f"))),
    # Numbers of the other verbs.
    Case(
        "no samples", "sample digits --num 0 --out a.png", USAGE, ("--num", "greater than or equal to 1"), run("digits")
    ),
    Case(
        "no variations",
        "vary digits --num 0 --out a.png",
        USAGE,
        ("--num", "greater than or equal to 1"),
        run("digits"),
    ),
    Case(
        "no importance samples",
        "evaluate digits --samples 0",
        USAGE,
        ("--samples", "greater than or equal to 1"),
        run("digits"),
    ),
    Case(
        "seed of samples",
        "sample digits --seed -1 --out a.png",
        USAGE,
        ("--seed", "greater than or equal to 0"),
        run("digits"),
    ),
    Case("device of a run", "sample digits --device cuda:77 --out a.png", USAGE, ("available: cpu",), run("digits")),
    # The run.
    Case("resume on nothing", "train --resume nothere", RUN, ("nothere does not exist",)),
    Case("resume on an empty folder", "train --resume f", RUN, ("f is not a run directory", "run.json"), make("f/")),
    Case("resume on a file", "train --resume f.txt", RUN, ("f.txt is not a directory",), make("f.txt")),
    Case("resume elsewhere", "train --resume digits --out other", USAGE, ("leave --out out",), run("digits")),
    Case("resume on other data", "train other.csv --resume table", RUN, ("content differs", "--out"), other_data),
    Case(
        "resume with other settings",
        "train --resume digits --batch-size 7 --seed 3",
        RUN,
        ("batch_size was 128, now 7", "seed was 0, now 3", "--out"),
        run("digits"),
    ),
    Case(
        "resume where the data has gone",
        "train --resume table",
        DATA,
        ("gone.csv does not exist",),
        run("table", lambda path: described(status="training", data={"source": "gone.csv"})(path)),
    ),
    Case("a run that is a file", "sample f.txt --out a.png", RUN, ("f.txt is not a directory",), make("f.txt")),
    Case("a run that is not there", "report nothere", RUN, ("nothere does not exist",)),
    Case("a folder that is no run", "evaluate f", RUN, ("f is not a run directory",), make("f/")),
    Case(
        "of a later format",
        "sample digits --out a.png",
        RUN,
        ("run.json", "format 99", "upgrade"),
        run("digits", described(format_version=99)),
    ),
    Case(
        "of an earlier format",
        "sample digits --out a.png",
        RUN,
        ("run.json", "format 1", "train again"),
        run("digits", described(format_version=1)),
    ),
    Case(
        "a damaged description",
        "sample digits --out a.png",
        RUN,
        ("run.json",),
        run("digits", lambda path: os.truncate(path / "run.json", 100)),
    ),
    Case(
        "no checkpoint yet",
        "sample digits --out a.png",
        RUN,
        ("no 'best' checkpoint", "train --resume digits"),
        run("digits", unfinished),
    ),
    Case(
        "truncated checkpoint",
        "sample digits --out a.png",
        RUN,
        ("model.safetensors", "bytes"),
        run("digits", truncated),
    ),
    Case("flipped bit", "encode digits --out a.csv", RUN, ("model.safetensors", "SHA-256"), run("digits", bit_flipped)),
    Case("foreign checkpoint", "evaluate digits", RUN, ("model.safetensors",), run("digits", foreign)),
    Case(
        "disguised checkpoint",
        "report digits",
        RUN,
        ("model.safetensors", "SHA-256"),
        run("digits", foreign_with_manifest),
    ),
    Case("damaged finished run", "train --resume digits", RUN, ("model.safetensors",), run("digits", bit_flipped)),
    # Examples for a run.
    Case(
        "table for digits",
        "encode digits t.csv --out a.csv",
        DATA,
        ("8 x 8", "columns"),
        two(run("digits"), lines(len)),
    ),
    Case("digits for a table", "reconstruct table digits --out a.csv", DATA, ("3 columns", "8 x 8"), run("table")),
    Case(
        "other columns",
        "encode table t.csv --out a.csv",
        DATA,
        ("height, row", "a, b, c"),
        two(run("table"), lines(lambda rows: None)),
    ),
    Case(
        "examples that are not there", "vary digits nothere --out f", DATA, ("nothere does not exist",), run("digits")
    ),
    Case("evaluate on other data", "evaluate table other.csv", RUN, ("content differs",), other_data),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_refused_with_its_exit_code_a_message_and_no_change(
    case: Case, tmp_path: Path, runs: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.prepare(tmp_path, runs)
    monkeypatch.chdir(tmp_path)
    before = snapshot(tmp_path)
    result = reparam(*case.line.split())
    assert result.code == case.code, result.err
    assert result.out == ""
    assert "error: " in result.err
    for fragment in case.says:
        assert fragment in result.err
    assert "Traceback" not in result.err
    assert snapshot(tmp_path) == before

    debugged = reparam("--debug", *case.line.split())
    assert debugged.code == case.code
    assert "Traceback" in debugged.err
    assert snapshot(tmp_path) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_cuda_without_one_is_refused_never_replaced(tmp_path: Path, reparam: Any) -> None:
    result = reparam("train", "digits", "--device", "cuda", "--out", tmp_path / "run")
    assert result.code == USAGE
    assert "device 'cuda' is not available here; available: cpu" in result.err
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("line", ["train digits --out f/run", "sample RUN --out f/a", "encode RUN --out f/a.csv"])
def test_a_place_that_cannot_be_written_leaves_nothing(
    number: int, line: str, tmp_path: Path, runs: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def refuse(path: Any, *args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number), os.fspath(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    result = reparam(*[str(runs / "digits") if word == "RUN" else word for word in line.split()])
    monkeypatch.undo()
    assert result.code == SYSTEM
    assert os.strerror(number) in result.err
    assert "--out" in result.err
    assert "Traceback" not in result.err
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("verb", ["encode", "reconstruct", "sample", "vary"])
def test_a_bad_place_is_refused_before_data_is_read_or_anything_computed(
    verb: str, tmp_path: Path, runs: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("too late")

    for name in ("examples", "sample"):
        monkeypatch.setattr(TrainedVAE, name, fail)
    (tmp_path / "there.npy").touch()
    result = reparam(verb, runs / "digits", "--out", tmp_path / "there.npy")
    assert result.code == SYSTEM
    assert "there.npy exists; nothing was overwritten" in result.err


def test_resuming_a_finished_run_does_nothing_and_says_so(
    tmp_path: Path, runs: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(runs / "digits", tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    before = snapshot(tmp_path)
    result = reparam("train", "--resume", "digits")
    assert result.code == 0
    assert "digits is finished after 11 steps: nothing to do" in result.err
    assert "test log-likelihood" in result.out
    assert snapshot(tmp_path) == before


def test_skip_bad_goes_on_and_lists_what_it_left_out(tmp_path: Path, reparam: Any) -> None:
    write_photos(tmp_path / "pictures")
    (tmp_path / "pictures" / "sea" / "00.png").write_text("not an image")
    os.truncate(tmp_path / "pictures" / "sea" / "02.png", 200)
    (tmp_path / "small.toml").write_text(SMALL)
    words = ["train", tmp_path / "pictures", "--skip-bad", "--config", tmp_path / "small.toml"]
    result = reparam(*words, "--out", tmp_path / "run")
    assert result.code == 0
    assert "left out, because they cannot be read: sea/00.png, sea/02.png" in result.err
    assert "22 images" in result.err


def test_an_older_checkpoint_takes_over_for_a_damaged_one_when_resuming(
    tmp_path: Path, runs: Path, reparam: Any
) -> None:
    shutil.copytree(runs / "digits", tmp_path / "digits")
    described(status="training")(tmp_path / "digits")
    bit_flipped(tmp_path / "digits")
    result = reparam("train", "--resume", tmp_path / "digits")
    assert result.code == 0
    assert "model.safetensors" in result.err
    assert "SHA-256" in result.err
