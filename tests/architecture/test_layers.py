"""Imports point down only, at module level and inside functions."""

import ast
from pathlib import Path

import pytest

import reparam.noise

PACKAGE = Path(reparam.noise.__file__).parent

# What each part may import, besides itself. A part is a module or a package directly under reparam.
_MATHEMATICS = ["errors", "noise", "reparameterize", "special", "distributions"]
_LIBRARY = [
    *_MATHEMATICS,
    "estimators",
    "samplers",
    "vae",
    "data",
    "runs",
    "training",
    "evaluation",
    "report",
    "planning",
    "gallery",
    "measuring",
    "pipeline",
    "trained",
]
MAY_IMPORT = {
    **{part: set(_MATHEMATICS[:index]) for index, part in enumerate(_MATHEMATICS)},
    "runs": {"errors"},
    "checking": set(_MATHEMATICS),
    "estimators": set(_MATHEMATICS),
    "comparison": {
        *_MATHEMATICS,
        "estimators",
        "samplers",
        "checking",
        "report.document",
        "report.elements",
        "report.style",
    },
    "samplers": {*_MATHEMATICS, "estimators"},
    "vae": {*_MATHEMATICS, "estimators"},
    "pyro": set(_MATHEMATICS),
    "data": {"errors"},
    "training": {"errors", "noise", "runs"},
    "evaluation": {*_MATHEMATICS, "estimators", "samplers", "vae", "runs"},
    "report": {"errors", "runs", "data.schema"},
    "planning": {"errors", "vae", "data", "training"},
    "gallery": {"errors", "data"},
    "measuring": {"errors", "noise", "vae", "data", "training", "evaluation", "planning"},
    "trained": set(_LIBRARY) - {"trained", "pipeline"},
    "pipeline": set(_LIBRARY) - {"pipeline"},
    "cli": {*_LIBRARY, "checking", "comparison"},
}


def imported_modules(code, module, is_package):
    """Dotted names under ``reparam`` that the code imports anywhere in it, relative imports resolved."""
    found = set()
    home = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = home[: len(home) - node.level + 1] if node.level else []
            base = ".".join([*origin, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" if base.count(".") < 2 else base for alias in node.names}
    return {name for name in found if name.split(".")[0] == "reparam"}


def violations(code, module, is_package=False):
    """Imports of ``module`` that its layer does not allow, as text."""
    part = module.split(".")[1]
    allowed = MAY_IMPORT.get(part)
    if allowed is None:
        return [f"{module}: '{part}' has no layer; add it to MAY_IMPORT"]
    bad = []
    for name in sorted(imported_modules(code, module, is_package)):
        parts = name.split(".")
        if len(parts) == 1 or parts[1] in (part, "__version__"):
            continue
        if not allowed & {parts[1], ".".join(parts[1:3])}:
            bad.append(f"{module} imports {name}")
    return bad


def sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        names = path.relative_to(PACKAGE).with_suffix("").parts
        is_package = names[-1] == "__init__"
        names = names[:-1] if is_package else names
        if names:  # the package's own __init__ names everything, lazily
            yield path, ".".join(["reparam", *names]), is_package


def test_imports_point_down():
    bad = [text for path, *where in sources() for text in violations(path.read_text("utf-8"), *where)]
    assert bad == []


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("reparam.errors", "import reparam.noise"),
        ("reparam.noise", "from reparam.reparameterize import location_scale"),
        ("reparam.reparameterize", "from reparam import special"),
        ("reparam.special.log_space", "from reparam.distributions.base import Law"),
        ("reparam.special.log_space", "from ..distributions.base import Law"),
        ("reparam.distributions.base", "def late():\n    from reparam.vae import VAE"),
        ("reparam.distributions.base", "from .. import vae"),
        ("reparam.vae.model", "from reparam.training import loop"),
        ("reparam.estimators.bounds", "from reparam.vae.terms import Terms"),
        ("reparam.vae.objectives", "from reparam.samplers import anneal"),
        ("reparam.checking.check", "from reparam.vae import VAE"),
        ("reparam.distributions.base", "from reparam.checking import check_rsample"),
        ("reparam.pipeline", "from reparam.checking import check_rsample"),
        ("reparam.data.schema", "from reparam.runs import Run"),
        ("reparam.runs", "from reparam.data.schema import Schema"),
        ("reparam.training.loop", "import reparam.vae.model"),
        ("reparam.training.loop", "class A:\n    def f(self):\n        import reparam.evaluation"),
        ("reparam.evaluation.bounds", "from reparam.training.settings import Settings"),
        ("reparam.report.page", "from reparam.vae.model import VAE"),
        ("reparam.report.page", "from reparam.data import reading"),
        ("reparam.pipeline", "from reparam.cli.main import run"),
        ("reparam.unheard_of", "import math"),
    ],
)
def test_planted_violations_are_found(module, code):
    assert violations(code, module)


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("reparam.noise", "from reparam.errors import ParameterError\nimport torch"),
        ("reparam.report.page", "from reparam.data.schema import Schema\nfrom reparam.runs import Run"),
        (
            "reparam.distributions.base",
            "from . import parameters\nfrom reparam.distributions.parameters import x",
        ),
        ("reparam.cli.main", "from reparam import __version__\nfrom reparam.pipeline import fit"),
        ("reparam.training.loop", "from reparam.noise import generator"),
        ("reparam.vae.objectives", "from reparam.estimators import expectation"),
        ("reparam.evaluation.bounds", "from reparam.samplers import anneal"),
    ],
)
def test_allowed_imports_pass(module, code):
    assert violations(code, module) == []
