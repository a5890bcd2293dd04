"""Relaxed laws: no saturation, finite densities of their own draws, the right corner with the right probability."""

import numpy as np
import pytest
import torch
import torch.distributions as td
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli as TorchLogitRelaxedBernoulli
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical as TorchExpRelaxedCategorical

from reparam.distributions import (
    ExpRelaxedCategorical,
    LogitRelaxedBernoulli,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.statistical.instruments import check_continuous, check_discrete, check_mean

TEMPERATURES = [1e-3, 0.1, 1.0, 30.0, 1e3]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
ENDS = torch.tensor([2.0**-54, 1 - 2.0**-53], dtype=torch.float64)
WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


@pytest.mark.parametrize("given", [{"probs": torch.tensor([0.2, 0.7])}, {"logits": torch.tensor([-0.4, 1.0])}])
def test_relaxed_coins_agree_with_torch_where_torch_is_right(given):
    temperature = torch.tensor(0.7)
    value = torch.tensor([[0.1], [0.5], [0.95]])
    ours, theirs = RelaxedBernoulli(temperature, **given), td.RelaxedBernoulli(temperature, **given)
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.probs, theirs.probs)
    torch.testing.assert_close(ours.logits, theirs.logits)
    ours, theirs = LogitRelaxedBernoulli(temperature, **given), TorchLogitRelaxedBernoulli(temperature, **given)
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))


