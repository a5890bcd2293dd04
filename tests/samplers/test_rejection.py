"""Rejection sampling: exact draws, honest counts, and clear refusals."""

import pytest
import torch

from reparam.distributions import Normal, Uniform
from reparam.errors import SamplerError
from reparam.noise import generator
from reparam.samplers import rejection_sample
from tests.statistical.instruments import check_continuous, check_mean


def test_draws_follow_the_target() -> None:
    found = rejection_sample(Uniform(0.0, 1.0), lambda y: y.log(), (100_000,), generator=generator(0))
    check_continuous(found.draws, lambda y: y**2)
    assert found.draws.shape == (100_000,)


def test_a_rule_that_is_off_is_seen() -> None:
    found = rejection_sample(Uniform(0.0, 1.0), lambda y: 1.1 * y.log(), (100_000,), generator=generator(0))
    with pytest.raises(AssertionError):
        check_continuous(found.draws, lambda y: y**2)


def test_each_element_of_a_batch_has_its_own_law_and_rate() -> None:
    power = torch.tensor([0.5, 1.0, 9.0], dtype=torch.float64)
    proposal = Uniform(torch.zeros(3, dtype=torch.float64), 1.0)
    found = rejection_sample(proposal, lambda y: power * y.log(), (40_000,), generator=generator(1))
    for index, exponent in enumerate(power.tolist()):
        check_continuous(found.draws[:, index], lambda y, exponent=exponent: y ** (exponent + 1))
        check_mean(found.num_trials[:, index], exponent + 1)  # geometric, of mean 1 / rate
        rate = 1 / (exponent + 1)
        assert found.acceptance_rate[index] == pytest.approx(rate, rel=0.03)


def test_the_order_of_draws_does_not_depend_on_how_many_are_wanted() -> None:
    """A draw that is taken or left by how the rounds fall would be biased; independence of neighbours shows it."""
    found = rejection_sample(Uniform(0.0, 1.0), lambda y: 3 * y.log(), (2, 50_000), generator=generator(2))
    first, second = found.draws.double()
    check_mean(torch.stack([first - 0.8, (first - 0.8) * (second - 0.8)], -1), torch.zeros(2))


def test_vectors_and_half_lines() -> None:
    law = torch.distributions.Independent(torch.distributions.Normal(torch.zeros(2), 1.0), 1)
    found = rejection_sample(law, lambda y: torch.where(y.sum(-1) > 0, 0.0, -torch.inf), (3, 1000))
    assert found.draws.shape == (3, 1000, 2)
    assert (found.draws.sum(-1) > 0).all()


def test_what_is_refused() -> None:
    law = Uniform(0.0, 1.0)
    with pytest.raises(SamplerError, match=r"must be <= 0; it is .* bound"):
        rejection_sample(law, lambda y: y, (3,))
    with pytest.raises(SamplerError, match="nan"):
        rejection_sample(law, lambda y: y * torch.nan, (3,))
    with pytest.raises(SamplerError, match="one number for each proposal"):
        rejection_sample(law, lambda y: y.sum(), (3,))
    with pytest.raises(SamplerError, match=r"0 of \d+ proposals were accepted"):
        rejection_sample(law, lambda y: torch.full_like(y, -1e9), (3,), max_trials=50)
    batch = Uniform(torch.zeros(2), 1.0)
    with pytest.raises(SamplerError, match=r"for element \(1,\) of the batch"):
        rejection_sample(batch, lambda y: torch.tensor([0.0, -1e9]).expand_as(y), (3,), max_trials=50)


def test_a_wanted_gradient_is_refused_and_not_dropped() -> None:
    power = torch.tensor(2.0, requires_grad=True)
    with pytest.raises(SamplerError, match="RejectionReparameterized"):
        rejection_sample(Uniform(0.0, 1.0), lambda y: power * y.log(), (3,))
    with torch.no_grad():
        assert rejection_sample(Uniform(0.0, 1.0), lambda y: power * y.log(), (3,)).draws.shape == (3,)


def test_generator_dtype_and_empty_shapes() -> None:
    law = Normal(torch.zeros(2, dtype=torch.float64), 1.0)
    rule = lambda y: -(y**2)  # noqa: E731
    first, second = (rejection_sample(law, rule, (4,), generator=generator(5)).draws for _ in range(2))
    assert torch.equal(first, second)
    assert first.dtype == torch.float64
    assert rejection_sample(law, rule, (0,)).draws.shape == (0, 2)
    assert rejection_sample(Normal(torch.zeros(0), 1.0), rule, (4,)).draws.shape == (4, 0)
