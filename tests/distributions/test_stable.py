"""Stable: the laws it contains, the classical formula, and smoothness through α = 1."""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from reparam.distributions import Stable
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.statistical.instruments import check_continuous, check_mean


def draws(*parameters, count=100_000, dtype=torch.float64):
    law = Stable(*(torch.tensor(value, dtype=dtype) for value in parameters))
    return law.sample((count,), generator=generator(0)).double()


@pytest.mark.parametrize(
    ("parameters", "reference"),
    [
        ((2.0, 0.5, 0.7, 1.3), stats.norm(0.7, 1.3 * math.sqrt(2))),
        ((1.0, 0.0, 0.7, 1.3), stats.cauchy(0.7, 1.3)),
        ((0.5, 1.0, 0.7, 1.3), stats.levy(0.7 - 1.3, 1.3)),
        ((0.5, -1.0, 0.7, 1.3), stats.levy_l(0.7 + 1.3, 1.3)),
    ],
    ids=["Normal", "Cauchy", "Levy", "Levy mirrored"],
)
def test_the_laws_it_contains(parameters, reference):
    check_continuous(draws(*parameters), reference.cdf)


@pytest.mark.parametrize("stability", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("skew", [-1.0, 0.5])
def test_the_characteristic_function(stability, skew):
    """It defines the law: real and imaginary part at four frequencies."""
    u = np.array([0.1, 0.5, 1.0, 3.0])
    tangent = np.tan(np.pi * stability / 2)
    slant = 2 / np.pi * np.log(u) if stability == 1 else tangent * (u ** (1 - stability) - 1)
    expected = np.exp(-(u**stability) * (1 + 1j * skew * slant))
    angle = draws(stability, skew, 0.0, 1.0).numpy()[:, None] * u
    check_mean(np.cos(angle), expected.real)
    check_mean(np.sin(angle), expected.imag)


@pytest.mark.parametrize("stability", [1 - 1e-3, 1 - 1e-8, 1.0, 1 + 1e-8, 1 + 1e-3])
def test_gradient_through_one(stability):
    """Against differences of the classical formula of Chambers, Mallows & Stuck in 100 digits."""
    noise = torch.tensor([[0.2, 0.3], [0.55, 0.9], [0.999, 0.01]], dtype=torch.float64)

    def classical(u, w, alpha, beta):
        theta, size = mpmath.pi * (u - mpmath.mpf(0.5)), -mpmath.log1p(-mpmath.mpf(w))
        tau = beta * mpmath.tan(mpmath.pi * alpha / 2)
        shift = mpmath.atan(tau)
        last = (mpmath.cos((1 - alpha) * theta - shift) / size) ** ((1 - alpha) / alpha)
        first = mpmath.sin(alpha * theta + shift) / (mpmath.cos(shift) * mpmath.cos(theta)) ** (1 / alpha)
        return first * last - tau

    def draw(alpha):
        return Stable(alpha, 0.6, 0.0, 1.0, validate_args=False).from_noise(noise)

    alpha = torch.tensor(stability, dtype=torch.float64)
    first = torch.func.jacfwd(draw)(alpha)
    second = torch.func.jacfwd(torch.func.jacfwd(draw))(alpha)
    with mpmath.workdps(100):
        centre, step = mpmath.mpf(stability) + mpmath.mpf(10) ** -15, mpmath.mpf(10) ** -12  # never 1 itself
        for index, (u, w) in enumerate(noise.tolist()):
            low, middle, high = (classical(u, w, centre + k * step, mpmath.mpf(0.6)) for k in (-1, 0, 1))
            assert draw(alpha)[index].item() == pytest.approx(float(middle), rel=1e-10)
            assert first[index].item() == pytest.approx(float((high - low) / (2 * step)), rel=1e-9)
            assert second[index].item() == pytest.approx(float((high - 2 * middle + low) / step**2), rel=1e-7)


def test_mean_and_gradient_of_the_mean():
    """E y = loc - β·scale·tan(πα/2) for α > 1; finite variance of the gradient needs a bounded f, so E sin instead."""
    assert Stable(1.5, 0.5, 1.0, 2.0).mean.item() == pytest.approx(2.0)
    assert Stable(0.9, 0.5, 1.0, 2.0).mean.isnan()
    assert Stable(torch.tensor([2.0, 1.9]), 0.0, 0.0, 1.5).variance.tolist() == [4.5, torch.inf]


@pytest.mark.parametrize("stability", [0.8, 1.0, 1.5])
def test_gradient_of_the_characteristic_function(stability):
    """d/dβ and d/dscale of E sin(uy) and E cos(uy), u = 0.7; known in closed form."""
    u, skew, scale = 0.7, 0.4, 1.3

    def exponent(skew, scale):
        v = torch.as_tensor(u * scale, dtype=torch.float64)
        slant = (
            2 / math.pi * v.log() if stability == 1 else math.tan(math.pi * stability / 2) * (v ** (1 - stability) - 1)
        )
        size = torch.exp(-(v**stability))
        return torch.stack(
            [size * torch.cos(v**stability * skew * slant), -size * torch.sin(v**stability * skew * slant)]
        )

    point = [torch.tensor(value, dtype=torch.float64) for value in (skew, scale)]
    expected = torch.func.jacfwd(exponent, (0, 1))(*point)
    noise = Stable(stability, 0.0, 0.0, 1.0).noise((100_000,), generator=generator(0))

    def waves(skew, scale):
        y = Stable(torch.tensor(stability, dtype=torch.float64), skew, 0.0, scale, validate_args=False).from_noise(
            noise
        )
        return torch.stack([torch.cos(u * y), torch.sin(u * y)], -1)

    for seen, exact in zip(torch.func.jacfwd(waves, (0, 1))(*point), expected, strict=True):
        check_mean(seen, exact)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("stability", [1e-30, 1e-3, 0.05, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("skew", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_extreme_parameters(stability, skew, scale, dtype):
    parameters = [torch.tensor(value, dtype=dtype, requires_grad=True) for value in (stability, skew, 0.5, scale)]
    drawn = Stable(*parameters).rsample((500,), generator=generator(0))
    assert drawn.isfinite().all()
    speeds = torch.autograd.grad(drawn, parameters, torch.eye(500, dtype=dtype)[:100], is_grads_batched=True)
    assert all(speed.isfinite().all() for speed in speeds)


def test_refusals():
    with pytest.raises(ParameterError, match="stability must be greater than 0; got 0"):
        Stable(0.0, 0.0, 0.0, 1.0)
    with pytest.raises(ParameterError, match="stability must be in"):
        Stable(2.5, 0.0, 0.0, 1.0)
    with pytest.raises(ParameterError, match="skew must be in"):
        Stable(1.5, -1.5, 0.0, 1.0)
    with pytest.raises(NotImplementedError, match="no density in closed form"):
        Stable(1.5, 0.0, 0.0, 1.0).log_prob(torch.tensor(0.0))
