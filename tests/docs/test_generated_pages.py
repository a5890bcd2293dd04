"""docs/laws.md is made of the laws, docs/peers.md by running the instrument, docs/speed.md of benchmarks' results."""

import importlib.util
import inspect

import torch

import reparam
from reparam import distributions, noise
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
    assert table.PAGE.read_text("utf-8") == table.page(table.results("draws"), table.results("evaluation"))


def test_the_benchmark_of_evaluation_compares_ways_that_say_the_same():
    evaluation = module("evaluation", "benchmarks")
    grey = torch.rand(60, 784, generator=noise.generator(0))
    x = torch.bernoulli(grey[:10], generator=noise.generator(1))
    for model, shape in ((evaluation.mlp(), (784,)), (evaluation.convolutional(), (1, 28, 28))):
        evaluation.train(model, grey.reshape(-1, *shape), 3)
        found = evaluation.measure(model, x.reshape(-1, *shape), 40, 1)["ways"]
        values = [way["log_likelihood_nats"] for way in found.values()]
        assert len(values) == 4
        assert max(values) - min(values) < 0.01 * abs(values[0])
