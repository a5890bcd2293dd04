"""A published result: what was done, what came out, and how to do it again."""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import reparam
from reparam import noise
from reparam.data.sources import read
from reparam.vae import VAE

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Row:
    """One cell of a published table.

    Args:
        name: of the command and of the file of results.
        paper: author, year, table.
        what: the model and its objective, as the paper calls them.
        published: test log-likelihood in nats, or ``None`` where the paper has no number.
        full: settings as in the paper.
        budget: what the budget setting changes, for two cores and at most 30 minutes.
        model: from training examples ``[N, *X]``, as models see them, to the paper's model; ``None``: as settings say.
        num_samples: importance samples of the paper's evaluation.
        again: what somebody else's run of the same cell gave, where one is known.
    """

    name: str
    paper: str
    what: str
    published: float | None
    full: reparam.Settings
    budget: dict[str, Any]
    model: Callable[[torch.Tensor], VAE] | None = None
    num_samples: int = 5000
    again: float | None = None

    def settings(self, setting: str, seed: int) -> reparam.Settings:
        """The settings of a ``"full"`` or ``"budget"`` run."""
        changed = self.budget if setting == "budget" else {}
        return replace(self.full, seed=seed, num_samples=20, **changed)


def run(row: Row, data: Path, out: Path, *, setting: str, seed: int) -> dict[str, Any]:
    """Train, evaluate on all test rows, and write ``results/NAME-SETTING-SEED.json``."""
    settings, model = row.settings(setting, seed), None
    if row.model is not None:
        values = torch.from_numpy(read(data).values[:20_000])
        with torch.random.fork_rng(devices=[]):
            noise.seed_global(seed, "reproduction")
            model = row.model(values.float() / 255)
    start = time.monotonic()
    trained = reparam.fit(data, settings, out=out, model=model)
    trained_after = time.monotonic() - start
    numbers = trained.evaluate(num_samples=row.num_samples)
    result = {
        "row": row.name,
        "setting": setting,
        "log_likelihood_nats": numbers["log_likelihood_nats"],
        "standard_error_nats": numbers["standard_error_nats"],
        "effective_sample_size": numbers["effective_sample_size"],
        "elbo_nats": numbers["elbo_nats"],
        "rate_nats": numbers["rate_nats"],
        "active_units": numbers["active_units"],
        "protocol": numbers["protocol"],
        "steps": trained.run.description["steps_done"],
        "best_step": trained.run.description["best"]["step"],
        "training_minutes": trained_after / 60,
        "evaluation_minutes": (time.monotonic() - start - trained_after) / 60,
        "settings": {name: value for name, value in settings.to_json().items() if value is not None},
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "device": str(trained.device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        },
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{row.name}-{setting}-{seed}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result
