"""How a gamma draw moves with the concentration, in float32: one fitted polynomial for all draws and concentrations.

``a·v``, v the velocity of ``gamma_integrals.py``, is analytic in ``q = (x / (a + 2))^(1/4)`` and
``s = (a + 2)^(-1/2)``, but for small draws: it grows as -log x, and goes on with ``x log x``, which is small in q. For
large a it is a polynomial in s and in ``(q - 1) / s``, which is nearly normal: by the fourth root as by the third in
the transformation of Wilson and Hilferty (1931). So

    ``a·v = log(1 + q^-4) + R / (1 + q^4)``

with a polynomial R in s and in ``u = ((q - 1) / s - centre(s)) / half(s)``. Draws of all concentrations have their u
between -1 and 1; beyond is one in a billion. The centre matters: powers of u lose their digits near the ends.
"""

import math

import torch
from torch import Tensor

from reparam.special.fits import Fit, Terms

__all__ = ["SCALED_VELOCITY"]

_SHIFT = 2.0


def _terms(log_x: Tensor, a: Tensor) -> Terms:
    shifted = a + _SHIFT
    ratio = log_x.exp().div_(shifted)
    s = shifted.rsqrt()
    square = s * s
    half = (square * square).mul_(-1.5).add_(1.65)
    off_centre = ratio.sqrt().sqrt_().sub_(1).div_(s).add_(s, alpha=1.2).add_(square, alpha=-1.1)
    # For the smallest draws the logarithm alone, as x underflows.
    leading = torch.maximum(ratio.reciprocal().clamp_(max=1e30).log1p_(), shifted.log().sub_(log_x))
    slack = 6e-7 / s  # what rounding of log x does to u; being off by so much changes a·v by 2e-6 at most
    w = s.mul_(2 * math.sqrt(_SHIFT)).sub_(1)
    return Terms(leading, ratio.add_(1).reciprocal_(), off_centre.div_(half), w, slack)


SCALED_VELOCITY = Fit("gamma_velocity", _terms)
