"""Bernoulli: log_prob is exact for the parameter given, at every size."""

import math

import pytest
import torch
import torch.distributions as td

from reparam.distributions import Bernoulli
from reparam.noise import generator


@pytest.mark.parametrize("logit", [-1e38, -200.0, -20.0, 0.0, 20.0, 200.0, 1e38])
def test_float32_logits_keep_their_digits(logit):
    """Relative precision also where log p is nearly 0: at logit 20, log p(1) = -2e-9."""
    logits = torch.tensor(logit, requires_grad=True)
    for value in (0.0, 1.0):
        log_prob = Bernoulli(logits=logits).log_prob(torch.tensor(value))
        signed = logit if value == 1 else -logit
        exact = signed - math.log1p(math.exp(signed)) if signed < 0 else -math.log1p(math.exp(-min(signed, 700)))
        assert log_prob.item() == pytest.approx(exact, rel=1e-5, abs=1e-44)
        (gradient,) = torch.autograd.grad(log_prob, logits)
        assert gradient.isfinite()


@pytest.mark.parametrize("chance", [0.0, 1e-30, 1e-10, 0.3, 1.0])
def test_float32_probabilities_are_not_rounded(chance):
    probs = torch.tensor(chance, requires_grad=True)
    law = Bernoulli(probs)
    one, zero = law.log_prob(torch.tensor(1.0)), law.log_prob(torch.tensor(0.0))
    exact = float(probs.detach().double())
    assert one.item() == pytest.approx(math.log(exact) if exact else -math.inf, rel=1e-6)
    assert zero.item() == pytest.approx(math.log1p(-exact) if exact < 1 else -math.inf, rel=1e-6)


def test_the_impossible_outcome_leaves_no_nan_in_the_gradient():
    probs = torch.tensor([0.0, 1.0], requires_grad=True)
    Bernoulli(probs).log_prob(torch.tensor([0.0, 1.0])).sum().backward()
    assert probs.grad.tolist() == [-1.0, 1.0]


def test_agrees_with_torch():
    logits, value = torch.linspace(-5, 5, 11), torch.tensor([0.0, 1.0])[:, None]
    torch.testing.assert_close(Bernoulli(logits=logits).log_prob(value), td.Bernoulli(logits=logits).log_prob(value))
    torch.testing.assert_close(
        Bernoulli(logits.sigmoid()).log_prob(value), td.Bernoulli(logits.sigmoid()).log_prob(value)
    )
    soft = torch.full((11,), 0.3)
    for given in ({"logits": logits}, {"probs": logits.sigmoid()}):
        ours = Bernoulli(**given, validate_args=False).log_prob(soft)
        torch.testing.assert_close(ours, td.Bernoulli(**given, validate_args=False).log_prob(soft))


def test_integer_values_are_accepted():
    assert Bernoulli(logits=torch.zeros(2)).log_prob(torch.tensor([0, 1])).tolist() == pytest.approx([-math.log(2)] * 2)


def test_kl_enumeration_and_expand_still_work():
    law = Bernoulli(logits=torch.tensor([0.5, -1.0]))
    reference = td.Bernoulli(logits=torch.tensor([0.5, -1.0]))
    other = Bernoulli(torch.tensor([0.2, 0.9]))
    torch.testing.assert_close(td.kl_divergence(law, other), td.kl_divergence(reference, td.Bernoulli(other.probs)))
    assert torch.equal(law.enumerate_support(), reference.enumerate_support())
    for made in (law, other):
        made.probs, made.logits  # noqa: B018 - both cached: expand must still know which one was given
        wide = made.expand((3, 2))
        value = wide.sample((4,), generator=generator(0))
        assert value.shape == (4, 3, 2)
        torch.testing.assert_close(wide.log_prob(value), made.log_prob(value))
        torch.testing.assert_close(wide.entropy(), made.entropy().expand(3, 2))
        assert torch.equal(wide.probs, made.probs.expand(3, 2))
