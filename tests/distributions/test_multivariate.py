"""Laws of vectors: against torch and scipy where these are right, and right where they are not."""

import math

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam.distributions import (
    LogisticNormal,
    LowRankMultivariateNormal,
    MultivariateNormal,
    MultivariateStudentT,
    Normal,
)
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.contracts.rows import matrix, multivariate
from tests.contracts.rows.multivariate import COVARIANCE, FACTOR, LOC, SCALE_TRIL
from tests.distributions.test_parameters import Unlooked
from tests.statistical.instruments import check_continuous, check_mean


def double(values, **options):
    return torch.tensor(values, dtype=torch.float64, **options)


loc, scale_tril, covariance = double(LOC), double(SCALE_TRIL), double(COVARIANCE)
factor, diagonal = double(FACTOR), double(((0.5, 1.2, 0.8), (0.9, 0.3, 1.5)))
GIVEN = {"scale_tril": scale_tril, "covariance_matrix": covariance, "precision_matrix": covariance}
PAIRS = [
    *((MultivariateNormal(loc, **{k: v}), td.MultivariateNormal(loc, **{k: v})) for k, v in GIVEN.items()),
    (
        LowRankMultivariateNormal(loc, factor, diagonal),
        td.LowRankMultivariateNormal(loc, factor, diagonal),
    ),
]
with_torch = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[*GIVEN, "low rank"])


@with_torch
def test_normals_agree_with_torch(ours, theirs):
    value = ours.sample((5,), generator=generator(0))
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    names = ("mean", "mode", "variance", "stddev", "covariance_matrix", "precision_matrix", "scale_tril")
    for name in names:
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
        expanded = getattr(ours.expand((4, 2)), name)
        torch.testing.assert_close(expanded, getattr(theirs.expand((4, 2)), name))


@with_torch
def test_divergences_agree_with_torch(ours, theirs):
    for other_ours, other_theirs in PAIRS:
        expected = td.kl_divergence(theirs, other_theirs)
        for p, q in ((ours, other_ours), (ours, other_theirs), (other_theirs, ours)):
            reverse = td.kl_divergence(other_theirs, theirs)
            torch.testing.assert_close(td.kl_divergence(p, q), reverse if p is other_theirs else expected)


@with_torch
def test_normals_have_the_covariance_and_the_distances(ours, theirs):
    """(y - μ)ᵀ Σ⁻¹ (y - μ) follows χ² with d degrees of freedom: any mixture of directions would not."""
    del theirs
    centered = ours.sample((100_000,), generator=generator(3)) - ours.mean
    for element in range(2):
        draws = centered[:, element]
        check_mean(draws.unsqueeze(-1) * draws.unsqueeze(-2), ours.covariance_matrix[element])
        distances = (draws @ ours.precision_matrix[element] * draws).sum(-1)
        check_continuous(distances, stats.chi2(3).cdf)


@pytest.mark.parametrize("batch_shape", [(), (3,), (2, 1), (2, 3)])
@pytest.mark.parametrize("matrix_shape", [(), (3,), (2, 1), (2, 3)])
def test_one_matrix_for_many_locations_is_the_same_as_many(batch_shape, matrix_shape):
    """However the matrices broadcast, and however many draws share one: the plain product for each draw."""
    shape = torch.broadcast_shapes(batch_shape, matrix_shape)
    located = torch.arange(math.prod(batch_shape) * 2, dtype=torch.float64).reshape(*batch_shape, 2)
    scale = torch.eye(2).double() + torch.arange(math.prod(matrix_shape)).reshape(*matrix_shape, 1, 1).double().tril()
    scale = scale.expand(*matrix_shape, 2, 2).tril()
    law = MultivariateNormal(located, scale_tril=scale)
    full = MultivariateNormal(located.expand(*shape, 2).clone(), scale_tril=scale.expand(*shape, 2, 2).clone())
    assert law.batch_shape == shape
    for sample_shape in ((), (4,), (2, 5), (0,)):
        noise = law.noise(sample_shape, generator=generator(0))
        plain = located + (full.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)
        for one in (law, full, law.expand(shape)):
            drawn = one.from_noise(noise)
            assert drawn.is_contiguous()
            torch.testing.assert_close(drawn, plain)
            if plain.numel():
                expected = td.MultivariateNormal(full.loc, scale_tril=full.scale_tril).log_prob(plain)
                torch.testing.assert_close(one.log_prob(plain), expected)
            else:
                assert one.log_prob(plain).shape == plain.shape[:-1]


