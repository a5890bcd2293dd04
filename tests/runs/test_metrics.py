import math
from pathlib import Path

import pytest

from reparam.errors import InputOutputError, RunError
from reparam.runs import metrics
from tests.runs.faults import Fault, no_space

RECORDS = [{"step": step, "elbo_nats": -100 / step} for step in (1, 2, 3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_without_a_file_there_is_nothing(path: Path) -> None:
    assert metrics.read(path) == []
    assert metrics.size(path) == 0
    metrics.sync(path)
    metrics.truncate(path, 0)
    metrics.append(path, [])
    assert not path.exists()


def test_records_come_back_one_a_line(path: Path) -> None:
    metrics.append(path, RECORDS[:2])
    metrics.append(path, RECORDS[2:])
    assert metrics.read(path) == RECORDS
    assert path.read_bytes().startswith(b'{"step": 1, "elbo_nats": -100.0}\n{"step": 2')
    assert metrics.size(path) == path.stat().st_size


def test_one_append_is_one_write(path: Path) -> None:
    fault = Fault(1000, no_space)
    with pytest.MonkeyPatch.context() as patch:
        fault.install(patch)
        metrics.append(path, RECORDS)
        metrics.sync(path)
    assert [name for name, _ in fault.calls] == ["write", "fsync"]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused_before_writing(path: Path, number: float) -> None:
    with pytest.raises(RunError, match=rf"metrics.jsonl: value\.elbo_nats is {number}"):
        metrics.append(path, [*RECORDS, {"elbo_nats": number}])
    assert not path.exists()


def test_a_full_disk_leaves_what_was_there(path: Path) -> None:
    metrics.append(path, RECORDS)
    before = path.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        Fault(1, no_space).install(patch)
        with pytest.raises(InputOutputError, match=r"cannot write the metrics: No space.*metrics\.jsonl"):
            metrics.append(path, RECORDS)
    assert path.read_bytes() == before


def test_a_torn_last_line_is_left_out_wherever_it_is_torn(path: Path) -> None:
    metrics.append(path, RECORDS)
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        assert metrics.read(path) == RECORDS[:2]


@pytest.mark.parametrize("line", [b"[]\n", b"\n", b'{"step": 2\n', b'{"step": NaN}\n', b"\0\0\0\n"])
def test_a_damaged_line_is_named(path: Path, line: bytes) -> None:
    path.write_bytes(b'{"step": 1}\n' + line + b'{"step": 3}\n')
    with pytest.raises(RunError, match=r"metrics\.jsonl, line 2"):
        metrics.read(path)


def test_truncate_goes_back_to_a_noted_size(path: Path) -> None:
    sizes = []
    for record in RECORDS:
        sizes.append(metrics.size(path))
        metrics.append(path, [record])
    with open(path, "ab") as handle:
        handle.write(b'{"step": 4, "el')
    for kept in (3, 2, 1, 0):
        metrics.truncate(path, [*sizes, len(b"".join(path.read_bytes().splitlines(True)[:3]))][kept])
        assert metrics.read(path) == RECORDS[:kept]
        assert not kept or path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize(("size", "said"), [(10_000, "but had 10000 when"), (-1, "but had -1"), (5, "no line ends")])
def test_truncate_refuses_a_size_the_file_cannot_have_had(path: Path, size: int, said: str) -> None:
    metrics.append(path, RECORDS)
    before = path.read_bytes()
    with pytest.raises(RunError, match=said):
        metrics.truncate(path, size)
    assert path.read_bytes() == before
