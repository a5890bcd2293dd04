"""``reparam compare``: what it takes, what it prints and writes, what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_an_argument_it_compares_four_laws_with_four_losses(here: Path, reparam: Callable[..., Result]) -> None:
    result = reparam("compare", "--draws", "200")
    assert result.code == 0, result.err
    assert len(result.err.splitlines()) == 16
    assert result.out.count("samples an estimate, f(y) = ") == 16
    assert result.out.endswith("page in comparisons/1/index.html\n")
    written = sorted(path.name for path in (here / "comparisons" / "1").iterdir())
    assert written == ["chain-rule.png", "comparison.json", "estimators.png", "index.html"]
    assert reparam("compare", "--draws", "200", "--law", "normal").out.endswith("page in comparisons/2/index.html\n")


def test_json_is_one_object_and_lies_beside_the_page(here: Path, reparam: Callable[..., Result]) -> None:
    result = reparam(
        "compare", "--law", "bernoulli", "--loss", "(y - 0.45)**2", "--draws", 1000, "--out", "here", "--json"
    )
    read = json.loads(result.out)
    assert read.pop("page") == "here/index.html"
    assert read == json.loads((here / "here" / "comparison.json").read_text("utf-8"))
    comparison = read["laws"]["bernoulli"]["your loss"]
    # (f(1) - f(0))·p·(1 - p)
    assert comparison["exact"]["logits"] == pytest.approx(0.1 * 0.7 * 0.3)
    rows = {row["estimator"]: row for row in comparison["rows"]}
    assert rows["Enumerate()"]["variance"]["logits"] < 1e-30
    assert rows["ScoreFunction()"]["evaluations"] == 2


def test_a_law_of_ones_own(here: Path, reparam: Callable[..., Result]) -> None:
    result = reparam(
        "compare", "--law", "torch.distributions:Laplace(0.5, 1.0)", "--loss", "torch.tanh(y)", "--draws", 500
    )
    assert result.code == 0, result.err
    assert result.out.startswith("Laplace(loc=0.5, scale=1), 2 samples an estimate, f(y) = torch.tanh(y)")
    assert "Pathwise()" in result.out


def test_the_page_needs_nothing_but_itself(here: Path, reparam: Callable[..., Result]) -> None:
    reparam("compare", "--law", "normal", "--loss", "linear", "--draws", 200, "--out", "p")
    page = (here / "p" / "index.html").read_text("utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") == 2


BAD = [
    (("--law", "norml"), 2, "did you mean 'normal'?"),
    (("--law", "torch.distributions:Normal(0.0, -1.0)"), 2, "cannot be evaluated: ValueError"),
    (("--loss", "torch.exp(z)"), 2, "z is not known"),
    (("--loss", "torch.exp(y"), 2, "was never closed"),
    (("--loss", "3"), 2, "it does not use y"),
    (("--loss", "y[9999]"), 2, "IndexError"),
    (("--loss", "y.sum()"), 2, "f must keep the first dimension"),
    (("--draws", "3"), 2, "--draws"),
    (("--samples", "0"), 2, "--samples"),
    (("--out", "."), 4, ". exists"),
]


@pytest.mark.parametrize(("words", "code", "says"), BAD)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    words: tuple[str, ...], code: int, says: str, here: Path, reparam: Callable[..., Result]
) -> None:
    result = reparam("compare", *words)
    assert (result.code, result.out) == (code, "")
    assert says in result.err
    assert list(here.iterdir()) == []
