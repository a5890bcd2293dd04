"""Laws with one fault each, made from a right one."""

import math

import torch
import torch.distributions as td
from torch import Tensor

from reparam.distributions import Logistic, Normal

LOC, SCALE = torch.tensor(0.7, dtype=torch.float64), torch.tensor(1.3, dtype=torch.float64)


class Scaled(torch.autograd.Function):
    """The identity, whose gradient comes back multiplied."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value, factor):
        return value.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.factor = inputs[1]

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.factor, None


class Shifted(torch.autograd.Function):
    """The identity, to whose gradient noise is added: zero-mean, or not."""

    @staticmethod
    def forward(ctx, value, mean):
        ctx.mean = mean
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (1 + ctx.mean + torch.randn_like(gradient)), None


def law(change=lambda self, y, noise: y, base=Normal, **members):
    """A class like ``base`` whose draws are changed by ``change(self, y, noise)``."""

    class Faulty(base):
        def from_noise(self, noise):
            return change(self, base.from_noise(self, noise), noise)

    for name, member in members.items():
        setattr(Faulty, name, member)
    return Faulty(LOC, SCALE)


def gradient_scaled(self, y, noise):
    return Scaled.apply(y, 1.02)


def gradient_flipped(self, y, noise):
    return Scaled.apply(y, -1.0)


def gradient_inaccurate(self, y, noise):
    return Scaled.apply(y, 1 + 1e-4 * torch.sin(y.detach()))


def gradient_of_scale_zeroed(self, y, noise):
    return self.loc + self.scale.detach() * noise


def gradient_shifted_and_noisy(self, y, noise):
    return Shifted.apply(y, 0.1)


def gradient_only_noisy(self, y, noise):
    return Shifted.apply(y, 0.0)


def gradient_nan(self, y, noise):
    return Scaled.apply(y, torch.where(y.detach() > self.loc + 3 * self.scale, math.nan, 1.0))


def upper_tail_clipped(self, y, noise):
    return torch.minimum(y, self.loc + 3.09 * self.scale)


def lower_tail_clamped(self, y, noise):
    return torch.maximum(y, (self.loc - 3.09 * self.scale).detach())


def repeated(self, y, noise):
    return y[torch.arange(len(y)) // 2 * 2] if y.dim() else y


def scale_inflated(self, y, noise):
    return y + 0.03 * (y - self.loc)


def location_off(self, y, noise):
    return y + 0.03 * self.scale


def atom(self, y, noise):
    return torch.where((y - self.loc).abs() < 0.01 * self.scale, self.loc + 0 * y, y)


def outside_at_times(self, y, noise):
    return torch.where(noise > 4, math.inf, y)


class Quadratic(Logistic):
    """The logistic law of location ``loc`` and scale ``scale²``, whose derivative in scale is held constant."""

    def from_noise(self, noise: Tensor) -> Tensor:
        standard = noise.log() - torch.log1p(-noise)
        slope = (2 * self.scale * standard).detach()
        value = (self.loc + self.scale**2 * standard).detach()
        return value + (self.loc - self.loc.detach()) + slope * (self.scale - self.scale.detach())

    def log_prob(self, value: Tensor) -> Tensor:
        return Logistic(self.loc, self.scale**2, validate_args=False).log_prob(value)


class Leaving(td.Exponential):
    """An exponential law, some of whose draws are negative."""

    def rsample(self, sample_shape=()):
        drawn = super().rsample(sample_shape)
        return torch.where(drawn > 5 / self.rate, -drawn, drawn)


class DensityOff(Normal):
    """A density that integrates to 1.001."""

    def log_prob(self, value):
        return super().log_prob(value) + 1e-3


class DensityGradientOff(Normal):
    """A density that does not know that it depends on its scale."""

    def log_prob(self, value):
        return Normal(self.loc, self.scale.detach(), validate_args=False).log_prob(value)


class WrongShape(Normal):
    """Several draws come out transposed."""

    def rsample(self, sample_shape=(), **options):
        drawn = super().rsample(sample_shape, **options)
        return drawn.mT if drawn.dim() > 1 else drawn


class NoBackwardOfMany(Normal):
    """Draws of more than one dimension less carry no gradient of the location."""

    def rsample(self, sample_shape=(), **options):
        drawn = super().rsample(sample_shape, **options)
        return drawn.detach() if len(sample_shape) == 1 and sample_shape[0] else drawn


class WrongForwardMode(torch.autograd.Function):
    """The identity, with a tangent that is doubled."""

    @staticmethod
    def forward(value):
        return value.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return gradient

    @staticmethod
    def jvp(ctx, tangent):
        return 2 * tangent


class SingleOnly(Normal):
    """Right in float64, but in float32 the gradient is a tenth too large."""

    def from_noise(self, noise):
        drawn = super().from_noise(noise)
        return Scaled.apply(drawn, 1.1) if drawn.dtype is torch.float32 else drawn


class Elsewhere(Normal):
    """NaN draws at scales below a tenth."""

    def from_noise(self, noise):
        return super().from_noise(noise) * torch.where(self.scale < 0.1, math.nan, 1.0)


class Vectors(td.MultivariateNormal):
    """A multivariate normal law whose draws are changed by ``change(self, y)``."""

    change = staticmethod(lambda self, y: y)

    def rsample(self, sample_shape=()):
        return self.change(self, super().rsample(sample_shape))


def vectors(change):
    """A faulty law on three dimensions."""
    kind = type("Faulty", (Vectors,), {"change": staticmethod(change)})
    scale_tril = torch.tensor([[1.0, 0, 0], [0.5, 0.8, 0], [-0.3, 0.2, 0.6]], dtype=torch.float64)
    return kind(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), scale_tril=scale_tril)
