"""The two formats of a run directory, as bytes: strict JSON and safetensors. Neither can carry code.

Strict JSON is what every JSON reader agrees on: no NaN, no infinities, no key twice, numbers that fit a
float. The same value always gives the same bytes, here and in another process.
"""

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from reparam.errors import RunError

__all__ = [
    "FORMAT_VERSION",
    "MAX_JSON_BYTES",
    "check_format",
    "dump_json",
    "dump_tensors",
    "load_json",
    "load_object",
    "load_tensors",
]

FORMAT_VERSION = 2
"""Version of the layout of a run directory; files of another one are refused, not guessed at."""

MAX_JSON_BYTES = 16_000_000
"""No JSON file of ours comes near it; what is larger is not one of ours."""

_METADATA = "reparam"
"""The one entry of a safetensors header that we write: the order of several would differ by process."""


def dump_json(value: Any, where: str, *, indent: int | None = 2) -> bytes:
    """A value as strict JSON with a final line feed; ``indent=None`` gives one line.

    Args:
        value: ``None``, booleans, finite numbers, strings; lists, tuples and mappings with string keys of
            them.
        where: the file it is for, named in errors.
        indent: spaces per level, or ``None``.

    Raises:
        RunError: something JSON has no word for, named by its place in ``value``; more than
            ``MAX_JSON_BYTES``.

    Example:
        >>> dump_json({"step": 1, "elbo_nats": -93.5}, "metrics.jsonl", indent=None)
        b'{"step": 1, "elbo_nats": -93.5}\\n'
        >>> dump_json({"loss": [float("nan")]}, "metrics.jsonl")
        Traceback (most recent call last):
        ...
        reparam.errors.RunError: metrics.jsonl: value.loss[0] is nan, which JSON cannot hold; write a \
finite number or null
    """
    try:
        data = (json.dumps(_plain(value, where, "value"), indent=indent, allow_nan=False) + "\n").encode()
    except RecursionError as error:
        raise RunError(f"{where}: the value is nested too deeply for JSON") from error
    if len(data) > MAX_JSON_BYTES:
        raise RunError(f"{where} would have {len(data)} bytes; at most {MAX_JSON_BYTES} are read again")
    return data


def _plain(value: Any, where: str, place: str) -> Any:
    """The value in dictionaries and lists, once everything in it is known to survive the trip."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise RunError(f"{where}: {place} is {value}, which JSON cannot hold; write a finite number or null")
        return float(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise RunError(f"{where}: {place} has the key {key!r}; JSON has only strings as keys")
        return {key: _plain(entry, where, f"{place}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, where, f"{place}[{index}]") for index, entry in enumerate(value)]
    raise RunError(f"{where}: {place} is a {type(value).__name__}; convert it to numbers, strings and lists")


def load_json(data: bytes, where: str) -> Any:
    """The value that strict JSON describes.

    Raises:
        RunError: names ``where``, and line and column if the text is broken; also for NaN, infinities, a
            number too large for a float, a key twice, nesting without end, or more than ``MAX_JSON_BYTES``.

    Example:
        >>> load_json(b'{"seed": 1, "seed": 2}', "run.json")
        Traceback (most recent call last):
        ...
        reparam.errors.RunError: run.json is not strict JSON: the key 'seed' occurs twice. The file is \
damaged or was edited by hand; restore it from a copy.
    """
    if len(data) > MAX_JSON_BYTES:
        raise RunError(f"{where} has {len(data)} bytes, more than the {MAX_JSON_BYTES} expected: it is not ours")
    try:
        return json.loads(
            data.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        advice = "The file is damaged or was edited by hand; restore it from a copy."
        raise RunError(f"{where} is not strict JSON: {reason}. {advice}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, value in pairs:
        if key in entries:
            raise ValueError(f"the key {key!r} occurs twice")
        entries[key] = value
    return entries


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it contains {name}")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def load_object(data: bytes, where: str) -> dict[str, Any]:
    """As :func:`load_json`, for files that hold one JSON object.

    Raises:
        RunError: as there, or the file holds something else.
    """
    value = load_json(data, where)
    if not isinstance(value, dict):
        raise RunError(f"{where} holds a JSON {type(value).__name__}, not an object: it is not ours, or damaged")
    return value


def check_format(entries: Mapping[str, Any], where: str) -> None:
    """Refuse what another release wrote in another format.

    Raises:
        RunError: the format is not ``FORMAT_VERSION``, or there is none.

    Example:
        >>> check_format({"format_version": 3}, "run.json")
        Traceback (most recent call last):
        ...
        reparam.errors.RunError: run.json has format 3, and this reparam reads format 2: upgrade reparam \
