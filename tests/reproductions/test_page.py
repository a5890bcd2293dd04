"""docs/reproductions.md is made of the rows and the results, and of nothing else."""

import json
import re

from reproductions import table
from reproductions.row import RESULTS
from reproductions.rows import ROWS
from tests.docs.pages import ROOT, rows

PAGE = (ROOT / "docs" / "reproductions.md").read_text("utf-8")


def test_the_page_is_fresh():
    assert table.page() == PAGE, "docs/reproductions.md is stale: run `make reproductions-table`"


def test_rows_without_a_result_say_so(tmp_path):
    page = table.page(tmp_path)
    assert page.count("not run yet |") == len(ROWS)
    assert page.count("Not run yet.") == len(table.MEASUREMENTS)


def test_a_result_is_printed_with_its_error_and_protocol(tmp_path):
    result = {
        "row": "davidson-normal-2",
        "setting": "full",
        "seed": 4,
        "log_likelihood_nats": -130.126,
        "standard_error_nats": 0.254,
        "effective_sample_size": 123.4,
        "elbo_nats": -135.5,
        "active_units": 2,
        "protocol": {"num_samples": 5000},
        "steps": 123456,
        "best_step": 100000,
        "training_minutes": 12.3,
        "evaluation_minutes": 3.4,
        "machine": {"device": "cpu", "name": "x86_64", "threads": 2},
    }
    for setting in ("full", "budget"):
        (tmp_path / f"davidson-normal-2-{setting}-4.json").write_text(json.dumps(result | {"setting": setting}))
    found = rows(table.page(tmp_path), "`davidson-normal-2`")
    assert [cells[4] for cells in found] == ["budget; seed 4", "full; seed 4"]
    ours = ["-130.13 ± 0.25", "123 of 5,000", "-135.50", "2", "123,456, best 100,000", "12 + 3 of evaluation"]
    assert found[1][5:] == [*ours, "x86_64, 2 threads"]
    assert rows(table.page(tmp_path), "`davidson-normal-20`")[0][5] == "not run yet"


def test_every_number_of_others_on_the_page_is_one_of_the_rows():
    seen = {str(number) for row in ROWS.values() for number in (row.published, row.again) if number is not None}
    printed = {cell for cells in rows(PAGE, "`.*`") for cell in cells[2:4] if cell}
    assert printed == seen


def test_no_result_is_without_a_place_on_the_page():
    names = {path.stem for path in RESULTS.glob("*.json")}
    known = {f"{row}-{setting}" for row in ROWS for setting in ("budget", "full")}
    assert {name for name in names - set(table.MEASUREMENTS) if re.sub(r"-\d+$", "", name) not in known} == set()
