"""REBAR and RELAX: unbiased, of known variance, with a control variate that can be learned."""

import pytest
import torch
from torch.nn.functional import logsigmoid, softplus

from reparam.distributions import Bernoulli, OneHotCategorical
from reparam.errors import EstimatorError
from reparam.estimators import Rebar, Relax, expectation
from reparam.estimators import rebar as module
from reparam.noise import generator
from tests.estimators.gradients import assert_unbiased, exact_gradient, single_gradients

LOGIT = torch.tensor(0.7, dtype=torch.float64).logit()


def toy(y):
    return (y - 0.45) ** 2


def coin(logits):
    return Bernoulli(logits=logits)


def vectors(logits):
    return OneHotCategorical(logits=logits)


def test_the_toy_of_the_paper():
    """Independent z and z' have variance 1.85e-2 there; the same noise for both is a little better, and cheaper."""
    found = single_gradients(toy, coin, LOGIT, Rebar(0.5), 1_000_000, generator(0))
    assert_unbiased(found, torch.tensor(0.0210, dtype=torch.float64))
    assert found.var().item() == pytest.approx(1.82e-2, rel=0.01)


COEFFICIENTS = torch.linspace(-1.0, 1.5, 6, dtype=torch.float64)
LOGITS = torch.linspace(-2.0, 3.0, 6, dtype=torch.float64)


def coins_together(y):
    return torch.tanh((y * COEFFICIENTS).sum(-1)) + y[..., 0] * y[..., 5]


WEIGHTS = torch.tensor([[0.4, -0.2, 0.1], [0.0, 2.0, -1.0]], dtype=torch.float64)


def vectors_together(y):
    return torch.exp((y[..., 0, :] * COEFFICIENTS[:3]).sum(-1) * (y[..., 1, :] * COEFFICIENTS[3:]).sum(-1))


@pytest.mark.parametrize("estimator", [Rebar(0.3), Rebar(2.0, 0.6), Relax(lambda z: torch.tanh(z).flatten(2).sum(-1))])
@pytest.mark.parametrize(("f", "make", "at"), [(coins_together, coin, LOGITS), (vectors_together, vectors, WEIGHTS)])
def test_coupled_elements_against_enumeration(estimator, f, make, at):
    found = single_gradients(f, make, at, estimator, 300_000, generator(0))
    assert_unbiased(found, exact_gradient(f, make, at))


@pytest.mark.parametrize(("f", "make", "at"), [(coins_together, coin, LOGITS), (vectors_together, vectors, WEIGHTS)])
def test_leaving_out_how_the_second_scores_move_is_seen(f, make, at, monkeypatch):
    scores = module._Scores
    without = lambda *parts: scores(*parts[:3], torch.ones_like(parts[3]), parts[4])  # noqa: E731
    monkeypatch.setattr(module, "_Scores", without)
    found = single_gradients(f, make, at, Rebar(0.5), 300_000, generator(0))
    with pytest.raises(AssertionError):
        assert_unbiased(found, exact_gradient(f, make, at))


def test_how_the_conditional_scores_of_a_coin_move():
    """Against the map from noise to z given b, ``z' = ±softplus(logit v - log s(∓α))``."""
    alpha = torch.tensor([-3.0, 0.2, 5.0], dtype=torch.float64, requires_grad=True)
    noise = torch.tensor([0.3, 0.9, 0.01], dtype=torch.float64)
    for sign in (-1.0, 1.0):
        scores = sign * softplus(noise.logit() - logsigmoid(-sign * alpha))
        (slope,) = torch.autograd.grad(scores.sum(), alpha)
        share = module._of_coins(alpha.detach(), scores.detach()).share
        torch.testing.assert_close(share, 1 - slope, rtol=1e-12, atol=1e-14)


