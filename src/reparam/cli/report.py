"""``reparam report``: the page that shows a run."""

from reparam.cli._shared import AsJson, Data, Device, RunPath, Seed, emit, load_run

__all__ = ["report"]


def report(run: RunPath, source: Data = None, seed: Seed = 0, device: Device = "auto", as_json: AsJson = False) -> None:
    """Write RUN/report: one self-contained page, and its pictures as PNG.

    Example: reparam report runs/digits
    """
    path = load_run(run, device).report(source, seed=seed)
    emit({"report": str(path)}, [f"report: {path}"], as_json)
