"""How good samples are, held against rows the model has not seen: can they be told apart, and what is missing.

All of it is measured in a feature space, e.g. the principal components of the training rows. Scores depend on that
space and on the number of rows: compare only scores made alike, best with those of a second set of real rows.

Shape letters: N real rows, M generated ones, D features.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split
from torch import Tensor

from reparam.errors import DataError, whole_number
from reparam.evaluation.accuracy import held_out_accuracy

__all__ = ["NeighbourScores", "TwoSampleTest", "neighbour_scores", "principal_features", "two_sample_test"]

Features = Callable[[ArrayLike], NDArray[np.float64]]

# Distances held at once.
PAIRS_AT_ONCE = 4_000_000


def principal_features(train: ArrayLike, *, num_components: int = 50) -> Features:
    """The first principal components of the training rows, as a function of rows.

    Not whitened: a distance is then what it is in the units of the model, and directions in which the data hardly
    varies do not become as important as those in which it does. Components come from the training rows alone, so that
    neither samples nor held-out rows have a say.

    Shapes:
        train: ``[N, *X]``, N >= 2; the function maps ``[M, *X]`` to ``[M, D]``, D the smallest of ``num_components``, N
        and the number of values.

    Args:
        train: training rows as the model sees them (scaled).
        num_components: at most so many.

    Raises:
        DataError: fewer than two rows, or a value that is not finite.
        UsageError: ``num_components`` makes no sense.

    Example:
        >>> features = principal_features(np.random.default_rng(0).normal(size=(100, 2, 3)), num_components=4)
        >>> features(np.zeros((5, 2, 3))).shape
        (5, 4)
    """
    whole_number("num_components", num_components)
    rows = _rows("training", train, fewest=2)
    found = PCA(min(num_components, *rows.shape), svd_solver="full").fit(rows)
    return lambda x: np.asarray(found.transform(_rows("given", x)), dtype=np.float64)


@dataclass(frozen=True)
class TwoSampleTest:
    """How well a classifier tells samples from real rows.

    Args:
        accuracy: on rows the classifier was not fitted to; 0.5 is a guess, 1 is always right.
        standard_error: of the accuracy, see :func:`reparam.evaluation.accuracy.held_out_accuracy`.
        p_value: of an accuracy at least so high if both sets follow one law, the normal approximation.
        num_judged: n, rows of both sets together that the classifier was judged on.
    """

    accuracy: float
    standard_error: float
    p_value: float
    num_judged: int

    def to_json(self) -> dict[str, Any]:
        """The numbers."""
        return asdict(self)


def two_sample_test(generated: ArrayLike, real: ArrayLike, *, seed: int = 0) -> TwoSampleTest:
    """Classifier two-sample test: how well gradient-boosted trees, fitted to one half, tell the other half apart.

    One split and not folds: each row of several folds is judged by a classifier that learned from the others, so the
    folds depend on each other, and for sets of one law the accuracy over five folds was found to vary up to 1.3 times
    more than its number of rows says. Trees, because of what was tried they saw most faults, on images and on tables:
    wrong dependence of columns, samples too smooth, values rounded. What they do not see may be there all the same: 0.5
    is no proof of sameness.

    Shapes:
        generated, real: ``[N, D]`` features, N >= 20.

    Args:
        generated: samples of the model.
        real: rows it was not trained on, as many. With rows it was trained on, a model that repeats them would pass.
        seed: of the split. The same seed gives the same answer.

    Raises:
        DataError: the sets differ in size or columns, are too small, or not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> found = two_sample_test(rng.normal(size=(200, 2)) + [3.0, 0.0], rng.normal(size=(200, 2)))
        >>> found.accuracy > 0.8, found.p_value < 1e-6
        (True, True)

    Source: Lopez-Paz & Oquab 2017, arXiv:1610.06545.
    """
    fake, true = _pair(generated, real, fewest=20)
    if len(fake) != len(true):
        raise DataError(f"the test needs as many samples as real rows; got {len(fake)} and {len(true)}")
    rows, labels = np.concatenate([fake, true]), np.repeat([0, 1], len(fake))
    learned, judged, learned_labels, judged_labels = train_test_split(
        rows, labels, test_size=0.5, stratify=labels, random_state=seed
    )
    classifier = HistGradientBoostingClassifier(early_stopping=False, random_state=seed)
    accuracy, standard_error = held_out_accuracy(classifier, learned, learned_labels, judged, judged_labels)
    return TwoSampleTest(
        accuracy=accuracy,
        standard_error=standard_error,
        p_value=math.erfc((accuracy - 0.5) * math.sqrt(2 * len(judged))) / 2,
        num_judged=len(judged),
    )


@dataclass(frozen=True)
class NeighbourScores:
    """Four scores from nearest neighbours. A ball around a row reaches to its k-th nearest neighbour in its own set.

    Args:
        precision: share of samples that lie in a ball of a real row: are samples plausible?
        recall: share of real rows that lie in a ball of a sample: is every kind of row produced?
        density: mean number of balls of real rows a sample lies in, over k; 1 for samples of the law of the real rows,
            and above 1 for samples of its densest parts only. An outlier among the real rows raises it less than
            precision.
        coverage: share of real rows whose ball holds a sample.
        expected_coverage: of samples that follow the law of the real rows.
        num_neighbours: k.
        num_generated, num_real: rows.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    expected_coverage: float
    num_neighbours: int
    num_generated: int
    num_real: int

    def to_json(self) -> dict[str, Any]:
        """The numbers."""
        return asdict(self)


