"""Measurements of our own: data that comes with the package, and an answer with its uncertainty."""

import argparse
import inspect
import json
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

import reparam
from reparam.distributions import StudentT
from reparam.vae import VAE
from reproductions.row import RESULTS, machine, write_result


class Interval(NamedTuple):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.2f} (95 % interval {self.low:+.2f} to {self.high:+.2f})"


def t_interval(values: list[float]) -> Interval:
    """Of the mean of independent values, by Student's t; at least 2 values.

    Example:
        >>> print(t_interval([1.0, 2.0, 3.0]))
        +2.00 (95 % interval -0.48 to +4.48)
    """
    quantile = StudentT(torch.tensor(len(values) - 1.0, dtype=torch.float64)).icdf(torch.tensor(0.975)).item()
    mean, half = statistics.mean(values), quantile * statistics.stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


@contextmanager
def trained(source: Any, settings: reparam.Settings, model: VAE | None = None) -> Iterator[reparam.TrainedVAE]:
    """A trained model whose run directory is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        yield reparam.fit(source, settings, out=Path(folder) / "run", model=model, progress=False)


def main(name: str, measure: Callable[..., dict[str, Any]]) -> None:
    """The command of a measurement: its options are the keyword arguments of ``measure``, all of them whole numbers."""
    defaults = {key: parameter.default for key, parameter in inspect.signature(measure).parameters.items()}
    parser = argparse.ArgumentParser(prog=f"python -m reproductions.{name}", description=measure.__doc__)
    for key, default in defaults.items():
        parser.add_argument(f"--{key}", type=int, default=default, help=f"[default: {default}]")
    parser.add_argument("--out", type=Path, default=RESULTS / f"{name}.json", help="file of results")
    given = vars(parser.parse_args())
    out = given.pop("out")
    result = {"measurement": name, "arguments": given, **measure(**given), "machine": machine()}
    write_result(out, result)
    print(json.dumps(result, indent=1))
