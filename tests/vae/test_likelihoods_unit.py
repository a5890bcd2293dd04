"""Bernoulli and continuous Bernoulli by hand."""

import math

import pytest
import torch
from scipy import integrate

from reparam import vae


def test_bernoulli_by_hand() -> None:
    law = vae.Bernoulli((1, 1, 2))(torch.tensor([[[[0.0, math.log(3)]]]]))
    assert law.log_prob(torch.tensor([[[[1.0, 0.0]]]])).item() == pytest.approx(math.log(0.5) + math.log(0.25))


def test_bernoulli_starts_at_the_mean_kept_from_certainty() -> None:
    family = vae.Bernoulli((3,)).start_at(torch.tensor([[0.0, 1.0, 0.25], [0.0, 1.0, 0.75]]))
    torch.testing.assert_close(family(torch.zeros(1, 3)).mean[0].detach(), torch.tensor([0.001, 0.999, 0.5]))


@pytest.mark.parametrize("logit", [-30.0, -1.0, 0.0, 1e-4, 2.0])
def test_continuous_bernoulli_is_normalised_where_the_cross_entropy_is_not(logit: float) -> None:
    family = vae.ContinuousBernoulli((1,))

    def density(y: float) -> float:
        return family(torch.full((1, 1), logit)).log_prob(torch.full((1, 1), y)).exp().item()

    assert integrate.quad(density, 0, 1)[0] == pytest.approx(1.0, abs=1e-5)
    mean = integrate.quad(lambda y: y * density(y), 0, 1)[0]
    assert family(torch.full((1, 1), logit)).mean.item() == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.02, 0.3, 0.5, 0.9, 0.99, 1.0])
def test_continuous_bernoulli_starts_at_the_mean(mean: float) -> None:
    family = vae.ContinuousBernoulli((1,)).start_at(torch.full((4, 1), mean))
    assert family(torch.zeros(1, 1)).mean.item() == pytest.approx(min(max(mean, 0.01), 0.99), rel=1e-5)
