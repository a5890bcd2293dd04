"""docs/settings.md says what the settings are."""

import runpy
import tomllib

from reparam.training.settings import Settings
from tests.docs.pages import ROOT, blocks

PAGE = (ROOT / "docs" / "settings.md").read_text("utf-8")


def test_the_page_is_made_from_the_settings_as_they_are():
    made = runpy.run_path(str(ROOT / "docs" / "make_settings.py"))["page"]()
    assert made == PAGE, "docs/settings.md is stale: run `python docs/make_settings.py`"


def test_the_example_file_is_accepted():
    (example,) = blocks(PAGE, "toml")
    assert Settings.from_mapping(tomllib.loads(example.code)).epochs == 200
