"""``reparam report``: the page that shows a run."""

from reparam.cli._shared import AsJson, Device, OwnData, RunPath, Seed, emit, load_run

__all__ = ["report"]


def report(
    run: RunPath, source: OwnData = None, seed: Seed = 0, device: Device = "auto", as_json: AsJson = False
) -> None:
    """Write the page that shows a run.

    RUN/report/index.html is one self-contained page; its pictures lie beside it as PNG files.

    Example: reparam report runs/digits
    """
    path = load_run(run, device).report(source, seed=seed)
    emit({"report": str(path)}, [f"report in {path}"], as_json)
