"""From a model, its data and its split to the numbers of ``evaluation.json``: which rows, and how many, for what.

What is measured is in ``reparam.evaluation``; here rows are picked, brought to how the model sees them, and each
number gets its protocol.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from reparam.data.conditions import ConditionSchema
from reparam.data.scaling import Scaling
from reparam.data.schema import Examples, Schema
from reparam.data.splits import Split
from reparam.data.tables import TABLE_SUFFIXES, read_columns
from reparam.errors import DataError, UsageError, suggestion
from reparam.evaluation import Bounds, Precision, bounds, gaussian_baseline
from reparam.evaluation import measures as taken
from reparam.evaluation.measures import MEASURES, Seen, evenly, latent_means
from reparam.planning import condition_of
from reparam.training.feed import DeviceFeed
from reparam.training.progress import tenths
from reparam.vae import VAE, central_value

__all__ = ["Choices", "Subject", "factor_columns", "measure", "measures_named"]

Array = np.ndarray[Any, Any]

BATCH = 1000

# Most rows of each part that the measures beside the bounds look at, and most values of all these rows.
MOST_ROWS = {"train": 5000, "test": 5000, "samples": 2000, "gap": 1000, "annealing": 64}
MOST_VALUES = 50_000_000


class MakesFeeds(Protocol):
    """Rows in the user's units, held as the model sees them."""

    def __call__(self, examples: Examples, *, seed: int, name: str, scored: bool) -> DeviceFeed: ...


@dataclass(frozen=True)
class Subject:
    """What is measured, and on which data.

    Args:
        model: the :class:`reparam.vae.VAE`, in scaled units.
        examples: all of the run; split: of their rows.
        scaling, condition: as the run has them.
        feed: brings examples to how the model sees them; ``scored`` ones are black or white where the model is of such.
        binarize: how training did that.
    """

    model: VAE
    examples: Examples
    split: Split
    scaling: Scaling
    condition: ConditionSchema | None
    feed: MakesFeeds
    binarize: str


@dataclass(frozen=True)
class Choices:
    """How it is measured.

    Args:
        num_samples: importance samples an example.
        measures: of :data:`MEASURES`, what to measure beside the bounds and the gap.
        factors: known factors by name, ``[N]`` of all rows; empty for the labels.
        precision: of the decoder's network in the log-likelihood.
        seed: decides every draw.
        most_values: the log-likelihood looks at no more rows than keep ``num_samples × values`` below this.
    """

    num_samples: int
    measures: tuple[str, ...] = ()
    factors: Mapping[str, Array] | None = None
    precision: Precision = "float32"
    seed: int = 0
    most_values: float | None = None


