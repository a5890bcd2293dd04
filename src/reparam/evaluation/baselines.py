"""What a VAE has to beat to be worth its trouble."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["gaussian_log_likelihood"]


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
