"""Float32 draws from uniform noise on a CPU, in few passes: what the laws that do so share."""

import torch
from torch import Tensor

__all__ = ["level", "stop"]

_SMALL = 1e-8  # below it 1 - u has lost digits in float64 that float32 would show


def level(noise: Tensor) -> Tensor:
    """The standard exponential level ``-log(1 - u)`` of a vector, in float32; looks at values.

    Example:
        >>> level(torch.tensor([1e-30, 0.5, 1 - 2.0**-53], dtype=torch.float64))
        tensor([1.0000e-30, 6.9315e-01, 3.6737e+01])
    """
    u = noise.double()
    if len(u) == 0 or u.amin() < _SMALL:
        return torch.log1p(-u).neg_().float()
    return (1 - u).log_().float().neg_()


def stop(drawn: Tensor, smallest: float, largest: float, *velocities: Tensor) -> None:
    """Overwrite velocities with 0 where the draw is at an end; looks at values.

    Example:
        >>> velocity = torch.tensor([torch.nan, 1.0])
        >>> stop(torch.tensor([0.0, 0.5]), 0.0, 1.0, velocity)
        >>> velocity
        tensor([0., 1.])
    """
    if len(drawn) > 0:
        least, most = torch.aminmax(drawn)
        if not (least > smallest and most < largest):
            ended = (drawn <= smallest) | (drawn >= largest)
            for velocity in velocities:
                velocity.masked_fill_(ended, 0.0)
