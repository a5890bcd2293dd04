"""From any source to a finished run; and no trace on disk where something is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch import nn

import reparam
from reparam import noise, vae
from reparam.data.sources import read
from reparam.errors import DataError, DivergedError, InputOutputError, RunError, UsageError
from reparam.planning import make_plan
from reparam.runs import Run
from tests.runs.faults import snapshot
from tests.training.small import TABLE
from tests.vae.small import small_vae

QUICK = reparam.Settings(epochs=2, batch_size=20, num_samples=3, width=8)
ROWS = TABLE.draw(60).numpy()
COLUMNS = ["a", "b", "c", "d"]


def fit(source: Any, out: Path, settings: reparam.Settings = QUICK, **more: Any) -> reparam.TrainedVAE:
    return reparam.fit(source, settings, out=out, progress=False, **more)


def write(path: Path) -> Path:
    pd.DataFrame(ROWS, columns=COLUMNS).to_csv(path, index=False)
    return path


def test_the_same_rows_give_the_same_model_from_any_source(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS, columns=COLUMNS)
    sources = {
        "numpy": ROWS,
        "torch": torch.from_numpy(ROWS),
        "pandas": frame,
        "arrow": pa.Table.from_pandas(frame),
        "path": write(tmp_path / "rows.csv"),
        "text": str(tmp_path / "rows.csv"),
    }
    bounds = {}
    for name, source in sources.items():
        trained = fit(source, tmp_path / name)
        assert trained.run.description["status"] == "finished"
        names = [column.name for column in trained.schema.columns]
        assert names == (["x0", "x1", "x2", "x3"] if name in ("numpy", "torch") else COLUMNS)
        assert trained.reconstruct(source).shape == (60, 4)
        bounds[name] = trained.run.read_json("evaluation.json")["elbo_nats"]
    assert len(set(bounds.values())) == 1, bounds


def test_the_run_directory_tells_the_whole_story(trained_digits: reparam.TrainedVAE) -> None:
    run = trained_digits.run
    made = {"run.json", "metrics.jsonl", "checkpoints", "latest", "best"}
    added = {"evaluation.json", "gallery.safetensors", "report"}
    assert {path.name for path in run.path.iterdir()} == made | added
    description = run.description
    assert description["status"] == "finished"
    assert description["likelihood"] == "discretized-logistic"
    assert description["steps_done"] == description["steps"] == run.checkpoint_steps()[-1]
    assert description["network"]["latent_dim"] == 3
    counts = sum(parameter.numel() for parameter in trained_digits.model.parameters())
    assert description["network"]["num_parameters"] == counts
    assert any(note.startswith("pre-check: ") for note in description["notes"])
    assert any(note.startswith("likelihood: ") for note in description["notes"])
    best = max((r for r in run.metrics() if r["split"] == "validation"), key=lambda r: r["bound_nats"])
    assert description["best"] == {"step": best["step"], "bound_nats": best["bound_nats"]}
    stored = run.load_checkpoint("best").model
    assert all(torch.equal(value, stored[name]) for name, value in trained_digits.model.state_dict().items())


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    first = fit(ROWS, tmp_path / "1" / "run")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        again = fit(ROWS, tmp_path / "2" / "run")
    other = fit(ROWS, tmp_path / "3" / "run", reparam.Settings(epochs=2, batch_size=20, num_samples=3, width=8, seed=1))
    assert snapshot(first.run.path) == snapshot(again.run.path)
    assert first.run.metrics() != other.run.metrics()


def test_fitting_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    fit(ROWS, tmp_path / "run")
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    assert np.random.get_state()[1].tolist() == numpy_state  # noqa: NPY002


@pytest.mark.parametrize("num_rows", [10, 11, 14, 15])
def test_the_fewest_rows_train_to_the_end(tmp_path: Path, num_rows: int) -> None:
    numbers = fit(ROWS[:num_rows], tmp_path / "run").run.read_json("evaluation.json")
    assert numbers["num_rows"] == numbers["num_examples"] == 2
    assert numbers["standard_error_nats"] > 0


@pytest.mark.parametrize("shape", [(9, 11), (3, 8, 8), (1, 1)])
def test_images_of_any_size_come_out_as_levels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(30, *shape), dtype=np.uint8)
    trained = fit(images, tmp_path / "run")
    channels_first = shape if len(shape) == 3 else (1, *shape)
    for values in (
        trained.reconstruct(images),
        trained.sample(30, seed=0),
        trained.sample(30, seed=0, observation_noise=True),
    ):
        assert values.shape == (30, *channels_first)
        assert values.min() >= 0
        assert values.max() <= 255
        assert values.max() > 1
    drawn = trained.sample(30, seed=0, observation_noise=True)
    np.testing.assert_allclose(drawn, drawn.round(), atol=1e-4)
    assert trained.run.read_json("evaluation.json")["bits_per_dim"] > 0


def test_half_precision_trains_and_is_kept_in_float32(tmp_path: Path) -> None:
    settings = reparam.Settings(epochs=2, batch_size=20, num_samples=3, width=8, precision="bfloat16")
    trained = fit(ROWS, tmp_path / "half", settings)
    assert {value.dtype for value in trained.model.state_dict().values()} == {torch.float32}
    assert fit(ROWS, tmp_path / "full").run.metrics() != trained.run.metrics()


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "iwae", "draws": 4, "draw_noise": "sobol"},
        {"objective": "dreg", "draws": 4},
        {"objective": "stl"},
        {"draws": 2, "draw_noise": "antithetic", "free_bits": 0.1},
        {"network": "gated-mlp", "num_blocks": 1},
    ],
    ids=str,
)
def test_every_objective_trains_to_the_end_and_is_selected_by_its_own_bound(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    trained = fit(ROWS, tmp_path / "run", reparam.Settings(epochs=2, batch_size=20, num_samples=3, width=8, **changes))
    assert trained.run.description["status"] == "finished"
    records = [record for record in trained.run.metrics() if record["split"] == "validation"]
    assert trained.run.description["best"]["bound_nats"] == max(record["bound_nats"] for record in records)
    weighted = changes.get("objective") in ("iwae", "dreg")
    for record in records:
        assert (record["bound_nats"] > record["elbo_nats"] + 1e-3) == weighted
    again = reparam.load(tmp_path / "run")
    np.testing.assert_array_equal(again.encode(ROWS).loc, trained.encode(ROWS).loc)


# A model of one's own


class Deep(nn.Module):
    """A network that nobody but the user knows, with two names for one weight."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(num_inputs, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, num_outputs))
        self.alias = self.layers[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.layers(x)
        return outputs


def mine() -> vae.VAE:
    with torch.random.fork_rng():
        noise.seed_global(0, "mine")
        return vae.VAE(
            vae.Conditional(Deep(4, 6), vae.DiagonalNormal()),
            vae.Conditional(Deep(3, 4), vae.Gaussian((4,))),
            vae.StandardNormal(3),
        )


def test_a_model_of_your_own_trains_and_loads(tmp_path: Path) -> None:
    trained = fit(ROWS, tmp_path / "run", model=mine())
    network = trained.run.description["network"]
    assert (network["kind"], network["latent_dim"], network["architecture"]) == ("custom", 3, None)
    assert "model: 3 latent dimensions, networks of your own" in trained.run.description["notes"]
    encoding = trained.encode(ROWS)
    assert encoding.loc.shape == (60, 3)
    loaded = reparam.load(tmp_path / "run", model=mine())
    np.testing.assert_array_equal(loaded.encode(ROWS).loc, encoding.loc)
    assert not np.array_equal(encoding.loc, fit_nothing(mine(), trained).encode(ROWS).loc)
    with pytest.raises(
        RunError, match=r"trained with a model of your own: load\(path, model=\.\.\.\) needs the same model"
    ):
        reparam.load(tmp_path / "run")
    other = small_vae((4,), latent_dim=3, width=8)
    with pytest.raises(RunError, match=r"(?s)checkpoint 4 of .* does not fit the model: .*encoder\.network"):
        reparam.load(tmp_path / "run", model=other)


def fit_nothing(model: vae.VAE, trained: reparam.TrainedVAE) -> reparam.TrainedVAE:
    """The same run with other weights."""
    return reparam.TrainedVAE(model.eval(), trained.schema, trained.scaling, trained.run, trained.device)


def test_a_diverging_run_stops_with_its_last_good_checkpoint(tmp_path: Path) -> None:
    class Faulty(nn.Linear):
        """A network that gives up after some steps."""

        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += self.training
            return super().forward(x) * (float("nan") if self.calls > 3 else 1.0)

    model = mine()
    model.encoder.network = Faulty(4, 6)
    settings = reparam.Settings(epochs=2, batch_size=20, evaluate_every=2, num_samples=3)
    with pytest.raises(DivergedError, match=r"step 4: not finite: distortion of rows .* of the data .*; rate of rows"):
        fit(ROWS, tmp_path / "run", settings, model=model)
    run = Run.open(tmp_path / "run")
    assert run.description["status"] == "training"
    checkpoint = run.load_checkpoint("latest")
    assert checkpoint.step == 2
    assert all(value.isfinite().all() for value in checkpoint.model.values())
    assert reparam.load(run.path, model=mine_with_linear_encoder()).encode(ROWS).loc.shape == (60, 3)


def mine_with_linear_encoder() -> vae.VAE:
    model = mine()
    model.encoder.network = nn.Linear(4, 6)
    return model


# Nothing is left behind


def test_without_a_name_runs_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert reparam.fit(ROWS, QUICK, progress=False).run.path == Path("runs/1")
    (tmp_path / "runs" / "2").mkdir()
    assert reparam.fit(ROWS, QUICK, progress=False).run.path == Path("runs/3")


def test_what_exists_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    fit(ROWS, tmp_path / "run")
    before = snapshot(tmp_path)
    for name, message in (("file", "exists and is a file"), ("folder", "not a run directory"), ("run", "holds a run")):
        with pytest.raises(RunError, match=message):
            fit(ROWS, tmp_path / name)
        assert snapshot(tmp_path) == before


NAN = ROWS.copy()
NAN[7, 2] = np.nan


@pytest.mark.parametrize(
    ("source", "settings", "error", "message"),
    [
        (NAN, {}, DataError, r"row 7, column 'x2'"),
        (ROWS[:1], {}, DataError, r"1 row; at least 10"),
        (ROWS[:9], {}, DataError, r"only 9 rows; at least 10"),
        (np.ones((20, 2)), {}, DataError, r"the same value in every row"),
        (np.zeros((20, 4, 4), dtype=np.uint8), {}, DataError, r"every pixel of every image is 0"),
        ("nowhere", {}, DataError, r"nowhere does not exist"),
        (ROWS, {"likelihood": "bernoulli"}, UsageError, r"needs values that are 0 or 1"),
        (ROWS, {"binarize": "dynamic"}, UsageError, r"needs grey levels"),
        (ROWS, {"resize": "8x8"}, UsageError, r"resize is for folders of images"),
        (ROWS, {"skip_bad": True}, UsageError, r"skip_bad is for folders of images"),
        (ROWS, {"columns": ("a",)}, UsageError, r"columns is for tables"),
        (ROWS, {"validation_fraction": 0.5, "test_fraction": 0.5}, UsageError, r"together below 1"),
        (ROWS, {"device": "cuda:99"}, UsageError, r"device 'cuda:99' is not available here; available: cpu"),
        (ROWS, {"device": "gpu"}, UsageError, r"device must be auto, cpu"),
        (object(), {}, UsageError, r"got object"),
    ],
)
def test_a_refusal_comes_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, settings: dict[str, Any], error: type, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        reparam.fit(source, reparam.Settings(**settings), out="runs/mine", progress=False)
    assert snapshot(tmp_path) == {}


def test_a_place_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputOutputError, match=r"cannot create the run directory .*Nothing was trained"):
        fit(ROWS, tmp_path / "file" / "run")
    assert snapshot(tmp_path) == {"file": b"mine"}


def test_progress_is_told_on_stderr_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reparam.fit(ROWS, QUICK, out=tmp_path / "run")
    out, err = capsys.readouterr()
    assert out == ""
    for words in (
        "data: 60 rows",
        "likelihood: Gaussian",
        "pre-check: ",
        "run directory: ",
        "validation bound ",
        "best ",
    ):
        assert words in err
    fit(ROWS, tmp_path / "silent")
    assert capsys.readouterr() == ("", "")


def test_a_bad_row_is_named_by_its_number_in_the_data(tmp_path: Path) -> None:
    class BlowsUp(nn.Linear):
        """A network that cannot take large values."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) / (x.abs().max(dim=1, keepdim=True).values < 5)

    model, rows = mine(), ROWS.copy()
    train = make_plan(read(rows), reparam.Settings()).split.train
    rows[train[-1]] += 1000
    model.encoder.network = BlowsUp(4, 6)
    with pytest.raises(DivergedError, match=rf"step 1: not finite: .* of rows {train[-1]} of the data \(from 0; 1 of"):
        fit(rows, tmp_path / "run", reparam.Settings(epochs=1, batch_size=len(train), num_samples=3), model=model)
