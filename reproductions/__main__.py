"""``python -m reproductions ROW``: one published result, run again."""

import argparse
import sys
from pathlib import Path

from reparam.errors import ReparamError
from reproductions.row import run
from reproductions.rows import ROWS, STUDIES


def main() -> None:
    """Run one row, or list them."""
    parser = argparse.ArgumentParser(prog="python -m reproductions", description=main.__doc__)
    parser.add_argument("row", nargs="?", choices=sorted(ROWS), metavar="ROW", help="which; without it, all are listed")
    parser.add_argument("--data", type=Path, help="MNIST's folder of four files")
    parser.add_argument("--setting", choices=("budget", "full"), default="budget", help="half an hour, or the paper's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="run directory [default: runs/ROW-SETTING-SEED]")
    given = parser.parse_args()
    if given.row is None:
        for study in STUDIES:
            print(f"{study.paper}: {study.title}")
            for row in study.rows:
                print(f"  {row.name:32} {'' if row.published is None else row.published!s:>24}  {row.what}")
        return
    if given.data is None:
        parser.error("--data is missing: where MNIST's four files are")
    out = given.out or Path("runs") / f"{given.row}-{given.setting}-{given.seed}"
    try:
        result = run(ROWS[given.row], given.data, out, setting=given.setting, seed=given.seed)
    except ReparamError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(
        f"{given.row}: {result['log_likelihood_nats']:.2f} ± {result['standard_error_nats']:.2f} nats "
        f"({result['training_minutes']:.1f} minutes of training)"
    )


if __name__ == "__main__":
    main()
