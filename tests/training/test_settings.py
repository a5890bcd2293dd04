"""Settings refuse what makes no sense, say why, and survive being written down."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reparam.errors import InputOutputError, UsageError
from reparam.training.settings import LIKELIHOODS, Settings, read_config

WHOLE = ("epochs", "batch_size", "latent_dim", "patience", "evaluate_every", "num_samples", "width")
POSITIVE = ("learning_rate", "gradient_clip", "validation_fraction", "test_fraction")


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", math.nan])
def test_counts_are_whole_numbers_of_at_least_one(name: str, value: Any) -> None:
    with pytest.raises(
        UsageError, match=rf"^{name} must be a whole number of at least 1 \(default: .*\), got {value!r}$"
    ):
        Settings(**{name: value})


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("value", [0, 0.0, -1, -1.0, math.nan, math.inf, -math.inf, True, "0.1"])
def test_rates_are_finite_and_above_zero(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"^{name} must be a number above 0.* \(default: .*\), got "):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("seed", -1, "a whole number of at least 0"),
        ("seed", 2**63, "a whole number of at least 0"),
        ("seed", None, "a whole number of at least 0"),
        ("learning_rate", 1.5, "a number above 0 and at most 1"),
        ("learning_rate_warmup_steps", -1, "a whole number of at least 0"),
        ("kl_warmup_steps", 2.0, "a whole number of at least 0"),
        ("beta", -0.1, "a number of at least 0"),
        ("average_decay", 1.01, "a number of at least 0 and at most 1"),
        ("test_fraction", 0.6, "a number above 0 and at most 0.5"),
        ("likelihood", "normal", f"one of {', '.join(LIKELIHOODS)}"),
        ("binarize", "yes", "one of dynamic, static, none"),
        ("precision", "float16", "one of float32, bfloat16"),
        ("resize", 28, "text"),
        ("device", 0, "text"),
        ("skip_bad", 1, "true or false"),
        ("columns", "a", "a list of names"),
        ("columns", [], "a list of names"),
        ("columns", [1], "a list of names"),
    ],
)
def test_a_bad_value_is_named_with_its_range_and_default(name: str, value: Any, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} must be {expected}")
    assert "(default: " in message
    assert message.endswith(f", got {tuple(value) if isinstance(value, list) else value!r}")
    assert caught.value.exit_code == 2


def test_none_means_chosen_from_the_data_only_where_it_can_be() -> None:
    for entry in dataclasses.fields(Settings):
        if "None" in str(entry.type):
            assert getattr(Settings(**{entry.name: None}), entry.name) is None
        else:
            with pytest.raises(UsageError, match=entry.name):
                Settings(**{entry.name: None})


def test_every_setting_says_what_it_means_and_accepts_its_default() -> None:
    for entry in dataclasses.fields(Settings):
        assert len(entry.metadata["meaning"]) > 10, entry.name
        Settings(**{entry.name: entry.default})


def test_whole_numbers_stand_for_floats_and_lists_for_tuples() -> None:
    settings = Settings(beta=2, columns=["a", "b"])  # type: ignore[arg-type]
    assert (settings.beta, type(settings.beta)) == (2.0, float)
    assert settings.columns == ("a", "b")
    assert hash(settings) == hash(Settings(beta=2.0, columns=("a", "b")))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2**63 - 1),
            "epochs": st.none() | st.integers(1, 10**9),
            "learning_rate": st.floats(0, 1, exclude_min=True),
            "beta": st.floats(0, 1e6),
            "columns": st.none() | st.lists(st.sampled_from("abcö"), min_size=1, max_size=3).map(tuple),
            "skip_bad": st.booleans(),
            "likelihood": st.sampled_from([None, "bernoulli", "gaussian"]),
        },
    )
)
def test_settings_survive_json(entries: dict[str, Any]) -> None:
    settings = Settings(**entries)
    again = Settings.from_mapping(json.loads(json.dumps(settings.to_json(), allow_nan=False)))
    assert again == settings
    assert {name: getattr(again, name) for name in entries} == entries


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"^run\.toml: unknown setting 'epoch'; did you mean 'epochs'\?$"):
        Settings.from_mapping({"epoch": 3}, where="run.toml")
    with pytest.raises(UsageError, match=r"unknown setting 'zzz'; known are: average_decay, batch_size"):
        Settings.from_mapping({"zzz": 3})
    with pytest.raises(UsageError, match=r"^run\.toml: epochs must be .*, got 0$"):
        Settings.from_mapping({"epochs": 0}, where="run.toml")


# The file given to --config


def test_a_config_file_gives_its_entries(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('epochs = 3\ncolumns = ["größe"]\n', encoding="utf-8")
    assert read_config(path) == {"epochs": 3, "columns": ["größe"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"epochs = 3\nbatch_size = = 4\n", r"run\.toml is not a TOML file: .*line 2, column 14"),
        (b"epochs = 3\nepochs = 4\n", r"run\.toml is not a TOML file: .*line 2"),
        (b"\xff\xfe", r"run\.toml is not a TOML file: .*decode"),
        (b"x = " + b"[" * 100_000, r"run\.toml is not a TOML file"),
        (b"epoch = 3\n", r"run\.toml: unknown setting 'epoch'; did you mean 'epochs'\?"),
        (b"learning_rate = nan\n", r"run\.toml: learning_rate must be a number above 0 and at most 1 .*, got nan"),
        (b"epochs = '3'\n", r"run\.toml: epochs must be a whole number of at least 1 .*, got '3'"),
        (b"epochs = 2024-01-01\n", r"run\.toml: epochs must be a whole number"),
        (b"[training]\nepochs = 3\n", r"run\.toml: unknown setting 'training'"),
    ],
)
def test_a_bad_config_file_is_refused_with_the_place(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(text)
    with pytest.raises(UsageError, match=message):
        read_config(path)


def test_an_unreadable_config_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match=r"--config: cannot read .*no\.toml: No such file"):
        read_config(tmp_path / "no.toml")
    with pytest.raises(InputOutputError, match=r"--config: cannot read .*: Is a directory"):
        read_config(tmp_path)
