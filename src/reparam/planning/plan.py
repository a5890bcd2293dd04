"""From data and settings to the decisions of a run, each of them said aloud.

Nothing here trains or writes: a :class:`Plan` is what ``reparam train`` shows before it starts and what a run
directory stores.
"""

from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from reparam.data.conditions import ConditionSchema
from reparam.data.images import parse_size
from reparam.data.scaling import Scaling
from reparam.data.schema import Examples, Schema
from reparam.data.sources import read
from reparam.data.splits import Split, split_rows
from reparam.errors import DataError, UsageError
from reparam.planning.likelihood import Binarize, choose_likelihood, own_likelihood
from reparam.planning.objective import FeedLoss, make_objective, own_objective
from reparam.planning.presets import preset, resolved
from reparam.planning.values import misfit, row_totals, scaling_for
from reparam.training.feed import DeviceFeed
from reparam.training.schedule import Schedule
from reparam.training.settings import Settings
from reparam.vae import LIKELIHOODS, VAE, Architecture, Objective, Poisson, assemble, check_parts

__all__ = ["Plan", "make_feed", "make_plan", "read_examples", "split_examples"]

# Offsets and widths of a likelihood are started from at most this many training rows.
MOST_ROWS = 20_000


@runtime_checkable
class StartsAtData(Protocol):
    """A part of a model that is started at training examples."""

    def start_at(self, x: Tensor, *, resolution: Tensor) -> object: ...


@dataclass(frozen=True)
class Plan:
    """Everything decided before training.

    Args:
        settings: as given; resolved: with what was left open filled in.
        schema, scaling, split: of the data.
        condition: what is given of each example besides, or ``None``.
        likelihood: name in :data:`reparam.vae.LIKELIHOODS`; binarize: how grey values become black or white.
        latent_dim: latent dimensions; architecture: of a built-in model, ``None`` for one of the user's own.
        loss: what training minimises.
        schedule: steps and warm-ups.
        sentences: the decisions in plain words.
    """

    settings: Settings
    resolved: Settings
    schema: Schema
    scaling: Scaling
    split: Split
    condition: ConditionSchema | None
    likelihood: str
    binarize: Binarize
    latent_dim: int
    architecture: Architecture | None
    loss: FeedLoss
    schedule: Schedule
    sentences: tuple[str, ...]

    def feed(self, examples: Examples, part: str, device: torch.device | str = "cpu") -> DeviceFeed:
        """The rows of one part of the split (``train``, ``validation`` or ``test``) as the model sees them."""
        rows = getattr(self.split, part)
        return make_feed(
            examples.take(rows),
            self.schema,
            self.scaling,
            self.binarize,
            self.condition,
            library_size=self.settings.library_size,
            seed=self.settings.seed,
            name=part,
            row_numbers=torch.from_numpy(rows),
            device=device,
        )

    def build_model(self, x: Tensor) -> VAE:
        """A model that starts at these training examples (``[N, *X]``, as it will see them)."""
        assert self.architecture is not None
        model = assemble(self.architecture)
        resolution = torch.tensor(self.scaling.resolution).reshape(-1, *[1] * (len(self.schema.shape) - 1))
        for part in model.modules():
            if isinstance(part, StartsAtData):
                part.start_at(x, resolution=resolution)
        return model


def read_examples(source: Any, settings: Settings) -> Examples:
    """The examples of a source, read as the settings say; errors are those of :func:`reparam.data.read`."""
    return read(
        source,
        resize=None if settings.resize is None else parse_size(settings.resize),
        skip_bad=settings.skip_bad,
        columns=settings.columns,
        label=settings.label,
        condition=settings.condition or (),
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
    examples: Examples,
    schema: Schema,
    scaling: Scaling,
    binarize: Binarize,
    condition: ConditionSchema | None = None,
    *,
    library_size: bool = False,
    seed: int,
    name: str,
    row_numbers: Tensor | None = None,
    device: torch.device | str = "cpu",
) -> DeviceFeed:
    """Rows in the user's units, held as the model sees them, with what is given of each.

    With ``library_size``, counts are exposed by the totals of their rows.

    Raises:
        UsageError, DataError: what is given is not what the model knows, see :class:`ConditionSchema`.
    """
    stored = examples.values if schema.levels is not None else scaling.apply(examples.values)
    return DeviceFeed(
        torch.from_numpy(np.ascontiguousarray(stored)),
        levels=schema.levels,
        binarize=binarize,
        seed=seed,
        name=name,
        features=None if condition is None else torch.from_numpy(condition.features(examples.given)),
        exposure=row_totals(examples.values) if library_size else None,
        row_numbers=row_numbers,
        device=device,
    )


