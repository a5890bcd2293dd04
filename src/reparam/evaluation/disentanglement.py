"""Do single latents stand for single factors? Two scores, where the factors that made the data are known.

Mutual information gap (Chen, Li, Grosse & Duvenaud 2018, arXiv:1802.04942, eq. 6), with histograms of 20 bins;
disentanglement, completeness and informativeness (Eastwood & Williams 2018), with the importances of random forests.

Shape letters: N rows, D latents, F factors.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestClassifier

from reparam.errors import DataError, whole_number

__all__ = ["Dci", "dci", "mutual_information_gap"]


def mutual_information_gap(codes: ArrayLike, factors: ArrayLike, *, num_bins: int = 20) -> float:
    """Mean over factors of ``(I(v; z_best) - I(v; z_second)) / H(v)``: 1 where each factor has one latent to itself.

    Latents are cut into bins of equal width between their smallest and largest value, and information and entropy are
    those of the counts. That estimate is too large by about ``(bins - 1)·(levels - 1)/2N`` nats for every latent, which
    the difference mostly takes away. Bins, and a latent mean in place of draws, are choices: compare scores made alike.

    Shapes:
        codes: ``[N, D]``, D >= 2; factors: ``[N, F]``.

    Args:
        codes: latent means. A latent that does not vary has no information.
        factors: levels of each factor, of any kind that can be compared; each factor has two levels or more.
        num_bins: of each latent, at least 2.

    Raises:
        DataError: rows do not go together, are not finite, or a factor does not vary.
        UsageError: ``num_bins`` makes no sense.

    Example:
        >>> factors = np.array([[a, b] for a in range(4) for b in range(4)])
        >>> mutual_information_gap(factors, factors)                  # each code is a factor
        1.0
    """
    whole_number("num_bins", num_bins, least=2)
    z, levels = _checked(codes, factors)
    binned = [_bins(column, num_bins) for column in z.T]
    gaps = []
    for factor in levels.T:
        known = sorted(_mutual_information(latent, factor) for latent in binned)
        gaps.append((known[-1] - known[-2]) / _mutual_information(factor, factor))
    return float(np.mean(gaps))


@dataclass(frozen=True)
class Dci:
    """Three scores between 0 and 1.

    Args:
        disentanglement: whether each latent serves one factor: ``1 - H_F`` of its importances, weighted by its share of
            all importance.
        completeness: whether each factor is served by one latent: ``1 - H_D`` of its importances, mean over factors.
        informativeness: accuracy on test rows in telling the level of a factor, mean over factors.
        importances: ``[D, F]``; each column adds up to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importances: list[list[float]]

    def to_json(self) -> dict[str, Any]:
        """The numbers."""
        return asdict(self)


def dci(
    train_codes: ArrayLike, train_factors: ArrayLike, test_codes: ArrayLike, test_factors: ArrayLike, *, seed: int = 0
) -> Dci:
    """Disentanglement, completeness and informativeness, by a random forest of 100 trees for each factor.

    Every split of a tree looks at all latents, so a latent that repeats what a better one says is seldom asked.
    A forest gives unneeded latents a little importance, so perfect codes score somewhat below 1 in the first two.

    Shapes:
        train_codes: ``[N, D]``, D >= 2; train_factors: ``[N, F]``, F >= 2; test rows alike.

    Args:
        train_codes, test_codes: latent means.
        train_factors, test_factors: levels of each factor; each varies among the training rows.
        seed: of the forests. The same seed gives the same scores.

    Raises:
        DataError: rows do not go together, are not finite, or a factor does not vary.

    Example:
        >>> factors = np.array([[a, b] for a in range(4) for b in range(4)] * 10)
        >>> found = dci(factors, factors, factors, factors)
        >>> round(found.disentanglement, 1), round(found.completeness, 1), found.informativeness
        (1.0, 1.0, 1.0)
    """
    train_z, train_v = _checked(train_codes, train_factors, fewest_factors=2)
    test_z, test_v = np.asarray(test_codes, dtype=np.float64), np.asarray(test_factors)
    if test_z.shape[1:] != train_z.shape[1:] or test_v.shape != (len(test_z), train_v.shape[1]) or len(test_z) == 0:
        raise DataError(
            f"test rows must have the columns of the training rows, {train_z.shape[1]} codes and {train_v.shape[1]} "
            f"factors; got codes {test_z.shape} and factors {test_v.shape}"
        )
    columns, right = [], []
    for index in range(train_v.shape[1]):
        forest = RandomForestClassifier(100, max_features=None, min_samples_leaf=2, random_state=seed)
        forest.fit(train_z, train_v[:, index])
        columns.append(forest.feature_importances_)
        right.append(forest.score(test_z, test_v[:, index]))
    importances = np.stack(columns, axis=1)
    share = importances.sum(1) / importances.sum()
    return Dci(
        disentanglement=float((share * _concentration(importances)).sum()),
        completeness=float(_concentration(importances.T).mean()),
        informativeness=float(np.mean(right)),
        importances=importances.tolist(),
    )


def _concentration(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """``1 - H(row)/log K`` of each row scaled to add up to 1; 0 for a row of zeros."""
    total = rows.sum(1, keepdims=True)
    shares = np.divide(rows, total, out=np.full_like(rows, 1 / rows.shape[1]), where=total > 0)
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy: NDArray[np.float64] = -(shares * logarithms).sum(1)
    return 1 - entropy / math.log(rows.shape[1])


def _bins(column: NDArray[np.float64], num_bins: int) -> NDArray[np.int64]:
    edges = np.linspace(column.min(), column.max(), num_bins + 1)
    return np.digitize(column, edges[1:-1])


def _mutual_information(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Of two columns of levels, in nats, from their counts."""
    _, rows = np.unique(first, return_inverse=True)
    _, columns = np.unique(second, return_inverse=True)
    joint = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(joint, (rows, columns), 1 / len(rows))
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / apart[seen])).sum())


def _checked(codes: ArrayLike, factors: ArrayLike, fewest_factors: int = 1) -> tuple[NDArray[np.float64], NDArray[Any]]:
    z, levels = np.asarray(codes, dtype=np.float64), np.asarray(factors)
    if z.ndim != 2 or levels.ndim != 2 or len(z) != len(levels) or z.shape[1] < 2 or levels.shape[1] < fewest_factors:
        raise DataError(
            f"codes must have shape [N, D] with D >= 2 and factors [N, F] with F >= {fewest_factors}; got {z.shape} "
            f"and {levels.shape}"
        )
    if not np.isfinite(z).all():
        raise DataError(f"codes must be finite; row {int((~np.isfinite(z)).any(1).argmax())} is not")
    still = [index for index, column in enumerate(levels.T) if len(np.unique(column)) < 2]
    if still:
        raise DataError(f"factor {still[0]} has one level only: nothing can be known about it")
    return z, levels
