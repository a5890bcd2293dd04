"""How far the components of a mixture are apart, in standard deviations."""

import math

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions.mixture_paths import NORMAL_VECTORS

__all__ = ["distances", "widest_gap"]


def distances(law: td.Distribution) -> Tensor:
    """Between each two components (rightmost batch dimension): Mahalanobis, for the mean of both covariances."""
    batch_shape, size = law.batch_shape, law.event_shape.numel()
    mean: Tensor = law.mean.reshape(*batch_shape, size)
    if isinstance(law, NORMAL_VECTORS):
        gaps = mean.unsqueeze(-2) - mean.unsqueeze(-3)
        factor = law.scale_tril.expand(*batch_shape, size, size)
        covariance = factor @ factor.mT
        average = (covariance.unsqueeze(-3) + covariance.unsqueeze(-4)) / 2
        squared: Tensor = (gaps * torch.linalg.solve(average, gaps)).sum(-1)
        return squared.sqrt()
    # The components first: rows of a whole batch are many times faster than rows of some components.
    mean, deviation = (part.movedim(-2, 0).contiguous() for part in (mean, law.stddev.reshape(*batch_shape, size)))
    # Divided before squared, and hypot: no overflow in between.
    average = torch.hypot(deviation.unsqueeze(0), deviation.unsqueeze(1)) / math.sqrt(2)
    distance: Tensor = torch.linalg.vector_norm((mean.unsqueeze(0) - mean.unsqueeze(1)) / average, dim=-1)
    return distance.movedim((0, 1), (-2, -1))


def widest_gap(distances: Tensor) -> Tensor:
    """The longest step on the way from any component to any other, each way chosen so that it is shortest.

    Example:
        >>> widest_gap((torch.tensor([[0.0, 5.0, 9.0]]) - torch.tensor([[0.0], [5.0], [9.0]])).abs())
        tensor(5.)
    """
    steps = distances.movedim((-2, -1), (0, 1)).contiguous()
    for via in range(len(steps)):  # Floyd and Warshall, with the longest step for the sum of steps
        steps = torch.minimum(steps, torch.maximum(steps[:, via, None], steps[None, via]))
    return steps.amax((0, 1))
