"""From a path or an array to typed, scaled, split examples. Knows no model.

Read in this order: ``schema.py`` (what an example is), ``sources.py`` (which reader reads what),
``checks.py`` (what is refused everywhere), ``splits.py``, ``scaling.py``; then the reader of interest:
``arrays.py``, ``idx.py``, ``digits.py``, ``tables.py`` (with ``delimited.py``, ``parts.py`` and
``cells.py``), ``images.py``.
"""

from reparam.data.scaling import Scaling
from reparam.data.schema import Column, Examples, Schema
from reparam.data.sources import read
from reparam.data.splits import Split, split_rows

__all__ = ["Column", "Examples", "Scaling", "Schema", "Split", "read", "split_rows"]
