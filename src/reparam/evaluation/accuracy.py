"""How often a classifier is right on rows it has not seen."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["held_out_accuracy"]


def held_out_accuracy(
    classifier: Any,
    train_x: NDArray[np.float64],
    train_labels: NDArray[Any],
    test_x: NDArray[np.float64],
    test_labels: NDArray[Any],
) -> tuple[float, float]:
    """Fit a classifier of scikit-learn to some rows and judge it on M others: its accuracy, and the standard error.

    The standard error is ``√(a·(1 - a)/M)`` with a = (right + 1)/(M + 2), so that it is not 0 where all are right.

    Example:
        >>> from sklearn.dummy import DummyClassifier
        >>> rows, labels = np.zeros((4, 1)), np.array([1, 1, 1, 0])
        >>> accuracy, error = held_out_accuracy(DummyClassifier(), rows, labels, rows, labels)
        >>> accuracy, round(error, 3)
        (0.75, 0.236)
    """
    num_rows = len(test_x)
    right = int((classifier.fit(train_x, train_labels).predict(test_x) == test_labels).sum())
    smoothed = (right + 1) / (num_rows + 2)
    return right / num_rows, math.sqrt(smoothed * (1 - smoothed) / num_rows)
