"""One idea, one place: the map, the randomness, and no executable files.

Each rule is shown to fail on a planted line.
"""

import ast
import re
from pathlib import Path

import pytest

import reparam.noise

PACKAGE = Path(reparam.noise.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
THE_IDEA = " ".join(["loc", "+", "scale", "*"])  # put together, so that this file does not contain it
FORBIDDEN_WORD = "pick" + "le"

DRAWS = frozenset(
    [
        *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal"),
        *("bernoulli", "binomial", "multinomial", "poisson", "SobolEngine", "manual_seed", "manual_seed_all"),
        *(
            "normal_",
            "uniform_",
            "bernoulli_",
            "exponential_",
            "cauchy_",
            "log_normal_",
            "geometric_",
            "random_",
        ),
    ]
)


def dotted(node):
    """``torch.nn.init`` for an attribute chain of names, else the empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        prefix = dotted(node.value)
        return f"{prefix}.{node.attr}" if prefix else f"?.{node.attr}"
    return "?"


def random_draws(code):
    """Calls and imports that draw random numbers or seed a global generator, as ``(line, text)``."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names if alias.name in ("random", "numpy.random")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
            "torch",
            "numpy",
            "random",
        ):
            names = [alias.name for alias in node.names]
            bad = [
                name for name in names if name in DRAWS or name == "random" or node.module in ("random", "numpy.random")
            ]
            found += [(node.lineno, f"from {node.module} import {name}") for name in bad]
        elif isinstance(node, ast.Attribute):
            name = dotted(node)
            owner, _, last = name.rpartition(".")
            if name in ("np.random", "numpy.random") or (last in DRAWS and owner not in ("noise", "reparam.noise")):
                found.append((node.lineno, name))
    return found


def relative(path):
    return path.relative_to(PACKAGE).as_posix()


def test_the_idea_stands_once():
    places = [relative(path) for path in SOURCES for _ in re.findall(re.escape(THE_IDEA), path.read_text("utf-8"))]
    assert places == ["reparameterize.py"]


def test_the_idea_is_found_where_it_is_planted():
    assert re.findall(re.escape(THE_IDEA), f"y = {THE_IDEA} eps")


def test_nothing_executable_is_stored():
    assert [relative(path) for path in SOURCES if FORBIDDEN_WORD in path.read_text("utf-8").lower()] == []


ALLOWED = {
    "noise.py": {"torch.randn", "torch.randint", "torch.bernoulli", "torch.randperm", "torch.manual_seed"}
    | {"torch.binomial", "torch.multinomial", "torch.poisson"}
    | {"made.manual_seed", "?.exponential_", "from torch.quasirandom import SobolEngine"},
    "data/splits.py": {"np.random"},
}


def test_randomness_is_drawn_in_one_place():
    strangers = [
        f"{relative(path)}:{line}: {text}"
        for path in SOURCES
        for line, text in random_draws(path.read_text("utf-8"))
        if text not in ALLOWED.get(relative(path), set())
    ]
    assert strangers == []


@pytest.mark.parametrize(
    "planted",
    [
        "eps = torch.randn(3)",
        "eps = torch.rand(3)",
        "eps = torch.randn_like(x)",
        "x.normal_()",
        "x.clone().uniform_()",
        "torch.normal(x, y)",
        "torch.bernoulli(p)",
        "p.bernoulli()",
        "torch.multinomial(p, 3)",
        "torch.binomial(n, p)",
        "order = torch.randperm(3)",
        "torch.manual_seed(0)",
        "rng = np.random.default_rng(0)",
        "import numpy\nrng = numpy.random.default_rng(0)",
        "import random",
        "from random import shuffle",
        "from torch import randn",
        "from numpy import random",
        "from numpy.random import default_rng",
        "draw = torch.randn",
        "def f():\n    return torch.quasirandom.SobolEngine(2)",
    ],
)
def test_planted_draws_are_found(planted):
    assert random_draws(planted)


@pytest.mark.parametrize(
    "innocent",
    [
        "noise.bernoulli(p)",
        "from reparam.noise import standard_normal, uniform\nuniform((2,), like=x)",
        '"""torch.randn would be wrong here"""',
        "law.rsample()  # not torch.randn",
        "torch.distributions.Normal(0, 1)",
    ],
)
def test_innocent_lines_pass(innocent):
    assert random_draws(innocent) == []
