"""The halves of a derivative, by quadrature over the level: they move the means as polygamma functions say."""

import mpmath
import numpy as np
import pytest
import torch

from reparam.estimators.hahn_jordan import beta_concentration, gamma_concentration, gamma_scale

CONCENTRATIONS = [1e-6, 1e-3, 0.05, 0.4, 1.0, 3.0, 40.0, 1e3, 1e6]


def rule():
    """Nodes and weights for a standard exponential level, in s = √(2·level), in which the halves are smooth."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    s = torch.tensor(nodes + 1) * 5
    return s**2 / 2, torch.tensor(weights) * 5 * s * torch.exp(-(s**2) / 2)


def moved(halves, weights, function):
    """``c·E[f(above) - f(below)]``."""
    return (halves.weight * weights * (function(halves.above) - function(halves.below))).sum().item()


def polygamma(order, a):
    return float(mpmath.polygamma(order, mpmath.mpf(a)))


@pytest.mark.parametrize("a", CONCENTRATIONS)
def test_gamma_concentration(a):
    """E log x = ψ(a), and its square about ψ(a) has the derivative ψ''(a)."""
    levels, weights = rule()
    halves = gamma_concentration(levels, torch.tensor(a, dtype=torch.float64))
    centre = polygamma(0, a)
    assert moved(halves, weights, lambda y: y - centre) == pytest.approx(polygamma(1, a), rel=1e-6)
    scale = polygamma(1, a) ** 1.5  # of each half; their difference is smaller
    assert moved(halves, weights, lambda y: (y - centre) ** 2) == pytest.approx(polygamma(2, a), abs=1e-5 * scale)


@pytest.mark.parametrize("a", CONCENTRATIONS)
@pytest.mark.parametrize("b", [1e-3, 0.4, 1.0, 40.0, 1e3])
def test_beta_concentration(a, b):
    levels, weights = rule()
    halves = beta_concentration(levels, *torch.tensor([a, b], dtype=torch.float64))
    centre = polygamma(0, a) - polygamma(0, b)
    assert moved(halves, weights, lambda y: y - centre) == pytest.approx(polygamma(1, a), rel=1e-6)
    scale = polygamma(1, a) * (polygamma(1, a) + polygamma(1, b)) ** 0.5  # of each half; their difference is smaller
    assert moved(halves, weights, lambda y: (y - centre) ** 2) == pytest.approx(polygamma(2, a), abs=1e-5 * scale)


@pytest.mark.parametrize("a", [*CONCENTRATIONS, 1e9])
def test_gamma_scale(a):
    """log x moves by as much as the logarithm of the scale, and its spread stays."""
    levels, weights = rule()
    halves = gamma_scale(levels, torch.tensor(a, dtype=torch.float64))
    centre = float(mpmath.digamma(a) - mpmath.log(a))
    assert moved(halves, weights, lambda y: y - centre) == pytest.approx(1, rel=1e-6)
    spread = polygamma(1, a) ** 0.5
    assert moved(halves, weights, lambda y: (y - centre) ** 2) == pytest.approx(0, abs=1e-5 * spread)


@pytest.mark.parametrize("a", [0.05, 1.0, 40.0])
def test_both_halves_are_at_the_level_asked_for(a):
    """T = -∂P/∂a, the incomplete gamma function differentiated by mpmath."""
    levels = torch.tensor([1e-4, 0.3, 5.0, 30.0], dtype=torch.float64)
    halves = gamma_concentration(levels, torch.tensor(a, dtype=torch.float64))

    def change(log_x):
        return -mpmath.diff(lambda a: mpmath.gammainc(a, 0, mpmath.exp(log_x), regularized=True), a)

    with mpmath.workdps(40):
        for half in (halves.above, halves.below):
            for level, log_x, weight in zip(levels.tolist(), half.tolist(), halves.weight.tolist(), strict=True):
                assert float(change(log_x) / weight) == pytest.approx(np.exp(-level), rel=1e-6)
