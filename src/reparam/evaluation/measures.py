"""What else can be measured of a model: one function a measure, from rows as the model sees them to numbers for JSON.

Every result says in its ``protocol`` what the numbers are of. A measure that makes no sense for a model or its data is
not taken, and says why: ``{"left_out": "..."}``.

Shape letters: N rows, D latent, X data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reparam import noise
from reparam.distributions import Transformed
from reparam.errors import DataError, UsageError
from reparam.evaluation.aggregate import aggregate_gap, largest_shift
from reparam.evaluation.annealing import agreement, annealed_log_likelihood
from reparam.evaluation.bounds import log_likelihood
from reparam.vae import VAE, Condition, in_parts, moments

__all__ = [
    "MEASURES",
    "Seen",
    "evenly",
    "latent_means",
    "measure_annealing",
    "measure_disentanglement",
    "measure_gap",
    "measure_probes",
    "measure_samples",
]

Array = NDArray[Any]

MEASURES = ("probes", "samples", "annealing", "disentanglement")
"""What is measured only when asked for."""

# The gap takes the density of every draw under every posterior: seconds. A flow runs its network for each of these.
GAP_ROWS, GAP_ROWS_OF_A_FLOW = 1000, 150

NUM_CHAINS, NUM_STEPS = 16, 200

MOST_CLASSES = 100

BATCH = 1000


def evenly(num_rows: int, most: int) -> NDArray[np.int64]:
    """Numbers of at most ``most`` of so many rows, evenly spaced.

    Example:
        >>> evenly(3, 5), evenly(9, 3)
        (array([0, 1, 2]), array([0, 4, 8]))
    """
    return np.linspace(0, num_rows - 1, min(num_rows, most)).round().astype(np.int64)


@dataclass(frozen=True)
class Seen:
    """Rows as the model sees them, with what is given of each.

    Shapes:
        x: ``[N, *X]``, scaled, and drawn as 0 or 1 where the model is of such.
    """

    x: Tensor
    condition: Condition | None = None

    def __len__(self) -> int:
        return len(self.x)

    def evenly(self, most: int) -> "Seen":
        """At most so many of them, evenly spaced."""
        rows = torch.from_numpy(evenly(len(self), most)).to(self.x.device)
        return Seen(self.x[rows], None if self.condition is None else self.condition.take(rows))


def _refusable(measure: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Data or latents that a measure is not for are a result: the reason."""

    def refusing(*arguments: Any, **options: Any) -> dict[str, Any]:
        try:
            return measure(*arguments, **options)
        except (DataError, UsageError) as error:
            return {"left_out": str(error)}

    refusing.__doc__, refusing.__name__ = measure.__doc__, measure.__name__
    return refusing


@torch.no_grad()
def latent_means(model: VAE, seen: Seen) -> Array:
    """Posterior means, ``[N, D]``, latents of any shape made flat.

    Of grey values as they are, where the model sees probabilities of white: what ``encode`` gives.
    """
    parts = [moments(part.encoder(x))[0].flatten(1) for part, x in in_parts(model.given(seen.condition), seen.x, BATCH)]
    return torch.cat(parts).double().cpu().numpy()


@_refusable
@torch.no_grad()
def measure_gap(model: VAE, test: Seen, loc: Tensor, scale: Tensor, *, seed: int) -> dict[str, Any]:
    """What the rate is spent on, see :func:`reparam.evaluation.aggregate_gap`; posteriors of all conditions together.

    Args:
        loc, scale: ``[M, D]`` of the posteriors of all test rows, for the largest shift.
    """
    flows = isinstance(model.given(test.evenly(2).condition).encoder(test.evenly(2).x), Transformed)
    rows = test.evenly(GAP_ROWS_OF_A_FLOW if flows else GAP_ROWS)
    given, device = model.given(rows.condition), test.x.device
    found = aggregate_gap(
        given.encoder(rows.x), given.prior(), generator=noise.generator(seed, "aggregate", device=device)
    )
    shift = largest_shift(given.prior(), loc, scale, generator=noise.generator(seed, "shift", device=device))
    numbers = found.to_json() | {"saturated": found.saturated, "largest_shift": shift}
    return numbers | {"protocol": {"split": "test", "num_rows": len(rows), "num_samples": 1}}


@_refusable
def measure_probes(train_z: Array, train_labels: Array, test_z: Array, test_labels: Array) -> dict[str, Any]:
    """What classifiers read off the posterior means of rows that they have not seen.

    Shapes:
        train_z: ``[N, D]``, train_labels: ``[N]``, test rows alike.
    """
    from reparam.evaluation.probes import knn_probe, linear_probe

    found = len(np.unique(train_labels))
    if found > MOST_CLASSES:
        raise DataError(f"the labels have {found} classes in {len(train_labels)} rows, more than {MOST_CLASSES}")
    nearest = knn_probe(train_z, train_labels, test_z, test_labels, num_neighbours=min(10, len(train_z)))
    linear = linear_probe(train_z, train_labels, test_z, test_labels)
    return {
        "nearest": nearest.to_json(),
        "linear": linear.to_json(),
        "protocol": {
            "split": "test",
            "num_rows": len(test_z),
            "learned_from": f"{len(train_z):,} training rows",
            "binarize": "none",
            "feature_space": f"posterior means, {test_z.shape[1]} numbers",
        },
    }


