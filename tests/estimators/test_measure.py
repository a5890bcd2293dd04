"""The measure-valued estimator: coupled elements, batches, f's own parameters, generators, dtypes, refusals."""

import re

import pytest
import torch
import torch.distributions as td

import reparam
from reparam import distributions as law
from reparam import expectation
from reparam.errors import EstimatorError
from reparam.estimators import Enumerate, LeaveOneOut, MeasureValued, Pathwise, ScoreFunction, choose, measure
from reparam.noise import generator
from tests.statistical.instruments import check_mean

COPIES = 20_000


def copies(parameter, count=COPIES):
    tensor = torch.tensor(parameter, dtype=torch.float64)
    return tensor.expand(count, *tensor.shape).clone().requires_grad_()


def wave(y):
    """Depends on all of the elements, on no two alike."""
    return torch.sin((y * torch.arange(1, y.shape[-1] + 1, dtype=y.dtype)).sum(-1)) + y.prod(-1)


@pytest.mark.parametrize("independent", [False, True])
def test_many_coupled_coins_against_enumeration(independent):
    probs = copies([0.2, 0.5, 0.9, 0.4, 0.7, 0.1])
    one = law.Bernoulli(probs)
    value = expectation(
        wave, law.Independent(one, 1) if independent else one, estimator=MeasureValued(), generator=generator(1)
    )
    exact = expectation(wave, law.Bernoulli(probs[0]), estimator=Enumerate())
    (truth,) = torch.autograd.grad(exact, probs)
    (found,) = torch.autograd.grad(value.sum(), probs)
    check_mean(value.detach(), exact.detach())
    check_mean(found, truth[0])


def test_coupled_counts_against_closed_form():
    """f = exp(-Σ w·k): a product of Poisson generating functions."""
    rate, weights = copies([0.5, 3.0, 1.2]), torch.tensor([0.3, 0.1, 1.0], dtype=torch.float64)
    value = expectation(
        lambda y: torch.exp(-(y @ weights)), law.Poisson(rate), estimator=MeasureValued(), generator=generator(2)
    )
    (found,) = torch.autograd.grad(value.sum(), rate)
    slope = torch.expm1(-weights)
    check_mean(found, slope * torch.exp(slope @ rate[0].detach()))


def test_coupled_normals_with_two_parameters():
    """f = (Σ y)²: mean (Σ μ)² + Σ σ²."""
    loc, scale = copies([0.3, -1.0, 2.0]), copies([1.0, 0.5, 2.0])
    value = expectation(
        lambda y: y.sum(-1) ** 2, law.Normal(loc, scale), estimator=MeasureValued(), generator=generator(3)
    )
    of_loc, of_scale = torch.autograd.grad(value.sum(), [loc, scale])
    check_mean(of_loc, 2 * 1.3)
    check_mean(of_scale, 2 * scale[0].detach())


def test_coupled_classes_and_simplexes():
    table = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    logits = copies([[0.3, -0.2, 0.1], [1.0, 0.0, -1.0]])
    one = law.OneHotCategorical(logits=logits)
    value = expectation(lambda y: (y @ table).prod(-1), one, estimator=MeasureValued(), generator=generator(4))
    (found,) = torch.autograd.grad(value.sum(), logits)
    (truth,) = torch.autograd.grad((torch.softmax(logits, -1) @ table).prod(-1).sum(), logits)
    check_mean(found, truth[0])
    concentration = copies([[0.5, 1.5], [2.0, 1.0]], 5000)
    value = expectation(
        lambda y: y[..., 0].prod(-1), law.Dirichlet(concentration), estimator=MeasureValued(), generator=generator(5)
    )
    (found,) = torch.autograd.grad(value.sum(), concentration)
    means = law.Dirichlet(concentration).mean[..., 0].prod(-1)
    (truth,) = torch.autograd.grad(means.sum(), concentration)
    check_mean(found, truth[0])


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_f_keeps_any_leading_part_of_the_batch(kept):
    """Batch [2, 3]: uncoupled, coupled in rows, all coupled; the gradient of a linear f has no variance."""
    rate = torch.rand(2, 3, dtype=torch.float64).requires_grad_()
    weights = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    value = expectation(
        lambda y: (weights * y).sum(tuple(range(1 + kept, 3))) if kept < 2 else weights * y,
        law.Poisson(rate),
        estimator=MeasureValued(),
        samples=4,
    )
    assert value.shape == (2, 3)[:kept]
    (found,) = torch.autograd.grad(value.sum(), rate)
    torch.testing.assert_close(found, weights)


