"""Runs that look like real ones, without a model: blurred images serve as reconstructions."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

from reparam.data.schema import Column, Schema
from reparam.report import write_report


@dataclass
class FakeRun:
    """The smallest thing that the report accepts as a run: files in a folder."""

    path: Path
    description: dict[str, Any]

    def metrics(self):
        file = self.path / "metrics.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def read_json(self, name):
        return json.loads((self.path / name).read_text())

    def read_tensors(self, name):
        file = self.path / name
        with safetensors.safe_open(file, "pt") as opened:
            metadata = opened.metadata() or {}
        return safetensors.torch.load_file(file), metadata

    def write_bytes(self, name, data):
        (self.path / name).parent.mkdir(exist_ok=True)
        (self.path / name).write_bytes(data)

    def add_metrics(self, records):
        (self.path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))

    def add_evaluation(self, **changes):
        (self.path / "evaluation.json").write_text(json.dumps(EVALUATION | changes))

    def add_gallery(self, label_names=(), **arrays):
        tensors = {name: torch.tensor(array) for name, array in arrays.items()}
        metadata = {"label_names": json.dumps(list(label_names))}
        safetensors.torch.save_file(tensors, self.path / "gallery.safetensors", metadata)


EVALUATION = {
    "split": "test", "num_examples": 360, "elbo_nats": -21.874, "distortion_nats": 13.211, "rate_nats": 8.663,
    "log_likelihood_nats": -20.962, "standard_error_nats": 0.214, "num_samples": 500,
    "effective_sample_size": 143.4,
    "active_units": 10, "latent_dim": 16, "bits_per_dim": None, "baseline": None, "log_scale_nats": None,
    "kl_per_dimension_nats": [1.4, 0.01, 0.7, 0.0, 0.9, 1.1, 0.004, 0.5, 1.3, 0.002, 0.6, 0.8, 0.4, 0.001,
                              0.003, 0.963],
    "train_elbo_nats": -21.2, "aggregate_mean_abs_max": 0.11,
    "protocol": {"binarize": "dynamic", "seed": 0, "num_samples": 500, "split": "test"},
    "health": [
        {"level": "good", "title": "The latent code is used",
         "text": "10 of 16 dimensions carry information about the example; the rate is 8.7 nats."},
        {"level": "warning", "title": "Training had not flattened out",
         "text": "The validation bound was still rising at the end. More epochs would help: `--epochs 200`."},
        {"level": "advice", "title": "Six dimensions are idle",
         "text": "They do no harm. A latent space of 10 dimensions would do as well and train faster."},
    ],
}  # fmt: skip


def describe(name, schema, **changes):
    return {
        "format_version": 2, "reparam": "0.1.0", "status": "finished", "name": name,
        "settings": {"epochs": 100, "batch_size": 100, "learning_rate": 0.001, "seed": 0, "objective": None},
        "schema": json.loads(json.dumps(schema.to_json())), "scaling": {"kind": "levels", "mean": [0.1] * 20},
        "likelihood": "bernoulli", "binarize": "dynamic",
        "data": {"source": "digits.npz", "fingerprint": "9f2c" * 16, "num_rows": 1797, "num_train": 1257,
                 "num_validation": 180, "num_test": 360},
        "network": {"kind": "mlp", "hidden": [256, 256], "latent_dim": 16}, "steps": 12600,
        "environment": {"torch": "2.13.0", "num_threads": 2, "device": "cpu", "precision": "float32"},
        "notes": ["3 files were skipped: not an image"], "precheck": {"duplicates": 0},
        "stopped_early": False,
    } | changes  # fmt: skip


@cache
def training_records(steps=12600, validation=True):
    """A noisy, rising training curve that starts at absurd values, and a validation curve that turns down."""
    rng = np.random.default_rng(1)
    records = []
    for step in range(20, steps + 1, 20):
        fit = 13 + 30 * np.exp(-step / 900) + 4e5 * np.exp(-step / 12)
        rate = 8.5 * (1 - np.exp(-step / 500))
        train = {"distortion_nats": fit + rng.normal() * 0.5, "rate_nats": rate + rng.normal() * 0.1}
        extra = {"beta": min(1.0, step / 2000), "learning_rate": 0.001}
        records.append({"step": step, "epoch": 1 + step // 126, "split": "train", **with_bound(train), **extra})
        if validation and step % 600 == 0:
            kept = {"distortion_nats": fit + 0.8 + (step / 9000) ** 2, "rate_nats": rate}
            records.append({"step": step, "epoch": 1 + step // 126, "split": "validation", **with_bound(kept)})
    return records


def with_bound(terms):
    return {"bound_nats": -sum(terms.values()), "elbo_nats": -sum(terms.values()), **terms}


def latents(values, active, total):
    """Leading principal components of the values, in the dimensions that the evaluation calls used."""
    flat = values.reshape(len(values), -1)[:, :: max(1, values[0].size // 100)]
    centred = flat - flat.mean(axis=0)
    left = np.linalg.svd(centred, full_matrices=False)[0][:, :active] * np.sqrt(len(values))
    used = np.argsort(EVALUATION["kl_per_dimension_nats"][:total])[::-1][:active]
    loc = np.full((len(values), total), 0.001, dtype=np.float32)
    loc[:, used] = left * np.linspace(1, 0.3, active)
    return loc


@cache
def loaded_digits():
    return load_digits()


def make_digits_run(path):
    """A finished and evaluated run on 8 x 8 digits with labels."""
    digits = loaded_digits()
    images = digits.images[:, None].astype(np.float32)
    soft = gaussian_filter(images[:400], (0, 0, 0.6, 0.6))
    run = FakeRun(path, describe("digits", Schema("image", (1, 8, 8), levels=17, label="target")))
    run.add_metrics(training_records())
    run.add_evaluation()
    loc = latents(images, 10, 16)
    run.add_gallery(
        [str(label) for label in range(10)],
        originals=images[:16], reconstructions=soft[:16], samples=soft[100:140],
        variations=(soft[:6, None] * 0.8 + soft[200:248].reshape(6, 8, 1, 8, 8) * 0.2),
        latent_loc=loc, latent_scale=np.ones_like(loc), labels=digits.target.astype(np.int64),
    )  # fmt: skip
    return run


@cache
def scenes(count):
    """Coloured 48 x 64 images: a sun over hills."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:48, 0:64]
    images = np.zeros((count, 3, 48, 64), dtype=np.float32)
    for image in images:
        image[:] = (255 * rng.uniform(0.3, 1, 3))[:, None, None] * (0.55 + 0.45 * y / 48)
        disc = (x - rng.uniform(10, 54)) ** 2 + (y - rng.uniform(8, 24)) ** 2 < rng.uniform(20, 80)
        hill = y > 34 + 6 * np.sin(x / rng.uniform(5, 14) + rng.uniform(0, 6))
        image[:, disc] = np.array([255, 230, 120])[:, None]
        image[:, hill] *= 0.35
    return images


