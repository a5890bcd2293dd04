"""``reparam report``: the page, written again."""

import json
import shutil
from pathlib import Path
from typing import Any

from PIL import Image


def test_it_writes_the_page_and_its_pictures(runs: Path, tmp_path: Path, reparam: Any) -> None:
    run = tmp_path / "digits"
    shutil.copytree(runs / "digits", run)
    shutil.rmtree(run / "report")
    page = run / "report/index.html"
    assert reparam("report", run) == (0, f"report in {page}\n", "")
    assert "<html" in page.read_text(encoding="utf-8")
    pictures = list((run / "report").glob("*.png"))
    assert pictures
    for picture in pictures:
        with Image.open(picture) as image:
            image.verify()
    assert json.loads(reparam("report", run, "--seed", 1, "--json").out) == {"report": str(page)}