def test_as_many_elements_at_once_as_fit(monkeypatch):
    """In several evaluations or in one: the same numbers."""
    found = []
    for at_once in (1, 40, 2**22):
        monkeypatch.setattr(measure, "_AT_ONCE", at_once)
        rate = torch.tensor([0.5, 2.0, 1.0, 4.0], dtype=torch.float64, requires_grad=True)
        value = expectation(wave, law.Poisson(rate), estimator=MeasureValued(), samples=5, generator=generator(6))
        found.append(torch.autograd.grad(value, rate)[0])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize(
    ("make", "evaluations"),
    [
        (lambda p: law.Poisson(p), 1 + 3),
        (lambda p: law.Geometric(p), 1 + 3),
        (lambda p: law.Normal(p, 1.0), 1 + 6),
        (lambda p: law.Normal(0.0, p), 1 + 3),
        (lambda p: law.Normal(p, p), 1 + 9),
        (lambda p: law.Weibull(p, p), 1 + 6),
        (lambda p: law.Gamma(p, p), 1 + 12),
        (lambda p: law.Categorical(torch.stack([p, 1 - p, p], -1)), 1 + 9),
        (lambda p: law.Dirichlet(torch.stack([p, p], -1)), 1 + 12),
    ],
)
def test_evaluations_are_as_many_as_said(make, evaluations):
    seen = []

    def f(y):
        seen.append(len(y))
        return y.double().flatten(1).sum(-1)

    parameter = torch.full((3,), 0.4, requires_grad=True)
    expectation(f, make(parameter), estimator=MeasureValued(), samples=10)
    assert sum(seen) == 10 * evaluations
    seen.clear()
    with torch.no_grad():
        expectation(f, make(parameter), estimator=MeasureValued(), samples=10)
    assert sum(seen) == 10


def test_gradient_in_fs_own_parameters():
    weight = torch.tensor(2.0, requires_grad=True)
    rate = torch.tensor([1.0, 2.0], requires_grad=True)
    seen = []

    def f(y):
        seen.append(y)
        return weight * y.sum(-1)

    value = expectation(f, law.Poisson(rate), estimator=MeasureValued(), samples=7)
    of_weight, of_rate = torch.autograd.grad(value, [weight, rate])
    torch.testing.assert_close(of_weight, seen[0].sum(-1).mean())
    torch.testing.assert_close(of_rate, torch.full((2,), 2.0))


