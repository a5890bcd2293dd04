import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from reparam.errors import RunError
from reparam.runs import formats, manifest

FILES = (manifest.MODEL, manifest.TRAINING, manifest.MANIFEST)
MODEL = {"w": torch.tensor([1.0, 2.0]), "b": torch.tensor(3, dtype=torch.int64)}
TRAINING = {"rng": torch.arange(8, dtype=torch.uint8)}
PROGRESS = {"epoch": 1, "best_bound_nats": -1e-05, "name": "größe"}


def write(folder: Path, step: int, scale: float = 1.0) -> Path:
    contents = manifest.encode(step, {"w": MODEL["w"] * scale, "b": MODEL["b"]}, TRAINING, PROGRESS, best=True)
    place = folder / "checkpoints" / str(step)
    place.mkdir(parents=True)
    for name, data in contents.items():
        (place / name).write_bytes(data)
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "my run", 100)


def forge(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest as an attacker would: with a hash that fits."""
    path = folder / manifest.MANIFEST
    entries = json.loads(path.read_bytes())
    change(entries)
    entries.pop("sha256")
    digest = hashlib.sha256(formats.dump_json(entries, "x")).hexdigest()
    path.write_bytes(formats.dump_json({**entries, "sha256": digest}, "x"))


def test_what_was_encoded_is_read(folder: Path) -> None:
    entries, contents = manifest.read(folder)
    assert (entries["step"], entries["best"], entries["progress"]) == (100, True, PROGRESS)
    assert torch.equal(formats.load_tensors(contents[manifest.MODEL], "x")[0]["w"], MODEL["w"])


def test_encoding_is_the_same_whatever_the_order_of_tensors() -> None:
    one = manifest.encode(1, MODEL, TRAINING, PROGRESS, best=False)
    two = manifest.encode(1, dict(reversed(MODEL.items())), TRAINING, PROGRESS, best=False)
    assert one == two
    assert list(one)[-1] == manifest.MANIFEST


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_found(folder: Path, name: str) -> None:
    path = folder / name
    good = path.read_bytes()
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << (position * 5 + position // 8) % 8
        path.write_bytes(bad)
        with pytest.raises(RunError) as caught:
            manifest.read(folder)
        assert str(path) in str(caught.value)
    path.write_bytes(good)
    manifest.read(folder)


@pytest.mark.parametrize("name", FILES)
def test_cut_short_emptied_or_replaced_files_are_found(folder: Path, name: str) -> None:
    path = folder / name
    good = path.read_bytes()
    for bad in [
        good[:-1],
        good[: len(good) // 2],
        b"",
        b"not a checkpoint\n",
        good + b"\n",
        b"\0" * len(good),
    ]:
        path.write_bytes(bad)
        with pytest.raises(RunError) as caught:
            manifest.read(folder)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_missing_files_and_files_that_are_none_are_found(folder: Path, name: str) -> None:
    path = folder / name
    path.unlink()
    with pytest.raises(
        RunError, match=rf"{name}: missing, .*Restore a copy.*`reparam train --resume '.*my run'` goes on"
    ):
        manifest.read(folder)
    path.mkdir()
    with pytest.raises(RunError, match=name):
        manifest.read(folder)


def test_a_file_too_many_is_found(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"")
    with pytest.raises(RunError, match=r"extra\.bin: no file of a checkpoint has this name; remove it"):
        manifest.read(folder)


def test_files_of_another_checkpoint_are_found(folder: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "my run", 200, scale=2.0)
    for name in (manifest.MODEL, manifest.MANIFEST):
        here, there = (folder / name).read_bytes(), (other / name).read_bytes()
        (folder / name).write_bytes(there)
        (other / name).write_bytes(here)
        for place in (folder, other):
            with pytest.raises(RunError, match=name):
                manifest.read(place)
        (folder / name).write_bytes(here)
        (other / name).write_bytes(there)


def test_a_checkpoint_under_the_name_of_another_is_found(folder: Path) -> None:
    with pytest.raises(RunError, match=r"manifest\.json: it belongs to step 100, not to 300"):
        manifest.read(folder.rename(folder.with_name("300")))


def rename(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    return lambda entries: entries["files"].update({new: entries["files"].pop(old)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename(manifest.MODEL, f"../200/{manifest.MODEL}"), "a name that leads out of its folder"),
        (rename(manifest.MODEL, ".."), "it lists '..', a name that leads out of its folder"),
        (rename(manifest.MODEL, "/etc/passwd"), "a name that leads out of its folder"),
        (rename(manifest.MODEL, "model.bin"), "it lists 'model.bin', a name that is not ours"),
        (lambda entries: entries["files"].pop(manifest.MODEL), "does not list 'model.safetensors'"),
        (
            lambda entries: entries["files"].update({manifest.MODEL: 7}),
            r"model\.safetensors: it has \d+ bytes",
        ),
        (lambda entries: entries["files"][manifest.MODEL].pop("sha256"), r"does not match the SHA-256"),
        (
            lambda entries: entries["files"][manifest.MODEL].update(bytes=10**15),
            "bytes where the manifest says",
        ),
        (lambda entries: entries.update(files=[]), "no usable entry 'files'"),
        (lambda entries: entries.pop("progress"), "no usable entry 'progress'"),
        (lambda entries: entries.update(step="100"), "no usable entry 'step'"),
        (lambda entries: entries.update(format_version=3), "upgrade reparam"),
        (lambda entries: entries.update(format_version=1), "an earlier one wrote it"),
        (lambda entries: entries.pop("format_version"), "no usable format_version"),
    ],
)
def test_a_forged_manifest_is_refused(folder: Path, change: Callable[[dict[str, Any]], None], said: str) -> None:
    forge(folder, change)
    with pytest.raises(RunError, match=said):
        manifest.read(folder)
