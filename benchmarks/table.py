"""Write docs/speed.md from the results of `make bench-draws`: ``python benchmarks/table.py``."""

import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "draws.json"
PAGE = Path(__file__).parents[1] / "docs" / "speed.md"

HEAD = """# How long a draw and its gradient take

Made by `python benchmarks/table.py` from the results of one run of `make bench-draws`; do not edit by hand.

Each figure is a law made from float32 parameters that want a gradient, drawn once for each of 100,000 numbers in all,
and differentiated, on {threads} cores. *Ratio* is our time over theirs in the same run (median of {rounds} interleaved
rounds, with the range): below 1 ours is faster. NumPyro's functions are compiled as a whole before they are timed;
torch's, Pyro's and ours are called as anybody calls them. Versions: {versions}.

A ratio says nothing about what is computed: [which published laws have a right gradient](peers.md) is another page.

"""


def page(results: dict) -> str:
    """The whole page."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items() if name != "reparam")
    head = HEAD.format(versions=versions, rounds=results["rounds"], threads=results["machine"]["threads"])
    return head + table(results)


def table(results: dict) -> str:
    """A row for each law."""
    lines = ["| law | reparam, ns | ratio to torch | to Pyro | to NumPyro |", "|---|---|---|---|---|"]
    for name, rows in results["laws"].items():
        cells = [name, f"{rows['reparam']['nanoseconds_per_element']:.1f}"]
        for library in ("torch", "pyro", "numpyro"):
            row = rows.get(library)
            low, high = row["interval"] if row else (0, 0)
            cells.append(f"{row['ours_over_theirs']:.2f} ({low:.2f}-{high:.2f})" if row else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text("utf-8"))), "utf-8")
