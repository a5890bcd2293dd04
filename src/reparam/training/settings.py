"""Every setting of a run, its default, its range, and what it means: one flat list.

The keys of a TOML file given to ``--config`` are these names; the command line offers the few that most people change.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from reparam.errors import InputOutputError, UsageError, suggestion

__all__ = ["Settings", "read_config"]


LIKELIHOODS = (
    "bernoulli",
    "categorical",
    "continuous-bernoulli",
    "discretized-logistic",
    "discretized-logistic-mixture",
    "gaussian",
    "laplace",
    "negative-binomial",
    "poisson",
    "student-t",
    "zero-inflated-negative-binomial",
    "zero-inflated-poisson",
)
POSTERIORS = (
    *("diagonal-normal", "full-normal", "low-rank-normal", "von-mises-fisher", "power-spherical", "gamma", "beta"),
    *("dirichlet", "von-mises", "bernoulli", "categorical", "iaf", "spline-flow", "two-level"),
)
PRIORS = ("standard", "mixture", "vampprior", "realnvp", "spline-flow")
ESTIMATORS = (*("leave-one-out", "disarm", "rebar", "reinmax", "straight-through", "gumbel-softmax", "enumerate"),)


def _setting(default: Any, meaning: str, *, low: float | None = None, high: float = math.inf, **more: Any) -> Any:
    return field(default=default, metadata={"meaning": meaning, "low": low, "high": high, **more})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run is made with. ``None`` means: chosen from the data, and said aloud.

    Raises:
        UsageError: a value of the wrong type or out of its range; names the setting, the value, the range and the
            default.

    Example:
        >>> Settings(epochs=3).learning_rate
        0.002
        >>> Settings(epochs=0)
        Traceback (most recent call last):
        reparam.errors.UsageError: epochs must be a whole number of at least 1 (default: chosen from the data), got 0
    """

    seed: int = _setting(0, "every random number of the run follows from it", low=0, high=2**63 - 1)
    epochs: int | None = _setting(
        None, "passes through the data; default: enough for 13,000 steps (best: more), fewer for large images", low=1
    )
    batch_size: int | None = _setting(None, "examples a step; default: 128, fewer for fewer than 2,048 rows", low=1)
    latent_dim: int | None = _setting(
        None,
        "latent dimensions, of the first level if there are two; default: 32 for images (best: 40), half the "
        "columns for tables",
        low=1,
    )
    learning_rate: float = _setting(2e-3, "peak of Adam's step size", low=0, high=1, open_low=True)
    learning_rate_warmup_steps: int = _setting(500, "steps of linear rise, at most a tenth of the run", low=0)
    kl_warmup_steps: int = _setting(
        2000, "steps in which the weight of the KL rises to beta, at most a fifth of the run", low=0
    )
    beta: float = _setting(1.0, "weight of the KL after warm-up; 1 is the bound itself", low=0, high=1e6)
    gradient_clip: float = _setting(200.0, "largest norm of the gradient, in nats per unit", low=0, open_low=True)
    average_decay: float = _setting(
        0.999, "decay of the running average of weights that is evaluated and kept", low=0, high=1
    )
    weight_decay: float | None = _setting(
        None,
        "share of the weights of layers that a step of size 1 takes away (AdamW); default: 0 (best, images: 0.1)",
        low=0,
        high=1,
    )
    patience: int = _setting(20, "evaluations without a better validation bound before stopping early", low=1)
    evaluate_every: int | None = _setting(None, "steps between evaluations, each with a checkpoint", low=1)
    num_samples: int = _setting(500, "importance samples of the final log-likelihood", low=1)
    preset: str = _setting(
        "standard",
        "for what is left open: standard; or best, larger and longer",
        choices=("standard", "best"),
    )
    network: str | None = _setting(
        None,
        "of encoder and decoder; default: convolutional for images, residual-mlp for tables",
        choices=("convolutional", "residual-mlp", "gated-mlp"),
    )
    width: int | None = _setting(None, "channels (images) or hidden units (tables); default: as the preset says", low=1)
    num_blocks: int | None = _setting(
        None, "residual blocks at each size of an image, or hidden layers; default: as the preset says", low=1
    )
    dense_width: int | None = _setting(
        None,
        "hidden units between convolutions and latents, 0 for none; default: 16 times the width (best: 0)",
        low=0,
    )
    posterior: str | None = _setting(
        None, "law of the latents given an example; default: diagonal-normal", choices=POSTERIORS
    )
    prior: str | None = _setting(
        None,
        "law of the latents; standard is of the posterior's kind and knows nothing; default: standard (best: realnvp)",
        choices=PRIORS,
    )
    posterior_rank: int | None = _setting(None, "common factors of a low-rank-normal posterior; default: 2", low=1)
    num_classes: int | None = _setting(None, "classes of each categorical latent; default: 10", low=2)
    prior_components: int | None = _setting(
        None, "of a mixture prior, or pseudo-inputs of a vampprior; default: 100", low=1
    )
    num_transforms: int | None = _setting(
        None, "of flows, in posterior and prior; default: 2, and 4 for realnvp", low=1
    )
    flow_width: int | None = _setting(
        None, "hidden units of the networks of flows, in posterior and prior; default: 64 (best, images: 256)", low=1
    )
    objective: str = _setting(
        "elbo",
        "bound that is maximised, and its gradient: importance weighted (iwae, dreg), without the score (stl)",
        choices=("elbo", "iwae", "dreg", "stl"),
    )
    draws: int | None = _setting(
        None,
        "draws of the latents for each example and step; default: 1, 16 for iwae and dreg, 4 for leave-one-out",
        low=1,
    )
    draw_noise: str = _setting(
        "iid", "how several draws of an example are spread", choices=("iid", "antithetic", "sobol")
    )
    estimator: str | None = _setting(
        None,
        "gradient through latents that are coins or classes; default: disarm for coins, leave-one-out for classes; "
        "reinmax, straight-through and gumbel-softmax are biased",
        choices=ESTIMATORS,
    )
    free_bits: float = _setting(0.0, "nats that each latent dimension may cost without being counted", low=0)
    likelihood: str | None = _setting(None, "law of a value given the latents", choices=LIKELIHOODS)
    likelihood_components: int | None = _setting(
        None, "laws in a mixture for each value (discretized-logistic-mixture); default: 5", low=1
    )
    library_size: bool = _setting(False, "expected counts are proportional to the total of each row")
    binarize: str | None = _setting(
        None, "grey values as probabilities of white", choices=("dynamic", "static", "none")
    )
    validation_fraction: float = _setting(0.1, "share of rows for early stopping", low=0, high=0.5, open_low=True)
    test_fraction: float = _setting(0.1, "share of rows for the final evaluation", low=0, high=0.5, open_low=True)
    resize: str | None = _setting(None, "HxW: every image is brought to this size")
    skip_bad: bool = _setting(False, "leave out unreadable images, and list them")
    columns: tuple[str, ...] | None = _setting(None, "columns of a table to model; default: all")
    label: str | None = _setting(None, "column of a table that is a label: coloured in the report, not modelled")
    condition: tuple[str, ...] | None = _setting(
        None, "what is given to the model: columns of a table, or label, the classes the data has; default: nothing"
    )
    device: str = _setting("auto", "auto, cpu, cuda, cuda:N or mps")
    precision: str | None = _setting(
        None,
        "of the networks; likelihood and KL are float32; auto: bfloat16 where the processor computes in it; default: "
        "float32 (best: auto)",
        choices=("float32", "bfloat16", "auto"),
    )

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, list):
                object.__setattr__(self, entry.name, value := tuple(value))
            if isinstance(value, int) and not isinstance(value, bool) and "float" in str(entry.type):
                object.__setattr__(self, entry.name, value := float(value))
            if not _valid(value, str(entry.type), entry.metadata):
                default = "chosen from the data" if entry.default is None else repr(entry.default)
                raise UsageError(
                    f"{entry.name} must be {_expected(str(entry.type), entry.metadata)} (default: {default}), got "
                    f"{value!r}"
                )

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_mapping` makes equal settings."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_mapping(cls, entries: Mapping[str, Any], *, where: str = "settings") -> "Settings":
        """Settings from names and values.

        Raises:
            UsageError: an unknown name (with the nearest known one), or a value that makes no sense.
        """
        known = [entry.name for entry in fields(cls)]
        for name in entries:
            if name not in known:
                raise UsageError(f"{where}: unknown setting '{name}'; {suggestion(name, known)}")
        try:
            return cls(**entries)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None


def read_config(path: Path) -> dict[str, Any]:
    """The entries of a TOML file whose keys are names of settings.

    Raises:
        InputOutputError: the file cannot be read.
        UsageError: it is not TOML (with line and column), or has an unknown key.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputOutputError(f"--config: cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"--config: {path} is not a TOML file: {error}") from None
    Settings.from_mapping(entries, where=str(path))
    return entries


def _valid(value: Any, kind: str, limits: Mapping[str, Any]) -> bool:
    if value is None:
        return "None" in kind
    if "tuple" in kind:
        return isinstance(value, tuple) and bool(value) and all(isinstance(item, str) for item in value)
    if "bool" in kind:
        return isinstance(value, bool)
    if "str" in kind:
        return isinstance(value, str) and value in limits.get("choices", (value,))
    if isinstance(value, bool) or not isinstance(value, int if "int" in kind else float):
        return False
    above = value > limits["low"] if limits.get("open_low") else value >= limits["low"]
    return bool(above and value <= limits["high"] and math.isfinite(value))


def _expected(kind: str, limits: Mapping[str, Any]) -> str:
    if "choices" in limits:
        return "one of " + ", ".join(limits["choices"])
    if "tuple" in kind:
        return "a list of names"
    if "bool" in kind:
        return "true or false"
    if "str" in kind:
        return "text"
    name = "a whole number" if "int" in kind else "a number"
    low = f"above {limits['low']:g}" if limits.get("open_low") else f"of at least {limits['low']:g}"
    return f"{name} {low}" + ("" if limits["high"] == math.inf else f" and at most {limits['high']:g}")
