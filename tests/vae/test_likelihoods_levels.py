"""Levels: probabilities that sum to 1, mixtures against their parts, frequencies."""

import math

import pytest
import torch

from reparam import vae
from reparam.distributions import DiscretizedLogistic

LEVELS = 9
GRID = torch.linspace(0, 1, LEVELS)[:, None]


def families() -> list[torch.nn.Module]:
    return [
        vae.DiscretizedLogistic((1,), LEVELS),
        vae.DiscretizedLogisticMixture((1,), LEVELS, num_components=3),
        vae.Categorical((1,), LEVELS),
    ]


@pytest.mark.parametrize("family", families())
def test_probabilities_sum_to_one_over_the_levels_and_give_the_mean(family) -> None:
    outputs = torch.randn(1, family.num_outputs(1), generator=torch.Generator().manual_seed(1)).expand(LEVELS, -1)
    law = family(outputs)
    probabilities = law.log_prob(GRID).exp()
    assert probabilities.sum().item() == pytest.approx(1.0, abs=1e-6)
    assert (probabilities * GRID[:, 0]).sum().item() == pytest.approx(law.mean[0, 0].item(), abs=1e-6)


def test_one_cell_of_the_discretized_logistic_law_by_hand() -> None:
    family = vae.DiscretizedLogistic((1,), levels=3)
    with torch.no_grad():
        family.loc_offset.fill_(0.5)
        family.log_scale_offset.fill_(0.0)
    scale = vae.soft_bound(torch.zeros(()), *family.log_scale_bounds).exp().item()
    ends = [1 / (1 + math.exp(-(end - 0.5) / scale)) for end in (0.25, 0.75)]
    law = family(torch.zeros(1, 2))
    for level, expected in enumerate([ends[0], ends[1] - ends[0], 1 - ends[1]]):
        assert law.log_prob(torch.full((1, 1), level / 2)).exp().item() == pytest.approx(expected, rel=1e-5)


def test_a_mixture_of_each_value_is_the_weighted_sum_of_its_parts() -> None:
    """Outputs are all log-weights, then all locations, then all widths; components before channels."""
    family = vae.DiscretizedLogisticMixture((2, 1, 1), LEVELS, num_components=3)
    outputs = torch.randn(4, family.num_outputs(2), 1, 1, generator=torch.Generator().manual_seed(2))
    x = GRID[[0, 3, 5, 8]].expand(4, 2)[..., None, None]
    logits, loc, log_scale = outputs[..., 0, 0].reshape(4, 3, 3, 2).unbind(1)
    offset = torch.tensor([1 / 6, 1 / 2, 5 / 6])[:, None]
    scale = (-2 + vae.soft_bound(log_scale, *family.log_scale_bounds)).exp()
    parts = DiscretizedLogistic(loc + offset, scale, LEVELS).log_prob(x[:, None, :, 0, 0])
    expected = torch.logsumexp(torch.log_softmax(logits, 1) + parts, 1).sum(1)
    torch.testing.assert_close(family(outputs).log_prob(x), expected)


def test_one_component_is_the_discretized_logistic_law() -> None:
    mixture, single = vae.DiscretizedLogisticMixture((1,), LEVELS, 1), vae.DiscretizedLogistic((1,), LEVELS)
    outputs = torch.tensor([[0.2, -1.0]]).expand(LEVELS, 2)
    with_weight = torch.cat([torch.full((LEVELS, 1), 7.0), outputs], 1)
    torch.testing.assert_close(mixture(with_weight).log_prob(GRID), single(outputs).log_prob(GRID))


def test_a_mixture_starts_with_the_spread_of_the_data_and_sees_two_heaps() -> None:
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(4000, 1, generator=generator) < 0.5).float() * 0.75 + 0.125  # two levels of nine
    mixture = vae.DiscretizedLogisticMixture((1,), LEVELS, 2).start_at(x)
    single = vae.DiscretizedLogistic((1,), LEVELS).start_at(x)
    nats = [family(torch.zeros(len(x), family.num_outputs(1))).log_prob(x).mean() for family in (mixture, single)]
    assert nats[0] > nats[1] + 0.5
    assert nats[0].item() < -math.log(2) + 1e-6  # two levels, equally often: no law is better


def test_categorical_starts_at_the_frequencies() -> None:
    x = torch.tensor([[0.0, 1.0], [0.5, 1.0], [0.5, 0.0]])
    family = vae.Categorical((2,), 3).start_at(x)
    expected = (torch.tensor([[1.0, 2.0, 0.0], [1.0, 0.0, 2.0]]) + 1 / 3) / 4
    for level in range(3):
        value = torch.full((1, 2), level / 2)
        assert family(torch.zeros(1, 6)).log_prob(value).exp().item() == pytest.approx(expected[:, level].prod().item())


def test_outputs_of_a_categorical_are_levels_before_channels() -> None:
    family = vae.Categorical((2, 1, 1), 3)
    outputs = torch.zeros(1, 6, 1, 1)
    outputs[0, 2 * 2 + 1] = 50.0  # the last level of the second channel
    torch.testing.assert_close(family(outputs).mean[0, :, 0, 0], torch.tensor([0.5, 1.0]))
