"""Poisson, Binomial, NegativeBinomial, Geometric: exact at tiny probabilities and large counts."""

import math

import mpmath
import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam.distributions import Binomial, Geometric, NegativeBinomial, Poisson
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.statistical.instruments import check_mean

LAWS = [
    (Poisson, td.Poisson, {"rate": torch.tensor([0.5, 4.0])}),
    (Binomial, td.Binomial, {"total_count": torch.tensor(8.0), "probs": torch.tensor([0.2, 0.7])}),
    (Binomial, td.Binomial, {"total_count": 8, "logits": torch.tensor([-0.4, 1.0])}),
    (NegativeBinomial, td.NegativeBinomial, {"total_count": 2.5, "probs": torch.tensor([0.2, 0.7])}),
    (NegativeBinomial, td.NegativeBinomial, {"total_count": 2.5, "logits": torch.tensor([-0.4, 1.0])}),
    (Geometric, td.Geometric, {"probs": torch.tensor([0.2, 0.7])}),
    (Geometric, td.Geometric, {"logits": torch.tensor([-0.4, 1.0])}),
]


@pytest.mark.parametrize(("law", "torchs", "parameters"), LAWS)
def test_agrees_with_torch_where_torch_is_right(law, torchs, parameters):
    ours, theirs = law(**parameters), torchs(**parameters)
    value = torch.tensor([[0.0], [1.0], [5.0]])
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value), rtol=1e-5, atol=1e-5)
    for name in ("mean", "variance", "mode"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=1e-5, atol=1e-5)
    if law in (Binomial, Geometric):
        torch.testing.assert_close(ours.entropy(), theirs.entropy(), rtol=1e-5, atol=1e-5)
    if law in (Poisson, Binomial, Geometric):
        torch.testing.assert_close(td.kl_divergence(ours, ours), torch.zeros(2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("law", [Binomial, NegativeBinomial, Geometric])
def test_exactly_one_of_probs_and_logits(law):
    count = {} if law is Geometric else {"total_count": 3}
    with pytest.raises(ParameterError, match=f"{law.__name__}: give probs= or logits=; got neither"):
        law(**count)
    with pytest.raises(ParameterError, match="got both"):
        law(**count, probs=0.5, logits=0.0)


@pytest.mark.parametrize("law", [Binomial, NegativeBinomial])
def test_an_integer_tensor_of_counts_is_taken(law):
    made = law(torch.tensor([3, 4]), probs=torch.tensor(0.5, dtype=torch.float64))
    assert made.total_count.dtype == torch.float64
    assert law(torch.tensor([3, 4]), 0.5).batch_shape == (2,)


def test_probabilities_out_of_reach_are_refused():
    with pytest.raises(ParameterError, match="probs must be a probability greater than 0; got 0"):
        Geometric(0.0)
    with pytest.raises(ParameterError, match="probs must be a probability less than 1; got 1"):
        NegativeBinomial(3.0, 1.0)
    with pytest.raises(ParameterError, match=r"total_count must be a whole number >= 0; got 2\.5"):
        Binomial(2.5, 0.5)


@pytest.mark.parametrize("chance", [1e-30, 1e-12, 0.3])
def test_tiny_probabilities_in_float32(chance):
    """torch's Binomial and NegativeBinomial go through logits clamped at 1.2e-7."""
    probs = torch.tensor(chance)
    exact = mpmath.mpf(probs.item())
    one = torch.tensor(1.0)
    with mpmath.workdps(40):
        for law, expected in (
            (Binomial(10, probs), mpmath.log(10 * exact) + 9 * mpmath.log(1 - exact)),
            (NegativeBinomial(3.0, probs), mpmath.log(3 * exact) + 3 * mpmath.log(1 - exact)),
            (Geometric(probs), mpmath.log(exact) + mpmath.log(1 - exact)),
        ):
            assert law.log_prob(one).item() == pytest.approx(float(expected), rel=1e-6)
        entropy = -mpmath.log(exact) - (1 - exact) / exact * mpmath.log(1 - exact)
    assert Geometric(probs).entropy().item() == pytest.approx(float(entropy), rel=1e-6)
    assert Geometric(probs).mean.item() == pytest.approx(float((1 - exact) / exact), rel=1e-6)
    assert NegativeBinomial(3.0, probs).mean.item() == pytest.approx(float(3 * exact / (1 - exact)), rel=1e-6)


@pytest.mark.parametrize("logit", [-80.0, -30.0, 30.0, 80.0])
def test_large_logits_in_float32(logit):
    logits = torch.tensor(logit, requires_grad=True)
    rare = math.exp(-abs(logit))
    log_success, log_failure = (-rare, -abs(logit)) if logit > 0 else (-abs(logit), -rare)
    laws = (Binomial(3, logits=logits), NegativeBinomial(2.0, logits=logits), Geometric(logits=logits))
    expected = (
        math.log(3) + log_success + 2 * log_failure,
        math.log(2) + log_success + 2 * log_failure,
        log_success + log_failure,
    )
    for law, value in zip(laws, expected, strict=True):
        log_probability = law.log_prob(torch.tensor(1.0))
        assert log_probability.item() == pytest.approx(value, rel=1e-6)
        assert torch.autograd.grad(log_probability, logits)[0].isfinite()
    assert laws[2].mean.item() == pytest.approx(math.exp(-logit), rel=1e-5)
    assert laws[0].variance.item() == pytest.approx(3 * rare, rel=1e-5)


def test_impossible_outcomes_leave_no_nan_in_the_gradient():
    probs = torch.tensor([0.0, 1.0], requires_grad=True)
    law = Binomial(4.0, probs)
    log_probability = law.log_prob(torch.tensor([0.0, 4.0]))
    assert log_probability.tolist() == [0.0, 0.0]
    assert torch.autograd.grad(log_probability.sum(), probs)[0].tolist() == [-4.0, 4.0]
    assert law.log_prob(torch.tensor([1.0, 3.0])).tolist() == [-math.inf, -math.inf]
    rate = torch.tensor(0.0, requires_grad=True)
    log_probability = Poisson(rate).log_prob(torch.tensor(0.0))
    assert log_probability == 0
    assert torch.autograd.grad(log_probability, rate)[0] == -1
    sure = torch.tensor(1.0, requires_grad=True)
    assert Geometric(sure).log_prob(torch.tensor(0.0)) == 0
    assert torch.autograd.grad(Geometric(sure).log_prob(torch.tensor(0.0)), sure)[0] == 1
    assert Geometric(sure).entropy() == 0


def test_no_failures_to_wait_for():
    count = torch.tensor(0.0, requires_grad=True)
    law = NegativeBinomial(count, 0.4)
    log_probability = law.log_prob(torch.tensor([0.0, 1.0]))
    assert log_probability.tolist() == [0.0, -math.inf]
    assert torch.autograd.grad(log_probability[0], count)[0].isfinite()
    assert law.sample((50,), generator=generator(0)).sum() == 0


@pytest.mark.parametrize("count", [1e3, 1e6, 1e7])
def test_large_counts_in_float32(count):
    """torch's float32 terms of 1e8 leave errors of several nats."""
    value = torch.tensor([count, count + 16 * round(math.sqrt(count) / 16)])
    exact = value.double().numpy()
    np.testing.assert_allclose(Poisson(count).log_prob(value), stats.poisson(count).logpmf(exact), rtol=1e-5)
    binomial = stats.binom(2 * count, 0.5)
    np.testing.assert_allclose(Binomial(2 * count, 0.5).log_prob(value), binomial.logpmf(exact), rtol=1e-5)
    negative = stats.nbinom(count, 0.5)
    np.testing.assert_allclose(NegativeBinomial(count, 0.5).log_prob(value), negative.logpmf(exact), rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_draws_are_finite_counts_at_extreme_parameters(dtype):
    largest = torch.finfo(dtype).max
    tiny = torch.tensor(torch.finfo(dtype).tiny, dtype=dtype)
    laws = (
        Poisson(torch.tensor(largest, dtype=dtype)),
        Geometric(tiny),
        Geometric(logits=torch.tensor(-1e4, dtype=dtype)),
        NegativeBinomial(100.0, logits=torch.tensor(1e4, dtype=dtype)),
        NegativeBinomial(tiny, 0.5),
        Binomial(1000.0, logits=torch.tensor(1e4, dtype=dtype)),
    )
    for law in laws:
        drawn = law.sample((200,), generator=generator(0))
        assert drawn.dtype == dtype
        assert (drawn.isfinite() & (drawn >= 0) & (drawn == drawn.floor())).all()


def test_geometric_draws_at_a_tiny_probability():
    """k·p is exponential there; a float32 lattice would cut it at 16.6."""
    probs = torch.tensor(1e-25)
    drawn = Geometric(probs).sample((100_000,), generator=generator(0)).double() * 1e-25
    check_mean(drawn, 1.0)
    check_mean(drawn**2, 2.0)


def test_rare_failures_are_drawn_from_logits():
    """At logit 20 a float32 probability is 1, and its Binomial never fails."""
    law = Binomial(torch.tensor(1e8, dtype=torch.float32), logits=torch.tensor(20.0))
    failures = 1e8 - law.sample((2000,), generator=generator(0)).double()
    # Counts near 1e8 are multiples of 8 in float32.
    assert failures.mean().item() == pytest.approx(1e8 * math.exp(-20), abs=1.5)


def test_measure_valued_derivative_of_poisson():
    """What the refusal of rsample promises, summed exactly."""
    rate = torch.tensor(2.5, dtype=torch.float64, requires_grad=True)
    counts = torch.arange(80, dtype=torch.float64)
    chances = Poisson(rate).log_prob(counts).exp()
    (gradient,) = torch.autograd.grad((chances * counts.sin()).sum(), rate)
    promised = (chances * ((counts + 1).sin() - counts.sin())).sum()
    assert gradient.item() == pytest.approx(promised.item(), rel=1e-10)


def test_measure_valued_derivative_of_binomial():
    probs = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    counts = torch.arange(7, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((Binomial(6, probs).log_prob(counts).exp() * counts.sin()).sum(), probs)
    fewer = Binomial(5, probs).log_prob(counts[:6]).exp()
    promised = 6 * (fewer * (counts[1:].sin() - counts[:6].sin())).sum()
    assert gradient.item() == pytest.approx(promised.item(), rel=1e-10)
