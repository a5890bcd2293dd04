"""A draw together with its density."""

from typing import Any

from torch import Tensor

__all__ = ["rsample_with_log_prob"]


def rsample_with_log_prob(
    law: Any, sample_shape: Any, *, generator: Any = None, noise: Any = None
) -> tuple[Tensor, Tensor]:
    y = law.rsample(sample_shape, generator=generator, noise=noise)
    return y, law.log_prob(y)
