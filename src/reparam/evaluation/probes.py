"""What simple classifiers can read off the latents: nearest neighbours and a linear map.

Rows to learn from and rows to be judged on are the caller's; both classifiers are deterministic. High accuracy of the
neighbours with low accuracy of the linear map says that classes are there, but curled up.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from reparam.errors import DataError, UsageError
from reparam.evaluation.accuracy import held_out_accuracy

__all__ = ["Probe", "knn_probe", "linear_probe"]


@dataclass(frozen=True)
class Probe:
    """How often a classifier is right on rows it has not seen.

    Args:
        name: of the classifier.
        accuracy: between 0 and 1.
        standard_error: of the accuracy, see :func:`reparam.evaluation.accuracy.held_out_accuracy`.
        chance: accuracy of always saying the class that is most frequent among the training rows.
        num_train, num_test: rows.
        num_classes: among the training rows.
    """

    name: str
    accuracy: float
    standard_error: float
    chance: float
    num_train: int
    num_test: int
    num_classes: int

    def to_json(self) -> dict[str, Any]:
        """The numbers."""
        return asdict(self)


def knn_probe(
    train_z: ArrayLike, train_labels: ArrayLike, test_z: ArrayLike, test_labels: ArrayLike, *, num_neighbours: int = 10
) -> Probe:
    """Accuracy of the majority label of the nearest training rows, by Euclidean distance in the latents' own units.

    The units are not rescaled: a unit that the encoder does not use varies little and should weigh little.

    Shapes:
        train_z: ``[N, D]``, train_labels: ``[N]``, test_z: ``[M, D]``, test_labels: ``[M]``.

    Args:
        train_z, test_z: latent means.
        train_labels, test_labels: any labels that can be compared; a test label may be unknown to the training rows,
            and is then never right.
        num_neighbours: at most N.

    Raises:
        DataError: rows and labels do not go together, are not finite, or hold one class only.
        UsageError: ``num_neighbours`` is not between 1 and N.

    Example:
        >>> probe = knn_probe([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1], [[0.2], [4.0]], [0, 1], num_neighbours=1)
        >>> probe.accuracy, probe.chance
        (1.0, 0.5)
    """
    rows = _checked(train_z, train_labels, test_z, test_labels)
    num_train = len(rows[0])
    if isinstance(num_neighbours, bool) or not isinstance(num_neighbours, int) or not 1 <= num_neighbours <= num_train:
        raise UsageError(
            f"num_neighbours must be a whole number between 1 and {num_train}, the training rows; got "
            f"{num_neighbours!r}"
        )
    return _probe(f"{num_neighbours} nearest neighbours", KNeighborsClassifier(num_neighbours), *rows)


def linear_probe(
    train_z: ArrayLike, train_labels: ArrayLike, test_z: ArrayLike, test_labels: ArrayLike, *, penalty: float = 1.0
) -> Probe:
    """Accuracy of logistic regression on the latents, each standardised by the training rows.

    Shapes:
        train_z: ``[N, D]``, train_labels: ``[N]``, test_z: ``[M, D]``, test_labels: ``[M]``.

    Args:
        train_z, train_labels, test_z, test_labels: as for :func:`knn_probe`.
        penalty: positive; weight of ``|w|²/2`` beside the summed loss of the training rows.

    Raises:
        DataError: rows and labels do not go together, are not finite, or hold one class only.
        UsageError: ``penalty`` is not positive.

    Example:
        >>> linear_probe([[0.0], [0.1], [5.0], [5.1]], ["a", "a", "b", "b"], [[0.2], [4.0]], ["a", "b"]).accuracy
        1.0
    """
    if not 0 < penalty < np.inf:
        raise UsageError(f"penalty must be a positive number; got {penalty!r}")
    rows = _checked(train_z, train_labels, test_z, test_labels)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=5000))
    return _probe("logistic regression", classifier, *rows)


def _probe(
    name: str,
    classifier: Any,
    train_z: NDArray[np.float64],
    train_labels: NDArray[Any],
    test_z: NDArray[np.float64],
    test_labels: NDArray[Any],
) -> Probe:
    accuracy, standard_error = held_out_accuracy(classifier, train_z, train_labels, test_z, test_labels)
    classes, counts = np.unique(train_labels, return_counts=True)
    return Probe(
        name=name,
        accuracy=accuracy,
        standard_error=standard_error,
        chance=float((test_labels == classes[counts.argmax()]).mean()),
        num_train=len(train_z),
        num_test=len(test_z),
        num_classes=len(classes),
    )


def _checked(*given: ArrayLike) -> tuple[NDArray[np.float64], NDArray[Any], NDArray[np.float64], NDArray[Any]]:
    train_z, train_labels, test_z, test_labels = (np.asarray(each) for each in given)
    for name, z, labels in (("training", train_z, train_labels), ("test", test_z, test_labels)):
        if z.ndim != 2 or labels.shape != z.shape[:1] or len(z) == 0:
            raise DataError(
                f"{name} latents must have shape [rows, D] and labels [rows], with rows >= 1; got {z.shape} and "
                f"{labels.shape}"
            )
        if not np.isfinite(z).all():
            raise DataError(f"{name} latents must be finite; row {int((~np.isfinite(z)).any(1).argmax())} is not")
    if train_z.shape[1] != test_z.shape[1]:
        raise DataError(f"training latents have {train_z.shape[1]} columns and test latents {test_z.shape[1]}")
    if len(np.unique(train_labels)) < 2:
        raise DataError("the training labels hold one class only: there is nothing to tell apart")
    return train_z.astype(np.float64), train_labels, test_z.astype(np.float64), test_labels
