"""``python -m tests.resuming.kill_many --kills 50``: kill one training run many times and compare every file."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.resuming.killing import MOMENTS, moments_of, prepare, run_killed, run_straight
from tests.runs.faults import snapshot


def main() -> int:
    """Returns 0 if the killed run ended with the bytes of the straight one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how many SIGKILLs (at least 3)")
    parser.add_argument("--seed", type=int, default=0, help="decides the moments")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options.kills)
        straight = snapshot(run_straight(folder))
        path, landed = run_killed(folder, moments_of(options.kills, options.seed), options.seed)
        killed = snapshot(path)
    counts = Counter(landed)
    print(f"{len(landed)} kills: " + ", ".join(f"{counts[moment]} in {moment}" for moment in MOMENTS))
    different = sorted(name for name in straight.keys() | killed.keys() if straight.get(name) != killed.get(name))
    print(f"{len(straight)} files and folders compared with the straight run; different: {different or 'none'}")
    return 1 if different or straight.keys() != killed.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