(`pip install --upgrade reparam`)
    """
    version = entries.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RunError(f"{where} has no usable format_version (found {version!r}): it is not ours, or damaged")
    if version != FORMAT_VERSION:
        advice = (
            "upgrade reparam (`pip install --upgrade reparam`)"
            if version > FORMAT_VERSION
            else "an earlier one wrote it. Use that one for this run, or train again with this one"
        )
        raise RunError(f"{where} has format {version}, and this reparam reads format {FORMAT_VERSION}: {advice}")


def dump_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], where: str) -> bytes:
    """Tensors as the bytes of a safetensors file: equal values give equal bytes, whatever device they are on.

    Args:
        tensors: dense tensors of any shape; those that share memory come back as separate tensors.
        metadata: short texts to go with them.
        where: the file it is for, named in errors.

    Raises:
        RunError: a tensor that safetensors has no form for, named.

    Example:
        >>> data = dump_tensors({"weight": torch.eye(2)}, {"unit": "nats"}, "model.safetensors")
        >>> load_tensors(data, "model.safetensors")
        ({'weight': tensor([[1., 0.],
                [0., 1.]])}, {'unit': 'nats'})
    """
    dense = {}
    for name, tensor in tensors.items():
        if name == "__metadata__":
            raise RunError(f"{where}: no tensor can be called '__metadata__'; rename it")
        if tensor.layout is not torch.strided or tensor.is_meta or tensor.is_quantized:
            raise RunError(f"{where}: '{name}' is not a dense tensor with values ({tensor.layout}, {tensor.device})")
        # A copy of its own, as safetensors refuses tensors that share memory.
        plain = tensor.detach().resolve_conj().resolve_neg()
        dense[name] = plain.to("cpu", copy=True, memory_format=torch.contiguous_format)
    header = {_METADATA: json.dumps(dict(metadata), sort_keys=True)} if metadata else None
    try:
        data: bytes = safetensors.torch.save(dense, header)
    except (safetensors.SafetensorError, KeyError) as error:
        dtypes = ", ".join(sorted({str(tensor.dtype) for tensor in dense.values()}))
        raise RunError(f"{where}: safetensors cannot hold these tensors ({dtypes}): {error}") from error
    return data


def load_tensors(data: bytes, where: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors, on the CPU, and the texts that :func:`dump_tensors` made into bytes.

    Raises:
        RunError: the bytes are not a whole safetensors file.
    """
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load(data)
    except (safetensors.SafetensorError, KeyError, RuntimeError) as error:
        raise RunError(f"{where} is not a safetensors file: {_suspicion(data)} ({error})") from error
    (length,) = struct.unpack("<Q", data[:8])
    header = load_object(data[8 : 8 + length], f"the header of {where}")
    written = header.get("__metadata__", {}).get(_METADATA, "{}")
    texts = load_object(written.encode(), f"the header of {where}")
    if not all(isinstance(text, str) for text in texts.values()):
        raise RunError(f"the header of {where} holds other things than texts: it is not ours, or damaged")
    return tensors, texts


def _suspicion(data: bytes) -> str:
    if not data:
        return "it is empty"
    if data[:1] == b"\x80" or data[:4] == b"PK\x03\x04":
        return "it looks like a file of torch.save, which can run code when read, so it was not; convert it"
    return "it is damaged, cut short or something else; restore it from a copy"
