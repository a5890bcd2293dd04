"""SIGKILL at random moments, resumed each time: every file has the bytes of the run that was left in peace."""

from pathlib import Path

from tests.resuming.killing import MOMENTS, moments_of, prepare, run_killed, run_straight
from tests.runs.faults import snapshot

NUM_KILLS = 8


def test_a_run_killed_again_and_again_ends_with_the_bytes_of_the_straight_run(tmp_path: Path) -> None:
    prepare(tmp_path, NUM_KILLS)
    straight = snapshot(run_straight(tmp_path))
    path, landed = run_killed(tmp_path, moments_of(NUM_KILLS, seed=0), seed=0)
    killed = snapshot(path)
    assert len(landed) == NUM_KILLS
    assert {"training", "finishing"} <= set(landed) <= set(MOMENTS)
    expected = {"run.json", "metrics.jsonl", "evaluation.json", "gallery.safetensors", "latest", "best"}
    assert expected | {"report/index.html"} <= straight.keys()
    assert sorted(killed) == sorted(straight)
    assert [name for name in straight if killed[name] != straight[name]] == []
