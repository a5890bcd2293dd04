"""The run directory: what is in it, how it is written, and how it is verified. Read ``run.py`` first.

``run.py`` is the directory, ``checkpoints.py`` its checkpoints, ``manifest.py`` their proof, ``metrics.py`` the lines
of training; all of it is written by ``files.py`` and encoded by ``formats.py``.
"""

from reparam.runs.checkpoints import Checkpoint
from reparam.runs.formats import FORMAT_VERSION
from reparam.runs.run import Run, next_free, refuse_existing

__all__ = ["FORMAT_VERSION", "Checkpoint", "Run", "next_free", "refuse_existing"]
