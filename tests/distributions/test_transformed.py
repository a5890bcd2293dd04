"""A function of a draw: against closed forms, and the density of one's own draw without going back."""

import pytest
import torch
import torch.distributions as td
from torch.distributions import constraints

from reparam.checking import check_rsample
from reparam.distributions import (
    Bernoulli,
    Independent,
    LogNormal,
    MultivariateNormal,
    Normal,
    OneHotCategoricalStraightThrough,
    Transformed,
    rsample_with_log_prob,
)
from reparam.errors import ParameterError
from reparam.noise import Sobol, generator

LOC = torch.tensor([0.7, -1.0, 0.2], dtype=torch.float64)
SCALE = torch.tensor([1.3, 0.4, 0.9], dtype=torch.float64)
MATRIX = torch.tensor([[1.2, 0.0, 0.0], [0.5, -0.8, 0.0], [-0.3, 0.2, 1.5]], dtype=torch.float64)


class Affine(td.Transform):
    """``A·x + b`` with a triangular A; may refuse to go back."""

    domain = codomain = constraints.real_vector
    bijective = True

    def __init__(self, matrix, shift, one_way=False):
        super().__init__()
        self.matrix, self.shift, self.one_way = matrix, shift, one_way

    def _call(self, x):
        return x @ self.matrix.mT + self.shift

    def _inverse(self, y):
        assert not self.one_way, "asked to go back"
        rest = (y - self.shift).unsqueeze(-1)
        return torch.linalg.solve_triangular(self.matrix, rest, upper=False).squeeze(-1)

    def log_abs_det_jacobian(self, x, y):
        return self.matrix.diagonal().abs().log().sum().expand(x.shape[:-1])


def affine_law(**options):
    return Transformed(Independent(Normal(LOC, SCALE), 1), Affine(MATRIX, LOC.flip(0), **options))


def test_an_affine_function_of_a_normal_law_is_a_normal_law():
    law = affine_law()
    factor = MATRIX * SCALE
    expected = td.MultivariateNormal(MATRIX @ LOC + LOC.flip(0), factor @ factor.mT)
    value = law.sample((2, 50), generator=generator(0))
    torch.testing.assert_close(law.log_prob(value), expected.log_prob(value), rtol=1e-12, atol=1e-12)
    noise = law.noise((50,), generator=generator(0))
    torch.testing.assert_close(law.from_noise(noise), noise @ factor.mT + expected.mean, rtol=1e-12, atol=1e-12)


