"""A published result: what was done, what came out, and how to do it again."""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

import reparam
from reparam import noise
from reparam.data.sources import read
from reparam.errors import DataError
from reparam.vae import VAE, Objective
from reproductions.models import PIXELS

NEVER = 1_000_000
"""Patience, in evaluations, that no run exhausts: no early stopping."""

RESULTS = Path(__file__).with_name("results")

Setting = Literal["budget", "full"]


@dataclass(frozen=True)
class Number:
    """What somebody else reports.

    Args:
        nats: per test example, as a log-likelihood: negative.
        source: where it was seen. A number that was only remembered is not here.
        error: as reported with it.
        of: what it is, where it is no test log-likelihood.
    """

    nats: float
    source: str
    error: float | None = None
    of: str = ""

    def __str__(self) -> str:
        error = "" if self.error is None else f" ± {self.error:.2f}"
        return f"{self.nats:.2f}{error}" + (f" ({self.of})" if self.of else "")


@dataclass(frozen=True)
class Row:
    """One cell of a published table.

    Args:
        name: of the command and of the file of results.
        what: the model and its objective, as the paper calls them.
        full: the settings of the paper, as near as ours come.
        budget: what the budget setting changes, for two cores and at most 30 minutes.
        model: from training examples ``[N, 1, 28, 28]`` in [0, 1] to the paper's model; ``None``: the settings say.
        objective: the paper's; ``None``: the settings say.
        published: what the paper reports.
        again: what somebody else's run of the same cell gave.
    """

    name: str
    what: str
    full: reparam.Settings
    budget: dict[str, Any]
    model: Callable[[torch.Tensor], VAE] | None = None
    objective: Objective | None = None
    published: Number | None = None
    again: Number | None = None

    def settings(self, setting: Setting, seed: int) -> reparam.Settings:
        """The settings of a run; ``num_samples`` are those of the evaluation on all test rows."""
        return replace(self.full, seed=seed, **(self.budget if setting == "budget" else {}))


@dataclass(frozen=True)
class Study:
    """The rows of one paper.

    Args:
        title: what is compared.
        paper: author, year, table.
        note: what is to be known of all rows, and where even the full setting is not the paper's.
    """

    title: str
    paper: str
    note: str
    rows: tuple[Row, ...]


def run(row: Row, data: Path, out: Path, *, setting: Setting, seed: int) -> dict[str, Any]:
    """Train, evaluate on all test rows, and write ``results/NAME-SETTING-SEED.json``.

    Raises:
        DataError: the data is not of MNIST's shape.
    """
    settings = row.settings(setting, seed)
    examples = read(data)
    if examples.schema.shape != PIXELS:
        raise DataError(
            f"{data}: the published models are for MNIST, images of shape {PIXELS}, got {examples.schema.shape}"
        )
    model = None if row.model is None else started(row.model, torch.from_numpy(examples.values[:20_000]) / 255, seed)
    start = time.monotonic()
    # The evaluation that ends a training run is of some rows, and of no interest here.
    trained = reparam.fit(data, replace(settings, num_samples=20), out=out, model=model, objective=row.objective)
    trained_after = time.monotonic() - start
    numbers = trained.evaluate(examples, num_samples=settings.num_samples)
    measured = ("log_likelihood_nats", "standard_error_nats", "effective_sample_size", "elbo_nats", "rate_nats")
    result = {
        "row": row.name,
        "setting": setting,
        "seed": seed,
        **{name: numbers[name] for name in measured},
        "active_units": numbers["active_units"],
        "protocol": numbers["protocol"],
        "steps": trained.run.description["steps_done"],
        "best_step": trained.run.description["best"]["step"],
        "training_minutes": trained_after / 60,
        "evaluation_minutes": (time.monotonic() - start - trained_after) / 60,
        "settings": stated(settings),
        "machine": machine(trained.device),
    }
    write_result(RESULTS / f"{row.name}-{setting}-{seed}.json", result)
    return result


def started(make: Callable[[torch.Tensor], VAE], x: torch.Tensor, seed: int) -> VAE:
    """A model with the fresh weights of a seed."""
    with torch.random.fork_rng(devices=[]):
        noise.seed_global(seed, "reproduction")
        return make(x)


def stated(settings: reparam.Settings) -> dict[str, Any]:
    """Settings as results keep them: what was left open is left out."""
    return {name: value for name, value in settings.to_json().items() if value is not None}


def machine(device: torch.device | str = "cpu") -> dict[str, Any]:
    """What a run ran on."""
    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {"device": device.type, "name": name, "threads": torch.get_num_threads(), "torch": torch.__version__}


def write_result(path: Path, result: dict[str, Any]) -> None:
    """As JSON that a diff can be read of."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