def test_an_expanded_law_factors_its_covariance_once():
    law = MultivariateNormal(loc[0], covariance[0])
    expanded = law.expand((1000,))
    assert expanded._unbroadcasted_scale_tril is law._unbroadcasted_scale_tril
    assert expanded._unbroadcasted_scale_tril.shape == (3, 3)


def test_the_gradient_of_one_matrix_of_an_expanded_batch_stays_in_its_place():
    """A caller's expanded tensor has one gradient for each element of the batch."""
    matrices = scale_tril[0].expand(4, 3, 3).requires_grad_()
    law = MultivariateNormal(torch.zeros(4, 3).double(), scale_tril=matrices)
    (gradient,) = torch.autograd.grad(law.rsample(generator=generator(0))[1].sum(), matrices)
    assert gradient[1].abs().sum() > 0
    assert (gradient[[0, 2, 3]] == 0).all()


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_normals_at_extreme_scales(scale):
    for law in (
        MultivariateNormal(torch.zeros(3), scale_tril=scale * scale_tril[0].float()),
        LowRankMultivariateNormal(torch.zeros(3), scale * factor[0].float(), scale**2 * diagonal[0].float()),
    ):
        unit = MultivariateNormal(torch.zeros(3).double(), (law.covariance_matrix.double() / scale**2).double())
        value = law.sample((5,), generator=generator(0))
        expected = unit.log_prob(value.double() / scale) - 3 * math.log(scale)
        torch.testing.assert_close(law.log_prob(value).double(), expected, rtol=1e-5, atol=1e-4)


def test_low_rank_density_does_not_cancel():
    """torch subtracts two numbers near 1e6 in float32: its density is off by 1.4 nats here."""
    law = LowRankMultivariateNormal(torch.zeros(3), factor[0].float(), torch.full((3,), 1e-6))
    wide = LowRankMultivariateNormal(law.loc.double(), law.cov_factor.double(), law.cov_diag.double())
    value = law.sample((200,), generator=generator(0))
    exact = td.MultivariateNormal(wide.loc, wide.covariance_matrix).log_prob(value.double())
    torch.testing.assert_close(law.log_prob(value).double(), exact, rtol=1e-3, atol=1e-3)


def test_solving_keeps_digits_that_an_inverse_loses():
    """A smooth kernel with a condition number near 1e6: float32 distances stay right to 1e-3."""
    points = torch.linspace(0, 1, 10).double()
    kernel = torch.exp(-((points[:, None] - points) ** 2) / 0.18) + 1e-5 * torch.eye(10).double()
    tril = torch.linalg.cholesky(kernel).float()
    law, exact = (MultivariateNormal(torch.zeros(10, dtype=t.dtype), scale_tril=t) for t in (tril, tril.double()))
    value = law.sample((100,), generator=generator(0))
    torch.testing.assert_close(law.log_prob(value).double(), exact.log_prob(value.double()), rtol=1e-4, atol=1e-4)


# --- what is refused ---


def test_matrices_that_make_no_sense_are_refused_by_name_and_place():
    zeros = torch.zeros(2, 3)
    good = torch.eye(3)
    eigenvalue = "got a matrix whose smallest eigenvalue is"
    cases = [
        (
            {"covariance_matrix": torch.stack([good, good - 3])},
            rf"symmetric and positive-definite; {eigenvalue} -8 at index \(1,\) \(1 of 2 values are wrong\)",
        ),
        ({"covariance_matrix": good + good.roll(1, 0)}, r"got a matrix that is not symmetric\. Use A @ A\.mT"),
        ({"precision_matrix": -good}, rf"precision_matrix must be symmetric and positive-definite; {eigenvalue} -1"),
        ({"scale_tril": good + good.roll(1, 1)}, r"scale_tril must be lower tri.*got a matrix with 1 above its diag"),
        ({"scale_tril": -good}, r"got a matrix with -1 on its diagonal"),
        ({"scale_tril": torch.full((3, 3), torch.nan)}, r"scale_tril must be .* got nan"),
        ({"scale_tril": good.masked_fill(good == 1, torch.inf)}, r"scale_tril must be .* got inf"),
        ({"scale_tril": torch.ones(3, 4)}, r"scale_tril must be square in its last two dim.*got shape \(3, 4\)"),
        ({"scale_tril": torch.ones(3)}, r"scale_tril needs at least 2 dimension"),
        (
            {"scale_tril": torch.eye(4)},
            r"dimension -1 of loc and dimension -1 of scale_tril must have one size; got shapes "
            r"loc \(2, 3\), scale_tril \(2, 4, 4\)",
        ),
        ({"scale_tril": good.long()}, r"scale_tril must be floating point; got a tensor of torch\.int64"),
        ({}, r"give one of covariance_matrix=, precision_matrix=, scale_tril=; got none"),
        ({"scale_tril": good, "covariance_matrix": good}, r"got covariance_matrix and scale_tril"),
    ]
    for given, message in cases:
        with pytest.raises(ParameterError, match=message):
            MultivariateNormal(zeros, **given)


