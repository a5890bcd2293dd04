import math
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from reparam.errors import RunError
from reparam.runs.formats import (
    MAX_JSON_BYTES,
    check_format,
    dump_json,
    dump_tensors,
    load_json,
    load_object,
    load_tensors,
)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 2**70, 0.1, -1e-320, 1e308, "", "ä\n\u2028\ud800\0", [], {}, {"a": [1, {"b": None}]}],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_comes_back_as_it_went(value: Any, indent: int | None) -> None:
    data = dump_json(value, "x", indent=indent)
    assert load_json(data, "x") == value
    assert data == dump_json(load_json(data, "x"), "x", indent=indent)
    assert data.isascii()
    assert data.count(b"\n") == 1 or indent


def test_tuples_and_mappings_become_lists_and_objects() -> None:
    assert load_json(dump_json({"shape": (1, 28, 28)}, "x"), "x") == {"shape": [1, 28, 28]}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": [1.0, math.nan]}, r"x: value\.a\[1\] is nan, which JSON cannot hold"),
        ({"a": {"b": -math.inf}}, r"value\.a\.b is -inf"),
        ({1: 2}, r"value has the key 1; JSON has only strings as keys"),
        ({"a": torch.ones(1)}, r"value\.a is a Tensor; convert it"),
        ({"a": np.float32(1)}, r"value\.a is a float32; convert it"),
        (nested(100_000), "nested too deeply"),
        ("x" * MAX_JSON_BYTES, "at most 16000000 are read again"),
    ],
)
def test_dump_json_refuses_what_would_not_come_back(value: Any, said: str) -> None:
    with pytest.raises(RunError, match=said):
        dump_json(value, "x")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"x is not strict JSON: Expecting value: line 1 column 1"),
        (b'{"a": 1,\n "b" 2}', r"line 2 column 6"),
        (b"[NaN]", "it contains NaN"),
        (b"[-Infinity]", "it contains -Infinity"),
        (b"[1e999]", "the number 1e999 is too large"),
        (b'{"a": {"b": 1, "b": 1}}', "the key 'b' occurs twice"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        (b"9" * 5000, "not strict JSON"),
        (b'"\xff"', "utf-8"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"a": 1} {', "Extra data"),
        (b"[" + b" " * MAX_JSON_BYTES, r"more than the 16000000 expected"),
    ],
)
def test_load_json_refuses_what_is_not_strict(data: bytes, said: str) -> None:
    with pytest.raises(RunError, match=said):
        load_json(data, "x")


def test_load_object_refuses_other_values() -> None:
    with pytest.raises(RunError, match="x holds a JSON list, not an object"):
        load_object(b"[]", "x")


@pytest.mark.parametrize("version", [None, "1", True, 0, 1.0])
def test_check_format_refuses_what_is_no_version(version: object) -> None:
    with pytest.raises(RunError, match="x has no usable format_version"):
        check_format({"format_version": version}, "x")


DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
    torch.complex64,
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3)])
def test_tensors_come_back_as_they_went(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    tensors, texts = load_tensors(dump_tensors({"a": tensor}, {}, "x"), "x")
    assert texts == {}
    assert tensors["a"].dtype == dtype
    assert tensors["a"].shape == shape
    assert torch.equal(tensors["a"], tensor)


def test_views_shared_memory_parameters_and_conjugates_come_back_by_value() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    given = {
        "base": base,
        "same": base,
        "transposed": base.T,
        "part": base[1:, ::2],
        "expanded": base[:1].expand(5, 4),
        "channels last": torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(base),
        "conjugate": torch.tensor([1 + 2j]).conj(),
        "": torch.tensor(math.nan),
    }
    data = dump_tensors(given, {}, "x")
    back, _ = load_tensors(data, "x")
    assert back.keys() == given.keys()
    for name, tensor in given.items():
        torch.testing.assert_close(back[name], tensor.detach().resolve_conj(), rtol=0, atol=0, equal_nan=True)
    back["base"] += 1
    assert not torch.equal(back["same"], back["base"])


def test_texts_come_back_and_bytes_are_the_same_in_every_process() -> None:
    code = (
        "import sys, torch; from reparam.runs.formats import dump_tensors; "
        "sys.stdout.buffer.write(dump_tensors({'b': torch.ones(2), 'a': torch.zeros(1)}, "
        "{f'key {i}': 'ä' * i for i in range(8)}, 'x'))"
    )
    there = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
    texts = {f"key {i}": "ä" * i for i in reversed(range(8))}
    here = dump_tensors({"a": torch.zeros(1), "b": torch.ones(2)}, texts, "x")
    assert there == here
    assert load_tensors(there, "x")[1] == texts


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"__metadata__": torch.ones(1)}, "no tensor can be called '__metadata__'"),
        ({"s": torch.eye(2).to_sparse()}, "'s' is not a dense tensor with values"),
        ({"m": torch.ones(1, device="meta")}, "'m' is not a dense tensor with values"),
        ({"c": torch.ones(1, dtype=torch.complex128)}, r"cannot hold these tensors \(torch.complex128\)"),
    ],
)
def test_dump_tensors_refuses_what_would_not_come_back(tensors: dict[str, torch.Tensor], said: str) -> None:
    with pytest.raises(RunError, match=said):
        dump_tensors(tensors, {}, "x.safetensors")


@pytest.mark.parametrize(
    "data",
    [
        b"<html>not found</html>",
        b"\xff" * 8,
        (10**9).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}x",
        (2).to_bytes(8, "little") + b"[]",
        dump_tensors({"a": torch.ones(4)}, {}, "x")[:-1],
        dump_tensors({"a": torch.ones(4)}, {}, "x") + b"\0",
    ],
)
def test_load_tensors_refuses_what_is_damaged(data: bytes) -> None:
    with pytest.raises(RunError, match=r"x is not a safetensors file: it is damaged"):
        load_tensors(data, "x")


def test_load_tensors_refuses_nothing_at_all() -> None:
    with pytest.raises(RunError, match=r"x is not a safetensors file: it is empty"):
        load_tensors(b"", "x")


def test_foreign_texts_are_not_ours() -> None:
    data = safetensors.torch.save({"a": torch.ones(1)}, {"format": "pt"})
    assert load_tensors(data, "x")[1] == {}
    for lie in ("[]", '{"a": 1}', "{"):
        data = safetensors.torch.save({"a": torch.ones(1)}, {"reparam": lie})
        with pytest.raises(RunError, match="the header of x"):
            load_tensors(data, "x")


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    payload = pickle.dumps({"weight": Payload(trap)})
    zipped = tmp_path / "zipped"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
    saved = tmp_path / "saved"
    torch.save({"weight": Payload(trap)}, saved)
    for data in (payload, pickle.dumps(Payload(trap), protocol=0), zipped.read_bytes(), saved.read_bytes()):
        with pytest.raises(RunError, match=r"model\.safetensors is not a safetensors file"):
            load_tensors(data, "model.safetensors")
    with pytest.raises(RunError, match=r"looks like a file of torch\.save, which can run code"):
        load_tensors(saved.read_bytes(), "model.safetensors")
    assert not trap.exists()
    pickle.loads(payload)
    assert trap.exists(), "the payload must be one that works"