@pytest.mark.parametrize("given", [{"probs": WEIGHTS}, {"logits": 4 + WEIGHTS.log()}])
def test_relaxed_vectors_agree_with_torch_where_torch_is_right(given):
    temperature = torch.tensor(0.7, dtype=torch.float64)
    ours, theirs = RelaxedOneHotCategorical(temperature, **given), td.RelaxedOneHotCategorical(temperature, **given)
    value = ours.sample((20,), generator=generator(0))
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.probs, theirs.probs)
    ours, theirs = ExpRelaxedCategorical(temperature, **given), TorchExpRelaxedCategorical(temperature, **given)
    torch.testing.assert_close(ours.log_prob(value.log()), theirs.log_prob(value.log()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("logit", [-40.0, 40.0])
def test_large_logits_do_not_saturate(dtype, logit):
    """torch's float32 draws have mean 15.9 here and gradient 0."""
    logits = torch.full((20_000,), logit, dtype=dtype, requires_grad=True)
    law = LogitRelaxedBernoulli(torch.tensor(1.0, dtype=dtype), logits=logits)
    drawn = law.rsample(generator=generator(0))
    check_mean(drawn.detach(), logit)
    assert torch.equal(torch.autograd.grad(drawn.sum(), logits)[0], torch.ones_like(logits))
    drawn = RelaxedBernoulli(torch.tensor(1.0, dtype=dtype), logits=logits).rsample(generator=generator(0))
    (gradient,) = torch.autograd.grad(drawn.sum(), logits)
    assert (gradient > 0).all()


def check_gradients(output, temperature, logits):
    """Finite, or (below temperature 1) at most too large for float16: they grow with 1/T²."""
    for gradient in torch.autograd.grad(output.float().sum(), (temperature, logits)):
        if temperature.dtype == torch.float16 and temperature < 1:
            assert not gradient.isnan().any()
        else:
            assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_relaxed_coins_stay_inside_with_finite_density_and_gradient(dtype, temperature):
    temperature = torch.tensor(temperature, dtype=dtype, requires_grad=True)
    logits = torch.tensor([-40.0, -1.0, 0.0, 3.0, 40.0], dtype=dtype, requires_grad=True)
    law = RelaxedBernoulli(temperature, logits=logits)
    drawn = torch.cat([law.rsample((200,), generator=generator(0)), law.from_noise(ENDS[:, None])])
    assert ((drawn > 0) & (drawn < 1)).all()
    density = law.log_prob(drawn.detach())
    assert density.isfinite().all()
    for output in (drawn, density):
        check_gradients(output, temperature, logits)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_relaxed_vectors_stay_inside_with_finite_density_and_gradient(dtype, temperature):
    """torch's fail their own check of the simplex below a temperature of 0.1."""
    temperature = torch.tensor(temperature, dtype=dtype, requires_grad=True)
    logits = torch.tensor([[-40.0, 0.0, 40.0, 1.0, 2.0], [0.1, 0.2, 0.3, 0.4, 0.5]], dtype=dtype, requires_grad=True)
    for law in (
        RelaxedOneHotCategorical(temperature, logits=logits),
        ExpRelaxedCategorical(temperature, logits=logits),
    ):
        drawn = law.rsample((200,), generator=generator(0))
        assert drawn.isfinite().all()
        assert law.support.check(drawn).all()
        density = law.log_prob(drawn.detach())
        assert density.isfinite().all()
        for output in (drawn, density):
            check_gradients(output, temperature, logits)


def test_a_spread_of_logits_at_a_low_temperature_in_float32():
    logits = torch.tensor([50.0, 0.0, 0.0], requires_grad=True)
    law = RelaxedOneHotCategorical(torch.tensor(0.1), logits=logits)
    drawn = law.rsample((1000,), generator=generator(0))
    assert (drawn > 0).all()
    assert torch.equal(drawn.argmax(-1), torch.zeros(1000, dtype=torch.long))
    assert law.log_prob(drawn.detach()).isfinite().all()
    assert torch.autograd.grad(drawn.sum(), logits)[0].isfinite().all()


def test_thousands_of_classes_pass_the_check_of_the_simplex():
    law = RelaxedOneHotCategorical(torch.tensor(0.5), logits=torch.zeros(20_000))
    assert law.log_prob(law.sample((5,), generator=generator(0))).isfinite().all()
    with pytest.raises(ValueError, match="support"):
        RelaxedOneHotCategorical(torch.tensor(0.5), logits=torch.zeros(2)).log_prob(torch.tensor([0.5, 0.6]))


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_the_corner_has_the_probability_of_the_class(temperature):
    drawn = RelaxedOneHotCategorical(temperature, WEIGHTS.float()).sample((100_000,), generator=generator(0))
    check_discrete(drawn.argmax(-1), WEIGHTS)
    drawn = RelaxedBernoulli(temperature, 0.3).sample((100_000,), generator=generator(0))
    check_discrete(drawn > 0.5, [0.7, 0.3])


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_relaxed_coins_follow_their_cdf(temperature):
    law = RelaxedBernoulli(torch.tensor(temperature, dtype=torch.float64), 0.3)
    drawn = law.sample((100_000,), generator=generator(0))
    check_continuous(drawn, lambda y: law.cdf(torch.from_numpy(y)).numpy())
    levels = torch.linspace(0.01, 0.99, 21, dtype=torch.float64)
    torch.testing.assert_close(law.cdf(law.icdf(levels)), levels)
    slope = torch.autograd.functional.jvp(law.cdf, drawn[:50], torch.ones(50, dtype=torch.float64))[1]
    torch.testing.assert_close(slope.log(), law.log_prob(drawn[:50]), rtol=1e-8, atol=1e-8)


def test_the_density_of_a_relaxed_vector_of_two_is_that_of_a_coin():
    temperature = torch.tensor(0.6, dtype=torch.float64)
    coin = RelaxedBernoulli(temperature, logits=torch.tensor(0.8, dtype=torch.float64))
    vector = RelaxedOneHotCategorical(temperature, logits=torch.tensor([0.8, 0.0], dtype=torch.float64))
    y = torch.linspace(0.01, 0.99, 9, dtype=torch.float64)
    torch.testing.assert_close(vector.log_prob(torch.stack([y, 1 - y], -1)), coin.log_prob(y))


def test_the_density_of_a_relaxed_vector_sums_to_one():
    """Over a grid of the simplex of three classes."""
    law = RelaxedOneHotCategorical(torch.tensor(1.5, dtype=torch.float64), WEIGHTS)
    n = 600
    first, second = torch.meshgrid(*[(torch.arange(n, dtype=torch.float64) + 1 / 3) / n] * 2, indexing="ij")
    inside = first + second < 1 - 1e-9
    value = torch.stack([first, second, 1 - first - second], -1)[inside]
    # Each cell is cut in two along the diagonal; the lower triangles are half of the simplex in the limit.
    upper = value + torch.tensor([1, 1, -2], dtype=torch.float64) / (3 * n)
    upper = upper[upper[:, 2] > 1e-9]
    total = (law.log_prob(value).exp().sum() + law.log_prob(upper).exp().sum()) / (2 * n * n)
    assert total.item() == pytest.approx(1, abs=2e-3)


def test_logarithms_of_vectors_are_what_the_vectors_are_not():
    law = ExpRelaxedCategorical(torch.tensor(0.01), logits=torch.tensor([3.0, 0.0]))
    drawn = law.from_noise(torch.tensor([0.5, 0.5]))
    assert drawn.tolist() == pytest.approx([0.0, -300.0])
    vector = RelaxedOneHotCategorical(torch.tensor(0.01), logits=torch.tensor([3.0, 0.0]))
    assert vector.from_noise(torch.tensor([0.5, 0.5])).tolist() == [1.0, torch.finfo(torch.float32).tiny]


def test_each_element_has_its_own_temperature():
    temperature = torch.tensor([0.1, 1.0, 10.0], requires_grad=True)
    coins = RelaxedBernoulli(temperature, logits=torch.tensor(1.0))
    assert coins.batch_shape == (3,)
    noise = torch.tensor(0.5)
    (gradient,) = torch.autograd.grad(coins.from_noise(noise).sum(), temperature)
    slope = torch.sigmoid(1 / temperature) * torch.sigmoid(-1 / temperature)
    torch.testing.assert_close(gradient, (-slope / temperature**2).detach(), rtol=1e-4, atol=1e-6)
    vectors = RelaxedOneHotCategorical(temperature, logits=torch.zeros(4))
    assert (vectors.batch_shape, vectors.event_shape) == ((3,), (4,))
    assert vectors.log_prob(vectors.sample((2,))).shape == (2, 3)


def test_tiny_probabilities_are_not_rounded():
    law = LogitRelaxedBernoulli(torch.tensor(1.0), probs=torch.tensor(1e-30))
    assert law.mean.item() == pytest.approx(np.log(1e-30), rel=1e-6)


@pytest.mark.parametrize("law", [RelaxedBernoulli, LogitRelaxedBernoulli])
def test_what_has_no_relaxation_is_refused(law):
    for probs in (0.0, 1.0):
        with pytest.raises(ParameterError, match="probs must be a probability strictly between 0 and 1"):
            law(1.0, probs)
    with pytest.raises(ParameterError, match="temperature must be positive and finite; got 0"):
        law(0.0, 0.5)
    with pytest.raises(ParameterError, match=rf"{law.__name__}: give probs= or logits=; got both"):
        law(1.0, 0.5, 0.0)


@pytest.mark.parametrize("law", [RelaxedOneHotCategorical, ExpRelaxedCategorical])
def test_a_class_without_weight_is_refused(law):
    with pytest.raises(ParameterError, match="probs must be a vector of positive weights"):
        law(1.0, torch.tensor([0.5, 0.0]))