def test_symmetry_is_judged_in_units_of_the_matrix():
    tiny = torch.tensor([[1.0, 0.5], [0.1, 1.0]]) * 1e-8
    with pytest.raises(ParameterError, match="not symmetric"):
        MultivariateNormal(torch.zeros(2), tiny)
    huge = torch.tensor([[1.0, 0.5], [0.5 + 1e-7, 1.0]]) * 1e8
    MultivariateNormal(torch.zeros(2), huge)


def test_unchecked_matrices_without_a_factor_give_nan():
    law = MultivariateNormal(torch.zeros(2, 2), torch.stack([torch.eye(2), -torch.eye(2)]), validate_args=False)
    drawn = law.sample(generator=generator(0))
    assert drawn[0].isfinite().all()
    assert drawn[1].isnan().all()


def test_low_rank_parameters_that_do_not_go_together():
    with pytest.raises(ParameterError, match=r"cov_diag must be positive and finite; got -1 at index \(1,\)"):
        LowRankMultivariateNormal(torch.zeros(2, 3), torch.ones(3, 1), torch.tensor([[1.0, 1, 1], [1, 1, -1]]))
    with pytest.raises(ParameterError, match=r"must have one size; got shapes loc \(3,\), cov_factor \(2, 1\)"):
        LowRankMultivariateNormal(torch.zeros(3), torch.ones(2, 1), torch.ones(3))


@pytest.mark.parametrize("row", multivariate.ROWS + matrix.ROWS, ids=str)
def test_unvalidated_laws_never_look_at_values(row):
    """Nor do their factorisations, which torch's do to raise an error."""
    value = row.law().sample((2,))
    with Unlooked():
        law = row.make(**row.tensors(), validate_args=False)
        law.log_prob(value)
        law.rsample((2,))


# --- LogisticNormal ---


def test_logistic_normal_agrees_with_torch_where_torch_is_right():
    ours, theirs = LogisticNormal(loc, diagonal), td.LogisticNormal(loc, diagonal)
    noise = ours.noise((5,), generator=generator(0))
    drawn = ours.from_noise(noise)
    torch.testing.assert_close(drawn, td.StickBreakingTransform()(loc + diagonal * noise))
    torch.testing.assert_close(ours.log_prob(drawn), theirs.log_prob(drawn))
    torch.testing.assert_close(
        td.kl_divergence(ours, LogisticNormal(-loc, 1.0)),
        td.kl_divergence(theirs, td.LogisticNormal(-loc, 1.0 + 0 * loc)),
    )
    assert LogisticNormal(0.3, 1.0).sample().shape == (2,)


@pytest.mark.parametrize("scale", [1.0, 10.0, 1e4])
def test_logistic_normal_stays_inside_and_its_density_is_finite(scale):
    """At 10 torch's density is off by up to 160 nats in float32, at 1e4 it is NaN for a third of its own draws."""
    located, spread = torch.zeros(4, requires_grad=True), torch.full((4,), scale, requires_grad=True)
    law = LogisticNormal(located, spread)
    drawn = law.rsample((1000,), generator=generator(0))
    assert (drawn > 0).all()
    assert ((drawn.sum(-1) - 1).abs() < 1e-5).all()
    log_prob = law.log_prob(drawn)
    assert log_prob.isfinite().all()
    gradients = torch.autograd.grad(log_prob.sum() + drawn.square().sum(), (located, spread))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_logistic_normal_finds_its_noise_again():
    """Of a stick that is nearly used up by its first piece: torch computes what is left as 1 - 1."""
    law = LogisticNormal(torch.tensor([30.0, 0.0]), torch.tensor([1.0, 1.0]))
    noise = torch.tensor([0.5, -1.5])
    drawn = law.from_noise(noise)
    expected = Normal(0.0, 1.0).log_prob(noise).sum() - drawn.log().sum()
    torch.testing.assert_close(law.log_prob(drawn), expected, rtol=1e-5, atol=1e-4)


