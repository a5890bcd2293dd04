"""Likelihoods against numbers worked out by hand."""

import math

import pytest
import torch

from reparam import vae
from tests.vae.small import small_plan


def test_bernoulli_is_the_cross_entropy_summed_over_pixels() -> None:
    family = vae.Bernoulli((1, 1, 2))
    law = family(torch.tensor([[[[0.0, math.log(3)]]]]))
    assert law.log_prob(torch.tensor([[[[1.0, 1.0]]]])).item() == pytest.approx(math.log(0.5) + math.log(0.75))
    assert law.log_prob(torch.tensor([[[[0.0, 0.0]]]])).item() == pytest.approx(math.log(0.5) + math.log(0.25))


def test_bernoulli_starts_at_the_mean_of_the_data() -> None:
    x = torch.tensor([[0.0, 1.0, 0.25], [0.0, 1.0, 0.75]])
    law = vae.Bernoulli((3,)).start_at(x)(torch.zeros(1, 3))
    torch.testing.assert_close(law.mean[0], torch.tensor([0.001, 0.999, 0.5]))


def test_gaussian_is_the_normal_density_summed_over_columns() -> None:
    family = vae.Gaussian((2,), floor=torch.tensor([0.3, 0.4]))
    with torch.no_grad():
        family.log_scale.copy_(torch.tensor([0.4, 0.3]).log())
    law = family(torch.zeros(1, 2))
    expected = -2 * math.log(0.5) - math.log(2 * math.pi) - 0.5 * (1 / 0.25 + 4 / 0.25)
    assert law.log_prob(torch.tensor([[1.0, 2.0]])).item() == pytest.approx(expected, rel=1e-6)


def test_gaussian_scale_never_falls_below_the_rounding_of_the_data() -> None:
    family = vae.Gaussian((1,)).start_at(torch.tensor([[0.0], [1.0], [2.0]]), resolution=torch.tensor([1.0]))
    with torch.no_grad():
        family.log_scale.fill_(-100.0)
    assert family.scale.item() == pytest.approx(1 / math.sqrt(12))


def test_gaussian_starts_at_the_mean_and_spread_of_the_data() -> None:
    x = torch.tensor([[1.0, -1.0], [3.0, -5.0]])
    law = vae.Gaussian((2,)).start_at(x, resolution=torch.tensor([0.0, 0.0]))(torch.zeros(1, 2))
    torch.testing.assert_close(law.mean[0], torch.tensor([2.0, -3.0]))
    torch.testing.assert_close(law.stddev[0], torch.tensor([1.0, 2.0]), rtol=1e-5, atol=0)


def test_discretized_logistic_probabilities_sum_to_one_over_the_levels() -> None:
    family = vae.DiscretizedLogistic((1,), levels=17)
    outputs = torch.tensor([[0.3, -1.0]]).expand(17, 2)
    x = torch.linspace(0, 1, 17)[:, None]
    assert family(outputs).log_prob(x).exp().sum().item() == pytest.approx(1.0, abs=1e-6)


def test_discretized_logistic_of_one_cell_by_hand() -> None:
    family = vae.DiscretizedLogistic((1,), levels=3)
    with torch.no_grad():
        family.loc_offset.fill_(0.5)
        family.log_scale_offset.fill_(0.0)
    law = family(torch.zeros(1, 2))
    scale = vae.soft_bound(torch.zeros(()), *family.log_scale_bounds).exp().item()

    def logistic_cdf(value: float) -> float:
        return 1 / (1 + math.exp(-(value - 0.5) / scale))

    assert law.log_prob(torch.tensor([[0.5]])).exp().item() == pytest.approx(
        logistic_cdf(0.75) - logistic_cdf(0.25), rel=1e-5
    )
    assert law.log_prob(torch.tensor([[0.0]])).exp().item() == pytest.approx(logistic_cdf(0.25), rel=1e-5)


@pytest.mark.parametrize("name", sorted(vae.LIKELIHOODS))
@pytest.mark.parametrize("shape", [(3,), (2, 4, 5)])
def test_every_family_gives_one_finite_number_an_example(name: str, shape: tuple[int, ...]) -> None:
    x = torch.rand(10, *shape, generator=torch.Generator().manual_seed(0)).round()
    family = vae.LIKELIHOODS[name].build(small_plan(shape, name, levels=2))
    family.start_at(x, resolution=torch.ones(1))  # type: ignore[attr-defined]
    outputs = torch.full((10, family.num_outputs(shape[0]), *shape[1:]), 1e4, requires_grad=True)
    log_prob = family(outputs).log_prob(x)
    log_prob.sum().backward()
    assert log_prob.shape == (10,)
    assert log_prob.isfinite().all()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
