"""docs/idea.md does what it says, line by line, and the Chinese page is its twin."""

import doctest

from tests.docs.pages import ROOT, blocks, heading_levels, pictures

ENGLISH, CHINESE = ((ROOT / "docs" / name).read_text("utf-8") for name in ("idea.md", "idea.zh-CN.md"))


def test_every_line_gives_what_the_page_shows():
    session = "\n".join(block.code for block in blocks(ENGLISH, "pycon"))
    test = doctest.DocTestParser().get_doctest(session, {}, "idea.md", None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said = []
    runner.run(test, out=said.append)
    assert test.examples
    assert runner.failures == 0, "".join(said)


def test_the_chinese_page_has_the_same_code_headings_and_pictures():
    assert blocks(CHINESE) == blocks(ENGLISH)
    assert heading_levels(CHINESE) == heading_levels(ENGLISH)
    assert pictures(CHINESE) == pictures(ENGLISH)


def test_the_command_is_one_of_the_program():
    (block,) = blocks(ENGLISH, "bash")
    assert block.code == "reparam compare --law bernoulli --loss '(y - 0.45)**2'\n"  # run by tests/cli/test_compare.py
