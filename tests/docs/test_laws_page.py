"""docs/laws.md is made of the laws, docs/peers.md by running the instrument, docs/speed.md of a benchmark's results."""

import importlib.util
import inspect
import json

import reparam
from reparam import distributions
from tests.docs.pages import ROOT, rows


def module(name, folder="docs"):
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page_of_laws_is_fresh():
    page = (ROOT / "docs" / "laws.md").read_text("utf-8")
    assert page == module("make_laws").page()
    named = {cells[0].strip("`") for cells in rows(page, "`[A-Za-z0-9]+`")}
    assert named == {name for name in distributions.__all__ if not inspect.isabstract(getattr(distributions, name))}


def test_the_page_of_published_laws_says_what_the_instrument_says():
    peers, page = module("make_peers"), (ROOT / "docs" / "peers.md").read_text("utf-8")
    for text in ("ContinuousBernoulli(tensor(0.5))", "Laplace(0.7, 1.3)"):
        case = next(case for case in peers.CASES if case.text == text)
        assert peers.row(case, peers.report_of(case)) in page
    assert len(rows(page, "torch|pyro")) == len(peers.CASES)
    assert f"reparam {reparam.__version__}" in page


def test_the_page_of_speed_is_that_of_the_last_results():
    table = module("table", "benchmarks")
    assert table.PAGE.read_text("utf-8") == table.page(json.loads(table.RESULTS.read_text("utf-8")))