def test_the_exponential_of_a_normal_law_is_the_lognormal_law():
    law, expected = Transformed(Normal(LOC, SCALE), td.ExpTransform()), LogNormal(LOC, SCALE)
    value = expected.sample((50,), generator=generator(0))
    level = torch.tensor([[1e-30], [0.3], [1 - 1e-9]], dtype=torch.float64)
    for ours, theirs in (
        (law.log_prob(value), expected.log_prob(value)),
        (law.cdf(value), expected.cdf(value)),
        (law.icdf(level), expected.icdf(level)),
        (law.rsample((4,), noise=Sobol(1)), expected.rsample((4,), noise=Sobol(1))),
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert law.support is constraints.positive


def test_a_decreasing_function_turns_the_quantiles_round():
    law, expected = Transformed(Normal(LOC, SCALE), td.AffineTransform(0.0, -2.0)), Normal(-2 * LOC, 2 * SCALE)
    level = torch.tensor([[0.01], [0.3], [0.9]], dtype=torch.float64)
    torch.testing.assert_close(law.icdf(level), expected.icdf(level))
    torch.testing.assert_close(law.cdf(expected.icdf(level)), level.expand(3, 3))


def test_the_gradient_in_the_transform_is_exact():
    noise = affine_law().noise((4,), generator=generator(0)).requires_grad_()
    value = affine_law().sample((4,), generator=generator(1))

    def law(loc, scale, matrix, shift):
        return Transformed(Independent(Normal(loc, scale), 1), Affine(matrix.tril(), shift))

    parameters = tuple(part.clone().requires_grad_() for part in (LOC, SCALE, MATRIX, LOC))
    assert torch.autograd.gradcheck(lambda noise, *given: law(*given).from_noise(noise), (noise, *parameters))
    assert torch.autograd.gradcheck(lambda *given: law(*given).log_prob(value), parameters)
    assert torch.autograd.gradcheck(
        lambda noise, *given: rsample_with_log_prob(law(*given), noise=noise), (noise, *parameters)
    )


def test_the_density_of_its_own_draw_needs_no_way_back():
    one_way, both_ways = affine_law(one_way=True), affine_law()
    for options in ({"generator": generator(0)}, {"noise": Sobol(2)}):
        draw, log_prob = rsample_with_log_prob(one_way, (8,), **options)
        torch.testing.assert_close(log_prob, both_ways.log_prob(draw), rtol=1e-12, atol=1e-12)
    assert torch.equal(draw, both_ways.rsample((8,), noise=Sobol(2)))
    with pytest.raises(AssertionError, match="asked to go back"):
        one_way.log_prob(draw)
    # A function of a function of a draw, and many as one.
    twice = Transformed(affine_law(one_way=True), Affine(MATRIX, LOC, one_way=True))
    draw, log_prob = rsample_with_log_prob(Independent(twice.expand((2, 3)), 1), (5,), generator=generator(0))
    assert draw.shape == (5, 2, 3, 3)
    reference = Independent(Transformed(affine_law(), Affine(MATRIX, LOC)).expand((2, 3)), 1)
    torch.testing.assert_close(log_prob, reference.log_prob(draw), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "law", [Normal(LOC, SCALE), td.Normal(LOC, SCALE), MultivariateNormal(LOC, scale_tril=SCALE.diag())]
)
def test_other_laws_are_asked_for_the_density_of_the_draw(law):
    draw, log_prob = rsample_with_log_prob(law, (6,))
    assert draw.shape == (6, 3)
    assert torch.equal(log_prob, law.log_prob(draw))


def test_a_law_of_another_package_takes_no_generator():
    for options in ({"generator": generator(0)}, {"noise": Sobol(0)}):
        with pytest.raises(ParameterError, match=r"torch\.distributions\.normal\.Normal takes no"):
            rsample_with_log_prob(td.Normal(0.0, 1.0), **options)


def test_a_transform_couples_what_the_base_does_not():
    base = Normal(LOC.expand(5, 3), SCALE)
    law = Transformed(base, Affine(MATRIX, LOC))
    assert (law.batch_shape, law.event_shape) == ((5,), (3,))
    value = law.sample((2,), generator=generator(0))
    expected = Transformed(Independent(base, 1), Affine(MATRIX, LOC)).log_prob(value)
    assert torch.equal(law.log_prob(value), expected)
    assert law.expand((2, 5)).rsample((4,)).shape == (4, 2, 5, 3)


def test_an_elementwise_transform_of_a_vector_sums_its_slopes():
    law = Transformed(Independent(Normal(LOC, SCALE), 1), td.ExpTransform())
    value = law.sample((4,), generator=generator(0))
    torch.testing.assert_close(law.log_prob(value), LogNormal(LOC, SCALE).log_prob(value).sum(-1))
    draw, log_prob = rsample_with_log_prob(law, (4,), generator=generator(0))
    torch.testing.assert_close(log_prob, law.log_prob(draw))


def test_events_may_change_their_shape():
    law = Transformed(Independent(Normal(LOC, SCALE), 1), td.StickBreakingTransform())
    draw, log_prob = rsample_with_log_prob(law, (4,), generator=generator(0))
    assert draw.shape == (4, 4)
    assert law.support is constraints.simplex
    torch.testing.assert_close(log_prob, law.log_prob(draw))


def test_values_off_the_range_are_refused_where_arguments_are_validated():
    with pytest.raises(ValueError, match="within the support"):
        Transformed(Normal(0.0, 1.0), td.ExpTransform(), validate_args=True).log_prob(torch.tensor(-1.0))
    unchecked = Transformed(Normal(0.0, 1.0, validate_args=False), td.ExpTransform(), validate_args=False)
    assert unchecked.log_prob(torch.tensor(-1.0)).isnan()


def test_the_instrument_takes_it_apart():
    stretched = td.AffineTransform(torch.tensor(0.5), torch.tensor(2.0))
    report = check_rsample(Transformed(Normal(torch.tensor([0.3, 1.0]), 0.7), stretched), num_draws=20_000)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("base", "transform", "message"),
    [
        (td.Normal(0.0, 1.0), td.ExpTransform(), r"must be a law of reparam\.distributions"),
        (Bernoulli(0.3), td.ExpTransform(), "Bernoulli is not such a law"),
        (OneHotCategoricalStraightThrough(logits=LOC), td.ExpTransform(), "StraightThrough is not such a law"),
        (Normal(0.0, 1.0), torch.exp, "transform must be a torch.distributions.transforms.Transform"),
        (Normal(0.0, 1.0), Affine(MATRIX, LOC), r"takes events of 1 dimension.*only shape \(\)"),
        (MultivariateNormal(LOC.half(), scale_tril=SCALE.diag().half()), td.ExpTransform(), "give them in float32"),
    ],
)
def test_what_does_not_go_together_is_refused(base, transform, message):
    with pytest.raises(ParameterError, match=message):
        Transformed(base, transform)
