"""A trained model in the user's own units: pixels and columns in, pixels and columns out.

Everything is deterministic: encodings and reconstructions are means, draws take a seed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from reparam import noise
from reparam.data.checks import check_same_kind
from reparam.data.conditions import ConditionSchema
from reparam.data.given import read_given
from reparam.data.scaling import Scaling
from reparam.data.schema import Examples, Schema
from reparam.data.splits import Split
from reparam.errors import DataError, RunError, UsageError, whole_number
from reparam.evaluation import Precision, health, log_likelihood
from reparam.gallery import make_gallery
from reparam.measuring import Choices, Subject, factor_columns, measure, measures_named
from reparam.planning import condition_of, make_feed, misfit, read_examples, split_examples
from reparam.runs import Run
from reparam.training.feed import DeviceFeed
from reparam.training.settings import Settings
from reparam.vae import VAE, Condition, GivenVAE, in_parts, moments

__all__ = ["Encoding", "TrainedVAE"]

Array = np.ndarray[Any, Any]

BATCH = 1000


class Encoding(NamedTuple):
    """Mean and standard deviation of the posterior ``q(z|x)`` of each example: two arrays ``[N, D]``."""

    loc: Array
    scale: Array


@dataclass(frozen=True)
class TrainedVAE:
    """A model, the data it knows, and the run directory it lives in. Made by :func:`reparam.fit` and
    :func:`reparam.load`.

    Examples go in as they do for :func:`reparam.fit`: a path, an array, a tensor, a table. Arrays that come out
    have shape ``[N, *schema.shape]`` in the user's units: levels for images (0 to 255 for 8 bits), the columns' own
    units for tables. Where something is given to the model (a label, columns), examples bring theirs with them, and
    everything is said of ``p(x | given)``.

    Args:
        model: the :class:`reparam.vae.VAE`, in scaled units, with the weights of the best validation bound.
        schema: what one example is.
        scaling: between the user's units and the model's.
        run: the run directory.
        device: where it computes.
        condition: what is given of each example besides, or ``None``.
    """

    model: VAE
    schema: Schema
    scaling: Scaling
    run: Run
    device: torch.device
    condition: ConditionSchema | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return Settings.from_mapping(self.run.description["settings"])

    def examples(self, x: Any = None) -> Examples:
        """Examples as :func:`reparam.fit` would read them; default: the data of the run, read again from where it was.

        Raises:
            UsageError: no ``x``, and the run was trained on an array. DataError: not examples of the run's schema, or
                values that the likelihood cannot have, such as fractions for counts.
        """
        x = self.run.description["data"]["source"] if x is None else x
        if x is None:
            raise UsageError(f"{self.run.path} was trained on an array: say which data")
        examples = x if isinstance(x, Examples) else read_examples(x, self.settings)
        check_same_kind(examples, self.schema)
        wrong = misfit(examples.values, self.schema, type(self.model.decoder.family))
        if wrong is not None:
            raise DataError(f"the model's likelihood, {self.run.description['likelihood']}, {wrong}")
        return examples

    def encode(self, x: Any) -> Encoding:
        """Mean and scale of the posterior of each example, ``[N, D]`` each."""
        with torch.no_grad():
            found = [moments(model.encoder(part)) for model, part in self._batches(x)]
        return Encoding(*(_joined([each.flatten(1) for each in part]) for part in zip(*found, strict=True)))

    def reconstruct(self, x: Any) -> Array:
        """Each example through the posterior's mean and the decoder's mean, ``[N, *shape]``."""
        with torch.no_grad():
            return self._to_user([model.reconstruct(part) for model, part in self._batches(x)])

    def sample(
        self, num_examples: int, *, given: Any = None, seed: int = 0, observation_noise: bool | None = None
    ) -> Array:
        """New examples from the prior, ``[num_examples, *shape]``; for R given rows ``[R, num_examples, *shape]``.

        Means, deviations and quantiles of ``p(y | given)`` are those of the draws, along dimension 1.

        Args:
            num_examples: how many (for each given row), at least 1.
            given: a value by name, ``{"label": 3}``; R values by name, ``{"age": [30, 40], "income": [900, 800]}``; or
                R rows: an array ``[R, C]``, a data frame or the path of a table, which may have other columns.
                Default: as it comes in the training rows, one for each example, see :meth:`draw_given`.
            seed: decides the draws.
            observation_noise: draw from the decoder's law, or give its mean. Default: draws for tables, whose rows
                would otherwise have too little spread; means for images, where noise independent from pixel to
                pixel hides the picture.

        Raises:
            UsageError: fewer than 1 example; something is given to a model that takes nothing, or not what it takes.
            DataError: a class that the training rows do not have, or no number.
        """
        whole_number("num_examples", num_examples)
        shape: tuple[int, ...] = (num_examples,)
        if given is None:
            condition = self._known(self.draw_given(num_examples, seed=seed))
        elif self.condition is None:
            raise UsageError("this model was trained with nothing given: leave given out")
        else:
            rows, one = read_given(given, self.condition.names)
            condition = self._known(rows, num_examples)
            shape = shape if one else (-1, num_examples)
        generator = noise.generator(seed, "sample", device=self.device)
        num_draws = num_examples if condition is None else len(condition.features)
        with torch.no_grad():
            z = self.model.prior().sample((num_draws,), generator=generator)
            condition = self._with_totals(condition, num_draws, generator)
            return self._decode(z, condition, observation_noise, generator).reshape(*shape, *self.schema.shape)

    def draw_given(self, num_rows: int, *, seed: int = 0) -> dict[str, Array]:
        """Rows of what is given, ``[num_rows]`` values by name, drawn as they come in the training rows.

        Of more than a thousand combinations in training, a thousand evenly spaced rows stand for all. Empty where the
        model is given nothing.
        """
        whole_number("num_rows", num_rows)
        if self.condition is None:
            return {}
        generator = noise.generator(seed, "given")
        which = noise.categorical(torch.tensor(self.condition.counts).double(), num_rows, generator=generator)
        return self.condition.training_rows(which.numpy())

    def vary(self, x: Any, num_examples: int, *, seed: int = 0, observation_noise: bool | None = None) -> Array:
        """New examples close to given ones, ``[N, num_examples, *shape]``: draws from their posteriors, decoded.

        Raises:
            UsageError: fewer than 1 example.
        """
        whole_number("num_examples", num_examples)
        generator = noise.generator(seed, "vary", device=self.device)
        values = []
        with torch.no_grad():
            for model, part in self._batches(x):
                z = model.encoder(part).sample((num_examples,), generator=generator)  # type: ignore[call-arg]
                rows = torch.arange(len(part), device=self.device).repeat_interleave(num_examples)
                condition = model.condition.take(rows) if isinstance(model, GivenVAE) else None
                values.append(self._decode(z.transpose(0, 1).flatten(0, 1), condition, observation_noise, generator))
        return np.concatenate(values).reshape(-1, num_examples, *self.schema.shape)

    def log_likelihood(self, x: Any, *, num_samples: int = 500, seed: int = 0) -> Array:
        """Importance-weighted estimate of ``log p(x)`` of each example, ``[N]``, in nats of the scaled data.

        Raises:
            UsageError: fewer than 1 sample.
        """
        whole_number("num_samples", num_samples)
        generator = noise.generator(seed, "log-likelihood", device=self.device)
        parts = [
            log_likelihood(model, part, num_samples=num_samples, generator=generator)[0]
            for model, part in self._batches(x, True)
        ]
        return _joined(parts)

    def evaluate(
        self,
        x: Any = None,
        *,
        measures: str | Sequence[str] = (),
        factors: Sequence[str] = (),
        num_samples: int | None = None,
        precision: Precision = "float32",
        seed: int = 0,
        most_values: float | None = None,
        say: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Measure the model on the run's test rows, and write ``evaluation.json``.

        Args:
            x: the data of the run (all of it: the test rows are found by the run's own split); default: read again
                from where it was.
            measures: what else to measure, or ``"all"``: ``"probes"`` (do the latents tell the labels?), ``"samples"``
                (can samples be told from test rows?), ``"annealing"`` (a second opinion on the log-likelihood),
                ``"disentanglement"`` (does each latent stand for a known factor?).
            factors: names of the known factors: ``"label"``, what is given, columns of the table; default: the labels.
            num_samples: importance samples an example; default: the run's setting.
            precision: of the decoder's network in the log-likelihood: ``"float32"``, or ``"bfloat16"``, which is
                faster where the processor computes in it.
            seed: decides the draws of every estimate and of binarisation.
            most_values: the log-likelihood looks at no more rows than keep ``num_samples × values`` below this.
            say: is told every now and then how many rows are done.

        Returns:
            The entries of ``evaluation.json``: bound, rate, distortion, log-likelihood with standard error and
            effective sample size, active units, bits per dimension, baseline, what the rate is spent on, what else was
            asked for, each with its protocol; health. Everything in nats unless the name says otherwise. A measure
            that makes no sense here says why: ``{"left_out": "..."}``.

        Raises:
            RunError: the data is not that of the run. DataError: it cannot be read. UsageError: fewer than 1 sample;
                no such measure, factor or precision.
        """
        num_samples = self.settings.num_samples if num_samples is None else num_samples
        whole_number("num_samples", num_samples)
        wanted = measures_named(measures)
        if precision not in get_args(Precision):
            raise UsageError(f"precision must be one of {', '.join(get_args(Precision))}; got {precision!r}")
        if factors and "disentanglement" not in wanted:
            raise UsageError("factors are for the measure disentanglement: ask for it too")
        examples, split = self._own_data(x)
        source = self.run.description["data"]["source"] if x is None else x
        known = factor_columns(factors, examples, source)
        numbers = measure(
            Subject(
                self.model, examples, split, self.scaling, self.condition, self._feed, self.run.description["binarize"]
            ),
            Choices(num_samples, wanted, known, precision, seed, most_values),
            say,
        )
        numbers["health"] = [finding._asdict() for finding in health(numbers, self.run.metrics())]
        self.run.write_json("evaluation.json", numbers)
        return numbers

    def report(self, x: Any = None, *, seed: int = 0) -> Path:
        """Write the report: pictures of what the model does, numbers and health, in one page. Returns its path.

        Args:
            x: the data of the run; default: read again from where it was.
            seed: decides samples and variations.
        """
        from reparam.report import write_report

        examples, split = self._own_data(x)
        if not (self.run.path / "evaluation.json").exists():
            self.evaluate(examples)
        gallery, metadata = make_gallery(self, examples, split.test, seed=seed)
        self.run.write_tensors("gallery.safetensors", gallery, metadata)
        return write_report(self.run)

    # Private: from the user's units to the model's and back.

    def _known(self, given: Mapping[str, Any], times: int = 1) -> Condition | None:
        """What is given, each row ``times`` times, one after the other."""
        if self.condition is None:
            return None
        features = torch.from_numpy(self.condition.features(given))
        return Condition(features.repeat_interleave(times, 0).to(self.device))

    def _with_totals(self, condition: Condition | None, num_rows: int, generator: torch.Generator) -> Condition | None:
        """With totals like those of the training rows, where counts are proportional to them."""
        if not self.settings.library_size:
            return condition
        quantiles = self.run.description["data"]["total_quantiles"]
        level = noise.uniform((num_rows,), like=torch.zeros(1, device=self.device), generator=generator)
        totals = np.interp(level.cpu().numpy(), np.linspace(0, 1, len(quantiles)), quantiles)
        exposure = torch.from_numpy(totals).float().to(self.device)
        features = exposure.new_zeros(num_rows, 0) if condition is None else condition.features
        return Condition(features, exposure)

    def _own_data(self, x: Any) -> tuple[Examples, Split]:
        examples = self.examples(x)
        if examples.fingerprint != self.run.description["data"]["fingerprint"]:
            raise RunError(
                f"the data is not what {self.run.path} was trained on: its content differs, so its test rows are "
                "unknown. For other data use log_likelihood"
            )
        return examples, split_examples(examples, self.settings)

    def _feed(self, examples: Examples, *, seed: int, name: str, scored: bool) -> DeviceFeed:
        # A grey value is scored as the black or white it is drawn as; encoded as the probability it states.
        binarize = "static" if scored and self.run.description["binarize"] != "none" else "none"
        return make_feed(
            examples,
            self.schema,
            self.scaling,
            binarize,  # type: ignore[arg-type]
            self.condition,
            library_size=self.settings.library_size,
            seed=seed,
            name=name,
            device=self.device,
        )

    def _batches(self, x: Any, scored: bool = False) -> Iterator[tuple[VAE | GivenVAE, Tensor]]:
        """Batches as the model sees them, each with the model that is given what is known of it."""
        feed = self._feed(self.examples(x), seed=0, name="given", scored=scored)
        return ((self.model.given(condition_of(rows)), rows.x) for rows in feed.in_order(BATCH))

    def _decode(
        self, z: Tensor, condition: Condition | None, observation_noise: bool | None, generator: torch.Generator
    ) -> Array:
        noisy = self.schema.kind == "table" if observation_noise is None else observation_noise
        return self._to_user(
            [
                model.decode(part, observation_noise=noisy, generator=generator)
                for model, part in in_parts(self.model.given(condition), z, BATCH)
            ]
        )

    def _to_user(self, parts: list[Tensor]) -> Array:
        return np.asarray(self.scaling.undo(_joined(parts)))


def _joined(parts: list[Tensor]) -> Array:
    return torch.cat(parts).cpu().numpy()
