"""From data and settings to the decisions of a run, each of them said aloud.

Nothing here trains or writes: a :class:`Plan` is what ``reparam train`` shows before it starts and what a run
directory stores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from reparam.data.images import parse_size
from reparam.data.scaling import Scaling
from reparam.data.schema import Examples, Schema
from reparam.data.sources import read
from reparam.data.splits import Split, split_rows
from reparam.errors import UsageError
from reparam.training.feed import DeviceFeed
from reparam.training.schedule import Schedule
from reparam.training.settings import Settings
from reparam.vae import DEFAULT_WIDTH, LIKELIHOODS, VAE, assemble

__all__ = ["Binarize", "Plan", "choose_likelihood", "make_feed", "make_plan", "read_examples", "split_examples"]

Binarize = Literal["dynamic", "static", "none"]

# Offsets and widths of a likelihood are started from at most this many training rows.
MOST_ROWS = 20_000


@dataclass(frozen=True)
class Plan:
    """Everything decided before training.

    Args:
        settings: as given.
        schema, scaling, split: of the data.
        likelihood: name in :data:`reparam.vae.LIKELIHOODS`; binarize: how grey values become black or white.
        latent_dim, width: size of the networks.
        schedule: steps and warm-ups.
        sentences: the decisions in plain words.
    """

    settings: Settings
    schema: Schema
    scaling: Scaling
    split: Split
    likelihood: str
    binarize: Binarize
    latent_dim: int
    width: int
    schedule: Schedule
    sentences: tuple[str, ...]

    def feed(self, examples: Examples, part: str, device: torch.device | str = "cpu") -> DeviceFeed:
        """The rows of one part of the split (``train``, ``validation`` or ``test``) as the model sees them."""
        rows = getattr(self.split, part)
        return make_feed(
            examples.values[rows],
            self.schema,
            self.scaling,
            self.binarize,
            seed=self.settings.seed,
            name=part,
            row_numbers=torch.from_numpy(rows),
            device=device,
        )

    def build_model(self, x: Tensor) -> VAE:
        """A model that starts at these training examples (``[N, *X]``, as it will see them)."""
        resolution = torch.tensor(self.scaling.resolution).reshape(-1, *[1] * (len(self.schema.shape) - 1))
        family = LIKELIHOODS[self.likelihood].fit(x, levels=self.schema.levels, resolution=resolution)
        return assemble(self.schema.shape, family, latent_dim=self.latent_dim, width=self.width)


def read_examples(source: Any, settings: Settings) -> Examples:
    """The examples of a source, read as the settings say; errors are those of :func:`reparam.data.read`."""
    return read(
        source,
        resize=None if settings.resize is None else parse_size(settings.resize),
        skip_bad=settings.skip_bad,
        columns=settings.columns,
        label=settings.label,
    )


def split_examples(examples: Examples, settings: Settings) -> Split:
    """The rows for training, validation and test: the same for the same rows and settings."""
    return split_rows(
        len(examples),
        num_test=examples.num_test,
        seed=settings.seed,
        validation_fraction=settings.validation_fraction,
        test_fraction=settings.test_fraction,
    )


def make_feed(
    values: np.ndarray[Any, Any],
    schema: Schema,
    scaling: Scaling,
    binarize: Binarize,
    *,
    seed: int,
    name: str,
    row_numbers: Tensor | None = None,
    device: torch.device | str = "cpu",
) -> DeviceFeed:
    """Rows in the user's units, held as the model sees them."""
    stored = values if schema.levels is not None else scaling.apply(values)
    return DeviceFeed(
        torch.from_numpy(np.ascontiguousarray(stored)),
        levels=schema.levels,
        binarize=binarize,
        seed=seed,
        name=name,
        row_numbers=row_numbers,
        device=device,
    )


