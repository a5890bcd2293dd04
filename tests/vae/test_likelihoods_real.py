"""Gaussian, Laplace and Student's t against scipy, and where they start."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from reparam import vae

X = torch.tensor([[1.0, -2.0], [0.3, 40.0]])
NOTHING = torch.zeros(1)


def set_scale(family: vae.Gaussian, scale: float) -> None:
    with torch.no_grad():
        family.floor.zero_()
        family.log_scale.fill_(math.log(scale))
        family.offset.copy_(torch.tensor([0.5, -1.0]))


@pytest.mark.parametrize(
    ("family", "reference"),
    [
        (vae.Gaussian((2,)), lambda loc, scale: stats.norm(loc, scale)),
        (vae.Laplace((2,)), lambda loc, scale: stats.laplace(loc, scale)),
        (vae.StudentT((2,)), lambda loc, scale: stats.t(4, loc, scale)),
    ],
)
def test_the_density_is_scipys_summed_over_columns(family, reference) -> None:
    set_scale(family, 0.7)
    outputs = torch.tensor([[0.1, 0.2], [-0.3, 3.0]])
    loc = outputs.numpy() + np.array([0.5, -1.0])
    expected = torch.from_numpy(reference(loc, 0.7).logpdf(X.numpy()).sum(1)).float()
    torch.testing.assert_close(family(outputs).log_prob(X).detach(), expected, rtol=1e-5, atol=0)


def test_a_width_is_the_rounding_and_what_is_learned_at_right_angles() -> None:
    family = vae.Gaussian((2,), floor=torch.tensor([0.3, 0.4]))
    with torch.no_grad():
        family.log_scale.copy_(torch.tensor([0.4, 0.3]).log())
    torch.testing.assert_close(family(torch.zeros(1, 2)).stddev.detach(), torch.full((1, 2), 0.5))


def test_gaussian_starts_at_its_maximum_likelihood() -> None:
    family = vae.Gaussian((2,)).start_at(torch.tensor([[1.0, -1.0], [3.0, -5.0]]), resolution=NOTHING)
    torch.testing.assert_close(family.offset.detach(), torch.tensor([2.0, -3.0]))
    torch.testing.assert_close(family.scale.detach(), torch.tensor([1.0, 2.0]), rtol=1e-5, atol=0)


def test_laplace_starts_at_its_maximum_likelihood() -> None:
    x = torch.randn(501, 2, generator=torch.Generator().manual_seed(0)) ** 3 + torch.tensor([0.0, 5.0])
    family = vae.Laplace((2,)).start_at(x, resolution=NOTHING)
    for column in range(2):
        loc, scale = stats.laplace.fit(x[:, column].double().numpy())
        assert family.offset[column].item() == pytest.approx(loc, rel=1e-5)
        assert family.scale[column].item() == pytest.approx(scale, rel=1e-5)


def test_student_t_starts_as_wide_as_data_of_its_own_kind() -> None:
    """The mean absolute deviation of t with 4 degrees of freedom is its scale: E|t| = 1."""
    assert stats.t(4).expect(abs) == pytest.approx(1.0)
    rows = stats.t(4, loc=3, scale=0.2).ppf([[(index + 0.5) / 100_000] for index in range(100_000)])
    family = vae.StudentT((1,)).start_at(torch.from_numpy(rows).float(), resolution=NOTHING)
    assert family.scale.item() == pytest.approx(0.2, rel=2e-3)
    assert family.offset.item() == pytest.approx(3.0, abs=1e-3)
    assert family.df().item() == pytest.approx(4.0, rel=1e-4)


@pytest.mark.parametrize(("kind", "deviation"), [(vae.Gaussian, 1.0), (vae.Laplace, math.sqrt(2)), (vae.StudentT, 1.0)])
def test_no_width_falls_below_the_rounding_of_the_data(kind, deviation: float) -> None:
    family = kind((1,)).start_at(torch.tensor([[0.0], [1.0], [2.0]]), resolution=torch.tensor([1.0]))
    with torch.no_grad():
        family.log_scale.fill_(-100.0)
    assert family.scale.item() * deviation == pytest.approx(1 / math.sqrt(12))


@pytest.mark.parametrize("raw", [-1e6, -10.0, 0.0, 10.0, 1e6])
def test_degrees_of_freedom_stay_where_the_mean_exists(raw: float) -> None:
    family = vae.StudentT((1,))
    with torch.no_grad():
        family.df.raw.fill_(raw)
    assert 1.09 < family.df().item() < 1001
    assert family(torch.full((1, 1), 2.5)).mean.item() == pytest.approx(2.5)


def test_one_value_far_off_moves_a_gaussian_and_not_the_others() -> None:
    x = torch.linspace(-1, 1, 1001)[:, None].clone()
    x[-1] = 1e4
    starts = [kind((1,)).start_at(x, resolution=NOTHING).offset.item() for kind in (vae.Gaussian, vae.Laplace)]
    assert starts[0] > 9
    assert abs(starts[1]) < 1e-2
