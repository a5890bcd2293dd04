"""Quadrature against scipy and closed forms; the p-values against the exact ones they bound."""

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam.checking.coordinates import Coordinate
from reparam.checking.oracle import Oracle
from reparam.checking.statistics import chi_square, count_p_value, mean_p_value
from reparam.checking.subject import quiet
from reparam.checking.taking_apart import subjects_of_law
from reparam.checking.tangent import directions


def tensor(*values):
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


def oracle_of(law):
    (subject,) = subjects_of_law(law, seed=0)
    with quiet(validate=False):
        return Oracle(subject, subject.sample(20_000, "oracle"))


LAWS = [
    (td.Normal(tensor(0.7), tensor(1.3)), stats.norm(0.7, 1.3)),
    (td.Laplace(tensor(0.7), tensor(1.3)), stats.laplace(0.7, 1.3)),
    (td.Cauchy(tensor(0.7), tensor(1.3)), stats.cauchy(0.7, 1.3)),
    (td.StudentT(tensor(3.0)), stats.t(3)),
    (td.Gamma(tensor(0.05), tensor(2.0)), stats.gamma(0.05, scale=0.5)),
    (td.Gamma(tensor(50.0), tensor(2.0)), stats.gamma(50, scale=0.5)),
    (td.Beta(tensor(0.3), tensor(0.4)), stats.beta(0.3, 0.4)),
    (td.Uniform(tensor(-1.0), tensor(2.0)), stats.uniform(-1, 3)),
    (td.Pareto(tensor(1.0), tensor(2.5)), stats.pareto(2.5)),
]


@pytest.mark.parametrize(("law", "reference"), LAWS, ids=lambda entry: type(entry).__name__)
def test_the_cdf_is_that_of_scipy_in_both_tails(law, reference):
    oracle = oracle_of(law)
    assert oracle.mass == pytest.approx(1, abs=1e-9)
    levels = np.array([1e-4, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-4])
    points = reference.ppf(levels)
    points = points[oracle.resolvable(torch.from_numpy(points)).numpy()]
    assert len(points) >= 6
    with quiet(validate=False):
        below, above = oracle.cdf(torch.from_numpy(points))
    np.testing.assert_allclose(below, reference.cdf(points), rtol=1e-8)
    np.testing.assert_allclose(above, reference.sf(points), rtol=1e-7)


def test_velocities_are_those_of_the_closed_form():
    oracle = oracle_of(td.Weibull(tensor(2.0), tensor(0.7)))
    y = tensor(1e-3, 0.1, 1.0, 5.0, 40.0)
    with quiet(validate=False):
        value = oracle.velocity(y).value
    torch.testing.assert_close(value[:, 0], y / 2, rtol=1e-9, atol=0)
    torch.testing.assert_close(value[:, 1], -y * (y / 2).log() / 0.7, rtol=1e-9, atol=1e-12)


def test_an_end_that_moves_is_followed():
    oracle = oracle_of(td.Uniform(tensor(-1.0), tensor(2.0)))
    y = tensor(-0.9, 0.3, 1.9)
    with quiet(validate=False):
        value = oracle.velocity(y).value
        slopes = oracle.gradient_of_mean(lambda y: y)
    torch.testing.assert_close(value, torch.stack([(2 - y) / 3, (y + 1) / 3], 1), rtol=1e-9, atol=0)
    torch.testing.assert_close(slopes, tensor(0.5, 0.5), rtol=1e-8, atol=0)


def test_derivatives_of_moments_are_those_of_the_closed_form():
    oracle = oracle_of(td.Gamma(tensor(3.0), tensor(1.0)))
    with quiet(validate=False):
        square, logarithm = (oracle.gradient_of_mean(function)[0] for function in (lambda y: y**2, torch.log))
    torch.testing.assert_close(square, tensor(7.0), rtol=1e-9, atol=0)  # 2α + 1
    torch.testing.assert_close(logarithm, torch.special.polygamma(1, tensor(3.0)), rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    "coordinate",
    [
        Coordinate("line", middle=3.0, width=2.0),
        Coordinate("above", lower=1.0),
        Coordinate("below", upper=2.0),
        Coordinate("between", -1.0, 2.0),
        Coordinate("circle"),
    ],
    ids=lambda coordinate: coordinate.kind,
)
def test_coordinates_go_there_and_back(coordinate):
    t = tensor(-2.0, -0.1, 0.0, 0.5, 3.0).requires_grad_()
    x = coordinate.value(t)
    torch.testing.assert_close(coordinate.inverse(x), t)
    (stretch,) = torch.autograd.grad(x.sum(), t)
    torch.testing.assert_close(coordinate.log_stretch(t), stretch.log(), rtol=1e-9, atol=1e-9)


def test_the_p_value_of_a_mean_bounds_the_normal_one_and_is_not_far_from_it():
    values = torch.from_numpy(np.random.default_rng(0).normal(size=100_000))
    for error in (0.005, 0.01, 0.02):
        z = (values.mean() - error) / (values.std() / np.sqrt(len(values)))
        exact = 2 * stats.norm.sf(abs(float(z)))
        assert exact <= float(mean_p_value(values, error)) <= 30 * exact**0.9


def test_a_mean_carried_by_one_value_is_no_evidence():
    values = torch.zeros(1000, dtype=torch.float64)
    values[0] = 1e6
    assert mean_p_value(values, 0.0) > 0.1
    assert mean_p_value(torch.ones(5), 1.0) == 1
    assert mean_p_value(torch.ones(5), 1.1) < 1e-100


@pytest.mark.parametrize("seen", [0, 50, 80, 120, 200])
def test_the_p_value_of_a_count_bounds_the_binomial_one(seen):
    exact = stats.binomtest(seen, 10_000, 0.01).pvalue
    assert exact <= count_p_value(seen, 10_000, 0.01) <= 1


def test_the_p_value_of_chi_square_is_scipys():
    seen, expected = np.array([90.0, 110.0, 130.0, 70.0]), np.full(4, 100.0)
    exact = stats.chisquare(seen, expected).pvalue
    assert chi_square(torch.from_numpy(seen), torch.from_numpy(expected)) == pytest.approx(exact)


def test_directions_keep_a_parameter_what_it_is():
    probabilities = directions("probs", tensor(0.2, 0.3, 0.5))
    assert all(float(way.step.sum()) == pytest.approx(0) for way in probabilities)
    symmetric = directions("covariance", torch.eye(2, dtype=torch.float64))
    assert len(symmetric) == 3
    assert all(torch.equal(way.step, way.step.mT) for way in symmetric)
    on_sphere = tensor(0.6, 0.8)
    assert all(abs(float(way.step @ on_sphere)) < 1e-12 for way in directions("loc", on_sphere))