def make_plan(examples: Examples, settings: Settings, model: VAE | None = None) -> Plan:
    """Decide everything that the settings leave open; a model of the user's own decides its parts itself.

    Raises:
        UsageError: settings that do not fit the data or the model.
        DataError: too few rows, or columns that do not vary.
    """
    schema = examples.schema
    split = split_examples(examples, settings)
    likelihood, binarize, reason = (
        choose_likelihood(schema, settings) if model is None else _own_likelihood(schema, settings, model)
    )
    scaling = Scaling.fit(examples.values[split.train], schema)
    latent_dim = settings.latent_dim or (32 if schema.kind == "image" else min(-(-schema.num_values // 2), 32))
    width = settings.width or DEFAULT_WIDTH[schema.kind]
    networks = f"{'convolutional' if schema.kind == 'image' else 'MLP'} networks of width {width}"
    if model is not None:
        latent_dim, networks = model.prior().event_shape[0], "networks of your own"
    schedule = Schedule.plan(settings, len(split.train), schema.num_values)
    sentences = (
        f"data: {len(examples):,} {schema.describe()}",
        *examples.notes,
        f"split: {len(split.train):,} training, {len(split.validation):,} validation, {len(split.test):,} test rows"
        + (" (the data's own test split)" if examples.num_test else f" (by seed {settings.seed})"),
        f"likelihood: {reason}",
        f"model: {latent_dim} latent dimension{'' if latent_dim == 1 else 's'}, {networks}",
        f"training: {schedule.total_steps:,} steps of {schedule.batch_size} rows "
        f"({schedule.total_steps // schedule.steps_per_epoch} epochs), evaluated every {schedule.evaluate_every}",
    )
    return Plan(settings, schema, scaling, split, likelihood, binarize, latent_dim, width, schedule, sentences)


def choose_likelihood(schema: Schema, settings: Settings) -> tuple[str, Binarize, str]:
    """The law of a value given the latents, how values are binarised, and why.

    Raises:
        UsageError: a combination that is no likelihood of the data, with the ones that are.
    """
    wanted, binarize = settings.likelihood, cast(Binarize | None, settings.binarize)
    graded = schema.levels is not None and not schema.binary
    if binarize in ("dynamic", "static"):
        if not graded:
            kind = "black and white already" if schema.binary else "real values, which are no probabilities"
            raise UsageError(f"--binarize {binarize} needs grey levels; these are {kind}. Leave --binarize out")
        if wanted not in (None, "bernoulli"):
            raise UsageError(
                f"--binarize {binarize} makes values 0 or 1, which needs --likelihood bernoulli, got '{wanted}'"
            )
        return "bernoulli", binarize, f"Bernoulli, grey levels binarised {_HOW[binarize]}"
    if wanted == "bernoulli" or (wanted is None and schema.binary):
        if schema.levels is None:
            raise UsageError(
                "--likelihood bernoulli needs values that are 0 or 1, or grey levels with --binarize; these are real "
                "values. Use --likelihood gaussian"
            )
        if graded and binarize == "none":
            raise UsageError(
                "--likelihood bernoulli with --binarize none scores grey levels as if they were outcomes, which is no "
                "likelihood. Use --binarize dynamic (or static), or --likelihood discretized-logistic"
            )
        if graded:
            return "bernoulli", "dynamic", f"Bernoulli, grey levels binarised {_HOW['dynamic']}"
        return "bernoulli", "none", "Bernoulli, as all values are 0 or 1"
    if wanted == "discretized-logistic" or (wanted is None and graded):
        if schema.levels is None:
            raise UsageError(
                "--likelihood discretized-logistic needs whole levels; these are real values. Use --likelihood gaussian"
            )
        return (
            "discretized-logistic",
            "none",
            f"discretised logistic over {schema.levels} levels (--likelihood or --binarize to change)",
        )
    reason = "Gaussian with a calibrated scale for each value"
    if schema.levels is not None:
        reason += "; the data has levels, so this is a density and not comparable to bits per dimension"
    return "gaussian", "none", reason


def _own_likelihood(schema: Schema, settings: Settings, model: VAE) -> tuple[str, Binarize, str]:
    family = model.decoder.family
    known = [name for name, kind in LIKELIHOODS.items() if isinstance(family, kind)]
    name = known[0] if known else type(family).__name__
    if settings.likelihood not in (None, name):
        raise UsageError(
            f"the model's decoder has the likelihood {name}, but likelihood={settings.likelihood!r} was set"
        )
    if known:
        return choose_likelihood(schema, replace(settings, likelihood=name))
    return name, cast(Binarize, settings.binarize or "none"), f"the model's own, {name}"


_HOW: Mapping[str, str] = {"dynamic": "anew each time they are seen", "static": "once"}