def make_plan(
    examples: Examples, settings: Settings, model: VAE | None = None, objective: Objective | None = None
) -> Plan:
    """Decide everything that the settings leave open; a model or an objective of the user's own decides for itself.

    Raises:
        UsageError: settings that do not fit the data, the model or the objective, such as a likelihood of counts for
            fractions.
        DataError: too few rows, or columns that do not vary.
    """
    given, schema = settings, examples.schema
    settings = resolved(given, schema)
    split = split_examples(examples, settings)
    likelihood, binarize, reason = (
        choose_likelihood(schema, settings) if model is None else own_likelihood(schema, settings, model)
    )
    family: type = LIKELIHOODS[likelihood].kind if model is None else type(model.decoder.family)
    wrong = misfit(examples.values, schema, family)
    if wrong is not None:
        raise UsageError(f"the likelihood {likelihood} {wrong}. For real values use --likelihood gaussian")
    if given.likelihood is None and likelihood == "gaussian" and misfit(examples.values, schema, Poisson) is None:
        reason += "; all values are whole numbers from 0 on: if they are counts, use --likelihood negative-binomial"
    if settings.library_size:
        reason += "; expected counts are proportional to the total of each row, which is given: nats are of its parts"
    scaling = scaling_for(examples.values[split.train], schema, family)
    condition = fit_condition(examples, split)
    if model is None:
        num_features = 0 if condition is None else condition.num_features
        architecture = make_architecture(settings, schema, likelihood, num_features)
        check_parts(architecture)
        latent_dim, parts = architecture.latent_dim, _in_words(architecture)
    else:
        architecture, latent_dim, parts = None, model.prior().event_shape[0], "networks of your own"
    num_steps = preset(settings, schema).num_steps
    schedule = Schedule.plan(settings, len(split.train), schema.num_values, num_steps)
    sentences = (
        f"data: {len(examples):,} {schema.describe()}",
        *examples.notes,
        f"split: {len(split.train):,} training, {len(split.validation):,} validation, {len(split.test):,} test rows"
        + (" (the data's own test split)" if examples.num_test else f" (by seed {settings.seed})"),
        *([] if condition is None else [f"given: {condition.describe()}"]),
        f"likelihood: {reason}",
        f"model: {latent_dim} latent dimension{'' if latent_dim == 1 else 's'}, {parts}",
        *([] if objective is None else ["objective: your own"]),
        f"training: {schedule.total_steps:,} steps of {schedule.batch_size} rows "
        f"({schedule.total_steps // schedule.steps_per_epoch} epochs), evaluated every {schedule.evaluate_every}",
    )
    if objective is None:
        loss = FeedLoss(make_objective(settings, architecture))
    else:
        loss = FeedLoss(own_objective(settings, objective))
    return Plan(
        given,
        settings,
        schema,
        scaling,
        split,
        condition,
        likelihood,
        binarize,
        latent_dim,
        architecture,
        loss,
        schedule,
        sentences,
    )


def fit_condition(examples: Examples, split: Split) -> ConditionSchema | None:
    """What is given, from the training rows; the other rows must be of the same kind.

    Raises:
        DataError: see :meth:`ConditionSchema.fit`; a class that no training row has.
    """
    if not examples.given:
        return None
    condition = ConditionSchema.fit({name: values[split.train] for name, values in examples.given.items()})
    try:
        condition.features(examples.given)
    except DataError as error:
        raise DataError(
            f"{error}. Classes as rare as that may fall outside the training rows: leave their rows out, or join "
            "them with others"
        ) from None
    return condition


def make_architecture(settings: Settings, schema: Schema, likelihood: str, num_features: int = 0) -> Architecture:
    """The plan of a built-in model from resolved settings."""
    chosen = {
        entry.name: getattr(settings, entry.name)
        for entry in fields(Architecture)
        if getattr(settings, entry.name, None) is not None
    }
    known = {"event_shape": schema.shape, "levels": schema.levels, "num_features": num_features}
    return Architecture(**chosen | known | {"likelihood": likelihood, "exposure": settings.library_size})


def _in_words(a: Architecture) -> str:
    networks = f"{a.network} networks of width {a.width}"
    return f"{a.posterior} posterior, {a.prior} prior, {networks}"
