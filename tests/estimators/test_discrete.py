"""What all estimators for coins and classes have in common: shapes, dtypes, ends of the range, parameters of f."""

import pytest
import torch
import torch.distributions as td

from reparam.distributions import Bernoulli, Categorical, Independent, Normal, OneHotCategorical
from reparam.errors import EstimatorError
from reparam.estimators import Arm, DisArm, GumbelSoftmax, Rebar, ReinMax, Relax, StraightThrough, expectation
from reparam.estimators.discrete import log_odds, log_weights, probabilities
from reparam.noise import generator


def network_for(dims):
    """A control variate of scores that keeps all but the last ``dims`` dimensions."""
    return Relax(lambda z: torch.tanh(z).flatten(-dims).sum(-1) if dims else torch.tanh(z))


COINS = [Arm(), DisArm()]
BOTH = [Rebar(0.5), GumbelSoftmax(0.5), GumbelSoftmax(0.5, hard=True), StraightThrough(), ReinMax()]
LOGITS = torch.tensor([[0.4, -0.2, 0.1], [0.0, 2.0, -1.0]])


def coin(logits):
    return Bernoulli(logits=logits)


def vectors(logits):
    return OneHotCategorical(logits=logits)


CASES = [
    *((estimator, coin) for estimator in [*COINS, *BOTH, network_for(1)]),
    *((estimator, vectors) for estimator in [*BOTH, network_for(1)]),
]


def name_of(estimator):
    return type(estimator).__name__ + (" hard" if getattr(estimator, "hard", False) else "")


NAMES = [f"{name_of(estimator)} {make.__name__}" for estimator, make in CASES]
each_case = pytest.mark.parametrize(("estimator", "make"), CASES, ids=NAMES)


def bumpy(y):
    """``[S, 2, 3]`` to ``[S, 2]``, smooth."""
    return torch.exp((y * torch.tensor([0.5, -1.0, 0.2], dtype=y.dtype)).sum(-1))


@each_case
def test_rows_do_not_mix(estimator, make):
    """f keeps the first dimension of the batch: the gradient of one row is the same whatever the others do."""
    leaf = LOGITS.clone().requires_grad_()
    value = expectation(bumpy, make(leaf), estimator=estimator, samples=4, generator=generator(0))
    assert value.shape == (2,)
    (first,) = torch.autograd.grad(value[0], leaf)
    assert (first[0] != 0).any()
    assert (first[1] == 0).all()


@each_case
def test_independent_changes_nothing(estimator, make):
    results = []
    for law_of in (make, lambda logits: Independent(make(logits), 1)):
        leaf = LOGITS.clone().requires_grad_()
        whole = Relax(lambda z: torch.tanh(z).flatten(1).sum(-1)) if isinstance(estimator, Relax) else estimator
        value = expectation(
            lambda y: bumpy(y).prod(-1), law_of(leaf), estimator=whole, samples=5, generator=generator(0)
        )
        results.append((value.detach(), torch.autograd.grad(value, leaf)[0]))
    assert results[0][0].shape == ()
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@each_case
def test_the_generator_decides(estimator, make):
    def gradient(seed):
        leaf = LOGITS.clone().requires_grad_()
        value = expectation(bumpy, make(leaf), estimator=estimator, generator=generator(seed))
        return torch.autograd.grad(value.sum(), leaf)[0]

    before = torch.get_rng_state()
    assert torch.equal(gradient(1), gradient(1))
    assert any(not torch.equal(gradient(1), gradient(seed)) for seed in (2, 3, 4))
    assert torch.equal(before, torch.get_rng_state())


@each_case
def test_gradient_in_the_parameters_of_f(estimator, make):
    """It is that of the value, without what is only there to lower the variance of the law's gradient."""
    factor = torch.tensor(2.0, requires_grad=True)
    leaf = LOGITS.clone().requires_grad_()
    value = expectation(lambda y: factor * bumpy(y), make(leaf), estimator=estimator, samples=3, generator=generator(0))
    (found,) = torch.autograd.grad(value.sum(), factor)
    torch.testing.assert_close(found, value.sum().detach() / 2)


@each_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes(estimator, make, dtype):
    seen = []

    def f(y):
        seen.append(y.dtype)
        return bumpy(y)

    leaf = LOGITS.to(dtype).requires_grad_()
    value = expectation(f, make(leaf), estimator=estimator, samples=2)
    assert value.dtype == dtype
    assert set(seen) == {dtype}
    assert torch.autograd.grad(value.sum(), leaf)[0].isfinite().all()


@each_case
def test_single_precision_is_double_precision_rounded(estimator, make):
    if isinstance(estimator, (StraightThrough, ReinMax)):
        pytest.skip("the draws come from the law itself, which may round a coin to another side")
    gradients = []
    for dtype in (torch.float32, torch.float64):
        leaf = LOGITS.to(dtype).requires_grad_()
        value = expectation(bumpy, make(leaf), estimator=estimator, samples=100, generator=generator(0))
        gradients.append(torch.autograd.grad(value.sum(), leaf)[0].double())
    assert ((gradients[0] - gradients[1]).abs() / gradients[1].abs().max()).max() < 2e-6


