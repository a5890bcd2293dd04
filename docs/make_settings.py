"""Write docs/settings.md from the settings themselves; a test fails when the page is stale.

python docs/make_settings.py
"""

import dataclasses
import inspect
import math
from collections.abc import Iterator
from pathlib import Path

from reparam.cli.train import train
from reparam.planning import PRESETS
from reparam.training.settings import Settings

PAGE = Path(__file__).with_name("settings.md")

HEAD = """# Settings

Every setting of a run. Made from the code by `python docs/make_settings.py`; do not edit by hand.

The names are the keyword arguments of `reparam.Settings` and the keys of a TOML file given to `--config`; those with
an option in the last column can also be given to `reparam train` directly, where they win over the file. A setting
without a default is chosen from the data, and the choice is printed, or is not used. An unknown name, or a value out of
its range, is refused.

```toml
# settings.toml, for: reparam train SOURCE --config settings.toml
epochs = 200
latent_dim = 16
kl_warmup_steps = 5000
columns = ["alcohol", "density", "sulphates"]
```

| setting | default | allowed | meaning | option |
|---|---|---|---|---|
"""

PRESETS_HEAD = """
## Presets

What is taken where a setting is left open, by `preset` and kind of data.

"""


def page() -> str:
    """The content of docs/settings.md."""
    options = inspect.signature(train).parameters
    rows = "".join(_row(entry, entry.name in options) for entry in dataclasses.fields(Settings))
    return HEAD + rows + PRESETS_HEAD + "".join(_presets())


def _presets() -> Iterator[str]:
    kinds = [(name, kind) for name, presets in PRESETS.items() for kind in presets]
    yield "| setting |" + "".join(f" {name}, {kind}s |" for name, kind in kinds) + "\n"
    yield "|---|" + "---|" * len(kinds) + "\n"
    values = [PRESETS[name][kind].values | {"steps": f"{PRESETS[name][kind].num_steps:,}"} for name, kind in kinds]
    for name in dict.fromkeys(name for each in values for name in each):
        label = "steps, which `epochs` follow from" if name == "steps" else f"`{name}`"
        yield f"| {label} |" + "".join(f" {each.get(name, '')} |" for each in values) + "\n"


def _row(entry: "dataclasses.Field[object]", has_option: bool) -> str:
    option = f"`--{entry.name.replace('_', '-')}`" if has_option else ""
    default = "" if entry.default is None else f"`{_toml(entry.default)}`"
    meaning = entry.metadata["meaning"].replace("|", "\\|")
    return f"| `{entry.name}` | {default} | {_allowed(entry)} | {meaning} | {option} |\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _allowed(entry: "dataclasses.Field[object]") -> str:
    kind, limits = str(entry.type), entry.metadata
    if "choices" in limits:
        return ", ".join(f'`"{choice}"`' for choice in limits["choices"])
    for name, words in (("tuple", "list of names"), ("bool", "`true`, `false`"), ("str", "text")):
        if name in kind:
            return words
    number = "whole number" if "int" in kind else "number"
    low = f"{'>' if limits.get('open_low') else '≥'} {limits['low']:g}"
    high = "" if limits["high"] == math.inf or limits["high"] > 2**62 else f", ≤ {limits['high']:g}"
    return f"{number} {low}{high}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
