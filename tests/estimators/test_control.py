"""Control variates: the variance that theory says is left, and the coefficient that leaves least of it."""

import pytest
import torch

from reparam.distributions import Bernoulli, Independent, Normal
from reparam.errors import EstimatorError
from reparam.estimators import (
    ControlVariate,
    DisArm,
    GumbelSoftmax,
    Pathwise,
    ScoreFunction,
    best_coefficient,
    expectation,
)
from reparam.noise import generator
from tests.estimators.gradients import assert_unbiased, single_gradients

AT = torch.tensor([0.7, 1.3], dtype=torch.float64)


def normal(parameter):
    return Normal(parameter[..., 0], parameter[..., 1])


def cubic(y):
    return y**3 / 3 - y


def square(y):
    return y**2


def mean_square(law):
    return law.loc**2 + law.scale**2


def variances(estimator, f=cubic, draws=400_000):
    return single_gradients(f, normal, AT, estimator, draws, generator(0)).var(0)


@pytest.mark.parametrize("estimator", [Pathwise(), ScoreFunction()], ids=repr)
def test_nothing_is_left_of_what_is_known(estimator):
    found = single_gradients(square, normal, AT, ControlVariate(estimator, square, mean_square), 100)
    torch.testing.assert_close(found, (2 * AT).expand(100, 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("coefficient", [-0.5, 0.3, torch.tensor(2.0)])
@pytest.mark.parametrize("estimator", [Pathwise(), ScoreFunction()], ids=repr)
def test_any_coefficient_is_unbiased(estimator, coefficient):
    """E(y³/3 - y) = μ³/3 + μσ² - μ."""
    loc, scale = AT
    control = ControlVariate(estimator, square, mean_square, coefficient)
    found = single_gradients(cubic, normal, AT, control, 200_000, generator(0))
    assert_unbiased(found, torch.stack([loc**2 + scale**2 - 1, 2 * loc * scale]))
    value = expectation(cubic, normal(AT.expand(200_000, 2)), estimator=control, generator=generator(1))
    assert_unbiased(value, loc**3 / 3 + loc * scale**2 - loc)


def test_variance_of_pathwise_is_as_theory_says():
    """d/dμ is ``y² - 1 - 2cy``, of variance ``2σ⁴ + 4σ²(μ - c)²``."""
    loc, scale = AT.tolist()
    for c in (0.0, 0.5, loc, 2.0):
        exact = 2 * scale**4 + 4 * scale**2 * (loc - c) ** 2
        found = variances(ControlVariate(Pathwise(), square, mean_square, c))[0]
        assert found.item() == pytest.approx(exact, rel=0.02)


def test_variance_of_the_score_function_is_a_parabola_with_the_best_coefficient_at_its_foot():
    at_0, at_1, at_2 = (
        variances(ControlVariate(ScoreFunction(), square, mean_square, float(c))).sum().item() for c in (0, 1, 2)
    )
    curvature = (at_0 + at_2) / 2 - at_1
    foot = 1 - (at_2 - at_0) / (4 * curvature)
    leaf = AT.clone().requires_grad_()
    control = ControlVariate(ScoreFunction(), square, mean_square)
    best = best_coefficient(cubic, normal(leaf), control, [leaf], samples=4000, generator=generator(1))
    assert best.item() == pytest.approx(foot, rel=0.2)
    lowest = variances(ControlVariate(ScoreFunction(), square, mean_square, best)).sum().item()
    assert lowest < min(at_0, at_1, at_2)


@pytest.mark.parametrize("randomness", [None, generator(3)], ids=["default", "generator"])
def test_best_coefficient_of_a_multiple_is_the_multiple(randomness):
    """To rounding, which needs the same draws for both."""
    leaf = AT.clone().requires_grad_()
    control = ControlVariate(ScoreFunction(), square, mean_square)
    best = best_coefficient(lambda y: 3 * y**2 + 0 * y, normal(leaf), control, [leaf], samples=5, generator=randomness)
    assert best.item() == pytest.approx(3, rel=1e-12)


def test_best_coefficient_of_pathwise_in_closed_form():
    """cov(y² - 1, 2y)/var(2y) = μ, in μ alone."""
    loc = AT[0].clone().requires_grad_()
    control = ControlVariate(Pathwise(), square, mean_square)
    best = best_coefficient(cubic, Normal(loc, 1.3), control, [loc], samples=4000, generator=generator(0))
    assert best.item() == pytest.approx(0.7, abs=0.15)


def test_it_composes_with_estimators_of_coins_and_coupled_elements():
    logits = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    law = Independent(Bernoulli(logits=logits), 1)

    def f(y):
        return torch.exp(y.sum(-1) / 3)

    def linear(y):
        return y.sum(-1)

    control = ControlVariate(DisArm(), linear, lambda law: law.mean.sum(-1))
    best = best_coefficient(f, law, control, [logits], samples=500, generator=generator(0))
    gradients = {}
    for name, estimator in (("without", DisArm()), ("with", ControlVariate(DisArm(), linear, control.mean, best))):
        rows = []
        for seed in range(400):
            value = expectation(f, law, estimator=estimator, generator=generator(seed))
            rows.append(torch.autograd.grad(value, logits, retain_graph=True)[0])
        gradients[name] = torch.stack(rows)
    assert gradients["with"].var(0).sum() < 0.3 * gradients["without"].var(0).sum()


def test_gradient_in_the_parameters_of_f():
    factor = torch.tensor(2.0, requires_grad=True)
    estimator = ControlVariate(Pathwise(), square, mean_square)
    value = expectation(lambda y: factor * y, Normal(1.0, 1.0), estimator=estimator, generator=generator(0))
    drawn = Normal(1.0, 1.0).sample((1,), generator=generator(0))
    torch.testing.assert_close(torch.autograd.grad(value, factor)[0], drawn[0])


def test_it_is_as_unbiased_as_what_is_inside():
    assert ControlVariate(Pathwise(), square, mean_square).unbiased
    assert not ControlVariate(GumbelSoftmax(1.0), square, lambda law: law.mean).unbiased


def test_dtype_and_batch():
    loc = torch.zeros(4, requires_grad=True)
    estimator = ControlVariate(Pathwise(), square, mean_square, torch.linspace(0, 1, 4))
    value = expectation(torch.sin, Normal(loc, torch.ones(4)), estimator=estimator, samples=3)
    assert value.shape == (4,)
    assert value.dtype == torch.float32
    assert torch.autograd.grad(value[0], loc)[0][1:].eq(0).all()


def test_errors():
    law = Normal(torch.zeros(2), torch.ones(2))
    with pytest.raises(EstimatorError, match="estimator must be one of"):
        ControlVariate(3, square, mean_square)
    with pytest.raises(EstimatorError, match="mean must be a function; got 3"):
        ControlVariate(Pathwise(), square, 3)
    with pytest.raises(EstimatorError, match=r"function of a control variate must return .*, \(2,\) .*; got \(\)"):
        expectation(square, law, estimator=ControlVariate(Pathwise(), lambda y: y.sum(-1), mean_square))
    with pytest.raises(EstimatorError, match=r"mean of a control variate must return .*, \(2,\) .*; got \(\)"):
        expectation(square, law, estimator=ControlVariate(Pathwise(), square, lambda law: law.loc.sum()))
    with pytest.raises(EstimatorError, match=r"ControlVariate\(DisArm\(\), square, coefficient=1.0\) does not fit Nor"):
        expectation(square, law, estimator=ControlVariate(DisArm(), square, mean_square))
    loc = torch.zeros((), requires_grad=True)
    fixed = ControlVariate(Pathwise(), lambda y: 2 * y, lambda law: 2 * law.loc)
    with pytest.raises(EstimatorError, match="does not vary"):
        best_coefficient(square, Normal(loc, 1.0), fixed, [loc])
    with pytest.raises(EstimatorError, match="samples must be a whole number >= 2"):
        best_coefficient(square, Normal(loc, 1.0), fixed, [loc], samples=1)
