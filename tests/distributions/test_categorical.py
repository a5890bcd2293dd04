"""Categorical and OneHotCategorical: exact for the parameter given, down to the smallest class."""

import math

import pytest
import torch
import torch.distributions as td

from reparam.distributions import Categorical, OneHotCategorical
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.statistical.instruments import check_discrete

PROBS = torch.tensor([[0.2, 0.5, 0.3], [0.05, 0.05, 0.9]])


@pytest.mark.parametrize("given", [{"probs": PROBS}, {"probs": 7 * PROBS}, {"logits": PROBS.log() + 3}])
def test_agrees_with_torch(given):
    ours, theirs = Categorical(**given), td.Categorical(**given)
    value = torch.tensor([[0], [2]])
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    assert torch.equal(ours.mode, theirs.mode)
    assert torch.equal(ours.enumerate_support(), theirs.enumerate_support())
    other = Categorical(torch.ones(3))
    torch.testing.assert_close(td.kl_divergence(ours, other), td.kl_divergence(theirs, td.Categorical(torch.ones(3))))
    one_hot, torchs = OneHotCategorical(**given), td.OneHotCategorical(**given)
    vectors = one_hot.enumerate_support()
    assert torch.equal(vectors, torchs.enumerate_support())
    torch.testing.assert_close(one_hot.log_prob(vectors), torchs.log_prob(vectors))
    for name in ("mean", "mode", "variance", "probs", "logits"):
        torch.testing.assert_close(getattr(one_hot, name), getattr(torchs, name))
    torch.testing.assert_close(
        td.kl_divergence(one_hot, OneHotCategorical(torch.ones(3))), td.kl_divergence(ours, other)
    )


@pytest.mark.parametrize("law", [Categorical, OneHotCategorical])
def test_draws_have_the_probabilities(law):
    for given in ({"probs": PROBS}, {"logits": PROBS.log()}):
        drawn = law(**given).sample((100_000,), generator=generator(0))
        classes = drawn if law is Categorical else drawn.argmax(-1)
        for element in range(2):
            check_discrete(classes[:, element], PROBS[element])


def test_one_hot_draws_are_zeros_and_a_one():
    drawn = OneHotCategorical(PROBS.half()).sample((100,), generator=generator(0))
    assert drawn.dtype == torch.float16
    assert torch.equal(drawn.sum(-1), torch.ones(100, 2, dtype=torch.float16))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}


def test_a_small_class_keeps_its_probability():
    """torch rounds it up to 1.2e-7 in float32; and a float32 sum of weights loses it in drawing."""
    weights = torch.tensor([1.0, 1e-30, 0.0, 3.0], requires_grad=True)
    law = Categorical(weights)
    log_probability = law.log_prob(torch.tensor([0, 1, 2, 3]))
    assert log_probability.tolist() == pytest.approx([math.log(0.25), math.log(2.5e-31), -math.inf, math.log(0.75)])
    (gradient,) = torch.autograd.grad(log_probability[0] + log_probability[3], weights)
    assert gradient.tolist() == pytest.approx([0.5, -0.5, -0.5, 1 / 3 - 0.5])
    rare = torch.tensor([1e-8] * 1000 + [1.0])
    drawn = Categorical(rare).sample((2_000_000,), generator=generator(0))
    check_discrete((drawn < 1000).long(), [1 - 1e-5 / (1 + 1e-5), 1e-5 / (1 + 1e-5)])


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        ([0.5, -0.1], r"probs must be a vector of weights >= 0 that are not all 0; got \[0.5, -0.1\]"),
        ([0.0, 0.0], "not all 0"),
    ],
)
def test_bad_weights_are_refused(probs, message):
    for law in (Categorical, OneHotCategorical):
        with pytest.raises(ParameterError, match=message):
            law(torch.tensor(probs))
        with pytest.raises(ParameterError, match="got both"):
            law(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]))
        with pytest.raises(ParameterError, match="at least 1 dimension"):
            law(torch.tensor(0.5))


def test_classes_and_vectors_outside_the_support_are_refused():
    with pytest.raises(ValueError, match="support"):
        Categorical(PROBS).log_prob(torch.tensor(3))
    with pytest.raises(ValueError, match="support"):
        OneHotCategorical(PROBS).log_prob(torch.tensor([0.5, 0.5, 0.0]))


def test_expand_is_not_normalised_twice():
    law = Categorical(PROBS[0].bfloat16() * 7)
    wide = law.expand((4,))
    assert torch.equal(wide.log_prob(torch.zeros(4)), law.log_prob(torch.zeros(4)))
    assert wide.sample((3,), generator=generator(0)).shape == (3, 4)