# --- MultivariateStudentT ---

df = double((7.0, 11.5))


def test_student_agrees_with_scipy():
    law = MultivariateStudentT(df, loc, scale_tril)
    value = law.sample((20,), generator=generator(0))
    for element in range(2):
        shape = (scale_tril[element] @ scale_tril[element].mT).numpy()
        reference = stats.multivariate_t(loc[element].numpy(), shape, df[element].item())
        np.testing.assert_allclose(law.log_prob(value)[:, element], reference.logpdf(value[:, element].numpy()))
        np.testing.assert_allclose(law.entropy()[element], reference.entropy())


def test_student_distances_follow_f():
    law = MultivariateStudentT(df, loc, scale_tril)
    centered = law.sample((100_000,), generator=generator(1)) - loc
    distances = torch.linalg.solve_triangular(scale_tril, centered.unsqueeze(-1), upper=False).square().sum((-2, -1))
    for element in range(2):
        check_continuous(distances[:, element] / 3, stats.f(3, df[element].item()).cdf)


def test_student_gradient_in_the_degrees_of_freedom():
    """E y² = df/(df - 2), so its derivative is -2/(df - 2)²."""
    degrees = torch.full((100_000,), 9.0, dtype=torch.float64, requires_grad=True)
    law = MultivariateStudentT(degrees, torch.zeros(2).double(), torch.eye(2).double())
    y = law.rsample(generator=generator(0))
    for component in range(2):
        (gradient,) = torch.autograd.grad(y[:, component].square().sum(), degrees, retain_graph=True)
        check_mean(gradient, -2 / 49)


def test_student_moments_where_there_are_none():
    law = MultivariateStudentT(torch.tensor([0.5, 1.5, 3.0]), torch.zeros(2), torch.eye(2))
    assert law.mean[0].isnan().all()
    assert (law.mean[1:] == 0).all()
    assert law.variance[0].isnan().all()
    assert (law.variance[1] == torch.inf).all()
    torch.testing.assert_close(law.variance[2], torch.full((2,), 3.0))


@pytest.mark.parametrize("degrees", [0.02, 0.1, 1.0, 1e8])
def test_student_draws_and_gradients_are_finite_in_float32(degrees):
    """At 0.02 a fifth of all draws would overflow."""
    given = (torch.tensor(degrees), torch.zeros(3), scale_tril[0].float())
    parameters = tuple(parameter.clone().requires_grad_() for parameter in given)
    law = MultivariateStudentT(*parameters)
    drawn = law.rsample((10_000,), generator=generator(0))
    log_prob = law.log_prob(drawn.detach())
    assert drawn.isfinite().all()
    assert log_prob.isfinite().all()
    for total in (drawn.abs().clamp(max=1e10).sum(), log_prob.sum()):
        gradients = torch.autograd.grad(total, parameters, retain_graph=True)
        assert all(gradient.isfinite().all() for gradient in gradients)
    exact = MultivariateStudentT(*(parameter.double() for parameter in given)).log_prob(drawn.double())
    torch.testing.assert_close(log_prob.double(), exact, rtol=1e-5, atol=1e-5)


def test_student_of_many_degrees_of_freedom_is_normal():
    value = MultivariateNormal(torch.zeros(3), scale_tril=scale_tril[0].float()).sample((50,), generator=generator(0))
    normal = MultivariateNormal(torch.zeros(3), scale_tril=scale_tril[0].float()).log_prob(value)
    for degrees in (1e9, 1e30):
        law = MultivariateStudentT(torch.tensor(degrees), torch.zeros(3), scale_tril[0].float())
        torch.testing.assert_close(law.log_prob(value), normal, rtol=1e-5, atol=1e-5)


def test_student_sizes_must_agree():
    with pytest.raises(ParameterError, match=r"must have one size; got shapes loc \(3,\), scale_tril \(2, 2\)"):
        MultivariateStudentT(3.0, torch.zeros(3), torch.eye(2))
