"""The verbs and their options, exactly: what is added here is a promise, what is removed breaks somebody's script."""

import dataclasses
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer

from reparam.cli.main import app
from reparam.training.settings import Settings

OPTIONS = {
    "train": "--out --config --resume --preset --epochs --batch-size --latent-dim --learning-rate --seed --device "
    "--precision --posterior --prior --objective --likelihood --library-size --binarize --condition --resize "
    "--skip-bad --json",
    "evaluate": "--samples --measures --factors --precision --seed --device --json",
    "encode": "--out --device --json",
    "reconstruct": "--out --device --json",
    "sample": "--out --num --given --seed --device --json",
    "vary": "--out --num --seed --device --json",
    "report": "--seed --device --json",
    "check": "--seed --draws --json",
    "compare": "--law --loss --draws --samples --seed --out --json",
}
ARGUMENTS = {
    "train": "[SOURCE]",
    "evaluate": "RUN [SOURCE]",
    "encode": "RUN [SOURCE]",
    "reconstruct": "RUN [SOURCE]",
    "sample": "RUN",
    "vary": "RUN [SOURCE]",
    "report": "RUN [SOURCE]",
    "check": "[LAW]",
    "compare": "",
}
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_the_verbs_are_these() -> None:
    assert list(COMMANDS) == list(OPTIONS)


@pytest.mark.parametrize("verb", OPTIONS)
def test_the_options_of_a_verb_are_these(verb: str) -> None:
    found = [name for param in COMMANDS[verb].params if param.param_type_name == "option" for name in param.opts]
    assert sorted(found) == sorted(OPTIONS[verb].split())
    assert not [name for param in COMMANDS[verb].params for name in param.secondary_opts]


@pytest.mark.parametrize("verb", OPTIONS)
def test_help_shows_arguments_every_option_and_its_default(verb: str, reparam: Any) -> None:
    result = reparam(verb, "--help")
    assert (result.code, result.err) == (0, "")
    usage, _, rest = result.out.partition("\n\n")
    assert usage == f"Usage: reparam {verb} [OPTIONS] {ARGUMENTS[verb]}".rstrip()
    text = rest.split("\nOptions:\n")[1]
    entries = {entry.split()[0]: " ".join(entry.split()) for entry in re.split(r"\n(?=  --)", "\n" + text) if entry}
    assert set(entries) == {*OPTIONS[verb].split(), "--help"}
    for name, entry in entries.items():
        if name != "--help":
            needed = name == "--out" and verb not in ("train", "compare")
            assert re.search(r"\[required\]" if needed else r"\[default: [^\]]+\]", entry), entry
            meaning = re.sub(r"^--[a-z-]+( <\w+>| [A-Zx]+)?|\[.*", "", entry).strip()
            assert re.fullmatch(r"[\w(].{10,}\.", meaning), entry
    assert max(map(len, result.out.splitlines())) <= 80


def test_the_defaults_in_the_help_of_train_are_those_of_the_settings(reparam: Any) -> None:
    text = " ".join(reparam("train", "--help").out.split())
    compared = 0
    for entry in dataclasses.fields(Settings):
        option = f"--{entry.name.replace('_', '-')}"
        if option not in OPTIONS["train"].split():
            continue
        stated = entry.metadata["meaning"].partition("; default: ")[2]
        expected = stated or {"None": "", "False": "off"}.get(str(entry.default), str(entry.default))
        found = re.search(rf" {option} .*?\[default: ([^\]]+)\]", text)
        assert found is not None
        if expected:
            assert found[1] == expected
            compared += 1
    assert compared >= 8


@pytest.mark.parametrize("verb", OPTIONS)
def test_the_list_of_verbs_says_what_each_does_in_a_whole_sentence(verb: str, reparam: Any) -> None:
    found = re.search(rf"^  {verb} +(.*)$", reparam("--help").out, re.MULTILINE)
    assert found is not None
    assert re.fullmatch(r"[A-Z].*[^.]\.", found[1])


@pytest.mark.parametrize("verb", OPTIONS)
def test_the_example_in_the_help_of_a_verb_runs_as_it_stands(
    verb: str, runs: Path, tmp_path: Path, reparam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"^  Example: reparam (.*)$", reparam(verb, "--help").out, re.MULTILINE)
    words = shlex.split(example)
    assert words[0] == verb
    monkeypatch.chdir(tmp_path)
    if verb == "train":
        words += ["--config", str(runs / "small.toml")]
    elif verb != "check":
        shutil.copytree(runs / "digits", "runs/digits")
    result = reparam(*words)
    assert result.code == 0, result.err
    assert result.out
    if "--out" in words:
        assert Path(words[words.index("--out") + 1]).exists()
