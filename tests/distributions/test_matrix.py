"""Laws of matrices: against scipy and torch, closed forms for their gradients, and what torch's cannot do."""

import numpy as np
import pytest
import torch
import torch.distributions as td
from scipy import special, stats

from reparam.distributions import InverseWishart, LKJCholesky, MatrixNormal, Wishart
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.contracts.rows.matrix import ROWS, SCALE_TRIL
from tests.statistical.instruments import check_continuous, check_mean


def double(values, **options):
    return torch.tensor(values, dtype=torch.float64, **options)


scale_tril, covariance = double(SCALE_TRIL), double((((1.3, 0.4), (0.4, 0.8)), ((0.6, -0.3), (-0.3, 1.5))))
df = double((7.5, 12.0))
COUNT = 20_000


# --- MatrixNormal ---


def test_matrix_normal_agrees_with_scipy():
    law = ROWS[0].law()
    value = law.sample((5,), generator=generator(0))
    for element in range(2):
        row, column = (scale[element] @ scale[element].mT for scale in (law.scale_tril_row, law.scale_tril_column))
        reference = stats.matrix_normal(law.loc[element].numpy(), row.numpy(), column.numpy())
        np.testing.assert_allclose(law.log_prob(value)[:, element], reference.logpdf(value[:, element].numpy()))
        np.testing.assert_allclose(law.entropy()[element], reference.entropy())
        outer = (scale.diagonal() for scale in (row, column))
        torch.testing.assert_close(law.variance[element], torch.outer(*outer))


def as_vector(law):
    """The same law of ``n·p`` numbers."""
    scale = torch.stack([torch.kron(r, c) for r, c in zip(law.scale_tril_row, law.scale_tril_column, strict=True)])
    return td.MultivariateNormal(law.loc.flatten(-2), scale_tril=scale)


def test_matrix_normal_is_a_kronecker_normal():
    law = ROWS[0].law()
    value = law.sample((5,), generator=generator(0))
    torch.testing.assert_close(law.log_prob(value), as_vector(law).log_prob(value.flatten(-2)))
    other = MatrixNormal(1.5 - law.loc, 1.3 * law.scale_tril_row.flip(0), law.scale_tril_column.flip(0))
    torch.testing.assert_close(td.kl_divergence(law, other), td.kl_divergence(as_vector(law), as_vector(other)))
    noise = law.noise((5,), generator=generator(0))
    torch.testing.assert_close(value, law.loc + law.scale_tril_row @ noise @ law.scale_tril_column.mT)


def test_matrix_normal_of_one_scale_for_the_whole_batch():
    law = ROWS[0].law()
    row, column = law.scale_tril_row[0], law.scale_tril_column[0]
    shared, full = (
        MatrixNormal(law.loc, row, column),
        MatrixNormal(law.loc, row.expand(2, 2, 2), column.expand(2, 3, 3)),
    )
    value = shared.sample((4, 5), generator=generator(0))
    torch.testing.assert_close(value, full.sample((4, 5), generator=generator(0)))
    torch.testing.assert_close(shared.log_prob(value), full.log_prob(value))
    one = shared.noise(generator=generator(0))[0]
    torch.testing.assert_close(full.from_noise(one), shared.from_noise(one))


def test_matrix_normal_covariance():
    law = ROWS[0].law()
    centered = (law.sample((COUNT,), generator=generator(0)) - law.loc).flatten(-2)
    for element in range(2):
        draws = centered[:, element]
        check_mean(draws.unsqueeze(-1) * draws.unsqueeze(-2), as_vector(law).covariance_matrix[element])


def test_matrix_normal_sizes_must_agree():
    with pytest.raises(ParameterError, match=r"dimension -2 of loc and dimension -1 of scale_tril_row must have one"):
        MatrixNormal(torch.zeros(2, 3), torch.eye(3), torch.eye(3))
    with pytest.raises(ParameterError, match=r"got shapes loc \(2, 3\), scale_tril_column \(2, 2\)"):
        MatrixNormal(torch.zeros(2, 3), torch.eye(2), torch.eye(2))


