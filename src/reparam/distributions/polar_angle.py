"""The angle θ between a draw and the pole it gathers at: density ∝ exp(κ cos θ) sin^m θ on (0, π), κ > 0.

This is what von Mises (m = 0, both sides folded together) and von Mises-Fisher in ``m + 2`` dimensions have in common.
Neither CDF nor quantile has a closed form. Both come from integrals over one tail, on that side of θ where the score
``∂ log p/∂κ = cos θ - A`` keeps its sign (A is the mean of cos θ):

- ``M = ∫ p(t)/p(θ) dt``: the tail probability is ``p(θ)·M``, with all its digits however small it is;
- ``S = ∫ (cos t - A) p(t)/p(θ) dt``: the angle moves with κ at the velocity ``∂θ/∂κ = ∓S``, without cancellation.

Gauss-Legendre nodes are spread over that part of the tail which counts. ``1 - cos t`` stands as ``2 sin²(t/2)`` and
its differences as products of sines, so nothing is lost at any concentration.
"""

import math

import torch
from torch import Tensor

from reparam.special import bessel_ratio_complement, log_normalized_ive
from reparam.special.elementwise import in_pieces, opaque
from reparam.special.quadrature import gauss_legendre

__all__ = ["PolarAngle"]

_END = {torch.float32: 3.1415925, torch.float64: math.pi}  # the last numbers below π
_DEPTH = {torch.float32: 18.0, torch.float64: 34.0}  # in nats below p(θ): there a tail is cut
_NODES = {torch.float32: 14, torch.float64: 32}
_QUANTILE_NODES = {torch.float32: (10, 10, 14), torch.float64: (10, 10, 32)}  # step by step

_DEEP = 8  # numbers for each element at a time

_RULES = {count: gauss_legendre(count) for count in (10, 14, 32)}


