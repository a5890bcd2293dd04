"""How a draw of Student's t moves with the degrees of freedom; in float32 by one fitted polynomial for all draws.

ε² is an F draw with 1 and df degrees of freedom, so ``v = d log|ε| / d df`` is one of the velocities of ``beta.py``.
With ``τ² = ε² / df`` it is, for large df, ``-df·v = ((1 + τ²) / τ² · log(1 + τ²) - 1) / 2 + 1 / (4 df) + ..``, and, for
df → 0, ``θ coth θ - 1/2`` with θ = arsinh τ. So

    ``-df·v = log(1 + τ²) / 2 - p / 4 - p² / 12 + R / (df + 3)``,    p = τ² / (1 + τ²),

agrees with both ends but for a bounded R, analytic in 1 / (df + 3) and, but for terms like ``τ^-2 log τ`` where τ is
large, in τ². In ``(df + 5) (1 - q)``, ``q = (1 + τ²)^(-1/5)``, these are small too, and the draws of all df lie on one
range; a draw beyond it has a probability of 3e-10.
"""

import torch
from torch import Tensor

from reparam.reparameterize import attach
from reparam.special import fits
from reparam.special.beta import beta_excess_velocities
from reparam.special.elementwise import opaque
from reparam.special.fits import Fit, Terms

__all__ = ["SCALED_STUDENT_VELOCITY", "log_student_velocity", "scaled_student_velocity"]


def log_student_velocity(log_size: Tensor, df: Tensor) -> Tensor:
    """``d log|ε| / d df`` of Student's t at a fixed level of ε; differentiable to any order.

    Args:
        log_size: log|ε|, float32 or float64; any shape.
        df: degrees of freedom, positive; broadcasts.

    Example:
        >>> log_student_velocity(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 1e8]))  # then -(1 + ε²) / 4 df²
        tensor([-4.1597e-01, -1.3900e-15])
    """
    log_size, df = torch.broadcast_tensors(log_size, df)
    if not fits.applies(log_size):
        return _exact_velocity(log_size, df)
    return attach(student_velocity(log_size.detach(), df.detach()), _partials, log_size, df)


def _exact_velocity(log_size: Tensor, df: Tensor) -> Tensor:
    return beta_excess_velocities(2 * log_size + (1 / df).log(), torch.full_like(df, 0.5), df / 2)[1] / 4


def _partials(_: Tensor, log_size: Tensor, df: Tensor) -> tuple[Tensor, Tensor]:
    slopes = torch.func.grad(lambda *at: _exact_velocity(*at).sum(), argnums=(0, 1))
    # As vectors: a derivative of a single number in float32 would become float64 on its way in forward mode.
    along_size, along_df = slopes(log_size.reshape(-1), df.reshape(-1))
    return along_size.reshape(df.shape), along_df.reshape(df.shape)


@opaque
def student_velocity(log_size: Tensor, df: Tensor) -> Tensor:
    """Of float32 numbers, without gradient."""
    largest = torch.finfo(df.dtype).max
    scaled = fits.evaluate(SCALED_STUDENT_VELOCITY, scaled_student_velocity, log_size, df)
    return scaled.div_(df).neg_().clamp_(-largest, largest)


def scaled_student_velocity(log_size: Tensor, df: Tensor) -> Tensor:
    """``-df·v``, by the exact formulas."""
    return -df * _exact_velocity(log_size, df)


def _terms(log_size: Tensor, df: Tensor) -> Terms:
    odds = torch.exp(2 * log_size).div_(df).clamp_(max=1e30)  # τ²
    # For the largest draws the logarithm alone, as τ² overflows.
    log_growth = torch.maximum(odds.log1p(), 2 * log_size - df.log())
    p = odds.div_(odds + 1)
    leading = torch.addcmul(0.5 * log_growth, p, p / -12 - 0.25)
    shifted = df + 5
    u = log_growth.mul_(-0.2).exp_().neg_().add_(1).mul_(shifted).mul_(2 / 8.5).sub_(1)
    weight = (df + 3).reciprocal_()
    slack = shifted.mul_(2e-7)  # what rounding of q does to u, where 1 / df makes R a constant
    return Terms(leading, weight, u, weight * 6 - 1, slack)


SCALED_STUDENT_VELOCITY = Fit("student_velocity", _terms)
