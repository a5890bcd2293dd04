"""P-values without scipy. Each is an upper bound or the usual asymptotic value; all err towards silence.

``FALSE_ALARM`` is the one rate at which a report on a correct law raises an alarm; its tests share it equally.
"""

import math

import torch
from torch import Tensor

__all__ = ["FALSE_ALARM", "chi_square", "count_p_value", "mean_p_value"]

FALSE_ALARM = 1e-6


def mean_p_value(values: Tensor, expected: Tensor | float = 0.0, rounding: float = 1e-7) -> Tensor:
    """The mean over the first dimension is ``expected``: Bernstein's inequality, two-sided.

    ``2·exp(-z²/2 / (1 + M·z / (3·s·√n)))`` with z the error in standard errors, s the standard deviation and M the
    largest deviation seen. Close to the normal tail (6.2 standard errors for 1e-8, instead of 5.7), but a mean carried
    by a few large values needs more evidence. An error below ``rounding`` times the mean magnitude is none.

    Example:
        >>> mean_p_value(torch.tensor([1.0, 2.0, 3.0]), 2.0)
        tensor(1., dtype=torch.float64)
    """
    values = values.double()
    count = len(values)
    error = (values.mean(0) - expected).abs()
    error = (error - rounding * values.abs().mean(0)).clamp(min=0)
    deviation = (values - values.mean(0)).abs().amax(0)
    standard_error = values.std(0).clamp(min=1e-300) / math.sqrt(count)
    z = (error / standard_error).clamp(max=1e100)
    return (2 * torch.exp(-(z**2) / 2 / (1 + deviation * z / (3 * standard_error * count)))).clamp(max=1)


def count_p_value(seen: int, total: int, probability: float) -> float:
    """``seen`` successes in ``total`` trials of this probability: Chernoff's bound, two-sided.

    Example:
        >>> count_p_value(100, 1000, 0.1) == 1, count_p_value(200, 1000, 0.1) < 1e-15
        (True, True)
    """
    rate = seen / total
    probability = min(max(probability, 0.0), 1.0)
    distance = _relative_entropy(rate, probability) + _relative_entropy(1 - rate, 1 - probability)
    return min(1.0, 2 * math.exp(-total * distance))


def _relative_entropy(rate: float, probability: float) -> float:
    if rate == 0:
        return 0.0
    return rate * math.log(rate / probability) if probability > 0 else math.inf


def chi_square(seen: Tensor, expected: Tensor) -> float:
    """Counts against expected counts (all at least about 5, of equal sum)."""
    statistic = ((seen - expected) ** 2 / expected).sum()
    freedom = torch.tensor((len(seen) - 1) / 2, dtype=torch.float64)
    return float(torch.special.gammaincc(freedom, statistic.double() / 2)) if len(seen) > 1 else 1.0
