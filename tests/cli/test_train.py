"""``reparam train``: what is printed where, what is written, how a run is gone on with."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from reparam.training.settings import Settings
from tests.cli.conftest import snapshot, write_table


@pytest.fixture
def small(runs: Path) -> list[str]:
    return ["--config", str(runs / "small.toml")]


def test_the_result_is_aligned_on_stdout_and_progress_is_on_stderr(
    runs: Path, small: list[str], tmp_path: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = reparam("train", runs / "table.csv", *small)
    assert result.code == 0
    for beginning in (
        "data: 60 rows of 3 columns",
        "split: ",
        "likelihood: ",
        "model: ",
        "run directory: runs/1",
        "step",
    ):
        assert re.search(f"^{beginning}", result.err, re.MULTILINE), beginning
    rows = result.out.splitlines()
    column = len("test log-likelihood  ")
    assert all(row[column - 2 : column] == "  " and row[column] != " " for row in rows)
    found = {row[:column].strip(): row[column:] for row in rows}
    assert re.fullmatch(
        r"-?\d+\.\d\d ± \d+\.\d\d nats \(standard error\), standardised values", found["test log-likelihood"]
    )
    assert found["importance samples"].startswith("5 a row, ")
    assert found["protocol"] == "all 6 test rows, seed 0"
    assert "full-covariance Gaussian (model: " in found["baseline"]
    assert found["report"] == "runs/1/report/index.html"
    assert rows[-1].startswith("next ")


def test_the_next_command_works_as_it_is_printed(
    runs: Path, small: list[str], tmp_path: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for source in ("digits", runs / "table.csv"):
        result = reparam("train", source, "--out", f"my runs/of {Path(source).stem}", *small)
        program, *words = shlex.split(result.out.splitlines()[-1].removeprefix("next "))
        assert program == "reparam"
        assert reparam(*words).code == 0
    assert {path.name for path in (tmp_path / "my runs").iterdir() if path.is_file()} == {
        "of digits-samples.png",
        "of table-samples.csv",
    }


def test_json_is_one_object_with_the_evaluation_and_the_places(
    runs: Path, small: list[str], tmp_path: Path, reparam: Any
) -> None:
    result = reparam("train", runs / "table.csv", "--out", tmp_path / "run", "--json", *small)
    numbers = json.loads(result.out)
    assert numbers["run"] == str(tmp_path / "run")
    assert Path(numbers["report"]).is_file()
    assert numbers | {"run": 0, "report": 0} == json.loads((tmp_path / "run/evaluation.json").read_text()) | {
        "run": 0,
        "report": 0,
    }


def test_options_reach_the_settings_and_win_over_the_file(
    tmp_path: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reparam import pipeline

    class Seen(Exception):
        pass

    def fit(source: Any, settings: Settings, *, out: Path) -> None:
        raise Seen(source, settings, out)

    monkeypatch.setattr(pipeline, "fit", fit)
    (tmp_path / "my.toml").write_text("epochs = 9\nbeta = 0.5\n")
    words = (
        "--epochs 3 --batch-size 7 --latent-dim 2 --learning-rate 0.01 --seed 5 --device cpu --precision bfloat16 "
        "--likelihood bernoulli --binarize static --resize 8x9 --skip-bad"
    )
    expected = Settings(
        epochs=3, batch_size=7, latent_dim=2, learning_rate=0.01, seed=5, device="cpu", precision="bfloat16",
        likelihood="bernoulli", binarize="static", resize="8x9", skip_bad=True, beta=0.5,
    )  # fmt: skip
    seen: list[Any] = []
    monkeypatch.setattr(pipeline, "fit", lambda *args, **kwargs: seen.append((args, kwargs)) or fit(*args, **kwargs))
    reparam("train", "a folder", "--out", tmp_path / "run", "--config", tmp_path / "my.toml", *words.split())
    assert seen == [(("a folder", expected), {"out": tmp_path / "run"})]


def test_an_unfinished_run_is_gone_on_with_to_the_same_end(runs: Path, tmp_path: Path, reparam: Any) -> None:
    run = tmp_path / "digits"
    shutil.copytree(runs / "digits", run)
    weights = (run / "checkpoints/11/model.safetensors").read_bytes()
    description = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(description | {"status": "training"}))
    shutil.rmtree(run / "checkpoints/11")
    (run / "latest").write_text("0\n")
    (run / "best").unlink()
    result = reparam("train", "--resume", run)
    assert result.code == 0, result.err
    assert "going on after step 0" in result.err
    assert (run / "checkpoints/11/model.safetensors").read_bytes() == weights
    assert json.loads((run / "run.json").read_text())["status"] == "finished"


def test_the_data_may_have_moved_when_a_run_is_gone_on_with(
    runs: Path, small: list[str], tmp_path: Path, reparam: Any
) -> None:
    write_table(tmp_path / "here.csv")
    assert reparam("train", tmp_path / "here.csv", "--out", tmp_path / "run", *small).code == 0
    description = json.loads((tmp_path / "run/run.json").read_text())
    (tmp_path / "run/run.json").write_text(json.dumps(description | {"status": "training"}))
    (tmp_path / "here.csv").rename(tmp_path / "there.csv")
    assert reparam("train", "--resume", tmp_path / "run").code == 3
    assert reparam("train", tmp_path / "there.csv", "--resume", tmp_path / "run").code == 0


def test_a_folder_of_photos_needs_no_option_but_out(runs: Path) -> None:
    files = snapshot(runs / "photos")
    description = json.loads((runs / "photos/run.json").read_text())
    assert description["likelihood"] == "discretized-logistic"
    assert description["schema"]["shape"] == [3, 12, 10]
    assert description["schema"]["label"] == "folder"
    assert {"report/index.html", "report/samples.png", "metrics.jsonl", "evaluation.json"} <= set(files)
