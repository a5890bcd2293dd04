"""Write docs/reproductions.md from the rows and the files of results: ``python -m reproductions.table``."""

import json
from pathlib import Path
from typing import Any

from reproductions import calibration, dreg, exact
from reproductions.changes import changes, shared
from reproductions.row import RESULTS, Row, Study
from reproductions.rows import STUDIES

PAGE = Path(__file__).parents[1] / "docs" / "reproductions.md"

MEASUREMENTS = {
    "dreg": ("Is DReG's gradient better than IWAE's at the same cost?", dreg.section),
    "calibration": ("What a decoder noise fixed at 1 costs", calibration.section),
    "exact": ("Posteriors against the closed form", exact.section),
}

COLUMNS = (
    *("row", "model", "published", "run by others", "setting", "ours", "effective samples", "ELBO", "active units"),
    *("steps", "minutes", "device"),
)

HEAD = """# Published results, run again

Made by `make reproductions-table` from the files in `reproductions/results/`; do not edit by hand. A row without a file
says *not run yet*.

```bash
make reproduce                                                # lists the rows
make reproduce ROW=burda-1-layer-iwae-50 DATA=mnist           # the budget setting: two cores, half an hour
make reproduce ROW=burda-1-layer-iwae-50 DATA=mnist SETTING=full SEED=1
make reproductions-table                                      # writes this page
```

`DATA` is the folder of MNIST's four files. The *full* setting is the paper's, as near as ours comes; it wants a GPU, or
days. The *budget* setting is made for two cores and half an hour of training, and says what it changed. *Ours* is the
importance-weighted log-likelihood of all test rows in nats, with the standard error of the mean over rows and the
effective sample size of the weights; how much a number varies from training to training, other seeds would tell.
Numbers of others are printed where a source was seen, which is named.

"""


def page(results: Path = RESULTS) -> str:
    """The whole page."""
    parts = [_study(study, results) for study in STUDIES]
    parts.append("## Measurements of our own\n\nThey need no download.\n")
    parts += [_measurement(name, results) for name in MEASUREMENTS]
    return HEAD + "\n".join(parts)


def _study(study: Study, results: Path) -> str:
    phrases = [changes(row) for row in study.rows]
    common = shared(phrases)
    lines = [
        f"## {study.title}",
        "",
        f"{study.paper}. {study.note}",
        "",
        f"Budget: {'; '.join(common)}.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|" + "---|" * len(COLUMNS),
    ]
    for row, phrase in zip(study.rows, phrases, strict=True):
        own = [each for each in phrase if each not in common]
        lines += _lines(row, f"budget: {'; '.join(own)}" if own else "budget", results)
    return "\n".join([*lines, "", *_sources(study)]) + "\n"


def _lines(row: Row, budget: str, results: Path) -> list[str]:
    start = [f"`{row.name}`", row.what, _or_nothing(row.published), _or_nothing(row.again)]
    found = [
        json.loads(path.read_text("utf-8"))
        for setting in ("budget", "full")
        for path in sorted(results.glob(f"{row.name}-{setting}-*.json"))
    ]
    lines = [[*start, _setting(result, budget), *_ours(result)] for result in found]
    if not found:
        lines = [[*start, budget, "not run yet"]]
    return ["| " + " | ".join([*cells, *[""] * (len(COLUMNS) - len(cells))]) + " |" for cells in lines]


def _setting(result: dict[str, Any], budget: str) -> str:
    return f"{budget if result['setting'] == 'budget' else 'full'}; seed {result['seed']}"


def _ours(result: dict[str, Any]) -> list[str]:
    protocol, machine = result["protocol"], result["machine"]
    threads = f", {machine['threads']} threads" if machine["device"] == "cpu" else ""
    return [
        f"{result['log_likelihood_nats']:.2f} ± {result['standard_error_nats']:.2f}",
        f"{result['effective_sample_size']:.0f} of {protocol['num_samples']:,}",
        f"{result['elbo_nats']:.2f}",
        str(result["active_units"]),
        f"{result['steps']:,}, best {result['best_step']:,}",
        f"{result['training_minutes']:.0f} + {result['evaluation_minutes']:.0f} of evaluation",
        f"{machine['name']}{threads}",
    ]


def _or_nothing(number: object) -> str:
    return "" if number is None else str(number)


def _sources(study: Study) -> list[str]:
    """Where the numbers of others were seen."""
    sentences = []
    for what, numbers in (
        ("Published", [row.published for row in study.rows]),
        ("Run by others", [row.again for row in study.rows]),
    ):
        sources: dict[str, list[str]] = {}
        for number in numbers:
            if number is not None:
                sources.setdefault(number.source, []).append(f"{number.nats:.2f}")
        if sources:
            several = len(sources) > 1
            named = [f"{', '.join(values)}: {source}" if several else source for source, values in sources.items()]
            sentences.append(f"{what}: {'; '.join(named)}.")
    return [" ".join(sentences)] if sentences else ["No published numbers were at hand."]


def _measurement(name: str, results: Path) -> str:
    title, section = MEASUREMENTS[name]
    path = results / f"{name}.json"
    said = section(json.loads(path.read_text("utf-8"))) if path.exists() else "Not run yet."
    return f"### {title}\n\n`python -m reproductions.{name}`\n\n{said}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