def test_generator_decides():
    def run(seed):
        a = torch.tensor([0.5, 2.0], requires_grad=True)
        value = expectation(
            lambda y: y.sum(-1), law.Gamma(a, 1.0), estimator=MeasureValued(), samples=3, generator=generator(seed)
        )
        return torch.cat([value.detach()[None], torch.autograd.grad(value, a)[0]])

    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))
    with pytest.raises(EstimatorError, match="takes no generator"):
        expectation(lambda y: y, td.Poisson(torch.tensor(1.0)), estimator=MeasureValued(), generator=generator(0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    "make", [law.Normal, law.Gamma, law.Beta, law.Weibull, lambda a, b: law.Dirichlet(torch.stack([a, b], -1))]
)
def test_dtypes_are_kept(dtype, make):
    leaves = [torch.full((2000,), value, dtype=dtype, requires_grad=True) for value in (1.5, 0.8)]
    one = make(*leaves)
    value = expectation(
        lambda y: y.sum(-1) if one.event_shape else y, one, estimator=MeasureValued(), generator=generator(0)
    )
    assert value.dtype == dtype
    assert all(found.dtype == dtype and found.isfinite().all() for found in torch.autograd.grad(value.sum(), leaves))


@pytest.mark.parametrize("make", [lambda p: law.Normal(p, p), law.Geometric])
def test_vmap_of_grad(make):
    def surrogate(p):
        return expectation(lambda y: y.sum(-1), make(p), estimator=MeasureValued(), samples=4000)

    at = torch.tensor([[0.5, 0.8], [0.7, 0.9], [0.6, 0.6]], dtype=torch.float64)
    found = torch.func.vmap(torch.func.grad(surrogate), randomness="different")(at)
    exact = torch.func.grad(lambda p: make(p).mean.sum())(at)
    torch.testing.assert_close(found, exact, rtol=0, atol=0.25)


def test_empty_batch():
    rate = torch.zeros(0, 3, requires_grad=True)
    for f in (lambda y: y, lambda y: y.sum(-1), lambda y: y.sum((-1, -2))):
        value = expectation(f, law.Poisson(rate), estimator=MeasureValued())
        assert torch.autograd.grad(value.sum(), rate)[0].shape == (0, 3)


def test_parameters_without_gradient_cost_nothing():
    value = expectation(lambda y: y, law.Gamma(torch.tensor(2.0), 1.0), estimator=MeasureValued())
    assert not value.requires_grad


def test_laws_without_weak_derivative_are_refused_with_those_that_have_one():
    with pytest.raises(EstimatorError, match=r"no weak derivative of it is known, only of Bernoulli, .*Weibull"):
        expectation(lambda y: y, law.VonMises(torch.tensor(0.0), torch.tensor(1.0)), estimator=MeasureValued())


def test_choice_for_counts():
    def chosen(one, f=lambda y: y.sum(-1)):
        return type(choose(f, one).estimator)

    many, few = torch.full((50,), 0.3), torch.full((5,), 0.3)
    for make in (law.Poisson, law.Geometric, lambda p: law.NegativeBinomial(2.0, p), lambda p: law.Binomial(90, p)):
        assert chosen(make(few)) is MeasureValued
        assert chosen(make(many)) is ScoreFunction
        assert chosen(make(many), lambda y: y) is (Enumerate if make(few).has_enumerate_support else MeasureValued)
    assert chosen(law.Normal(few, 1.0)) is Pathwise
    assert chosen(law.Bernoulli(few)) is Enumerate
    assert chosen(law.Bernoulli(many)) is ScoreFunction


def test_counts_have_less_variance_than_with_the_score_function():
    """At the same number of evaluations, for a smooth f of a few coupled counts."""
    for make, parameter in ((law.Poisson, 3.0), (law.Geometric, 0.25)):
        variances = []
        for estimator, samples in ((MeasureValued(), 1), (ScoreFunction(LeaveOneOut()), 4)):
            leaf = copies([parameter] * 3)
            value = expectation(
                lambda y: torch.log1p(y.sum(-1)),
                make(leaf),
                estimator=estimator,
                samples=samples,
                generator=generator(7),
            )
            variances.append(torch.autograd.grad(value.sum(), leaf)[0].var(0).sum())
        assert variances[0] < variances[1] / 2


def test_refusals_of_rsample_name_a_call_that_works():
    for one in (
        law.Poisson(torch.tensor(2.0)),
        law.Binomial(3, torch.tensor(0.4)),
        law.NegativeBinomial(3.0, torch.tensor(0.4)),
        law.Geometric(torch.tensor(0.4)),
        law.Bernoulli(torch.tensor(0.4)),
        law.Categorical(torch.ones(3)),
        law.OneHotCategorical(torch.ones(3)),
        law.DiscretizedLogistic(torch.tensor(0.4), torch.tensor(0.1), levels=4),
    ):
        with pytest.raises(NotImplementedError) as refused:
            one.rsample()
        (call,) = re.findall(r"reparam\.expectation\(.*?\)\)", str(refused.value))
        names = {"reparam": reparam, "law": one, "f": lambda y: y.float().reshape(len(y), -1).sum(-1)}
        assert eval(call, names).isfinite()
        for name in re.findall(r"(\w+)\(\)", str(refused.value)):
            assert not getattr(reparam.estimators, name)().refusal(one), name
