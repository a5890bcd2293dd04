"""What a VAE has to beat to be worth its trouble."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["gaussian_baseline", "gaussian_log_likelihood", "linear_residuals"]


def linear_residuals(
    train_features: NDArray[np.float64],
    train: NDArray[np.float64],
    features: NDArray[np.float64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What is left of values by a linear regression on features, with an intercept, fitted to the training rows.

    One Gaussian for what is left is the law ``p(x | c)`` that is linear in the features c.

    Shapes:
        train_features: ``[N, C]``, train: ``[N, D]``, features: ``[M, C]``, values and the result: ``[M, D]``.

    Example:
        >>> c = np.array([[0.0], [1.0], [2.0]])
        >>> linear_residuals(c, 3 * c + 1, c, 3 * c + 2).round(6)
        array([[1.],
               [1.],
               [1.]])
    """
    design, new = (np.hstack([np.ones((len(rows), 1)), rows]) for rows in (train_features, features))
    # One-hot columns add up to the intercept: of all solutions the least one is taken, residuals are the same.
    residuals: NDArray[np.float64] = values - new @ np.linalg.lstsq(design, train, rcond=None)[0]
    return residuals


def gaussian_log_likelihood(train: NDArray[np.float64], test: NDArray[np.float64]) -> float | None:
    """Mean log density of held-out rows, in nats, under one Gaussian with full covariance fitted to the training rows.

    Shapes:
        train: ``[N, D]``, test: ``[M, D]``.

    Returns:
        ``None`` where the covariance is singular: fewer rows than columns, or columns that determine each other.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(1000, 2))
        >>> round(gaussian_log_likelihood(rows, rows), 1)          # -log(2πe) for two standard normals
        -2.8
    """
    num_rows, num_columns = train.shape
    if num_rows <= num_columns:
        return None
    mean = train.mean(0)
    covariance = np.atleast_2d(np.cov(train, rowvar=False, bias=True))
    if np.linalg.cond(covariance) > 1e12:
        return None
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), (test - mean).T)
    log_determinant = np.linalg.slogdet(covariance)[1]
    return float(-0.5 * (num_columns * np.log(2 * np.pi) + log_determinant + (whitened**2).sum(0).mean()))


def gaussian_baseline(
    train: NDArray[np.float64],
    test: NDArray[np.float64],
    train_features: NDArray[np.float64] | None = None,
    features: NDArray[np.float64] | None = None,
) -> dict[str, Any] | None:
    """Name and mean log density of held-out rows, in nats, under the Gaussian law that is linear in what is given.

    Shapes:
        train: ``[N, D]``, test: ``[M, D]``, train_features: ``[N, C]``, features: ``[M, C]``.

    Returns:
        ``None`` where the covariance is singular, see :func:`gaussian_log_likelihood`.
    """
    name = "full-covariance Gaussian"
    if train_features is not None and features is not None:
        name = "linear Gaussian regression"
        test = linear_residuals(train_features, train, features, test)
        train = linear_residuals(train_features, train, train_features, train)
    value = gaussian_log_likelihood(train, test)
    return None if value is None else {"name": name, "log_likelihood_nats": value}
