"""The README does what it says: every code block runs as it is printed, and the Chinese page is its twin."""

import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reparam
from reparam.cli.main import main
from reparam.distributions import Normal
from reparam.errors import Interrupted, ReparamError
from reparam.planning import PRESETS
from tests.docs.pages import ROOT, anchors, blocks, heading_levels, pictures, rows, targets

ENGLISH, CHINESE = (Path(ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(code):
    """The command lines of a bash block, without their comments."""
    lines = (shlex.split(line, comments=True) for line in code.splitlines())
    return [words for words in lines if words]


def execute(words):
    """Run a command of the README; its exit code."""
    if words[0] == "reparam":
        return main(words[1:])
    assert words[0] == "make", f"no test for {words}"
    return subprocess.run(["make", "-n", "-C", ROOT, *words[1:]], capture_output=True, check=False).returncode


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder with the data the README speaks of; runs that state no length take 10 steps."""
    monkeypatch.chdir(tmp_path)
    for kinds in PRESETS.values():
        for kind, preset in kinds.items():
            monkeypatch.setitem(kinds, kind, preset._replace(num_steps=10))
    generator = np.random.default_rng(0)
    for folder, count in (("photos", 40), ("new_photos", 3)):
        (tmp_path / folder).mkdir()
        for index in range(count):
            pixels = generator.integers(0, 256, size=(12, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{index}.png")
    table = generator.normal(size=(200, 4)).cumsum(axis=1)
    np.savetxt("measurements.csv", table, delimiter=",", header="a,b,c,d", comments="", fmt="%.4f")
    counts = generator.poisson(generator.gamma(2, 5, size=(200, 1)) * [[1, 2, 4, 0.5]])
    np.savetxt("counts.csv", counts, delimiter=",", header="a,b,c,d", comments="", fmt="%d")
    return tmp_path


def test_the_command_lines_run_as_printed(workplace, capsys):
    for block in blocks(ENGLISH, "bash"):
        for words in commands(block.code):
            assert execute(words) == 0, f"{shlex.join(words)}\n{capsys.readouterr().err}"
    made = ["latents.parquet", "reconstructions", "samples.png", "near", "runs/photos/report/index.html", "made_up.csv"]
    assert [name for name in made if not (workplace / name).exists()] == []


def test_a_wrong_command_line_is_seen(workplace, capsys):
    assert execute(["reparam", "train", "photos", "--epoch", "3"]) == 2
    assert "--epoch" in capsys.readouterr().err
    assert execute(["make", "no-such-target"]) != 0


@pytest.mark.parametrize("number", range(len(blocks(ENGLISH, "python"))))
def test_python_runs_as_printed_and_says_what_it_says(number, workplace, capsys):
    code = blocks(ENGLISH, "python")[number].code
    names = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(compile(code, f"README, Python block {number + 1}", "exec"), names)
    CLAIMS[number](names)


def claims_of_fit(names):
    assert names["loc"].shape == names["scale"].shape == (1000, 2)
    assert names["again"].shape == (1000, 3)
    assert names["new"].shape == (10, 3)
    assert names["near"].shape == (5, 4, 3)
    assert names["nats"].shape == (5,)
    # In the units of x, not in scaled ones: closer to x than its own mean is.
    assert ((names["again"] - names["x"]) ** 2).mean() < names["x"].var(axis=0).mean()


def claims_of_own_networks(names):
    assert reparam.load("runs/mine", model=names["mine"]).sample(2).shape == (2, 3)


def claims_of_conditional(names):
    # 1000 points determine loc to about 0.02 and log scale to about 0.1 near any place; these are wide.
    assert names["law"].mean.item() == pytest.approx(np.sin(1), abs=0.1)
    assert names["law"].stddev.item() == pytest.approx(0.15, rel=0.5)


def claims_of_draw(names):
    # Per draw, d/dloc y² = 2y and d/dscale y² = 2yε have standard deviations 2σ = 1 and 2·sqrt(μ² + 2σ²) = 2.4.
    # Five standard errors of 10,000 draws; the seed is fixed.
    assert names["loc"].grad.item() == pytest.approx(2, abs=0.05)
    assert names["scale"].grad.item() == pytest.approx(1, abs=0.12)
    again = Normal(1.0, 0.5).rsample((10_000,), generator=reparam.noise.generator(0))
    torch.testing.assert_close(names["law"].from_noise(names["noise"]), again)
    assert names["y"].shape == (1024,)


def claims_of_expectation(names):
    # E (n - 5)², n the number of ones, is 25 + 5; d/dlogit = (2·(10 - 5) + 1 - 2p)·p(1 - p) = 2.5 for each coin.
    assert names["value"].item() == pytest.approx(30, abs=5 * 43 / 2000**0.5)
    assert names["logits"].grad.mean().item() == pytest.approx(2.5, abs=0.5)


def claims_of_check(names):
    assert not names["report"].ok
    assert "the gradient is zero for all draws, and should not be" in str(names["report"])


CLAIMS = [
    claims_of_fit,
    claims_of_own_networks,
    claims_of_conditional,
    claims_of_draw,
    claims_of_expectation,
    claims_of_check,
]


def test_every_python_block_has_its_claims_checked():
    assert len(CLAIMS) == len(blocks(ENGLISH, "python"))


def test_the_exit_codes_are_those_of_the_errors():
    def subclasses(kind):
        return {kind, *(leaf for child in kind.__subclasses__() for leaf in subclasses(child))}

    ours = {kind for kind in subclasses(ReparamError) if kind.__module__ == "reparam.errors"} - {Interrupted}
    raised = {kind.exit_code for kind in ours} | {0} | {Interrupted("", number).exit_code for number in (2, 15)}
    for text in (ENGLISH, CHINESE):
        printed = {int(code) for cells in rows(text, r"[\d, ]+") for code in cells[0].split(",")}
        assert printed == raised


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_and_picture_is_there(page):
    missing = []
    for target in targets(page.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        there = page.parent / name if name else page
        if not there.exists() or (anchor and anchor not in anchors(there.read_text("utf-8"))):
            missing.append(target)
    assert missing == []


def test_the_pictures_are_ours_and_small():
    assert pictures(ENGLISH)
    for name in pictures(ENGLISH):
        assert name.startswith("docs/pictures/")
        assert (ROOT / name).stat().st_size < 150_000


def test_the_chinese_page_is_its_twin():
    assert blocks(CHINESE) == blocks(ENGLISH)
    assert pictures(CHINESE) == pictures(ENGLISH)
    assert heading_levels(CHINESE) == heading_levels(ENGLISH)
    own = {"README.md", "README.zh-CN.md"}
    chinese, english = ([target for target in targets(page) if target not in own] for page in (CHINESE, ENGLISH))
    assert [target.replace(".zh-CN", "") for target in chinese] == english