@_refusable
@torch.no_grad()
def measure_samples(model: VAE, test: Seen, second: Seen, train: Seen, *, seed: int) -> dict[str, Any]:
    """Draws of x, as many as test rows, held against these; beside it the same of a second set of real rows.

    Draws are from the decoder's law, and given what is given of the test rows, so that both sides are values that x
    can have.

    Args:
        second: training rows that take the place of the draws, for comparison.
        train: other training rows, whose principal components are the features.
    """
    from reparam.evaluation.samples import neighbour_scores, principal_features, two_sample_test

    generator = noise.generator(seed, "sample quality", device=test.x.device)
    z: Tensor = model.prior().sample((len(test),), generator=generator)
    drawn = [
        part.decode(latents, observation_noise=True, generator=generator)
        for part, latents in in_parts(model.given(test.condition), z, BATCH)
    ]
    features = principal_features(train.x.cpu().numpy())
    made, real, other = (features(x.cpu().numpy()) for x in (torch.cat(drawn), test.x, second.x))

    def scores(rows: Array) -> dict[str, Any]:
        judged = two_sample_test(rows, real[evenly(len(real), len(rows))], seed=seed)
        return {"two_sample_test": judged.to_json(), "neighbours": neighbour_scores(rows, real).to_json()}

    return scores(made) | {
        "reference": scores(other),
        "protocol": {
            "split": "test",
            "num_rows": len(real),
            "num_samples": len(made),
            "num_reference": len(other),
            "reference": "training rows in place of samples",
            "feature_space": f"{real.shape[1]} principal components of {len(train):,} other training rows, in the "
            "model's units",
            "samples_are": "draws from the decoder's law, not its means",
        },
    }


@_refusable
def measure_annealing(model: VAE, test: Seen, *, num_samples: int, seed: int) -> dict[str, Any]:
    """A second opinion on the log-likelihood of a few rows, beside the importance-weighted one of the same rows."""
    given, device = model.given(test.condition), test.x.device
    with torch.no_grad():
        start = given.encoder(test.x)
    annealed = annealed_log_likelihood(
        given,
        start,
        test.x,
        num_steps=NUM_STEPS,
        num_chains=NUM_CHAINS,
        generator=noise.generator(seed, "annealing", device=device),
    )
    weighted, effective = log_likelihood(
        given, test.x, num_samples=num_samples, generator=noise.generator(seed, "annealing rows", device=device)
    )
    if not annealed.log_likelihood.isfinite().all():
        raise DataError("every chain of a row left the numbers: the density of the model is not smooth there")
    found = agreement(weighted, effective, num_samples, annealed)
    return {
        "annealed_nats": annealed.log_likelihood.mean().item(),
        "importance_weighted_nats": weighted.mean().item(),
        "gap_nats": found.gap_nats,
        "standard_error_nats": found.standard_error_nats,
        "agree": found.agree,
        "sentence": found.sentence(),
        "protocol": {
            "split": "test",
            "num_rows": len(test),
            "num_chains": NUM_CHAINS,
            "num_steps": NUM_STEPS,
            "num_samples": num_samples,
        },
    }


@_refusable
def measure_disentanglement(
    train_z: Array, train_factors: Mapping[str, Array], test_z: Array, test_factors: Mapping[str, Array], *, seed: int
) -> dict[str, Any]:
    """Whether single latents stand for single factors; with one factor, the mutual information gap alone.

    Shapes:
        train_z: ``[N, D]``; each factor ``[N]``; test rows alike.
    """
    from reparam.evaluation.disentanglement import dci, mutual_information_gap

    for name, values in train_factors.items():
        levels = len(np.unique(values))
        if levels > MOST_CLASSES:
            raise DataError(f"factor '{name}' has {levels} levels, more than {MOST_CLASSES}: factors must be discrete")
    train_levels, test_levels = (
        np.stack([_codes(train_factors[name], part[name]) for name in part], axis=1)
        for part in (train_factors, test_factors)
    )
    numbers: dict[str, Any] = {"mutual_information_gap": mutual_information_gap(test_z, test_levels), "dci": None}
    if len(train_factors) > 1:
        numbers["dci"] = dci(train_z, train_levels, test_z, test_levels, seed=seed).to_json()
    return numbers | {
        "protocol": {
            "split": "test",
            "num_rows": len(test_z),
            "factors": list(train_factors),
            "learned_from": f"{len(train_z):,} training rows",
            "binarize": "none",
            "feature_space": f"posterior means, {test_z.shape[1]} numbers",
        }
    }


def _codes(known: Array, values: Array) -> NDArray[np.int64]:
    """Levels as numbers; a level that training rows do not have is one more."""
    levels = np.unique(known)
    place = np.searchsorted(levels, values).clip(max=len(levels) - 1)
    return np.where(levels[place] == values, place, len(levels)).astype(np.int64)
