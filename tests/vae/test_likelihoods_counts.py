"""Counts against scipy: their means, their dispersion, their zeros, what exposes them, and where they start."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from reparam import noise, vae

COUNTS = np.arange(0, 200)
OUTPUTS = torch.tensor([[0.4, -0.2]])


def give(family: vae.CountFamily, mean: float, r: float | None = None, zeros: float | None = None) -> vae.CountFamily:
    """The family with this mean (of the counts), inverse dispersion and probability of a zero of its own."""
    with torch.no_grad():
        family.offset.fill_(math.log(mean))
        if r is not None:
            family.inverse_dispersion.put(torch.full_like(family.offset, r))
        if zeros is not None:
            family.zero_offset.fill_(math.log(zeros / (1 - zeros)))
    return family


def log_mean(output: float) -> float:
    return vae.soft_bound(torch.tensor(output), *vae.CountFamily.log_mean_bounds).item()


def log_probs(family: vae.CountFamily, outputs: torch.Tensor) -> np.ndarray:
    x = torch.from_numpy(COUNTS).float()[:, None]
    return family(outputs.expand(len(x), -1)).log_prob(x).detach().numpy()


def test_poisson_is_scipys() -> None:
    family = give(vae.Poisson((1,)), 3.0)
    expected = stats.poisson(3 * math.exp(log_mean(0.4))).logpmf(COUNTS)
    np.testing.assert_allclose(log_probs(family, torch.tensor([[0.4]])), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("r", [0.05, 1.0, 30.0, 1e5])
def test_negative_binomial_is_scipys_with_variance_mean_plus_mean_squared_over_r(r: float) -> None:
    family = give(vae.NegativeBinomial((1,)), 3.0, r)
    mean = 3 * math.exp(log_mean(0.4))
    expected = stats.nbinom(r, r / (r + mean)).logpmf(COUNTS)
    np.testing.assert_allclose(log_probs(family, torch.tensor([[0.4]])), expected, rtol=2e-5, atol=2e-5)
    law = family(torch.tensor([[0.4]]))
    assert law.mean.item() == pytest.approx(mean, rel=1e-5)
    assert law.variance.item() == pytest.approx(mean + mean**2 / r, rel=1e-4)


def test_zero_inflated_counts_are_a_mixture_with_zero() -> None:
    """The second half of the outputs are log odds of a zero."""
    mean, zeros = 3 * math.exp(log_mean(0.4)), 1 / (1 + math.exp(0.2) * 3)
    for family, law in (
        (give(vae.ZeroInflatedPoisson((1,)), 3.0, zeros=0.25), stats.poisson(mean)),
        (give(vae.ZeroInflatedNegativeBinomial((1,)), 3.0, 2.0, 0.25), stats.nbinom(2, 2 / (2 + mean))),
    ):
        expected = np.log(zeros * (COUNTS == 0) + (1 - zeros) * law.pmf(COUNTS))
        np.testing.assert_allclose(log_probs(family, OUTPUTS), expected, rtol=1e-5, atol=1e-5)
        assert family(OUTPUTS).mean.item() == pytest.approx((1 - zeros) * mean, rel=1e-5)


def test_large_counts_keep_their_digits() -> None:
    family = give(vae.NegativeBinomial((1,)), 1e6, 5.0)
    for count in (0.0, 1e6, 2.0**24):
        expected = stats.nbinom(5, 5 / (5 + 1e6)).logpmf(count)
        seen = family(torch.zeros(1, 1)).log_prob(torch.tensor([[count]])).item()
        assert seen == pytest.approx(expected, rel=1e-4)


def test_exposed_means_are_shares_of_it_over_all_values() -> None:
    family = vae.Poisson((1, 2, 2))
    with torch.no_grad():
        family.offset.copy_(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]).log())
    law = family(torch.zeros(2, 1, 2, 2), torch.tensor([10.0, 1000.0]))
    torch.testing.assert_close(law.mean[0, 0], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    torch.testing.assert_close(law.mean[1], 100 * law.mean[0])


@pytest.mark.parametrize("kind", [vae.NegativeBinomial, vae.ZeroInflatedNegativeBinomial, vae.ZeroInflatedPoisson])
def test_it_starts_at_mean_and_variance_of_the_counts(kind) -> None:
    x = np.random.default_rng(0).negative_binomial(1.5, 1.5 / (1.5 + np.array([2.0, 30.0])), size=(5000, 2))
    family = kind((2,)).start_at(torch.from_numpy(x).float())
    law = family(torch.zeros(1, family.num_outputs(2)))
    np.testing.assert_allclose(law.mean[0].detach(), x.mean(0), rtol=1e-4)
    # All of the dispersion as zeros: at most 90 percent, so not the whole variance of the second column.
    near = 0.4 if kind is vae.ZeroInflatedPoisson else 1e-3
    np.testing.assert_allclose(law.variance[0].detach(), x.var(0), rtol=near)


def test_counts_that_do_not_vary_and_counts_that_are_all_zero_have_a_start() -> None:
    x = torch.tensor([[0.0, 3.0]]).expand(50, 2)
    for kind in (vae.Poisson, vae.NegativeBinomial, vae.ZeroInflatedPoisson, vae.ZeroInflatedNegativeBinomial):
        family = kind((2,)).start_at(x)
        law = family(torch.zeros(1, family.num_outputs(2)))
        np.testing.assert_allclose(law.mean[0].detach(), [0.01, 3.0], rtol=1e-4)
        assert law.log_prob(x[:1]).isfinite().all()


def test_samples_have_the_mean_and_the_variance() -> None:
    from tests.statistical.instruments import check_mean

    family = give(vae.ZeroInflatedNegativeBinomial((1,)), 6.0, 2.0, 0.3)
    law = family(torch.zeros(100_000, 2))
    drawn = law.sample(generator=noise.generator(0)).double()[:, 0]
    mean, variance = law.mean[0, 0].double().detach(), law.variance[0, 0].double().detach()
    check_mean(drawn[:, None], mean[None])
    check_mean((drawn[:, None] - mean) ** 2, variance[None])


def test_the_encoder_is_shown_standardised_logarithms() -> None:
    x = torch.tensor([[0.0, 5.0, 0.0], [3.0, 5.0, 0.0], [100.0, 5.0, 0.0], [7.0, 5.0, 1.0]])
    view = vae.LogCounts((3,)).start_at(x)
    seen = view(x)
    np.testing.assert_allclose(seen[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(seen[:, 0].std(correction=0), 1, rtol=1e-5)
    assert (seen[:, 1] == 0).all()  # one that does not vary says nothing
    assert view(torch.full((1, 3), 2.0**24)).abs().max() < 200


@pytest.mark.parametrize("raw", [-1e6, 0.0, 1e6])
def test_the_dispersion_cannot_run_away(raw: float) -> None:
    family = vae.NegativeBinomial((1,))
    with torch.no_grad():
        family.inverse_dispersion.raw.fill_(raw)
    assert math.exp(-8.01) <= family.inverse_dispersion().item() <= math.exp(16.01)
