"""docs/design.md describes the house that stands."""

import re

from tests.architecture.test_layers import MAY_IMPORT, PACKAGE
from tests.docs.pages import ROOT, blocks, rows

PAGE = (ROOT / "docs" / "design.md").read_text("utf-8")
TREE = blocks(PAGE, "")[0].code


def test_the_tree_names_every_part_and_no_other():
    package = TREE.partition("src/reparam/\n")[2].partition("\ntests/")[0]
    named = set(re.findall(r"^  (\S+?)/? ", package, re.MULTILINE))
    assert named == {entry.name for entry in PACKAGE.iterdir() if entry.name != "__pycache__"}


def test_every_file_in_the_tree_is_there():
    there = {path.name for folder in ("src", "tests", "docs") for path in (ROOT / folder).rglob("*")}
    assert set(re.findall(r"[\w-]+\.(?:py|md)\b", TREE)) - there == set()


def test_the_layers_are_those_that_are_enforced():
    table = {}
    for part, allowed in rows(PAGE, "`[a-z]+`"):
        table[part.strip("`")] = set(table) if allowed == "all above" else set(re.findall(r"`([\w.]+)`", allowed))
    assert table == MAY_IMPORT
