"""Zero-inflated counts, and classes on a grid: by hand, at extremes, and what they refuse."""

import math

import pytest
import torch

from reparam.distributions import (
    Bernoulli,
    Binomial,
    GridCategorical,
    NegativeBinomial,
    Normal,
    Poisson,
    ZeroInflated,
)
from reparam.errors import ParameterError


def test_probabilities_by_hand() -> None:
    law = ZeroInflated(Poisson(torch.tensor(2.0)), logits=torch.tensor(math.log(0.25 / 0.75)))
    expected = torch.tensor([0.25 + 0.75 * math.exp(-2), 0.75 * 2 * math.exp(-2), 0.75 * 2 * math.exp(-2)]).log()
    torch.testing.assert_close(law.log_prob(torch.tensor([0.0, 1.0, 2.0])), expected)
    assert law.mean.item() == pytest.approx(1.5)
    assert law.variance.item() == pytest.approx(0.75 * (2 + 0.25 * 4))


@pytest.mark.parametrize("logits", [-1e4, -50.0, 0.0, 50.0, 1e4])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e6])
def test_value_and_gradients_are_finite_however_improbable(logits: float, value: float) -> None:
    rate, gate = (torch.tensor(number, requires_grad=True) for number in (1e6, logits))
    log_prob = ZeroInflated(Poisson(rate), gate).log_prob(torch.tensor(value))
    gradients = torch.autograd.grad(log_prob, (rate, gate))
    assert torch.stack([log_prob, *gradients]).isfinite().all()
    # A zero of this law is one of its own for certain: e^-1000000 is no rival of any g here.
    if value == 0:
        assert log_prob.item() == pytest.approx(float(torch.nn.functional.logsigmoid(torch.tensor(logits))), rel=1e-6)


def test_the_shapes_of_base_and_logits_broadcast() -> None:
    law = ZeroInflated(Poisson(torch.ones(3)), logits=torch.zeros(2, 1))
    assert law.batch_shape == (2, 3)
    assert law.expand((4, 2, 3)).sample((5,)).shape == (5, 4, 2, 3)
    assert ZeroInflated(Binomial(3, probs=torch.tensor(0.2)), 0.0).mean.item() == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ZeroInflated(Normal(0.0, 1.0), 0.0), "base must be a law of counts .* got Normal"),
        (lambda: ZeroInflated(Bernoulli(0.5), 0.0), "base must be a law of counts .* got Bernoulli"),
        (lambda: ZeroInflated(torch.distributions.Poisson(1.0), 0.0), "of reparam.distributions; got Poisson"),
        (lambda: ZeroInflated(3.0, 0.0), r"got 3\.0"),
        (lambda: ZeroInflated(Poisson(1.0), torch.zeros((), dtype=torch.float64)), r"Convert with \.to\(torch.float32"),
        (lambda: ZeroInflated(Poisson(torch.ones(3)), torch.zeros(2)), "does not broadcast"),
        (lambda: ZeroInflated(Poisson(1.0), math.nan), "logits must be a finite number; got nan"),
        (lambda: GridCategorical(torch.zeros(1)), "at least 2 entries, got 1"),
    ],
)
def test_what_is_no_such_law_is_refused(make, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make()


def test_negative_binomial_of_a_given_mean_and_dispersion() -> None:
    """var = m + m²/r, with logits log(m/r): what the likelihood of that name uses."""
    mean, r = torch.tensor(7.0), torch.tensor(2.5)
    law = NegativeBinomial(r, logits=(mean / r).log())
    assert law.mean.item() == pytest.approx(7.0, rel=1e-6)
    assert law.variance.item() == pytest.approx(7 + 49 / 2.5, rel=1e-6)


def test_grid_categorical_by_hand() -> None:
    law = GridCategorical(torch.tensor([0.2, 0.5, 0.3]).log())
    assert law.mean.item() == pytest.approx(0.5 * 0.5 + 0.3)
    assert law.variance.item() == pytest.approx(0.2 * 0.55**2 + 0.5 * 0.05**2 + 0.3 * 0.45**2)
    torch.testing.assert_close(law.log_prob(torch.tensor([0.0, 0.5, 1.0])).exp(), torch.tensor([0.2, 0.5, 0.3]))
    assert set(law.sample((100,)).tolist()) == {0.0, 0.5, 1.0}


def test_every_level_of_a_byte_is_found_again() -> None:
    values = torch.arange(256) / 255
    logits = torch.linspace(-3, 3, 256)
    expected = torch.log_softmax(logits, 0)
    torch.testing.assert_close(GridCategorical(logits).log_prob(values), expected)
