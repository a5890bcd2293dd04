"""Effective sample sizes against autocorrelations that are known, R-hat on chains that differ."""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from reparam.errors import SamplerError
from reparam.noise import generator
from reparam.samplers import (
    bulk_effective_sample_size,
    effective_sample_size,
    r_hat,
    standard_error,
    tail_effective_sample_size,
)
from reparam.samplers.diagnostics import _normal_ranks, _r_hat, _split


def autoregressive(phi: float, length: int, chains: int, seed: int = 0) -> Tensor:
    """``x_t = φ x_{t-1} + √(1 - φ²) ε_t``, of variance 1, stationary; autocorrelation time ``(1 + φ)/(1 - φ)``."""
    noise = torch.randn(length, chains, generator=generator(seed, "ar"), dtype=torch.float64)
    noise[1:] *= math.sqrt(1 - phi**2)
    for index in range(1, length):
        noise[index] += phi * noise[index - 1]
    return noise


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9, 0.97])
def test_the_effective_sample_size_is_that_of_the_autocorrelation(phi: float) -> None:
    draws = autoregressive(phi, 5000, 16 * 20).reshape(5000, 16, 20)  # 20 estimates, which scatter by up to 10 %
    exact = 5000 * 16 * (1 - phi) / (1 + phi)
    for found in (effective_sample_size(draws), bulk_effective_sample_size(draws)):
        assert found.mean().item() == pytest.approx(exact, rel=0.06)
        assert ((found / exact - 1).abs() < 0.4).all()


def test_the_standard_error_is_the_scatter_of_means() -> None:
    """400 sets of 4 chains: their means scatter as the errors say, and lie within five of them."""
    draws = autoregressive(0.8, 500, 1600).reshape(500, 400, 4).movedim(1, 2)
    means, errors = draws.mean((0, 1)), standard_error(draws)
    assert means.std().item() == pytest.approx(errors.mean().item(), rel=0.15)
    assert (means / errors).abs().max() < 5


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
def test_before_ranks_it_agrees_with_pyro(phi: float) -> None:
    """R-hat to the digits; the effective size to 3 %, as theirs cuts the autocorrelations by a rule of its own."""
    from pyro.ops import stats as theirs

    draws = autoregressive(phi, 2000, 6)
    halves = _split(draws)
    assert _r_hat(halves).item() == pytest.approx(theirs.split_gelman_rubin(draws, chain_dim=1, sample_dim=0).item())
    size = theirs.effective_sample_size(halves, chain_dim=1, sample_dim=0).item()
    assert effective_sample_size(draws).item() == pytest.approx(size, rel=0.03)


def test_indicators_have_their_own_effective_size() -> None:
    """The tail decorrelates faster than the middle: compare with the scatter of the share below the quantile."""
    draws = autoregressive(0.9, 2000, 800).reshape(2000, 200, 4).movedim(1, 2)
    level = stats.norm.ppf(0.05)
    scatter = (draws <= level).double().mean((0, 1)).var()
    exact = 0.05 * 0.95 / scatter.item()
    found = tail_effective_sample_size(draws).mean().item()
    assert 0.7 * exact < found < 1.2 * exact  # the smaller of two estimates: a little low


def test_r_hat_is_1_for_chains_that_agree() -> None:
    assert abs(r_hat(autoregressive(0.5, 4000, 8)).item() - 1) < 0.01


def test_r_hat_sees_a_shift_a_spread_and_a_trend() -> None:
    draws = autoregressive(0.0, 1000, 4)
    assert r_hat(draws + torch.tensor([0.0, 0.0, 0.0, 1.0])) > 1.05
    assert r_hat(draws * torch.tensor([1.0, 1.0, 1.0, 3.0])) > 1.05  # only the folded draws know
    assert r_hat(draws + torch.linspace(0, 2, 1000).unsqueeze(1)) > 1.05  # only halves know


def test_r_hat_of_a_shift_is_the_one_of_the_formula() -> None:
    """Two groups of normal chains a shift s apart: ``√(1 + s²/4·M/(M-1))`` before ranks, and little less with them."""
    draws = autoregressive(0.0, 20_000, 8) + torch.tensor([0.0] * 4 + [0.5] * 4)
    between = 0.0625 * 16 / 15
    assert r_hat(draws).item() == pytest.approx(math.sqrt(1 + between), abs=0.003)


def test_heavy_tails_do_no_harm() -> None:
    cauchy = torch.tan(math.pi * (torch.rand(2000, 4, generator=generator(1), dtype=torch.float64) - 0.5))
    assert abs(r_hat(cauchy).item() - 1) < 0.02
    assert bulk_effective_sample_size(cauchy).item() == pytest.approx(8000, rel=0.1)


def test_ranks_of_ties_are_their_mean() -> None:
    values = torch.tensor([[1.0, 2.0], [2.0, 3.0]], dtype=torch.float64)
    levels = (torch.tensor([[1.0, 2.5], [2.5, 4.0]], dtype=torch.float64) - 3 / 8) / 4.25
    assert torch.allclose(_normal_ranks(values), torch.special.ndtri(levels))


def test_ranks_are_those_of_scipy() -> None:
    values = torch.randint(0, 9, (50, 3, 2), generator=generator(2)).double()
    for column in range(2):
        ranks = stats.rankdata(values[..., column].numpy().ravel()).reshape(50, 3)
        exact = stats.norm.ppf((ranks - 3 / 8) / 150.25)
        assert torch.allclose(_normal_ranks(values)[..., column], torch.from_numpy(exact))


def test_events_are_taken_one_by_one() -> None:
    draws = torch.stack([autoregressive(phi, 300, 4, seed=3) for phi in (0.0, 0.6, 0.9)], -1).unsqueeze(-2)
    for function in (r_hat, effective_sample_size, bulk_effective_sample_size, tail_effective_sample_size):
        found = function(draws)
        assert found.shape == (1, 3)
        assert torch.allclose(found[0, 1], function(draws[..., 0, 1]))
    assert standard_error(draws).shape == (1, 3)


def test_draws_that_never_move() -> None:
    still = torch.full((100, 4), 3.0)
    assert r_hat(still) == 1
    assert effective_sample_size(still) == 400
    assert standard_error(still) == 0
    apart = still + torch.arange(4.0)
    assert r_hat(apart) == math.inf
    assert effective_sample_size(apart) < 10


def test_what_is_refused() -> None:
    with pytest.raises(SamplerError, match=r"\[T, chains, \*event\]"):
        r_hat(torch.zeros(100))
    with pytest.raises(SamplerError, match="T >= 4"):
        effective_sample_size(torch.zeros(3, 4))
    with pytest.raises(SamplerError, match="finite"):
        standard_error(torch.full((10, 2), torch.nan))


def test_the_dtype_of_the_draws_does_not_matter() -> None:
    draws = autoregressive(0.5, 400, 4).float()
    assert effective_sample_size(draws) == effective_sample_size(draws.double())
    assert effective_sample_size(draws.to(torch.bfloat16)).isfinite()