class PolarAngle:
    """Density, tails, quantile and velocity at one concentration; elementwise, float32 or float64.

    Args:
        concentration: κ, positive; any shape that broadcasts against the angles.
        power: m >= 0.

    Example:
        >>> law = PolarAngle(torch.tensor(1e-9), 1)  # nearly uniform on the sphere: (1 - cos θ)/2 below θ
        >>> law.tails(torch.tensor(math.pi / 3))
        (tensor(0.2500), tensor(0.7500))
    """

    def __init__(self, concentration: Tensor, power: int) -> None:
        self.concentration = concentration
        self.power = power
        # Made when first asked for: not everybody needs both.
        self._complement: Tensor | None = None
        self._log_total: Tensor | None = None

    @property
    def complement(self) -> Tensor:
        """``1 - A``."""
        if self._complement is None:
            circular = self._on_the_circle()
            concentration, order = self.concentration, self.power / 2
            self._complement = (
                _circular_complement(concentration) if circular else bessel_ratio_complement(order, concentration)
            )
        return self._complement

    @property
    def log_total(self) -> Tensor:
        """Log of the integral of exp(κ (cos θ - 1)) sin^m θ, in float64: in many dimensions large terms cancel."""
        if self._log_total is None:
            order, wide = self.power / 2, self.concentration.double()
            log_bessel = torch.special.i0e(wide).log() if self._on_the_circle() else log_normalized_ive(order, wide)
            log_sines = math.log(math.pi) / 2 + math.lgamma(order + 0.5) - math.lgamma(order + 1)
            self._log_total = log_bessel + log_sines
        return self._log_total

    def _on_the_circle(self) -> bool:
        """Whether torch's Bessel functions, in float64, have all digits wanted: a tenth of the time of ours."""
        return self.power == 0 and self.concentration.dtype == torch.float32 and not torch.is_grad_enabled()

    def log_density(self, angle: Tensor) -> Tensor:
        """``log p(θ)`` in nats."""
        if torch.is_grad_enabled():
            return self._log_density(angle)
        return _raw_log_density(*torch.broadcast_tensors(angle, self.concentration.to(angle.dtype)), self.power)

    def _log_density(self, angle: Tensor) -> Tensor:
        wide = angle.double()
        log_kernel = self.power * torch.sin(wide).log() - 2 * self.concentration.double() * torch.sin(wide / 2) ** 2
        return (log_kernel - self.log_total).to(angle.dtype)

    def tails(self, angle: Tensor) -> tuple[Tensor, Tensor]:
        """P(θ' < θ) and P(θ' > θ): the smaller with relative precision."""
        below = self._is_below(angle)
        tail = self._log_density(angle).exp() * self._integrals(angle, below, _NODES[angle.dtype])[0]
        return torch.where(below, tail, 1 - tail), torch.where(below, 1 - tail, tail)

    def velocity(self, angle: Tensor) -> Tensor:
        """``∂θ/∂κ`` at a fixed probability: negative, 0 at both ends."""
        if torch.is_grad_enabled():
            return self._velocity(angle)
        return _raw_velocity(*torch.broadcast_tensors(angle, self.concentration.to(angle.dtype)), self.power)

    def _velocity(self, angle: Tensor) -> Tensor:
        below = self._is_below(angle)
        moment = self._integrals(angle, below, _NODES[angle.dtype])[1]
        return torch.where(below, -moment, moment)

    def quantile(self, lower: Tensor, upper: Tensor) -> Tensor:
        """The angle with ``lower`` below it and ``upper = 1 - lower`` above, from the one on its side; no gradient."""
        concentration = self.concentration.to(lower.dtype)
        arguments = torch.broadcast_tensors(lower.detach(), upper.detach(), concentration.detach())
        return _raw_quantile(*arguments, self.power)

    def _solve(self, lower: Tensor, upper: Tensor) -> Tensor:
        """Halley's method for the logarithm of the tail probability, a fixed number of steps.

        Against the logarithm of the distance to the end of that tail it is concave and nearly straight.
        """
        dtype = lower.dtype
        middle = 2 * torch.asin((self.complement / 2).sqrt())
        below = lower < self.tails(middle)[0]
        log_tail = torch.where(below, lower, upper).log()
        smallest, largest = torch.finfo(dtype).tiny, _END[dtype] - 8 * torch.finfo(dtype).eps
        angle = self._start(lower, upper, below, middle).clamp(smallest, largest)
        for nodes in _QUANTILE_NODES[dtype]:
            mass, _ = self._integrals(angle, below, nodes)
            excess = self._log_density(angle) + mass.log() - log_tail
            outward = self.power / torch.tan(angle) - self.concentration * torch.sin(angle)  # ∂ log p/∂θ
            far = torch.where(below, angle, _END[dtype] - angle)
            bend = 1 - excess * (mass / far - 1 + mass * torch.where(below, outward, -outward)) / 2
            stretch = far * torch.expm1((-excess * mass / far / bend.clamp(min=0.5)).clamp(-3, 3))
            angle = (angle + torch.where(below, stretch, -stretch)).clamp(smallest, largest)
        return angle

    def _is_below(self, angle: Tensor) -> Tensor:
        return 2 * torch.sin(angle / 2) ** 2 < self.complement

    def _integrals(self, angle: Tensor, below: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """M and S over (0, θ) where ``below``, over (θ, π) elsewhere."""
        with torch.no_grad():
            width = self._width(angle, below)
        # Where all of the tail counts the end of the integral moves with θ.
        length = torch.minimum(torch.where(below, angle, _END[angle.dtype] - angle), width)
        halves = torch.where(below, 0.5, -0.5) * length
        sine, cosine = torch.sin(angle), torch.cos(angle)

        def at(node: Tensor | float) -> tuple[Tensor, Tensor]:
            """``p(t)/p(θ)``, and that times ``cos t - cos θ``."""
            half = halves * node
            half_sine, half_cosine = torch.sin(half), torch.cos(half)
            # With t = θ - 2·half: cos t - cos θ, and below sin t/sin θ - 1.
            closer = 2 * half_sine * (sine * half_cosine - cosine * half_sine)
            log_ratio = self.concentration * closer
            if self.power:
                growth = -2 * half_sine * (cosine * half_cosine + sine * half_sine) / sine
                log_ratio = log_ratio + self.power * torch.log1p(growth)
            ratio = torch.exp(log_ratio)
            return ratio, closer * ratio

        mass, moment = _RULES[count].of_two(at, angle)
        score = self.complement - 2 * torch.sin(angle / 2) ** 2
        return mass * length, score * mass * length + moment * length

    def _width(self, angle: Tensor, below: Tensor) -> Tensor:
        """How far from θ the density has fallen by the depth, from its slope and a lower bound of its curvature."""
        depth = _DEPTH[angle.dtype]
        sine, cosine = torch.sin(angle), torch.cos(angle)
        # Slope and curvature stand with a factor sin θ for each derivative, so that nothing overflows.
        pull, push = self.concentration * sine**2, self.power * cosine
        bend = pull * cosine.clamp(min=0)
        below_width = _parabola((push - pull).clamp(min=0), bend + self.power, depth)
        # Above, both decline: they are taken at the end of a first, too long stretch.
        first = sine * _parabola((pull - push).clamp(min=0), bend + self.power * sine**2, depth)
        end = torch.sin((angle + first).clamp(max=math.pi / 2)).maximum(sine)
        square = first.clamp(max=2.2) ** 2
        slope = (pull * (1 - square / 6) - push).clamp(min=0)
        above_width = _parabola(slope, bend * (1 - square / 6) + self.power * (sine / end) ** 2, depth)
        return sine * torch.where(below, below_width, above_width)

    def _start(self, lower: Tensor, upper: Tensor, below: Tensor, middle: Tensor) -> Tensor:
        """An angle near the quantile, on its side of the middle.

        sin²(θ/2) is nearly Beta(k/2, b), k = m + 1, with b such that the mean is right; the odds of that are nearly the
        cube of a ratio of normals (E. Paulson, 1942). Far out, where that fails, the density is nearly a power.
        """
        k = self.power + 1
        odds = self.complement / (2 - self.complement)
        alpha, beta = 2 / (9 * k), 2 * odds / (9 * k)
        smaller = torch.special.ndtri(torch.minimum(lower, upper))
        score = torch.where(lower < upper, smaller, -smaller)
        # Both are positive where the cube is any good.
        to_pole, to_antipole = (1 - alpha) ** 2 - score**2 * alpha, (1 - beta) ** 2 - score**2 * beta
        spread = ((1 - beta) ** 2 * alpha + beta * to_pole).clamp(min=0).sqrt()
        cube_root = ((1 - alpha) * (1 - beta) + score * spread) / to_antipole.clamp(min=0.1)
        angle = 2 * torch.atan((odds * cube_root.clamp(min=0) ** 3).sqrt())
        log_total = self.log_total + math.log(k)
        from_pole = ((lower.double().log() + log_total) / k).exp().to(angle.dtype)
        to_end = ((upper.double().log() + log_total + 2 * self.concentration.double()) / k).exp().to(angle.dtype)
        return torch.where(
            below,
            torch.where(to_pole > 0.1, angle, from_pole).maximum(from_pole).minimum(middle),
            torch.where((to_antipole > 0.4) & (to_end > 0.3), angle, math.pi - to_end).maximum(middle),
        )


@opaque
def _raw_quantile(lower: Tensor, upper: Tensor, concentration: Tensor, power: int) -> Tensor:
    def solve(lower: Tensor, upper: Tensor, concentration: Tensor) -> Tensor:
        return PolarAngle(concentration, power)._solve(lower, upper)

    with torch.no_grad():  # whoever calls, with whatever mode
        return in_pieces(solve, lower, upper, concentration, depth=_DEEP)


@opaque
def _raw_velocity(angle: Tensor, concentration: Tensor, power: int) -> Tensor:
    def velocity(angle: Tensor, concentration: Tensor) -> Tensor:
        return PolarAngle(concentration, power)._velocity(angle)

    with torch.no_grad():
        return in_pieces(velocity, angle, concentration, depth=_DEEP)


@opaque
def _raw_log_density(angle: Tensor, concentration: Tensor, power: int) -> Tensor:
    with torch.no_grad():
        return PolarAngle(concentration, power)._log_density(angle)


@opaque
def _circular_complement(concentration: Tensor) -> Tensor:
    """``1 - I_1/I_0``, which falls like 1/(2κ), to the digits of float32."""
    wide = concentration.double()
    near = wide.clamp(max=1e7)
    complement: Tensor = 1 - torch.special.i1e(near) / torch.special.i0e(near)
    return (complement * (near / wide)).to(concentration.dtype)


def _parabola(slope: Tensor, curvature: Tensor, depth: float) -> Tensor:
    """The h > 0 with ``slope·h + curvature·h²/2 = depth``."""
    return 2 * depth / (slope + (slope**2 + 2 * depth * curvature).sqrt())
