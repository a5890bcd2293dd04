"""Straight-through laws: exact draws and densities, a relaxed gradient, and the admission that it is biased."""

import pytest
import torch
import torch.distributions as td

from reparam.distributions import (
    Bernoulli,
    Normal,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    RelaxedBernoulli,
    RelaxedBernoulliStraightThrough,
    RelaxedOneHotCategorical,
    RelaxedOneHotCategoricalStraightThrough,
)
from reparam.noise import Sobol, generator
from tests.statistical.instruments import check_discrete

WEIGHTS = torch.tensor([0.2, 0.5, 0.3])


def laws():
    return (
        RelaxedBernoulliStraightThrough(torch.tensor(0.5), 0.3),
        OneHotCategoricalStraightThrough(WEIGHTS),
        RelaxedOneHotCategoricalStraightThrough(torch.tensor(0.5), WEIGHTS),
    )


@pytest.mark.parametrize("law", laws(), ids=lambda law: type(law).__name__)
def test_biased_laws_say_so(law):
    assert not law.unbiased
    assert "BIASED" in type(law).__doc__.split("\n")[0]
    assert "score function" in type(law).__doc__
    assert law.has_rsample
    assert Normal(0.0, 1.0).unbiased


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e3])
def test_forward_are_exact_zeros_and_ones(dtype, temperature):
    temperature = torch.tensor(temperature, dtype=dtype)
    coin = RelaxedBernoulliStraightThrough(temperature, logits=torch.tensor(1.0, dtype=dtype))
    vector = RelaxedOneHotCategoricalStraightThrough(temperature, WEIGHTS.to(dtype))
    for law in (coin, vector):
        drawn = law.rsample((1000,), generator=generator(0))
        assert drawn.dtype == dtype
        assert ((drawn == 0) | (drawn == 1)).all()
        assert law.log_prob(drawn).isfinite().all()
    assert torch.equal(drawn.sum(-1), torch.ones(1000, dtype=dtype))


@pytest.mark.parametrize("temperature", [0.1, 1e6])
def test_draws_follow_the_discrete_law_at_any_temperature(temperature):
    """At 1e6 every relaxed float32 draw is within rounding of 1/2."""
    coin = RelaxedBernoulliStraightThrough(torch.tensor(temperature), 0.3)
    check_discrete(coin.sample((100_000,), generator=generator(0)), [0.7, 0.3])
    vector = RelaxedOneHotCategoricalStraightThrough(torch.tensor(temperature), WEIGHTS)
    check_discrete(vector.sample((100_000,), generator=generator(0)).argmax(-1), WEIGHTS)
    vector = OneHotCategoricalStraightThrough(logits=WEIGHTS.log())
    check_discrete(vector.sample((100_000,), generator=generator(0)).argmax(-1), WEIGHTS)


def test_backward_is_the_gradient_of_the_relaxed_draw():
    temperature, logits = torch.tensor(0.5, requires_grad=True), torch.tensor([0.3, -1.0, 2.0], requires_grad=True)
    for hard, soft in (
        (RelaxedBernoulliStraightThrough, RelaxedBernoulli),
        (RelaxedOneHotCategoricalStraightThrough, RelaxedOneHotCategorical),
    ):
        noise = soft(temperature, logits=logits).noise((4,), generator=generator(0))
        seen, expected = (law(temperature, logits=logits).from_noise(noise) for law in (hard, soft))
        weights = torch.arange(12.0).reshape(4, 3)
        for one, other in zip(
            torch.autograd.grad((seen * weights).sum(), (temperature, logits)),
            torch.autograd.grad((expected * weights).sum(), (temperature, logits)),
            strict=True,
        ):
            torch.testing.assert_close(one, other)


def test_backward_of_torchs_law_is_the_gradient_of_probs():
    logits = torch.tensor([0.3, -1.0, 2.0], requires_grad=True)
    weights = torch.tensor([1.0, 2.0, -1.0])
    drawn = OneHotCategoricalStraightThrough(logits=logits).rsample(generator=generator(0))
    expected = torch.autograd.grad((torch.softmax(logits, -1) * weights).sum(), logits)[0]
    torch.testing.assert_close(torch.autograd.grad((drawn * weights).sum(), logits)[0], expected)


def test_a_class_without_weight_is_never_drawn():
    weights = torch.tensor([0.5, 0.0, 0.5], requires_grad=True)
    drawn = OneHotCategoricalStraightThrough(weights).rsample((1000,), generator=generator(0))
    assert drawn[:, 1].sum() == 0
    assert torch.autograd.grad(drawn[:, 0].sum(), weights)[0].isfinite().all()


def test_the_law_is_the_discrete_one():
    coin, vector = RelaxedBernoulliStraightThrough(0.5, 0.3), OneHotCategoricalStraightThrough(WEIGHTS)
    assert isinstance(coin, td.Bernoulli)
    assert isinstance(vector, td.OneHotCategoricalStraightThrough)
    value = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(coin.log_prob(value), Bernoulli(0.3).log_prob(value))
    torch.testing.assert_close(coin.entropy(), Bernoulli(0.3).entropy())
    torch.testing.assert_close(td.kl_divergence(coin, Bernoulli(0.6)), td.kl_divergence(Bernoulli(0.3), Bernoulli(0.6)))
    torch.testing.assert_close(vector.log_prob(torch.eye(3)), OneHotCategorical(WEIGHTS).log_prob(torch.eye(3)))
    with pytest.raises(ValueError, match="support"):
        coin.log_prob(torch.tensor(0.5))


def test_the_bias_is_there():
    """f(x) = (x - 0.45)², p = 0.7: the exact gradient to the logit is 0.021, the straight-through one 0.060."""
    logits = torch.tensor(0.7, dtype=torch.float64).logit().requires_grad_()
    drawn = RelaxedBernoulliStraightThrough(torch.tensor(0.5, dtype=torch.float64), logits=logits).rsample(
        (4096,), noise=Sobol(0)
    )
    (biased,) = torch.autograd.grad(((drawn - 0.45) ** 2).mean(), logits)
    exact = 0.7 * 0.3 * (0.55**2 - 0.45**2)
    assert abs(biased.item() - exact) > 0.03
