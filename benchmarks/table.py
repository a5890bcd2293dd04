"""Write docs/speed.md from the results of the benchmarks: ``python benchmarks/table.py``."""

import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "speed.md"

HEAD = """# How long things take

Made by `python benchmarks/table.py` from the results that the benchmarks left; do not edit by hand. Everything in a
table was timed in one run, taking turns: the ratios mean something, the times are one machine's.

"""

DRAWS = """## A draw and its gradient

`make bench-draws`. Each figure is a law made from float32 parameters that want a gradient, drawn once for each of
100,000 numbers in all, and differentiated, on {threads} cores. *Ratio* is our time over theirs (median of {rounds}
rounds, with the range): below 1 ours is faster. NumPyro's functions are compiled as a whole before they are timed;
torch's, Pyro's and ours are called as anybody calls them. Versions: {versions}.

A ratio says nothing about what is computed: [which published laws have a right gradient](peers.md) is another page.

"""

EVALUATION = """
## The log-likelihood of a model

`make bench-evaluation MNIST=FOLDER`. `reparam.evaluation.log_likelihood` encodes each example once and decodes its
draws in large batches, with its network in float32 or bfloat16. The usual loop encodes a batch of 100 images anew for
each sample; here with this library's laws, and with torch's own. All see the same model, after a short training, and
the same binary images; {threads} cores, {rounds} rounds, medians with ranges. Versions: {versions}.

"""


def page(draws: dict, evaluation: dict) -> str:
    """The whole page."""
    return (
        HEAD + DRAWS.format(**_facts(draws)) + table_of_draws(draws["laws"])
        + EVALUATION.format(**_facts(evaluation)) + table_of_evaluation(evaluation["models"])
    )  # fmt: skip


def table_of_draws(laws: dict) -> str:
    """A row for each law."""
    lines = ["| law | reparam, ns | ratio to torch | to Pyro | to NumPyro |", "|---|---|---|---|---|"]
    for name, rows in laws.items():
        cells = [name, f"{rows['reparam']['nanoseconds_per_element']:.1f}"]
        for library in ("torch", "pyro", "numpyro"):
            row = rows.get(library)
            low, high = row["interval"] if row else (0, 0)
            cells.append(f"{row['ours_over_theirs']:.2f} ({low:.2f}-{high:.2f})" if row else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def table_of_evaluation(models: dict) -> str:
    """A row for each way of each model, and what bfloat16 changes."""
    lines = [
        "| model | way | µs a sample | times as fast as anew, our laws | as anew, torch's |",
        "|---|---|---|---|---|",
    ]
    changes = []
    for model, result in models.items():
        for name, row in result["ways"].items():
            ratios = ["{:.2f} ({:.2f}-{:.2f})".format(*each) for each in row["faster_than"].values()]
            lines.append("| " + " | ".join([model, name, f"{row['microseconds']:.2f}", *ratios]) + " |")
        changes.append(
            f"{model}: by {result['bfloat16_change_nats']:+.4f} nats, of one image by at most "
            f"{result['largest_change_nats']:.3f}"
        )
    return "\n".join(lines) + f"\n\nWhat bfloat16 changes in the mean log-likelihood. {'; '.join(changes)}.\n"


def results(name: str) -> dict:
    """What a benchmark left."""
    found: dict = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def _facts(found: dict) -> dict:
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items() if name != "reparam")
    return {"versions": versions, "rounds": found["rounds"], "threads": found["machine"]["threads"]}


if __name__ == "__main__":
    PAGE.write_text(page(results("draws"), results("evaluation")), "utf-8")
