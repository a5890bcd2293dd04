"""Sum and sample, and unordered sets: exact where all classes are in, and never worse than they should be."""

import itertools

import mpmath
import pytest
import torch
import torch.distributions as td

from reparam.distributions import Bernoulli, Categorical, Independent, OneHotCategorical
from reparam.errors import EstimatorError
from reparam.estimators import LeaveOneOut, ScoreFunction, SumAndSample, UnorderedSet, expectation
from reparam.estimators.leave_out import leave_out_ratios
from reparam.noise import generator
from tests.estimators.gradients import assert_unbiased, exact_gradient, single_gradients
from tests.statistical.instruments import check_discrete

PEAKED = torch.tensor([3.0, 1.0, 0.4, -0.2, 0.1, -2.0, 2.5, 0.0], dtype=torch.float64)
ALL = [SumAndSample(8), UnorderedSet(8), UnorderedSet(20)]
SOME = [SumAndSample(1), SumAndSample(3), UnorderedSet(2), UnorderedSet(3), UnorderedSet(5)]


def wave(y):
    return torch.sin(3 * y.double()) + 5


def classes(logits):
    return Categorical(logits=logits)


def test_leave_out_ratios_against_sums_over_subsets():
    """To 1e-12, from equal probabilities to some that are 1e60 times as large as others."""
    torch.manual_seed(0)
    for spread, size in itertools.product([0, 1, 20, 140], [2, 3, 6]):
        every = torch.exp(-spread * torch.rand(size + 1, dtype=torch.float64))
        probs, rest = every[:size], every[size]
        first, second = leave_out_ratios(probs, rest)
        for one in range(size):
            others = [p for index, p in enumerate(probs.tolist()) if index != one]
            with mpmath.workdps(600):
                without = integral(others, rest.item())
                exact = without / integral(probs.tolist(), rest.item())
                assert abs(first[one].item() / exact - 1) < 1e-12
                for two in set(range(size)) - {one}:
                    left = [p for index, p in enumerate(probs.tolist()) if index not in (one, two)]
                    assert abs(second[one, two].item() / (integral(left, rest.item()) / without) - 1) < 1e-12
            assert second[one, one] == 1


def integral(probs, rest):
    terms = (
        (-1) ** size * mpmath.mpf(rest) / (rest + mpmath.fsum(chosen))
        for size in range(len(probs) + 1)
        for chosen in itertools.combinations(probs, size)
    )
    return mpmath.fsum(terms)


@pytest.mark.parametrize("size", [2, 10, 60, 200])
@pytest.mark.parametrize("rest", [1e-12, 1.0, 1e4])
def test_leave_out_ratios_of_equal_classes(size, rest):
    """``I(m) = r·B(r, m + 1)`` for m classes of rate 1, so each ratio is ``(r + m)/m``."""
    first, second = leave_out_ratios(torch.ones(size, dtype=torch.float64), torch.tensor(rest, dtype=torch.float64))
    torch.testing.assert_close(first, torch.full_like(first, (rest + size) / size), rtol=1e-12, atol=0)
    left = second[~torch.eye(size, dtype=torch.bool)]
    torch.testing.assert_close(left, torch.full_like(left, (rest + size - 1) / (size - 1)), rtol=1e-12, atol=0)


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_all_classes_are_exact(estimator):
    found = single_gradients(wave, classes, PEAKED, estimator, 10)
    torch.testing.assert_close(found, exact_gradient(wave, classes, PEAKED).expand(10, -1), rtol=1e-12, atol=1e-14)
    values = expectation(wave, classes(PEAKED.expand(10, -1)), estimator=estimator)
    assert values.std() < 1e-14