def measures_named(names: str | Sequence[str]) -> tuple[str, ...]:
    """The measures that are asked for, in their order; ``"all"`` for every one.

    Raises:
        UsageError: one that there is not.

    Example:
        >>> measures_named(["samples", "probes"])
        ('probes', 'samples')
    """
    names = MEASURES if names == "all" else (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in MEASURES:
            raise UsageError(f"measures: there is no '{name}'; {suggestion(str(name), [*MEASURES, 'all'])}")
    return tuple(name for name in MEASURES if name in names)


def factor_columns(names: Sequence[str], examples: Examples, source: Any) -> dict[str, Array]:
    """Known factors by name, ``[N]`` each: labels, what is given, columns of the table or of the file it came from.

    Args:
        names: ``"label"`` is the labels, whatever their column is called.
        source: the path or data frame that the examples were read from.

    Raises:
        UsageError: nothing has that name.
    """
    known: dict[str, Array] = dict(examples.given)
    if examples.schema.kind == "table":
        columns = (column.name for column in examples.schema.columns)
        known |= dict(zip(columns, examples.values.T, strict=True))
    if examples.labels is not None:
        known |= {name: examples.labels for name in ("label", examples.schema.label) if name is not None}
    found = {}
    for name in names:
        found[name] = known[name] if name in known else _column_of(source, name, sorted(known), len(examples))
    return found


def _column_of(source: Any, name: str, known: list[str], num_rows: int) -> Array:
    is_table = hasattr(source, "__arrow_c_stream__") or (
        isinstance(source, str | Path) and Path(source).suffix.lower() in TABLE_SUFFIXES
    )
    if not is_table:
        raise UsageError(
            f"factors: there is no '{name}'; {suggestion(name, known) if known else 'there are no labels'}"
        )
    try:
        column = read_columns(source, [name])[name]
    except DataError as error:
        raise UsageError(f"factors: {error}") from None
    if len(column) != num_rows:
        raise UsageError(f"factors: '{name}' has {len(column)} rows, and the data {num_rows}")
    return column


def measure(subject: Subject, choices: Choices, say: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Measure the model on the test rows: the entries of ``evaluation.json``, without its health.

    Args:
        say: is told every now and then how far it is.
    """
    examples, schema, split = subject.examples, subject.examples.schema, subject.split
    rows = split.test[evenly(len(split.test), _most_rows(choices, schema))]
    feed = subject.feed(examples.take(rows), seed=choices.seed, name="test", scored=True)
    batches = ((part.x, condition_of(part)) for part in feed.in_order(BATCH))
    watch = None if say is None else tenths(len(rows), say)
    found = bounds(
        subject.model,
        batches,
        num_samples=choices.num_samples,
        seed=choices.seed,
        precision=choices.precision,
        watch=watch,
    )
    discrete = _scores_probabilities(subject.model, _seen(feed, 1))
    protocol = _common_protocol(subject, choices)
    numbers = found.to_json() | {
        "split": "test",
        "num_rows": len(split.test),
        "latent_dim": len(found.activity),
        "bits_per_dim": _bits_per_dim(found, schema) if discrete and schema.levels is not None else None,
        "baseline": None if discrete or schema.kind != "table" else _baseline(subject, rows),
        # Of 0 nothing is said: levels and counts are in the data's units as they are.
        "log_scale_nats": subject.scaling.log_scale_nats(schema) or None,
        "protocol": {
            "split": "test",
            "num_examples": len(rows),
            "num_samples": choices.num_samples,
            "precision": choices.precision,
        }
        | protocol,
    }
    for name, result in _measures(subject, choices, feed, found, say):
        if "protocol" in result:
            result["protocol"] = protocol | result["protocol"]
        numbers[name] = result
    return numbers


def _measures(
    subject: Subject, choices: Choices, feed: DeviceFeed, found: Bounds, say: Callable[[str], None] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and numbers of the gap, which is always measured, and of what was asked for."""
    model, seed, schema = subject.model, choices.seed, subject.examples.schema
    test = _seen(feed, _rows_that_fit(schema, "gap"))
    yield "aggregate", taken.measure_gap(model, test, found.latent_loc, found.latent_scale, seed=seed)
    for name in choices.measures:
        if say is not None:
            say(f"measuring {name}")
        if name == "probes":
            yield name, _probes(subject)
        elif name == "samples":
            yield name, _samples(subject, seed)
        elif name == "annealing":
            some = _seen(feed, _rows_that_fit(schema, "annealing"))
            yield name, taken.measure_annealing(model, some, num_samples=choices.num_samples, seed=seed)
        else:
            yield name, _disentanglement(subject, choices)


def _probes(subject: Subject) -> dict[str, Any]:
    labels = subject.examples.labels
    if labels is None:
        return {"left_out": "there are no labels to be told"}
    (train, train_z), (test, test_z) = _encoded(subject)
    return taken.measure_probes(train_z, labels[train], test_z, labels[test])


def _disentanglement(subject: Subject, choices: Choices) -> dict[str, Any]:
    factors = choices.factors
    if not factors:
        if subject.examples.labels is None:
            return {"left_out": "there are no labels, and no factors were named"}
        factors = {"label": subject.examples.labels}
    (train, train_z), (test, test_z) = _encoded(subject)
    known = ({name: values[rows] for name, values in factors.items()} for rows in (train, test))
    return taken.measure_disentanglement(train_z, next(known), test_z, next(known), seed=choices.seed)


def _encoded(subject: Subject) -> Iterator[tuple[Array, Array]]:
    """Rows of training and test, with their posterior means: those that ``encode`` gives."""
    for part, rows in (("train", subject.split.train), ("test", subject.split.test)):
        kept = rows[evenly(len(rows), _rows_that_fit(subject.examples.schema, part))]
        feed = subject.feed(subject.examples.take(kept), seed=0, name="given", scored=False)
        yield kept, latent_means(subject.model, _seen(feed, len(kept)))


def _samples(subject: Subject, seed: int) -> dict[str, Any]:
    """As many training rows as test rows are the second set of real rows; of the others the features are made."""
    schema, train = subject.examples.schema, subject.split.train
    num_rows = min(len(subject.split.test), _rows_that_fit(schema, "samples"), len(train) // 2)
    second = train[evenly(len(train), num_rows)]
    others = np.setdiff1d(train, second)
    others = others[evenly(len(others), _rows_that_fit(schema, "train"))]
    test = subject.split.test[evenly(len(subject.split.test), num_rows)]
    parts = (
        _seen(subject.feed(subject.examples.take(rows), seed=seed, name=name, scored=True), len(rows))
        for rows, name in ((test, "test samples"), (second, "second"), (others, "features"))
    )
    return taken.measure_samples(subject.model, *parts, seed=seed)


def _seen(feed: DeviceFeed, most: int) -> Seen:
    rows = feed.gather(torch.from_numpy(evenly(len(feed), most)), None)
    return Seen(rows.x, condition_of(rows))


def _most_rows(choices: Choices, schema: Schema) -> int:
    if choices.most_values is None:
        return 2**62
    return max(int(choices.most_values // (choices.num_samples * schema.num_values)), 100)


def _rows_that_fit(schema: Schema, part: str) -> int:
    return min(MOST_ROWS[part], max(MOST_VALUES // schema.num_values, 100))


def _common_protocol(subject: Subject, choices: Choices) -> dict[str, Any]:
    common: dict[str, Any] = {"binarize": subject.binarize, "seed": choices.seed}
    return common if subject.condition is None else common | {"given": list(subject.condition.names)}


def _bits_per_dim(found: Bounds, schema: Schema) -> float:
    return float(-found.log_likelihood_nats / (schema.num_values * np.log(2)))


@torch.no_grad()
def _scores_probabilities(model: VAE, one: Seen) -> bool:
    """Whether the decoder gives probabilities, of levels or counts; the alternative is densities."""
    given = model.given(one.condition)
    support = given.decoder(central_value(given.encoder(one.x))).support
    return bool(support is not None and support.is_discrete)


def _baseline(subject: Subject, rows: Array) -> dict[str, Any] | None:
    examples, split = subject.examples, subject.split
    train, test = (subject.scaling.apply(examples.values[part]).astype(np.float64) for part in (split.train, rows))
    if subject.condition is None:
        return gaussian_baseline(train, test)
    known = subject.condition.features(examples.given).astype(np.float64)
    return gaussian_baseline(train, test, known[split.train], known[rows])
