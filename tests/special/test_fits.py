"""The fitted float32 functions against the exact float64 ones that they stand for, over the whole domain."""

import numpy as np
import pytest
import torch
from numpy.polynomial.chebyshev import chebvander

from reparam.special import fits, fitting, log_gamma_velocity
from reparam.special.gamma_fit import SCALED_VELOCITY
from reparam.special.student import log_student_velocity

FITTED = pytest.mark.parametrize(
    ("fit", "exact", "degrees"), fitting.FITTED, ids=[one[0].name for one in fitting.FITTED]
)
OF_DRAWS, ANYWHERE = 2e-6, 4e-6  # relative, rounding included


def relative_error(fit, exact, first, second):
    """Of float32 arguments, where the function is a normal number of float32."""
    first, second = first.float(), second.float()
    seen = fits.evaluate(fit, exact, first, second).double()
    expected = exact(first.double(), second.double())
    normal = (expected > 1e-37) & (expected < 3e38)
    assert normal.double().mean() > 0.9
    return (seen / expected - 1).abs()[normal]


def gamma_draws(low, high):
    a = log_uniform(low, high, 20_000)
    g, e = torch.from_numpy(RANDOM.standard_gamma(a.numpy() + 1)), torch.from_numpy(RANDOM.exponential(size=20_000))
    return g.log() - e / a, a


def student_draws(low, high):
    log_gamma, half = gamma_draws(low / 2, high / 2)
    return torch.from_numpy(RANDOM.standard_normal(20_000)).abs().log() - (log_gamma - half.log()) / 2, 2 * half


def log_uniform(low, high, count):
    return torch.from_numpy(np.exp(RANDOM.uniform(np.log(low), np.log(high), count)))


RANDOM = np.random.default_rng(0)
DRAWS = {"gamma_velocity": gamma_draws, "student_velocity": student_draws}


@FITTED
@pytest.mark.parametrize("sizes", [(1e-30, 1e-3), (1e-3, 0.1), (0.1, 1), (1, 100), (100, 1e6), (1e6, 1e14)])
def test_at_draws(fit, exact, degrees, sizes):
    assert relative_error(fit, exact, *DRAWS[fit.name](*sizes)).max() < OF_DRAWS


@FITTED
def test_on_a_grid_of_the_domain(fit, exact, degrees):
    assert relative_error(fit, exact, *fitting.points(fit, 150, 150)).max() < ANYWHERE


@FITTED
def test_at_the_ends_of_the_domain_and_beyond(fit, exact, degrees):
    first, second = fitting.points(fit, 2, 300)
    second = second.clamp(1e-30, 1e12)
    for step in (1e-6, 1e-3, 0.1, 1.0):
        for sign in (-1, 1):
            assert relative_error(fit, exact, first + sign * step, second).max() < ANYWHERE


@FITTED
def test_anywhere(fit, exact, degrees):
    """Most of these are far from any draw, and the exact function's."""
    second = log_uniform(1e-12, 1e12, 20_000)
    for spread in (0.1, 3.0, 30.0):
        first = torch.from_numpy(RANDOM.standard_normal(20_000)) * spread
        assert relative_error(fit, exact, first, second).max() < ANYWHERE
        if fit is SCALED_VELOCITY:
            assert relative_error(fit, exact, first + second.log(), second).max() < ANYWHERE


@FITTED
def test_the_coefficients_are_those_that_fitting_makes(fit, exact, degrees):
    made, error = fitting.fit(fit, exact, degrees)
    assert error < 3e-7
    kept = np.loadtxt(fits.coefficients_text(fit.name).splitlines())
    terms = fit.terms(*fitting.points(fit, 50, 50))
    at = [chebvander(x.numpy(), degree) for x, degree in zip((terms.u, terms.w), degrees, strict=True)]
    residuals = [np.einsum("ni,ij,nj->n", at[0], coefficients, at[1]) for coefficients in (made, kept)]
    values = [terms.leading.numpy() + terms.weight.numpy() * residual for residual in residuals]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-7)


@FITTED
def test_a_wrong_coefficient_is_seen(fit, exact, degrees, monkeypatch):
    wrong = fits._coefficients(fit.name).clone()
    wrong[2, 3] += 2e-4
    monkeypatch.setattr(fits, "_coefficients", lambda name: wrong)
    with pytest.raises(AssertionError):
        test_on_a_grid_of_the_domain(fit, exact, degrees)


@pytest.mark.parametrize("velocity", [log_gamma_velocity, log_student_velocity])
def test_settings_that_make_matrix_products_coarse_do_not_matter(velocity):
    first, second = torch.randn(1000, generator=torch.Generator().manual_seed(0)), torch.full((1000,), 3.0)
    expected, before = velocity(first, second), torch.get_float32_matmul_precision()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(velocity(first, second), expected)
    try:
        torch.set_float32_matmul_precision("medium")
        torch.testing.assert_close(velocity(first, second), expected, rtol=1e-6, atol=0)
    finally:
        torch.set_float32_matmul_precision(before)


def test_nan_stays_nan_and_spoils_nothing_else():
    first = torch.tensor([torch.nan, 0.0, 300.0])
    second = torch.tensor([3.0, torch.nan, 3.0])
    for velocity in (log_gamma_velocity, log_student_velocity):
        value = velocity(first, second)
        assert value.isnan().tolist() == [True, True, False]
        torch.testing.assert_close(value[2], velocity(first[2].double(), second[2].double()).float(), rtol=1e-6, atol=0)


def test_inference_mode_leaves_nothing_behind():
    first = torch.zeros(70_000)
    with torch.inference_mode():
        expected = log_gamma_velocity(first, torch.ones(()))
    assert torch.equal(log_gamma_velocity(first.clone(), torch.ones(())), expected)


@pytest.mark.parametrize("velocity", [log_gamma_velocity, log_student_velocity])
def test_derivatives_are_the_exact_ones(velocity):
    """Not those of the polynomial: of any order, in both modes, and under vmap."""
    first, second = torch.tensor([-2.0, 0.3, 1.0]), torch.tensor([0.7, 3.0, 40.0])

    def gradient(dtype):
        arguments = [values.to(dtype, copy=True).requires_grad_() for values in (first, second)]
        slopes = torch.autograd.grad(velocity(*arguments).sum(), arguments, create_graph=True)
        bends = torch.autograd.grad((slopes[0] * slopes[1]).sum(), arguments)
        forward = torch.func.jvp(velocity, (first.to(dtype), second.to(dtype)), (torch.ones(3).to(dtype),) * 2)[1]
        nested = torch.func.vmap(torch.func.jacfwd(torch.func.jacrev(velocity, 1), 1))(
            first.to(dtype), second.to(dtype)
        )
        return [part.detach().double() for part in (*slopes, *bends, forward, nested)]

    for seen, expected in zip(gradient(torch.float32), gradient(torch.float64), strict=True):
        torch.testing.assert_close(seen, expected, rtol=5e-4, atol=1e-6)


def test_where_fits_do_not_apply_float32_has_the_exact_formulas(monkeypatch):
    first, second = fitting.points(SCALED_VELOCITY, 30, 30)
    second = second.clamp(max=1e6)
    fitted = log_gamma_velocity(first.float(), second.float())
    monkeypatch.setattr(fits, "applies", lambda like: False)
    torch.testing.assert_close(log_gamma_velocity(first.float(), second.float()), fitted, rtol=1e-5, atol=0)


def test_nothing_gives_nothing():
    for velocity in (log_gamma_velocity, log_student_velocity):
        assert velocity(torch.ones(0, 3), torch.ones(())).shape == (0, 3)