def test_two_of_two():
    logits = torch.tensor([0.3, -1.0], dtype=torch.float64)
    found = single_gradients(wave, classes, logits, UnorderedSet(2), 100)
    torch.testing.assert_close(found, exact_gradient(wave, classes, logits).expand(100, -1), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("estimator", SOME, ids=repr)
def test_unbiased(estimator):
    found = single_gradients(wave, classes, PEAKED, estimator, 200_000, generator(0))
    assert_unbiased(found, exact_gradient(wave, classes, PEAKED))


def test_an_unordered_set_is_the_average_over_its_orders():
    """The first of an ordered set, weighted with the probability of the order: what the ratios stand for."""
    probs = torch.tensor([0.5, 0.2, 0.1, 0.2], dtype=torch.float64)
    chosen = [0, 1, 2]
    by_first = dict.fromkeys(chosen, 0.0)
    for order in itertools.permutations(chosen):
        left, chance = 1.0, 1.0
        for index in order:
            chance *= probs[index].item() / left
            left -= probs[index].item()
        by_first[order[0]] += chance
    whole = sum(by_first.values())
    first, _ = leave_out_ratios(probs[chosen], probs[3])
    for index in chosen:
        assert (probs[index] * first[index]).item() == pytest.approx(by_first[index] / whole, rel=1e-13)


def test_an_unordered_pair_in_closed_form():
    """Every gradient of a pair {a, b} is one of six, ``Σ ∇p(s)·R(s)·(f(s) - B(s))``, as often as the pair comes."""
    logits = torch.tensor([0.4, -1.0, 0.1, 0.9], dtype=torch.float64, requires_grad=True)
    p, f = torch.softmax(logits, -1), wave(torch.arange(4))
    exact, chances = [], []
    for a, b in itertools.combinations(range(4), 2):
        left = {a: p[b] / (1 - p[a]), b: p[a] / (1 - p[b])}  # of the other one, after the first
        chance = p[a] * left[a] + p[b] * left[b]
        total = 0.0
        for one, other in ((a, b), (b, a)):
            baseline = p[one] * f[one] + (1 - p[one]) * f[other]
            total = total + p[one] * (left[one] / chance * (f[one] - baseline)).detach()
        exact.append(torch.autograd.grad(total, logits, retain_graph=True)[0])
        chances.append(chance.item())
    found = single_gradients(wave, classes, logits.detach(), UnorderedSet(2), 100_000, generator(0))
    distance = (found.unsqueeze(1) - torch.stack(exact)).abs().amax(-1)
    assert distance.amin(-1).max() < 1e-12
    check_discrete(distance.argmin(-1), chances)


@pytest.mark.parametrize("k", [1, 2, 7])
def test_variance_of_sum_and_sample(k):
    """That of the value: ``P(not C)²`` times the variance of f given that y is not in C."""
    probs = torch.softmax(PEAKED, -1)
    values = wave(torch.arange(8))
    rest = probs.sort(descending=True).indices[k:]
    mass = probs[rest].sum()
    mean = (probs[rest] * values[rest]).sum() / mass
    exact = mass * (probs[rest] * (values[rest] - mean) ** 2).sum()
    found = expectation(wave, classes(PEAKED.expand(400_000, -1)), estimator=SumAndSample(k), generator=generator(0))
    assert found.var().item() == pytest.approx(exact.item(), rel=0.01, abs=1e-20)


@pytest.mark.parametrize("estimator", [SumAndSample(2), UnorderedSet(2), UnorderedSet(5)], ids=repr)
@pytest.mark.parametrize("samples", [1, 3])
def test_a_constant_has_no_variance(estimator, samples):
    leaf = PEAKED.expand(1000, -1).clone().requires_grad_()
    value = expectation(lambda y: 0.0 * y + 7.0, classes(leaf), estimator=estimator, samples=samples)
    assert (value - 7).abs().max() < 1e-12
    assert torch.autograd.grad(value.sum(), leaf)[0].abs().max() < 1e-12


@pytest.mark.parametrize("estimator", [SumAndSample(2), UnorderedSet(3)], ids=repr)
def test_better_than_the_score_function_with_as_many_evaluations(estimator):
    def score(y):
        return expectation(wave, y, estimator=ScoreFunction(LeaveOneOut()), samples=3, generator=generator(1))

    leaf = PEAKED.expand(50_000, -1).clone().requires_grad_()
    (plain,) = torch.autograd.grad(score(classes(leaf)).sum(), leaf)
    found = single_gradients(wave, classes, PEAKED, estimator, 50_000, generator(0))
    assert found.var(0).sum() < plain.var(0).sum()


def test_a_planted_fault_is_seen(monkeypatch):
    """With the ratios taken for 1/p, as if the set were k independent draws."""
    from reparam.estimators import subsets

    def wrong(probs, rest):
        return 1 / (probs.shape[-1] * probs), leave_out_ratios(probs, rest)[1]

    monkeypatch.setattr(subsets, "leave_out_ratios", wrong)
    found = single_gradients(wave, classes, PEAKED, UnorderedSet(3), 200_000, generator(0))
    with pytest.raises(AssertionError):
        assert_unbiased(found, exact_gradient(wave, classes, PEAKED))


@pytest.mark.parametrize("estimator", [SumAndSample(2), UnorderedSet(3)], ids=repr)
@pytest.mark.parametrize("kind", [Categorical, OneHotCategorical, td.Categorical, td.OneHotCategorical])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_of_either_kind(estimator, kind, dtype):
    """Rows do not mix, a float32 gives what a float64 does, and a class of probability 0 does no harm."""
    weights = torch.tensor([[0.1, 0.0, 0.7, 0.2], [0.2, 0.3, 0.1, 0.4], [0.0, 1.0, 0.0, 0.0]], dtype=dtype)
    one_hot = kind in (OneHotCategorical, td.OneHotCategorical)
    table = torch.tensor([3.0, -1.0, 0.5, 2.0], dtype=dtype)

    def f(y):
        return (y * table).sum(-1) if one_hot else table[y]

    leaf = weights.clone().requires_grad_()
    torch.manual_seed(0)
    value = expectation(f, kind(leaf), estimator=estimator, samples=5)
    assert value.shape == (3,)
    assert value.dtype == dtype
    (gradient,) = torch.autograd.grad(value[0], leaf, retain_graph=True)
    assert (gradient[0] != 0).any()
    assert (gradient[1:] == 0).all()
    assert torch.autograd.grad(value.sum(), leaf)[0].isfinite().all()
    assert value[2] == -1
    wide = weights.double().requires_grad_()
    torch.manual_seed(0)
    exact = expectation(lambda y: f(y.to(dtype) if one_hot else y).double(), kind(wide), estimator=estimator, samples=5)
    torch.testing.assert_close(value.double(), exact, rtol=2e-6, atol=0)


@pytest.mark.parametrize("estimator", [SumAndSample(2), UnorderedSet(3)], ids=repr)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_extreme_logits(estimator, dtype):
    leaf = torch.tensor([1e4, -1e4, 0.0, 0.0, 80.0], dtype=dtype, requires_grad=True)
    law = Categorical(logits=leaf)
    for seed in range(20):
        value = expectation(lambda y: y.to(dtype), law, estimator=estimator, generator=generator(seed))
        assert value.dtype == dtype
        assert value.item() == 0
        assert torch.autograd.grad(value, leaf)[0].isfinite().all()


@pytest.mark.parametrize("estimator", [SumAndSample(2), UnorderedSet(3)], ids=repr)
def test_gradient_in_the_parameters_of_f(estimator):
    factor = torch.tensor(2.0, requires_grad=True)
    value = expectation(lambda y: factor * wave(y), classes(PEAKED), estimator=estimator, samples=3)
    torch.testing.assert_close(torch.autograd.grad(value, factor)[0].double(), value.detach() / 2, rtol=1e-6, atol=0)


@pytest.mark.parametrize("estimator", [SumAndSample(2), UnorderedSet(3)], ids=repr)
def test_coupled_elements_are_refused(estimator):
    law = classes(PEAKED.expand(3, 8))
    with pytest.raises(EstimatorError, match="needs a value of f for every element, and f couples 3 of them; use"):
        expectation(lambda y: wave(y).sum(-1), law, estimator=estimator)
    with pytest.raises(EstimatorError, match="f couples 3 of them"):
        expectation(lambda y: wave(y).sum(-1), Independent(law, 1), estimator=estimator)
    single = classes(PEAKED.expand(1, 8))
    assert expectation(lambda y: wave(y).sum(-1), single, estimator=estimator).shape == ()


def test_errors():
    for kind, bad in ((SumAndSample, 0), (SumAndSample, True), (SumAndSample, 1.0), (UnorderedSet, 1)):
        with pytest.raises(EstimatorError, match=r"k must be a whole number >= "):
            kind(bad)
    with pytest.raises(EstimatorError, match="it is for Categorical and OneHotCategorical laws only"):
        expectation(lambda y: y, Bernoulli(0.3), estimator=UnorderedSet(2))


def test_how_often_f_is_evaluated():
    seen = []

    def f(y):
        seen.append(len(y))
        return wave(y)

    expectation(f, classes(PEAKED), estimator=SumAndSample(3), samples=4)
    expectation(f, classes(PEAKED), estimator=UnorderedSet(3), samples=4)
    assert seen == [7, 12]


@pytest.mark.parametrize("estimator", [SumAndSample(2), UnorderedSet(3)], ids=repr)
def test_empty_batches(estimator):
    leaf = torch.zeros(0, 5, requires_grad=True)
    value = expectation(lambda y: y.float(), Categorical(logits=leaf), estimator=estimator, samples=2)
    assert value.shape == (0,)
    assert torch.autograd.grad(value.sum(), leaf)[0].shape == (0, 5)


@pytest.mark.parametrize("estimator", [SumAndSample(2), UnorderedSet(3)], ids=repr)
def test_the_generator_decides(estimator):
    law = classes(PEAKED)
    before = torch.get_rng_state()
    values = [expectation(wave, law, estimator=estimator, generator=generator(seed)) for seed in (0, 0, 1, 2, 3)]
    assert values[0] == values[1]
    assert len({value.item() for value in values}) > 1
    assert torch.equal(before, torch.get_rng_state())
