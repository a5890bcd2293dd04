"""The registry of laws: a new law adds a row to ``rows/`` and inherits every test of ``test_laws.py``."""

import importlib
import pkgutil

from reparam.distributions import Pathwise, Reparameterized
from tests.contracts import rows
from tests.contracts.row import Row as Row

MODULES = [importlib.import_module(module.name) for module in pkgutil.iter_modules(rows.__path__, f"{rows.__name__}.")]
ROWS: tuple[Row, ...] = tuple(row for module in MODULES for row in module.ROWS)
REPARAMETERIZED = tuple(row for row in ROWS if isinstance(row.law(), Reparameterized))
WITH_NOISE = tuple(row for row in REPARAMETERIZED if row.has_noise)
UNBIASED = tuple(row for row in WITH_NOISE if row.law().unbiased)
PATHWISE = tuple(row for row in REPARAMETERIZED if isinstance(row.law(), Pathwise))
WITH_DENSITY = tuple(row for row in ROWS if row.has_density)
UNIVARIATE = tuple(row for row in ROWS if row.reference)
DISCRETE = tuple(row for row in ROWS if row.values)
JUMPING = tuple(row for row in ROWS if row.instead)
