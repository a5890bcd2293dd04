"""What is left of Stirling's formulas, against mpmath."""

import itertools

import mpmath
import numpy as np
import pytest
import torch

from reparam.special.stirling import digamma_gap, stirling_remainder

SIZES = [1e-20, 1e-6, 0.1, 1.0, 3.3, 9.9, 10.1, 100.0, 1e4, 1e12]


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-4), (torch.float64, 1e-13)])
def test_stirling_remainder(dtype, rtol):
    x = torch.tensor(SIZES, dtype=dtype)
    with mpmath.workdps(60):
        log_gamma = [mpmath.loggamma(value) for value in x.tolist()]
        main = [
            (value - 0.5) * mpmath.log(value) - value + mpmath.log(2 * mpmath.pi) / 2
            for value in map(mpmath.mpf, x.tolist())
        ]
        expected = [float(exact - part) for exact, part in zip(log_gamma, main, strict=True)]
    np.testing.assert_allclose(stirling_remainder(x).double().numpy(), expected, rtol=rtol)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 4e-6), (torch.float64, 5e-14)])
def test_digamma_gap(dtype, rtol):
    x, step = torch.tensor(list(itertools.product(SIZES[1:], SIZES[1:])), dtype=dtype).T
    with mpmath.workdps(80):
        pairs = [(mpmath.mpf(one), mpmath.mpf(other)) for one, other in zip(x.tolist(), step.tolist(), strict=True)]
        expected = [float(mpmath.digamma(p + s) - mpmath.digamma(p) - mpmath.log1p(s / p)) for p, s in pairs]
    np.testing.assert_allclose(digamma_gap(x, step).double().numpy(), expected, rtol=rtol)


def test_derivatives():
    x = torch.tensor([1e-3, 0.5, 9.0, 11.0, 300.0], dtype=torch.float64, requires_grad=True)
    step = torch.tensor([1e-3, 4.0, 0.1, 50.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(stirling_remainder, (x,))
    assert torch.autograd.gradgradcheck(stirling_remainder, (x,), rtol=1e-4)
    assert torch.autograd.gradcheck(digamma_gap, (x, step), rtol=1e-4)
    assert torch.autograd.gradgradcheck(digamma_gap, (x, step), rtol=1e-3)