@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits(estimator, make, dtype):
    leaf = torch.tensor([[-1e4, 80.0, 0.0], [1e4, -80.0, 1e-30]], dtype=dtype, requires_grad=True)
    for seed in range(20):
        value = expectation(bumpy, make(leaf), estimator=estimator, samples=10, generator=generator(seed))
        assert value.isfinite().all()
        assert torch.autograd.grad(value.sum(), leaf)[0].isfinite().all()


@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_probabilities(estimator, make, dtype):
    tiny = torch.finfo(dtype).tiny
    leaf = torch.tensor([[0.0, 1.0, 0.5], [tiny, 1 - 2.0**-24, 0.0]], dtype=dtype, requires_grad=True)
    law = Bernoulli(probs=leaf) if make is coin else OneHotCategorical(probs=leaf)
    for seed in range(20):
        value = expectation(bumpy, law, estimator=estimator, samples=10, generator=generator(seed))
        assert value.isfinite().all()
        assert torch.autograd.grad(value.sum(), leaf)[0].isfinite().all()


@each_case
def test_empty_batches(estimator, make):
    leaf = torch.zeros(0, 3, requires_grad=True)
    value = expectation(bumpy, make(leaf), estimator=estimator, samples=2)
    assert value.shape == (0,)
    assert torch.autograd.grad(value.sum(), leaf)[0].shape == (0, 3)


@each_case
def test_without_gradients_there_is_a_value(estimator, make):
    with torch.no_grad():
        value = expectation(bumpy, make(LOGITS), estimator=estimator, samples=2)
    assert not value.requires_grad


@each_case
def test_laws_of_torch(estimator, make):
    ours, theirs = (Bernoulli, td.Bernoulli) if make is coin else (OneHotCategorical, td.OneHotCategorical)
    for name, parameter in (("logits", LOGITS), ("probs", torch.sigmoid(LOGITS))):
        results = []
        for kind in (ours, theirs):
            leaf = parameter.clone().requires_grad_()
            torch.manual_seed(0)
            value = expectation(bumpy, kind(**{name: leaf}), estimator=estimator, samples=200)
            results.append(torch.autograd.grad(value.sum(), leaf)[0])
        if not isinstance(estimator, (StraightThrough, ReinMax)):  # whose draws are the law's own
            torch.testing.assert_close(*results, rtol=1e-4, atol=1e-6)
        assert all(gradient.isfinite().all() for gradient in results)


@pytest.mark.parametrize("estimator", COINS, ids=repr)
def test_coins_only(estimator):
    with pytest.raises(EstimatorError, match="does not fit OneHotCategorical: it is for Bernoulli laws only"):
        expectation(lambda y: y.sum(-1), vectors(LOGITS[0]), estimator=estimator)


@pytest.mark.parametrize("estimator", [*BOTH, network_for(1)], ids=name_of)
def test_vectors_and_coins_only(estimator):
    with pytest.raises(EstimatorError, match="numbers of classes, with nothing in between; it is for OneHotCat"):
        expectation(lambda y: y.double(), Categorical(logits=LOGITS[0]), estimator=estimator)
    with pytest.raises(EstimatorError, match="it is for Bernoulli and OneHotCategorical laws only"):
        expectation(lambda y: y, Normal(torch.zeros(()), 1.0), estimator=estimator)


def test_log_odds_and_weights_and_probabilities():
    probs = torch.tensor([0.0, 1e-30, 0.3, 1.0], requires_grad=True)
    odds = log_odds(Bernoulli(probs))
    assert odds[2].item() == pytest.approx(torch.tensor(0.3).logit().item())
    assert odds[1].item() == pytest.approx(-69.0776, rel=1e-5)
    assert odds.isfinite().all()
    slopes = torch.autograd.grad(odds.sum(), probs)[0]
    assert slopes.isfinite().all()
    assert (slopes[[0, 3]] == 0).all()
    weights = torch.tensor([0.0, 3.0, 1.0], requires_grad=True)
    for kind in (Categorical, OneHotCategorical, td.Categorical, td.OneHotCategorical):
        torch.testing.assert_close(probabilities(kind(weights)), torch.tensor([0.0, 0.75, 0.25]))
        logs = log_weights(kind(weights))
        assert (logs[1] - logs[2]).item() == pytest.approx(1.0986, rel=1e-4)
        assert logs.isfinite().all()
        assert torch.autograd.grad(logs.sum(), weights)[0].isfinite().all()
        expanded = kind(logits=torch.tensor([0.0, 3.0, 1.0])).expand((2,))
        torch.testing.assert_close(probabilities(expanded)[1], torch.softmax(torch.tensor([0.0, 3.0, 1.0]), -1))
