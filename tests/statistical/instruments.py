"""Statistical checks with one stated error rate. Each raises AssertionError with the numbers it saw.

A correct sampler fails one call with probability ``FALSE_ALARM`` (seeds are fixed, so a passing test stays
passing). What each check can see is measured on planted faults in ``test_instruments.py``.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

FALSE_ALARM = 1e-6


def check_continuous(draws: ArrayLike, cdf) -> None:
    """Independent draws follow ``cdf``: Kolmogorov-Smirnov for the bulk, two tests for each tail.

    KS sees the CDF moved by 0.009 with 1e5 draws (0.0028/√(n/1e6) in general): a shift of 3 % of the
    standard deviation, a scale off by 5 %. Tails move it less. There, the number of draws beyond the level
    where 100 are expected sees a tail too heavy or too light by half, and the extreme draw sees a tail cut
    anywhere above a probability of 17/n.
    """
    levels = np.asarray(cdf(np.asarray(draws, dtype=np.float64).ravel()))
    count = len(levels)
    p_values = {"KS": stats.kstest(levels, "uniform").pvalue}
    edge = 100 / count
    for name, depth in (("lower tail", levels), ("upper tail", 1 - levels)):
        p_values[name] = stats.binomtest(int((depth < edge).sum()), count, edge).pvalue
        p_values[name + " extreme"] = 2 * min(stats.expon.cdf(count * depth.min()), stats.expon.sf(count * depth.min()))
    # The tests share the rate of one assertion.
    assert min(p_values.values()) > FALSE_ALARM / len(p_values), f"draws do not follow the law: {p_values}"


def check_discrete(indices: ArrayLike, probabilities: ArrayLike) -> None:
    """Independent draws of ``0 .. k-1`` have these probabilities: chi², cells expected below 5 joined."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    counts = np.bincount(np.asarray(indices).ravel().astype(np.int64), minlength=len(probabilities))
    assert len(counts) == len(probabilities), f"a draw of {len(counts) - 1} where {len(probabilities) - 1} is the last"
    assert abs(probabilities.sum() - 1) < 1e-5, f"probabilities sum to {probabilities.sum()}"
    expected = counts.sum() * probabilities / probabilities.sum()
    rare = expected < 5
    seen, wanted = (
        np.append(counts[~rare], counts[rare].sum()),
        np.append(expected[~rare], expected[rare].sum()),
    )
    if wanted[-1] < 5:  # too rare to join chi²: counted by itself
        tail = stats.binomtest(int(seen[-1]), int(counts.sum()), min(1.0, wanted[-1] / counts.sum())).pvalue
        assert tail > FALSE_ALARM / 2, f"{seen[-1]} draws of cells where {wanted[-1]:.3g} are expected"
        seen, wanted = seen[:-1], wanted[:-1] * seen[:-1].sum() / wanted[:-1].sum()
    p_value = stats.chisquare(seen, wanted).pvalue if len(seen) > 1 else 1.0
    assert p_value > FALSE_ALARM / 2, f"chi² {p_value=}, counts {seen}, expected {wanted}"


def check_mean(values: ArrayLike, expected: ArrayLike) -> None:
    """The mean over the first axis is ``expected``: z-test with its own standard error, for all cells.

    Used for moments and, on one gradient a draw, for gradients. Blind to noise of mean zero.
    """
    values = np.asarray(values, dtype=np.float64)
    expected = np.broadcast_to(np.asarray(expected, dtype=np.float64), values.shape[1:])
    error = values.mean(axis=0) - expected
    standard_error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    rounding = 1e-6 * (1 + np.abs(expected))
    limit = stats.norm.isf(FALSE_ALARM / 2 / max(1, expected.size)) * standard_error + rounding
    assert (np.abs(error) <= limit).all(), f"mean is off by {error}, allowed {limit} ({standard_error=})"
