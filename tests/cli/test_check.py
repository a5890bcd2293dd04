"""``reparam check``: what it takes, its exit codes, and what it prints where."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reparam.checking import examples
from tests.cli.conftest import Result

LAWS = """
import torch
from torch.distributions import Gamma, Normal

law = Normal(torch.tensor(0.3), torch.tensor(2.0))
wrong = Gamma(torch.tensor(8.1), torch.tensor(2.0))

def make():
    return law

def needs(loc):
    return Normal(loc, 1.0)

def breaks():
    raise RuntimeError("broken inside")

number = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of laws, as the current one."""
    (tmp_path / "mylaws.py").write_text(LAWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mylaws", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


@pytest.mark.parametrize("expression", ["law", "make", "Normal(torch.tensor(0.3), 2.0)", "make().expand(())"])
def test_a_law_of_ones_own_is_found_beside_it(expression: str, here: Path, reparam: Callable[..., Result]) -> None:
    path = list(sys.path)
    result = reparam("check", f"mylaws:{expression}", "--draws", "2000")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Normal(loc=0.3, scale=2): ok\n  2,000 draws, seed 0;")
    assert sys.path == path


def test_a_failed_check_exits_with_1_and_says_why(here: Path, reparam: Callable[..., Result]) -> None:
    result = reparam("check", "mylaws:wrong", "--draws", "2000", "--seed", "3")
    assert (result.code, result.err) == (1, "")
    assert "seed 3" in result.out
    assert "concentration: the gradient is inaccurate" in result.out


def test_json_is_one_object(here: Path, reparam: Callable[..., Result]) -> None:
    result = reparam("check", "mylaws:wrong", "--draws", "2000", "--json")
    assert result.code == 1
    read: dict[str, Any] = json.loads(result.out)
    assert read["law"] == "Gamma"
    assert read["ok"] is False
    assert [failure["parameter"] for failure in read["failures"]] == ["concentration"]


def test_without_an_argument_it_checks_the_laws_of_ours(
    reparam: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each law is checked by ``tests/checking``: here a few will do."""
    monkeypatch.setattr(examples, "EXAMPLES", examples.EXAMPLES[:3])
    result = reparam("check", "--draws", "1000")
    assert result.code == 0, result.out
    assert result.err.splitlines() == [f"checking {example.name}" for example in examples.EXAMPLES]
    assert all(line.endswith(": ok") for line in result.out.splitlines())
    read = json.loads(reparam("check", "--draws", "1000", "--json").out)
    assert [law["law"] for law in read["laws"]] == [example.name for example in examples.EXAMPLES]


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("Normal(0., 1.)", "LAW must be MODULE:EXPRESSION"),
        ("mylaws:", "LAW must be MODULE:EXPRESSION"),
        ("nowhere:law", "cannot import nowhere: No module named 'nowhere'"),
        ("mylaws:laws", "name 'laws' is not defined; did you mean 'law'?"),
        ("mylaws:law(", "cannot be evaluated: SyntaxError"),
        ("mylaws:Normal(0.0, -1.0)", "cannot be evaluated: ValueError"),
        ("mylaws:number", "no torch distribution but a int"),
        ("mylaws:needs", "calling it without arguments raises TypeError"),
        ("mylaws:breaks", "broken inside"),
    ],
)
def test_what_is_no_law_exits_with_2(argument: str, says: str, here: Path, reparam: Callable[..., Result]) -> None:
    result = reparam("check", argument)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert os.getcwd() == str(here)
