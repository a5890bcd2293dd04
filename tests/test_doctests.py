"""The examples in docstrings run, and say what they do."""

import doctest
import importlib
import pkgutil

import pytest

import reparam

MODULES = [module.name for module in pkgutil.walk_packages(reparam.__path__, "reparam.")]


def failures(module):
    """What the runner has to say about the examples of a module that fail; empty if none does."""
    runner, found = doctest.DocTestRunner(verbose=False), []
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(test, out=found.append)
    return "".join(found)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = failures(importlib.import_module(name))
    assert not said, said


def test_a_wrong_example_is_seen():
    planted = type(doctest)("planted")
    planted.__doc__ = ">>> 1 + 1\n3\n"
    assert "Expected:\n    3\nGot:\n    2" in failures(planted)
