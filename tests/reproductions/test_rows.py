"""The rows of published results: valid in both settings, buildable, finite, and of numbers that were seen."""

import gzip
import json
import struct

import numpy as np
import pytest
import torch

from reparam import noise
from reparam.errors import DataError
from reparam.planning import make_plan, read_examples
from reproductions import row as module
from reproductions.changes import WORDS, changes
from reproductions.row import PIXELS, RESULTS, Number, run, started, stated
from reproductions.rows import ROWS, STUDIES

SETTINGS = ("budget", "full")


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    """A folder like MNIST's, of 90 training and 12 test images of noise."""
    folder = tmp_path_factory.mktemp("mnist")
    generator = np.random.default_rng(0)
    for name, count in (("train", 90), ("t10k", 12)):
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        header = struct.pack(">I3I", 0x0803, count, 28, 28)
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        labels = struct.pack(">II", 0x0801, count) + bytes(i % 10 for i in range(count))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return folder


def planned(row, setting, folder):
    """The plan of a run, and its model."""
    settings = row.settings(setting, 0)
    examples = read_examples(folder, settings)
    x = torch.from_numpy(examples.values[:90]) / 255
    model = None if row.model is None else started(row.model, x, 0)
    plan = make_plan(examples, settings, model, row.objective)
    return plan, plan.build_model(x) if model is None else model


def test_names_are_unique():
    names = [row.name for study in STUDIES for row in study.rows]
    assert len(names) == len(set(names)) == len(ROWS)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", ROWS)
def test_a_run_can_be_planned_and_its_first_loss_has_gradients(name, setting, mnist):
    plan, model = planned(ROWS[name], setting, mnist)
    assert plan.binarize in ("dynamic", "static")
    rows = plan.feed(read_examples(mnist, plan.settings), "train").gather(torch.arange(3), noise.generator(0))
    assert set(rows.x.unique().tolist()) <= {0.0, 1.0}
    terms = plan.loss(model, rows, beta=1.0, generator=noise.generator(0, "loss"))
    terms.loss.backward()
    assert torch.isfinite(terms.bound).all()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert [name for name, value in gradients.items() if value is None or not value.isfinite().all()] == []


def test_the_published_networks_have_their_sizes():
    def sizes(part):
        return [layer.out_features for layer in part.modules() if isinstance(layer, torch.nn.Linear)]

    x = torch.rand(3, *PIXELS)
    two = ROWS["burda-2-layers-iwae-5"].model(x)
    assert sizes(two.encoder) == [200, 200, 200, 100, 100, 100]  # locations and scales of 100, then of 50
    assert sizes(two.prior) == [100, 100, 200]
    assert sizes(two.decoder) == [200, 200, 784]
    for latent_dim in (2, 5, 10, 20, 40):
        sphere = ROWS[f"davidson-sphere-{latent_dim}"].model(x)
        assert sphere.prior().event_shape == sphere.encoder(x).event_shape == (latent_dim + 1,)
    vamp = ROWS["tomczak-vampprior"].model(x)
    assert vamp.prior.inputs.shape == (500, *PIXELS)
    assert vamp.prior._encoder[0] is vamp.encoder
    assert ROWS["binary-linear-rebar"].model(x).prior().event_shape == (200,)


def test_every_number_of_others_has_a_source():
    numbers = [number for row in ROWS.values() for number in (row.published, row.again) if number is not None]
    assert numbers
    assert all(isinstance(number, Number) and number.source.strip() and number.nats < 0 for number in numbers)


def test_what_a_budget_changes_is_said():
    for row in ROWS.values():
        assert set(row.budget) <= set(WORDS)
        assert len(changes(row)) == sum(value != getattr(row.full, name) for name, value in row.budget.items())
    assert "epochs: 400 instead of 3,280" in changes(ROWS["burda-1-layer-vae-1"])
    assert "evaluations of patience: no end instead of 50" in changes(ROWS["davidson-normal-2"])


def test_stored_results_are_of_the_rows_as_they_are():
    for path in RESULTS.glob("*-*-*.json"):
        result = json.loads(path.read_text("utf-8"))
        row = ROWS[result["row"]]
        assert path.stem == f"{row.name}-{result['setting']}-{result['seed']}"
        assert result["settings"] == stated(row.settings(result["setting"], result["seed"])), path.name
        assert result["protocol"]["num_examples"] == 10_000
        assert result["protocol"]["num_samples"] == result["settings"]["num_samples"]


def test_a_run_leaves_its_result(mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    short = {"epochs": 1, "batch_size": 40, "num_samples": 7, "evaluate_every": 1}
    row = module.replace(ROWS["davidson-sphere-2"], budget=short)
    result = run(row, mnist, tmp_path / "run", setting="budget", seed=3)
    stored = json.loads((tmp_path / "results" / "davidson-sphere-2-budget-3.json").read_text("utf-8"))
    assert stored == json.loads(json.dumps(result))
    assert stored["settings"] == stated(row.settings("budget", 3))
    assert stored["protocol"] | {"num_examples": 12, "num_samples": 7, "binarize": "dynamic"} == stored["protocol"]
    assert stored["steps"] == 2
    assert stored["elbo_nats"] < stored["log_likelihood_nats"] < 0


def test_other_images_are_refused(tmp_path):
    np.save(tmp_path / "small.npy", np.random.default_rng(0).integers(0, 256, (50, 8, 8), dtype=np.uint8))
    with pytest.raises(DataError, match=r"for MNIST, images of shape \(1, 28, 28\), got \(1, 8, 8\)"):
        run(ROWS["davidson-normal-2"], tmp_path / "small.npy", tmp_path / "run", setting="budget", seed=0)