def test_how_the_conditional_scores_of_classes_move():
    """Against ``z'_k = -log e_k`` for the drawn class, ``z'_i = -log(e_i/p_i + e_k)`` else, e exponential noise."""
    weights = torch.tensor([0.4, -1.2, 0.1], dtype=torch.float64, requires_grad=True)
    noise = torch.tensor([0.8, 0.05, 2.0], dtype=torch.float64)
    for drawn in range(3):
        probs = torch.softmax(weights, -1)
        is_drawn = torch.arange(3) == drawn
        scores = -torch.where(is_drawn, noise[drawn], noise / probs + noise[drawn]).log()
        found = module._of_classes(probs.detach(), scores.detach())
        assert found.draws.argmax() == drawn
        direction = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
        (moved,) = torch.autograd.grad((scores * direction).sum(), weights, retain_graph=True)
        (free,) = torch.autograd.grad((probs.log() * direction).sum(), weights)
        torch.testing.assert_close(found.pulled_back(direction), free - moved, rtol=1e-12, atol=1e-14)


def test_the_variance_is_that_of_the_gradient():
    law = Bernoulli(logits=LOGITS)
    found = single_gradients(coins_together, coin, LOGITS, Rebar(0.5, 0.8), 200_000, generator(0)).var(0).sum()
    stated = Rebar(0.5, 0.8).variance(coins_together, law, samples=200_000, generator=generator(1))
    assert stated.item() == pytest.approx(found.item(), rel=0.02)


def test_learning_temperature_and_coefficient_lowers_the_variance():
    law = Bernoulli(logits=LOGIT)
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    coefficient = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([log_temperature, coefficient], lr=0.05)
    variance = lambda: Rebar(log_temperature.exp(), coefficient)  # noqa: E731
    before = variance().variance(toy, law, samples=100_000, generator=generator(0)).item()
    for step in range(100):
        optimizer.zero_grad()
        variance().variance(toy, law, samples=1000, generator=generator(1, step)).backward()
        optimizer.step()
    after = variance().variance(toy, law, samples=100_000, generator=generator(0)).item()
    assert after < 0.9 * before
    found = single_gradients(
        toy, coin, LOGIT, Rebar(log_temperature.detach().exp(), coefficient.detach()), 200_000, generator(2)
    )
    assert_unbiased(found, torch.tensor(0.0210, dtype=torch.float64))


@pytest.mark.parametrize("temperature", [None, 1.0])
def test_learning_a_network_lowers_the_variance(temperature):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).double()
    estimator = Relax(lambda z: network(z).squeeze(-1), temperature)
    law = Bernoulli(logits=LOGITS)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    before = estimator.variance(coins_together, law, samples=50_000, generator=generator(0)).item()
    for step in range(150):
        optimizer.zero_grad()
        estimator.variance(coins_together, law, samples=200, generator=generator(1, step)).backward()
        optimizer.step()
    after = estimator.variance(coins_together, law, samples=50_000, generator=generator(0)).item()
    assert after < 0.7 * before


def test_f_is_evaluated_once_relaxed_and_once_not():
    seen = []

    def f(y):
        seen.append((len(y), bool(((y == 0) | (y == 1)).all())))
        return y.sum(-1)

    expectation(f, Bernoulli(logits=torch.zeros(40)), estimator=Rebar(1.0), samples=3)
    expectation(f, Bernoulli(logits=torch.zeros(40)), estimator=Relax(lambda z: z.sum(-1)), samples=3)
    assert seen == [(3, True), (3, False), (3, True)]


def test_a_black_box_needs_a_network_and_no_temperature():
    law = Bernoulli(logits=torch.zeros(2, requires_grad=True))
    step = lambda y: (y > 0.5).double().sum(-1)  # noqa: E731
    with pytest.raises(EstimatorError, match="does not move with the scores"):
        expectation(step, law, estimator=Rebar(1.0))
    expectation(step, law, estimator=Relax(lambda z: torch.tanh(z).sum(-1))).backward()


def test_errors():
    law = Bernoulli(logits=torch.zeros(2))
    with pytest.raises(EstimatorError, match="network must be a function of scores; got 3"):
        Relax(3)
    with pytest.raises(EstimatorError, match=r"network must return values of the shape of f's, \(\) .*got \(2,\)"):
        expectation(lambda y: y.sum(-1), law, estimator=Relax(lambda z: z))
    with pytest.raises(EstimatorError, match="samples=2 or more"):
        Rebar(1.0).variance(lambda y: y, law, samples=1)
    with pytest.raises(EstimatorError, match="numbers of classes"):
        Rebar(1.0).variance(lambda y: y, torch.distributions.Categorical(torch.ones(3)))