# --- Wishart and its inverse ---


@pytest.mark.parametrize(("law", "reference"), [(Wishart, stats.wishart), (InverseWishart, stats.invwishart)])
def test_agreement_with_scipy(law, reference):
    ours = law(df, scale_tril=scale_tril)
    value = ours.sample((5,), generator=generator(0))
    for element in range(2):
        scale = (scale_tril[element] @ scale_tril[element].mT).numpy()
        theirs = reference(df[element].item(), scale)
        expected = theirs.logpdf(value[:, element].permute(1, 2, 0).numpy())
        np.testing.assert_allclose(ours.log_prob(value)[:, element], expected)
        for name, other in (("mean", theirs.mean), ("mode", theirs.mode), ("variance", theirs.var)):
            np.testing.assert_allclose(getattr(ours, name)[element], other(), err_msg=name)


@pytest.mark.parametrize("given", ["scale_tril", "covariance_matrix", "precision_matrix"])
def test_wishart_agrees_with_torch(given):
    matrix = scale_tril if given == "scale_tril" else covariance
    ours, theirs = Wishart(df, **{given: matrix}), td.Wishart(df, **{given: matrix})
    value = ours.sample((5,), generator=generator(0))
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    for name in ("mean", "mode", "variance", "covariance_matrix", "precision_matrix", "scale_tril"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("law", [Wishart, InverseWishart])
def test_entropy_and_divergence_are_the_means_of_log_densities(law):
    """scipy's entropy of the inverse law and torch's divergence of two Wishart laws are neither."""
    p, q = law(df, scale_tril=scale_tril), law(df + 3, scale_tril=scale_tril.flip(0))
    value = p.sample((COUNT,), generator=generator(0))
    check_mean(-p.log_prob(value), p.entropy())
    check_mean(p.log_prob(value) - q.log_prob(value), td.kl_divergence(p, q))
    assert (td.kl_divergence(p, p).abs() < 1e-12).all()


def test_divergence_of_inverse_wisharts_is_that_of_the_wisharts():
    p, q = InverseWishart(df, scale_tril), InverseWishart(df + 3, scale_tril.flip(0))
    precise = [Wishart(law.df, precision_matrix=law.scale_tril @ law.scale_tril.mT) for law in (p, q)]
    torch.testing.assert_close(td.kl_divergence(p, q), td.kl_divergence(*precise))


def test_inverse_wishart_draws_are_inverses_of_wishart_draws():
    """a'X⁻¹a / a'S⁻¹a follows χ² with df degrees of freedom, in any direction a."""
    value = InverseWishart(df, scale_tril).sample((COUNT,), generator=generator(0))
    direction = double((0.7, -1.2))
    for element in range(2):
        scale = scale_tril[element] @ scale_tril[element].mT
        seen = (direction @ value[:, element].inverse() * direction).sum(-1) / (direction @ scale.inverse() @ direction)
        check_continuous(seen, stats.chi2(df[element].item()).cdf)


def test_wishart_gradients_are_the_derivatives_of_moments():
    """E X = df·S and E log det X = Σ ψ((df - i)/2) + const: torch's rsample((n,)) cannot be differentiated at all."""
    degrees = torch.full((COUNT,), 4.5, dtype=torch.float64, requires_grad=True)
    factor = torch.tensor([[1.3, 0.0, 0.0], [0.4, 0.8, 0.0], [-0.5, 0.3, 1.1]], dtype=torch.float64)
    scales = factor.expand(COUNT, 3, 3).clone().requires_grad_()
    draw = Wishart(degrees, scale_tril=scales, validate_args=False).rsample(generator=generator(0))
    trace = draw.diagonal(dim1=-2, dim2=-1).sum()
    by_df, by_scale = torch.autograd.grad(trace, (degrees, scales), retain_graph=True)
    check_mean(by_df, (factor @ factor.mT).trace())
    check_mean(by_scale.tril(), 2 * 4.5 * factor)
    (by_df,) = torch.autograd.grad(draw.logdet().sum(), degrees)
    check_mean(by_df, 0.5 * special.polygamma(1, (4.5 - np.arange(3)) / 2).sum())


def test_wishart_gradient_for_a_sample_shape():
    degrees, factor = double(6.0, requires_grad=True), scale_tril[0].clone().requires_grad_()
    draw = Wishart(degrees, scale_tril=factor).rsample((2, 3), generator=generator(0))
    draw.sum().backward()
    assert draw.shape == (2, 3, 2, 2)
    assert degrees.grad.isfinite()
    assert factor.grad.isfinite().all()


def test_inverse_wishart_gradients_are_the_derivatives_of_the_mean():
    degrees = torch.full((COUNT,), 14.0, dtype=torch.float64, requires_grad=True)
    factor = scale_tril[0]
    scales = factor.expand(COUNT, 2, 2).clone().requires_grad_()
    draw = InverseWishart(degrees, scales, validate_args=False).rsample(generator=generator(0))
    by_df, by_scale = torch.autograd.grad(draw.diagonal(dim1=-2, dim2=-1).sum(), (degrees, scales))
    check_mean(by_df, -(factor @ factor.mT).trace() / (14 - 3) ** 2)
    check_mean(by_scale.tril(), 2 * factor / (14 - 3))


@pytest.mark.parametrize("law", [Wishart, InverseWishart])
def test_densities_of_many_degrees_of_freedom_keep_their_digits_in_float32(law):
    """The terms of the usual formula are of size 1e7 here, and float32 rounds them to 1."""
    degrees, factor = torch.tensor(1e6), scale_tril[0].float()
    single = law(degrees, scale_tril=factor)
    value = single.sample((20,), generator=generator(0))
    exact = law(degrees.double(), scale_tril=factor.double()).log_prob(value.double())
    torch.testing.assert_close(single.log_prob(value).double(), exact, rtol=0, atol=5e-3)
    reference = {Wishart: stats.wishart, InverseWishart: stats.invwishart}[law](
        1e6, (factor @ factor.mT).double().numpy()
    )
    np.testing.assert_allclose(exact, reference.logpdf(value.double().permute(1, 2, 0).numpy()), rtol=0, atol=1e-3)


@pytest.mark.parametrize("law", [Wishart, InverseWishart])
@pytest.mark.parametrize("above", [0.01, 1e30])
def test_draws_at_the_edges_are_finite_and_symmetric(law, above):
    degrees, factor = torch.tensor(1 + above, requires_grad=True), scale_tril[0].float().requires_grad_()
    draw = law(degrees, scale_tril=factor).rsample((1000,), generator=generator(0))
    assert draw.isfinite().all()
    assert torch.equal(draw, draw.mT)
    gradients = torch.autograd.grad(draw.clamp(-1e10, 1e10).sum(), (degrees, factor))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_moments_that_do_not_exist():
    law = InverseWishart(double((2.5, 4.5, 6.0)), torch.eye(2).double())
    assert law.mean.isnan().flatten(-2).all(-1).tolist() == [True, False, False]
    assert law.variance.isnan().flatten(-2).all(-1).tolist() == [True, True, False]
    assert Wishart(double((2.5, 4.5)), torch.eye(2).double()).mode.isnan().flatten(-2).all(-1).tolist() == [True, False]


@pytest.mark.parametrize("law", [Wishart, InverseWishart])
def test_too_few_degrees_of_freedom_are_refused(law):
    with pytest.raises(
        ParameterError, match=r"df must be more than d - 1 = 1; got 0\.5 at index \(1,\) \(1 of 2 values"
    ):
        law(torch.tensor([1.5, 0.5]), scale_tril=torch.eye(2))
    with pytest.raises(ParameterError, match="df must be positive"):
        law(-1.0, scale_tril=torch.eye(2))


# --- LKJCholesky ---

CONCENTRATION = double((0.8, 3.0))


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_lkj_agrees_with_torch(dim):
    ours, theirs = LKJCholesky(dim, CONCENTRATION), td.LKJCholesky(dim, CONCENTRATION)
    value = ours.sample((20,), generator=generator(0))
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    assert theirs.support.check(value).all()
    assert (ours.support, ours.event_shape, ours.dim) == (theirs.support, theirs.event_shape, dim)
    assert ours.expand((3, 2)).sample().shape == (3, 2, dim, dim)
    check_mean(-ours.log_prob(ours.sample((20_000,), generator=generator(1))), ours.entropy())


@pytest.mark.parametrize("dim", [2, 4])
def test_lkj_correlations_follow_beta(dim):
    """Each correlation, moved to (0, 1), is Beta(a, a) with a = η + d/2 - 1."""
    value = LKJCholesky(dim, CONCENTRATION).sample((COUNT,), generator=generator(0))
    correlation = value @ value.mT
    for element, concentration in enumerate(CONCENTRATION.tolist()):
        shape = concentration + dim / 2 - 1
        for i, j in ((1, 0), (dim - 1, 0), (dim - 1, dim - 2)):
            check_continuous((1 + correlation[:, element, i, j]) / 2, stats.beta(shape, shape).cdf)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("concentration", [0.3, 4.0])
def test_lkj_gradient(dim, concentration):
    """E r² = 1/(2η + d - 1) for every correlation."""
    etas = torch.full((COUNT,), concentration, dtype=torch.float64, requires_grad=True)
    factor = LKJCholesky(dim, etas).rsample(generator=generator(0))
    squares = (factor @ factor.mT).square()
    for i in range(1, dim):
        for j in range(i):
            (gradient,) = torch.autograd.grad(squares[:, i, j].sum(), etas, retain_graph=True)
            check_mean(squares[:, i, j].detach(), 1 / (2 * concentration + dim - 1))
            check_mean(gradient, -2 / (2 * concentration + dim - 1) ** 2)


@pytest.mark.parametrize("concentration", [1e-30, 1e-3, 1.0, 1e6, 1e30])
def test_lkj_at_the_edges(concentration):
    eta = torch.tensor(concentration, requires_grad=True)
    law = LKJCholesky(4, eta)
    draw = law.rsample((1000,), generator=generator(0))
    log_prob = law.log_prob(draw.detach())
    assert draw.isfinite().all()
    assert (draw.diagonal(dim1=-2, dim2=-1) > 0).all()
    torch.testing.assert_close(draw.square().sum(-1), torch.ones(1000, 4))
    assert (draw[:, 0] == torch.tensor([1.0, 0, 0, 0])).all()
    assert log_prob.isfinite().all()
    for total in (draw.sum(), log_prob.sum()):
        assert torch.autograd.grad(total, eta, retain_graph=True)[0].isfinite()
    for moment in (law.mean, law.variance, law.entropy()):
        assert moment.isfinite().all()


def test_lkj_density_of_large_concentrations_keeps_its_digits_in_float32():
    """torch's is off by a nat: it takes the logarithm of an L_ii that rounds to 1, and the difference of two of 1e7."""
    value = LKJCholesky(3, torch.tensor(1e6)).sample((20,), generator=generator(0))
    single = LKJCholesky(3, torch.tensor(1e6)).log_prob(value).double()
    exact = LKJCholesky(3, double(1e6), validate_args=False).log_prob(value.double())
    torch.testing.assert_close(single, exact, rtol=1e-5, atol=1e-3)


def test_lkj_moments_of_large_concentrations():
    """Each element below the diagonal is nearly normal with variance 1/(2η); what is left of 1 varies in 1/η²."""
    law = LKJCholesky(2, double(1e6))
    y = stats.beta(1e6, 0.5)
    np.testing.assert_allclose(law.variance[1, 0], 1 / (2e6 + 1))
    np.testing.assert_allclose(law.variance[1, 1], y.var() / 4, rtol=1e-4)
    assert LKJCholesky(2, double(0.9)).mode.isnan().all()
    assert torch.equal(LKJCholesky(2, double(2.0)).mode, torch.eye(2).double())


@pytest.mark.parametrize("dim", [1, 2.5, "3"])
def test_lkj_dimension(dim):
    with pytest.raises(ParameterError, match="dim must be a whole number >= 2; got"):
        LKJCholesky(dim, 1.0)
