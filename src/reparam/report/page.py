"""One self-contained HTML page about a run, and its figures as PNG files beside it."""

from html import escape
from pathlib import Path
from typing import Any

from reparam.report.document import document
from reparam.report.elements import Section, count, details, facts_table, flatten, notice, section
from reparam.report.gallery import examples_section
from reparam.report.inside import latent_section, training_section
from reparam.report.measured import measured_section
from reparam.report.reading import Contents, ReadableRun, read_contents
from reparam.report.summary import health, key_numbers

__all__ = ["write_report"]

FOLDER = "report"


def write_report(run: ReadableRun) -> Path:
    """Write ``report/index.html`` and its figures into the run directory.

    The page needs nothing but itself: styles and figures are inside, there are no scripts, no links and no
    dates. A part of the run that is not there yet (no evaluation, no validation records, no labels) is
    replaced by a sentence. Writing again from the same run gives the same bytes.

    Args:
        run: an open run directory; nothing but this is read.

    Returns:
        The path of the page.

    Raises:
        RunError: a file of the run is damaged or does not fit the others.
        InputOutputError: the run directory cannot be written.

    Example:
        >>> import pathlib, types
        >>> written = {}
        >>> schema = {"kind": "table", "shape": [1], "columns": [{"name": "x"}]}
        >>> run = types.SimpleNamespace(
        ...     path=pathlib.Path("no-such-run"), metrics=list, write_bytes=written.__setitem__,
        ...     description={"name": "empty", "status": "training", "settings": {}, "likelihood": "gaussian",
        ...                  "data": {}, "schema": schema})
        >>> write_report(run).name, list(written)
        ('index.html', ['report/index.html'])
    """
    contents = read_contents(run)
    parts = (
        Section(key_numbers(contents)),
        Section(health(contents)),
        examples_section(contents),
        latent_section(contents),
        measured_section(contents),
        training_section(contents),
        Section(_facts(contents)),
    )
    for part in parts:
        for picture in part.pictures:
            run.write_bytes(f"{FOLDER}/{picture.name}", picture.png)
    # The page comes last: where it is, its figures are.
    page = _document(contents, "\n".join(part.html for part in parts if part.html))
    run.write_bytes(f"{FOLDER}/index.html", page.encode("utf-8"))
    return run.path / FOLDER / "index.html"


def _document(contents: Contents, body: str) -> str:
    name = str(contents.description["name"])
    footer = f"Made{_version(contents)} from the run directory alone. The figures lie beside this page as PNG files."
    return document(f"{name} – run report", f"{_header(contents, escape(name))}\n{body}", footer)


def _version(contents: Contents) -> str:
    version = contents.description.get("reparam")
    return f" by reparam {escape(str(version))}" if version else ""


def _header(contents: Contents, name: str) -> str:
    description = contents.description
    facts = [contents.schema.describe(), f"{description['likelihood']} likelihood"]
    if contents.given:
        facts.append(f"given: {', '.join(contents.given)}")
    if contents.evaluation is not None:
        facts.append(count(contents.evaluation["latent_dim"], "latent dimension"))
    steps = max((record["step"] for record in contents.metrics), default=0)
    if steps:
        facts.append(count(steps, "step"))
    line = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    unfinished = ""
    if description["status"] == "training":
        unfinished = notice("Training has not finished; this page shows what there is so far.")
    heading = f'<p class="over">Run report</p><h1>{name}</h1><ul class="line">{line}</ul>'
    return f"<header>{heading}{unfinished}</header>"


def _facts(contents: Contents) -> str:
    description = contents.description
    data: list[tuple[str, str]] = [("schema", contents.schema.describe())]
    data += flatten(description.get("data", {}))
    if contents.schema.label is not None:
        data.append(("labels from", contents.schema.label))
    data += [("note", str(note)) for note in description.get("notes", [])]
    blocks: list[tuple[str, list[tuple[str, str]]]] = [
        ("Data", data),
        ("Settings", _block(contents, "settings")),
    ]
    for title, key in (("Network", "network"), ("Scaling", "scaling"), ("Check before training", "precheck")):
        blocks.append((title, _block(contents, key)))
    if contents.evaluation is not None:
        measured = {key: value for key, value in contents.evaluation.items() if key != "health"}
        blocks.append(("Everything measured", flatten(measured)))
    blocks.append(("Environment", _block(contents, "environment")))
    opened = "".join(details(title, facts_table(facts)) for title, facts in blocks if facts)
    return section("facts", "Data and settings", opened)


def _block(contents: Contents, key: str) -> list[tuple[str, str]]:
    block: dict[str, Any] = contents.description.get(key) or {}
    return flatten(block)
