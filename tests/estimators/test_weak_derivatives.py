"""Weak derivatives law by law: exact variances, steps that no pathwise gradient sees, extreme parameters."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam import distributions as law
from reparam import expectation
from reparam.errors import EstimatorError
from reparam.estimators import MeasureValued
from reparam.estimators.weak_derivatives import known_laws
from reparam.noise import generator
from tests.statistical.instruments import check_mean

DRAWS = 100_000
FEWER = 20_000  # of laws that take long


def gradients(make, f, *parameters, draws=DRAWS, dtype=torch.float64, seed=0):
    """``draws`` independent gradients for each parameter, ``[draws, *parameter]``."""
    leaves = [torch.tensor(value, dtype=dtype) for value in parameters]
    leaves = [leaf.expand(draws, *leaf.shape).clone().requires_grad_() for leaf in leaves]
    value = expectation(f, make(*leaves), estimator=MeasureValued(), generator=generator(seed))
    assert value.isfinite().all()
    return torch.autograd.grad(value.sum(), leaves)


@pytest.mark.parametrize(
    ("k", "loc", "scale", "mean", "variance"),
    [(0, 1, 1, 2.0, 1.093), (0, 1, 0.1, 2.0, 1.093), (-3, 1, 1.5, 8.0, 17.49), (3, 1, 1.5, -4.0, 4.372)],
)
def test_variance_of_the_loc_of_a_normal_law(k, loc, scale, mean, variance):
    (found, _) = gradients(law.Normal, lambda y: (y - k) ** 2, float(loc), float(scale))
    check_mean(found, mean)
    # With Rayleigh draws R the gradient is 4·R·(μ - k)/√(2π).
    assert variance == pytest.approx(16 * (loc - k) ** 2 * (2 - math.pi / 2) / (2 * math.pi), rel=1e-3)
    check_mean((found - mean) ** 2, 16 * (loc - k) ** 2 * (2 - math.pi / 2) / (2 * math.pi))


def test_variance_of_the_scale_of_a_normal_law():
    """For f = y² at loc 0 the gradient is σ·M²·(1 - U²), with M² chi-squared of 3: E = 2σ, E² = 15·σ²·8/15 = 8σ²."""
    _, found = gradients(law.Normal, lambda y: y**2, 0.0, 1.5)
    check_mean(found, 2 * 1.5)
    check_mean(found**2, 8 * 1.5**2)


@pytest.mark.parametrize("f", [lambda y: 7 * y, lambda y: torch.exp(3 * y)])
def test_no_variance_for_a_coin(f):
    for make in (law.Bernoulli, lambda p: law.Bernoulli(logits=p), td.Bernoulli, lambda p: td.Bernoulli(logits=p)):
        leaf = torch.full((1000,), 0.3, dtype=torch.float64, requires_grad=True)
        coin = make(leaf)
        value = expectation(f, coin, estimator=MeasureValued())
        (found,) = torch.autograd.grad(value.sum(), leaf)
        difference = f(torch.tensor(1.0, dtype=torch.float64)) - f(torch.tensor(0.0, dtype=torch.float64))
        probs = leaf.detach() if coin.probs is leaf or torch.equal(coin.probs, leaf) else torch.sigmoid(leaf.detach())
        slope = 1 if torch.equal(probs, leaf.detach()) else probs * (1 - probs)
        torch.testing.assert_close(found, torch.as_tensor(difference * slope).expand(1000))


def test_no_variance_for_one_of_few_classes():
    table = torch.tensor([1.0, -2.0, 5.0, 0.5], dtype=torch.float64)
    logits = torch.tensor([0.3, -1.0, 2.0, 0.1], dtype=torch.float64, requires_grad=True)
    (exact,) = torch.autograd.grad((torch.softmax(logits, -1) * table).sum(), logits)
    for one, f in (
        (law.Categorical(logits=logits), lambda y: table[y]),
        (law.OneHotCategorical(logits=logits), lambda y: y @ table),
    ):
        (found,) = torch.autograd.grad(expectation(f, one, estimator=MeasureValued()), logits)
        torch.testing.assert_close(found, exact)


def test_no_variance_for_a_linear_function_of_a_poisson_count():
    (found,) = gradients(law.Poisson, lambda y: 3 * y - 1, 2.5, draws=100)
    assert torch.equal(found, torch.full_like(found, 3.0))


@pytest.mark.parametrize("rate", [1.0, 2.0**24, 1e9, 1e20])
def test_counts_too_large_to_be_told_from_the_next(rate):
    (found,) = gradients(law.Poisson, lambda y: 4 * y, rate, draws=1000, dtype=torch.float32)  # f without rounding
    assert torch.equal(found, torch.full_like(found, 4.0))


STEPS = [
    (law.Normal, (0.4, 1.3), lambda x, p: stats.norm.cdf(x, *p), 0.9),
    (law.Exponential, (1.7,), lambda x, p: stats.expon.cdf(x * p[0]), 0.9),
    (law.Gamma, (0.02, 1.5), lambda x, p: stats.gamma.cdf(x * p[1], p[0]), 1e-10),
    (law.Gamma, (2.5, 1.5), lambda x, p: stats.gamma.cdf(x * p[1], p[0]), 1.1),
    (law.Gamma, (900.0, 3.0), lambda x, p: stats.gamma.cdf(x * p[1], p[0]), 305.0),
    (law.Beta, (0.3, 2.2), lambda x, p: stats.beta.cdf(x, *p), 0.2),
    (law.Beta, (80.0, 30.0), lambda x, p: stats.beta.cdf(x, *p), 0.7),
    (law.Beta, (0.05, 0.02), lambda x, p: stats.beta.cdf(x, *p), 0.99),
    (law.Weibull, (1.2, 0.7), lambda x, p: stats.weibull_min.cdf(x / p[0], p[1]), 0.4),
    (law.Weibull, (1.2, 9.0), lambda x, p: stats.weibull_min.cdf(x / p[0], p[1]), 1.3),
    (law.Poisson, (3.3,), lambda x, p: stats.poisson.cdf(x, *p), 2.5),
    (lambda p: law.Binomial(9, p), (0.35,), lambda x, p: stats.binom.cdf(x, 9, p[0]), 2.5),
    (law.Geometric, (0.2,), lambda x, p: 1 - (1 - p[0]) ** np.ceil(x), 2.5),
    (law.NegativeBinomial, (2.3, 0.6), lambda x, p: stats.nbinom.cdf(x, p[0], 1 - p[1]), 2.5),
]


@pytest.mark.parametrize(("make", "parameters", "cdf", "at"), STEPS)
def test_a_step_is_seen(make, parameters, cdf, at):
    found = gradients(make, lambda y: (y > at).to(y.dtype), *parameters)
    for index, (each, value) in enumerate(zip(found, parameters, strict=True)):
        size = 1e-4 * min(value, 1)
        moved = [[*parameters[:index], value + s * size, *parameters[index + 1 :]] for s in (-2, -1, 1, 2)]
        lowest, low, high, highest = (1 - cdf(at, p) for p in moved)
        truth = (8 * (high - low) - (highest - lowest)) / (12 * size)
        assert abs(truth) > 1e-4
        check_mean(each, truth)


def test_dirichlet_against_closed_forms():
    """Of x·weights, the derivative in a_j is (w_j - w·m)/A with means m = a/A; of a step in x_0, that of a Beta law."""
    concentration = [0.4, 2.0, 1.1]
    a, weights = torch.tensor(concentration, dtype=torch.float64), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    (found,) = gradients(law.Dirichlet, lambda y: y @ weights, concentration, draws=FEWER)
    check_mean(found, (weights - weights @ a / a.sum()) / a.sum())
    (found,) = gradients(law.Dirichlet, lambda y: (y[..., 0] > 0.1).to(y.dtype), concentration, draws=FEWER)
    marginal = [a[0].clone().requires_grad_(), a[1:].sum().requires_grad_()]
    exceeds = 1 - law.Beta(*marginal).cdf(torch.tensor(0.1, dtype=torch.float64))
    own, other = torch.autograd.grad(exceeds, marginal)
    check_mean(found, torch.stack([own, other, other]))


def test_dirichlet_with_draws_that_underflow():
    """Components of concentration 1e-3 underflow half of the time: how they share what is left is not read off them.

    Nearly all of the simplex is in one corner, in corner 1 with probability a_1/A, to a relative order of A.
    """
    a = torch.tensor([1e-3, 1e-3, 3e-3], dtype=torch.float64)
    (found,) = gradients(
        law.Dirichlet, lambda y: (y[..., 1] > 0.9).to(y.dtype), a.tolist(), draws=FEWER, dtype=torch.float32
    )
    mean, error = found.double().mean(0), found.double().std(0) / math.sqrt(FEWER)
    truth = (torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64) - a[1] / a.sum()) / a.sum()
    assert ((mean - truth).abs() < 5 * error + 0.01 * truth.abs()).all(), (mean, truth, error)


@pytest.mark.parametrize("own", [False, True], ids=["torch's", "ours"])
def test_torchs_laws_have_the_same(own):
    package = law if own else td
    for name, parameters in {
        "Normal": (0.3, 1.2),
        "Gamma": (2.0, 1.5),
        "Beta": (2.0, 1.5),
        "Weibull": (2.0, 1.5),
        "NegativeBinomial": (2.0, 0.4),
        "Geometric": (0.4,),
    }.items():
        torch.manual_seed(0)
        leaves = [torch.full((20_000,), value, dtype=torch.float64, requires_grad=True) for value in parameters]
        one = getattr(package, name)(*leaves)
        value = expectation(lambda y: 2 * y, one, estimator=MeasureValued())
        exact = torch.autograd.grad(2 * one.mean.sum(), leaves, materialize_grads=True)
        for found, truth in zip(torch.autograd.grad(value.sum(), leaves), exact, strict=True):
            check_mean(found, truth[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_parameters_stay_finite(dtype):
    tiny, near_one = 1e-3, 1 - torch.finfo(dtype).eps
    probabilities = [0.0, 1e-30, 1e-3, 0.999, near_one, 1.0]
    cases = [
        *((law.Gamma, (a, b)) for a in (tiny, 1.0, 1e3) for b in (tiny, 1e3)),
        *((law.Beta, (a, b)) for a in (tiny, 1.0, 1e3) for b in (tiny, 1.0, 1e3)),
        *((law.Weibull, (s, k)) for s in (tiny, 1e3) for k in (tiny, 0.1, 1e3)),
        *((law.Normal, (loc, s)) for loc in (0.0, 1e6) for s in (tiny, 1e3)),
        *((law.Exponential, (b,)) for b in (tiny, 1e3)),
        *((law.Poisson, (b,)) for b in (0.0, tiny, 1e3)),
        *((law.Bernoulli, (p,)) for p in probabilities),
        *((lambda p: law.Binomial(5, p), (p,)) for p in probabilities),
        *((law.Geometric, (p,)) for p in probabilities[1:]),
        *((law.NegativeBinomial, (r, p)) for r in (0.0, tiny, 1e3) for p in probabilities[:-1]),
        *((lambda x: law.Geometric(logits=x), (x,)) for x in (-60.0, 60.0)),
        *((lambda r, x: law.NegativeBinomial(r, logits=x), (1.5, x)) for x in (-60.0, 60.0)),
        *((law.Dirichlet, ([a, b, 1.0],)) for a in (tiny, 1e3) for b in (tiny, 1e3)),
        (law.Categorical, ([0.0, 0.5, 0.5],)),
    ]
    for make, parameters in cases:

        def f(y, make=make):
            y = y.to(torch.float64)
            return torch.atan(y.sum(-1) if make is law.Dirichlet else y)

        for found in gradients(make, f, *parameters, draws=300, dtype=dtype):
            assert found.isfinite().all(), (make, parameters)


def test_probabilities_of_0_and_1_have_their_gradient():
    for probs in (0.0, 1.0):
        (found,) = gradients(law.Bernoulli, lambda y: 3 * y + y**2, probs, draws=10)
        assert torch.equal(found, torch.full_like(found, 4.0))
        (found,) = gradients(lambda p: law.Binomial(4, p), lambda y: y**2, probs, draws=10)
        assert torch.equal(found, torch.full_like(found, 4.0 * (1 if probs == 0 else 7)))
    (found,) = gradients(law.Poisson, lambda y: y**2, 0.0, draws=10)
    assert torch.equal(found, torch.ones_like(found))


def test_logits_keep_their_digits():
    """p·(1 - p) at logit 40 is 4e-18, though p rounds to 1."""
    for sign in (-1, 1):
        (found,) = gradients(lambda x: law.Bernoulli(logits=x), lambda y: y, sign * 40.0, draws=2)
        torch.testing.assert_close(found, torch.full_like(found, math.exp(-40)), rtol=1e-12, atol=0)


def test_weibull_draws_beyond_the_dtype_have_their_level():
    """Most of the draws of concentration 1e-3 are the smallest number of float32, or the largest."""
    of_scale, of_shape = gradients(law.Weibull, lambda y: (y > 1).to(y.dtype), 2.0, 1e-3, dtype=torch.float32)
    level = 0.5**1e-3  # P(y > 1) = exp(-(1/scale)^k)
    check_mean(of_scale.double(), math.exp(-level) * level * 1e-3 / 2)
    check_mean(of_shape.double(), -math.exp(-level) * level * math.log(0.5))


def test_total_count_of_binomial_has_no_derivative():
    count = torch.tensor(3.0, requires_grad=True)
    with pytest.raises(EstimatorError, match=r"total_count of Binomial is a whole number.*detach"):
        expectation(lambda y: y, law.Binomial(count, torch.tensor(0.5)), estimator=MeasureValued())


def test_the_list_of_known_laws():
    assert {"Normal", "Gamma", "Poisson", "OneHotCategorical"} <= set(known_laws())
    assert len(known_laws()) == 13
    assert set(known_laws()) <= set(law.__all__)