def neighbour_scores(generated: ArrayLike, real: ArrayLike, *, num_neighbours: int = 5) -> NeighbourScores:
    """Improved precision and recall, density and coverage, from all pairs of rows; no approximate neighbours.

    For samples of the law of the real rows, density is 1 on average, and coverage ``1 - Π_i (N - i)/(N + M - i)``, i
    from 1 to k, whatever the law: the k nearest of the other rows are then any k of N + M - 1. Precision and recall
    have no such value: they depend on the law and on its dimension.

    Shapes:
        generated: ``[M, D]``, real: ``[N, D]``, both with more than k rows.

    Args:
        generated: samples of the model.
        real: rows it was not trained on.
        num_neighbours: k.

    Raises:
        DataError: the sets differ in columns, are too small, or not finite.
        UsageError: ``num_neighbours`` makes no sense.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> found = neighbour_scores(rng.normal(size=(500, 2)), rng.normal(size=(500, 2)))
        >>> found.precision > 0.9, found.recall > 0.9, round(found.density, 1), round(found.expected_coverage, 2)
        (True, True, 1.0, 0.97)

    Source: Kynkäänniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797.
    """
    k = whole_number("num_neighbours", num_neighbours)
    fake, true = (torch.from_numpy(rows) for rows in _pair(generated, real, fewest=k + 1))
    fake_reach, true_reach = _reach(fake, k), _reach(true, k)
    in_balls, covered, recalled = [], torch.zeros(len(true), dtype=torch.bool), torch.zeros(len(true), dtype=torch.bool)
    for part, reach in zip(fake.split(_at_once(true)), fake_reach.split(_at_once(true)), strict=True):
        distance = torch.cdist(part, true)
        near = distance <= true_reach
        in_balls.append(near.sum(1))
        covered |= near.any(0)
        recalled |= (distance <= reach[:, None]).any(0)
    balls = torch.cat(in_balls).double()
    num_true, num_fake = len(true), len(fake)
    missed = math.prod((num_true - i) / (num_true + num_fake - i) for i in range(1, k + 1))
    return NeighbourScores(
        precision=(balls > 0).double().mean().item(),
        recall=recalled.double().mean().item(),
        density=balls.mean().item() / k,
        coverage=covered.double().mean().item(),
        expected_coverage=1 - missed,
        num_neighbours=k,
        num_generated=num_fake,
        num_real=num_true,
    )


def _reach(rows: Tensor, k: int) -> Tensor:
    """Distance of each row to its k-th nearest other row, ``[N]``."""
    # The nearest of all is the row itself, or one like it at the same distance 0.
    return torch.cat([torch.cdist(part, rows).kthvalue(k + 1, dim=1).values for part in rows.split(_at_once(rows))])


def _at_once(rows: Tensor) -> int:
    return max(PAIRS_AT_ONCE // len(rows), 1)


def _pair(generated: ArrayLike, real: ArrayLike, fewest: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    fake, true = _rows("generated", generated, fewest), _rows("real", real, fewest)
    if fake.shape[1] != true.shape[1]:
        raise DataError(f"generated rows have {fake.shape[1]} values and real rows {true.shape[1]}")
    return fake, true


def _rows(name: str, given: ArrayLike, fewest: int = 1) -> NDArray[np.float64]:
    rows = np.asarray(given, dtype=np.float64)
    if rows.ndim < 2 or len(rows) < fewest:
        raise DataError(f"{name} rows must have shape [rows, *values], with at least {fewest} rows; got {rows.shape}")
    rows = rows.reshape(len(rows), -1)
    if not np.isfinite(rows).all():
        raise DataError(f"{name} rows must be finite; row {int((~np.isfinite(rows)).any(1).argmax())} is not")
    return rows