def make_scenes_run(path):
    """A finished run on colour images, with 23 labels, likelihood in bits/dim, and a 2-D latent space."""
    images = scenes(120)
    soft = gaussian_filter(images, (0, 0, 1.5, 1.5))
    schema = Schema("image", (3, 48, 64), levels=256, label="folder")
    run = FakeRun(path, describe("scenes <3", schema, likelihood="discretized-logistic", stopped_early=True))
    run.add_metrics(training_records())
    run.add_evaluation(
        latent_dim=2, active_units=2, kl_per_dimension_nats=[4.1, 3.9], bits_per_dim=3.4217,
        elbo_nats=-21874.2, log_likelihood_nats=-21862.9, standard_error_nats=36.2,
        distortion_nats=21866.2, rate_nats=8.0,
        protocol={"binarize": "none", "seed": 0, "num_samples": 500, "split": "test"},
    )  # fmt: skip
    labels = (np.arange(120) ** 2 % 23).astype(np.int64)
    run.add_gallery(
        [f"place {index}" for index in range(23)],
        originals=images[:10], reconstructions=soft[:10], samples=soft[20:50],
        variations=soft[40:64].reshape(4, 6, 3, 48, 64), latent_loc=latents(images, 2, 2), labels=labels,
    )  # fmt: skip
    return run


NAMES = ("age", "income", "height_cm", "weight_kg", "children", "rooms", "distance to work (km)", "rent",
         "savings", "debt", "score", "constant")  # fmt: skip


def make_table_run(path):
    """A finished run on a table of twelve columns in very different units, without labels."""
    rng = np.random.default_rng(3)

    def rows(count, spread):
        factors = rng.normal(size=(count, 3)) @ rng.normal(size=(3, 12)) * 0.7 + rng.normal(size=(count, 12)) * spread
        scale = np.array([12, 9000, 9, 14, 1.1, 1.5, 8, 300, 20000, 5000, 0.0004, 0])
        table = np.array([44, 38000, 171, 74, 1, 4, 12, 900, 30000, 4000, 0.001, 7]) + factors * scale
        table[:, 6] = np.exp(table[:, 6] / 12)
        return table.astype(np.float32)

    data, samples = rows(600, 0.5), rows(500, 0.6)
    data[:, 4:6] = np.rint(data[:, 4:6]).clip(0)
    schema = Schema("table", (12,), columns=tuple(Column(name) for name in NAMES))
    run = FakeRun(path, describe("households", schema, likelihood="gaussian", binarize="none"))
    run.add_metrics(training_records(validation=False))
    run.add_evaluation(
        log_scale_nats=48.2, baseline={"name": "full-covariance Gaussian", "log_likelihood_nats": -24.112},
        protocol={"binarize": "none", "seed": 3, "num_samples": 500, "split": "test"},
    )  # fmt: skip
    run.add_gallery(
        originals=data, samples=samples,
        reconstructions=(data * 0.97 + data.mean(0) * 0.03).astype(np.float32),
        variations=samples[:32].reshape(4, 8, 12), latent_loc=latents(data, 10, 16),
    )  # fmt: skip
    return run


def make_new_run(path):
    """A run whose training has only just begun: nothing but its description."""
    schema = Schema("table", (2,), columns=(Column("x"), Column("y")))
    return FakeRun(path, describe("new", schema, status="training"))


@pytest.fixture
def digits_run(tmp_path):
    """The digits without their training curves, which take half of the time to draw."""
    run = make_digits_run(tmp_path)
    run.add_metrics([])
    return run


@pytest.fixture
def table_run(tmp_path):
    return make_table_run(tmp_path)


@pytest.fixture
def new_run(tmp_path):
    return make_new_run(tmp_path)


@pytest.fixture(scope="session", params=[make_digits_run, make_scenes_run, make_table_run, make_new_run])
def any_reported_run(request, tmp_path_factory):
    """Each of the runs in turn, its report written."""
    run = request.param(tmp_path_factory.mktemp("reported"))
    write_report(run)
    return run
