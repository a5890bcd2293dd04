"""Importing the package, or any module of it, changes nothing global."""

import subprocess
import sys

SCRIPT = """
import importlib, os, pkgutil, random, sys, warnings
import numpy as np
import torch
import torch.distributions as td

def state():
    return {{
        "default dtype": torch.get_default_dtype(),
        "torch random state": torch.get_rng_state().tolist(),
        "numpy random state": str(np.random.get_state()),
        "python random state": random.getstate(),
        "validation": td.Distribution._validate_args,
        "warning filters": list(warnings.filters),
        "threads": torch.get_num_threads(),
        "grad mode": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "environment": dict(os.environ),
    }}

# Third-party packages may do as they please (rich draws a random number); they come first and do not count.
for name in ("pyarrow", "PIL.Image", "matplotlib", "sklearn", "safetensors.torch", "accelerate", "filelock",
             "torch.quasirandom", "scipy.stats", "rich.console", "pyro", "sympy"):
    try:
        importlib.import_module(name)
    except ImportError:
        pass

before = state()
import reparam
names = [m.name for m in pkgutil.walk_packages(reparam.__path__, "reparam.", onerror=lambda name: None)]
for name in names:
    if not name.startswith("reparam.cli"):
        importlib.import_module(name)
{planted}
after = state()
changed = [key for key in before if before[key] != after[key]]
assert "reparam.noise" in sys.modules and "reparam.distributions.base" in sys.modules, names
print("changed:", ", ".join(changed))
"""


def changed_by_importing(planted=""):
    script = SCRIPT.format(planted=planted)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_importing_changes_nothing_global():
    assert changed_by_importing() == "changed:"


def test_planted_side_effects_are_seen():
    planted = "\n".join(
        [
            "torch.set_default_dtype(torch.float64)",
            "torch.manual_seed(0)",
            "np.random.seed(0)",
            "random.seed(0)",
            "td.Distribution.set_default_validate_args(False)",
            "warnings.filterwarnings('ignore', message='planted')",
            "torch.set_num_threads(torch.get_num_threads() + 1)",
        ]
    )
    states = "torch random state, numpy random state, python random state"
    expected = f"changed: default dtype, {states}, validation, warning filters, threads"
    assert changed_by_importing(planted) == expected
