"""The files of one checkpoint: how they are made, and how every byte of them is verified.

A manifest lists sizes and SHA-256 of the files and carries a hash of itself, so a bit that flipped anywhere
in a checkpoint is found; neither torch nor safetensors would notice.
"""

import hashlib
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from reparam.errors import RunError
from reparam.runs import files, formats

__all__ = ["MANIFEST", "MODEL", "TRAINING", "encode", "read", "resume_command"]

MODEL = "model.safetensors"
TRAINING = "training.safetensors"
MANIFEST = "manifest.json"


def resume_command(run: Path) -> str:
    """The command that goes on with a run, for messages.

    Example:
        >>> resume_command(Path("my runs/digits"))
        "`reparam train --resume 'my runs/digits'`"
    """
    return f"`reparam train --resume {shlex.quote(str(run))}`"


def encode(
    step: int,
    model: Mapping[str, Tensor],
    training: Mapping[str, Tensor],
    progress: Mapping[str, Any],
    *,
    best: bool,
) -> dict[str, bytes]:
    """Names and bytes of a checkpoint's files, in the order of writing: the manifest last.

    Args:
        step: number of updates made.
        model: tensors of the model.
        training: the other tensors needed to go on.
        progress: the rest, as JSON.
        best: whether this is the best model so far.

    Raises:
        RunError: a tensor or value has no form in the files.

    Example:
        >>> import torch
        >>> list(encode(0, {"w": torch.ones(1)}, {}, {}, best=True))
        ['model.safetensors', 'training.safetensors', 'manifest.json']
    """
    contents = {
        MODEL: formats.dump_tensors(model, {}, MODEL),
        TRAINING: formats.dump_tensors(training, {}, TRAINING),
    }
    manifest = {
        "format_version": formats.FORMAT_VERSION,
        "step": step,
        "best": best,
        "files": {name: _entry(data) for name, data in contents.items()},
        "progress": progress,
    }
    return contents | {MANIFEST: _seal(manifest)}


def read(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the other files of a checkpoint, all of it verified, from a folder named by its step.

    Raises:
        RunError: names the file, the reason and what to do.
        InputOutputError: the system does not let us read it.
    """
    manifest = _read_manifest(folder / MANIFEST)
    if str(manifest["step"]) != folder.name:
        raise _damaged(folder / MANIFEST, f"it belongs to step {manifest['step']}, not to {folder.name}")
    _check_names(folder, manifest["files"])
    contents = {name: _read_file(folder / name, manifest["files"][name]) for name in (MODEL, TRAINING)}
    return manifest, contents


def _damaged(path: Path, reason: str) -> RunError:
    resume = resume_command(path.parents[2])
    return RunError(
        f"{path}: {reason}. Restore a copy; or, where training has not finished, {resume} goes on from an earlier "
        "checkpoint"
    )


def _entry(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _seal(manifest: Mapping[str, Any]) -> bytes:
    """The manifest's bytes, with a last entry that is the hash of all the others."""
    digest = hashlib.sha256(formats.dump_json(manifest, MANIFEST)).hexdigest()
    return formats.dump_json({**manifest, "sha256": digest}, MANIFEST)


def _read_manifest(path: Path) -> dict[str, Any]:
    if not os.path.lexists(path):
        raise _damaged(path, "missing, so the checkpoint is not complete")
    data = files.read(path, limit=formats.MAX_JSON_BYTES)
    manifest = formats.load_object(data, str(path))
    formats.check_format(manifest, str(path))
    body = {key: value for key, value in manifest.items() if key != "sha256"}
    if _seal(body) != data:
        raise _damaged(path, "its content does not match its own SHA-256; it was damaged or edited")
    kinds = {"step": int, "best": bool, "files": dict, "progress": dict}
    wrong = [key for key, kind in kinds.items() if not isinstance(body.get(key), kind)]
    if wrong:
        raise _damaged(path, f"no usable entry '{wrong[0]}'")
    return body


def _check_names(folder: Path, listed: Mapping[str, Any]) -> None:
    """Exactly our two files must be listed, and exactly they and the manifest be there."""
    expected = {MODEL, TRAINING}
    for name in sorted(set(listed) - expected):
        what = "leads out of its folder" if name != os.path.basename(name) or name == ".." else "is not ours"
        raise _damaged(folder / MANIFEST, f"it lists '{name}', a name that {what}")
    for name in sorted(expected - set(listed)):
        raise _damaged(folder / MANIFEST, f"it does not list '{name}'")
    with files.explained("list a checkpoint", folder):
        there = {entry.name for entry in folder.iterdir()} - {MANIFEST}
    for name in sorted(there - expected):
        raise _damaged(folder / name, "no file of a checkpoint has this name; remove it")
    for name in sorted(expected - there):
        raise _damaged(folder / name, "missing, though the manifest lists it")


def _read_file(path: Path, entry: Any) -> bytes:
    with files.explained("read a checkpoint", path):
        size = path.stat().st_size
    if not isinstance(entry, dict) or size != entry.get("bytes"):
        expected = entry.get("bytes") if isinstance(entry, dict) else entry
        raise _damaged(path, f"it has {size} bytes where the manifest says {expected}")
    data = files.read(path, limit=size)
    if _entry(data) != entry:
        raise _damaged(path, "its content does not match the SHA-256 in the manifest")
    return data
