"""Make the pictures of the README again: one run on the built-in digits, and figures of its report.

python docs/pictures/make.py        # about a minute on two cores
"""

import shutil
import sys
import tempfile
from pathlib import Path

from reparam.cli.main import main

HERE = Path(__file__).parent
FIGURES = ("latent.png", "reconstructions.png", "samples.png")


def make() -> int:
    """Train, and copy the figures here; returns the exit code of the training."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "digits"
        code = main(["train", "digits", "--epochs", "400", "--out", str(run)])
        if code == 0:
            for name in FIGURES:
                shutil.copyfile(run / "report" / name, HERE / name)
    return code


if __name__ == "__main__":
    sys.exit(make())
