"""Two draws, the second given the first: against the joint normal law, and row by row."""

import pytest
import torch
import torch.distributions as td

from reparam.checking import check_rsample
from reparam.distributions import (
    Chained,
    Exponential,
    Gamma,
    Independent,
    Laplace,
    Normal,
    Transformed,
    rsample_with_log_prob,
)
from reparam.errors import ParameterError
from reparam.noise import Antithetic, Sobol, generator
from reparam.vae import Conditional, DiagonalNormal

LOC = torch.tensor([0.7, -1.0], dtype=torch.float64)
SCALE = torch.tensor([1.3, 0.4], dtype=torch.float64)
MATRIX = torch.tensor([[1.2, 0.3], [0.5, -0.8], [-0.3, 0.2]], dtype=torch.float64)
SHIFT = torch.tensor([0.1, 2.0, -1.0], dtype=torch.float64)
WIDTH = torch.tensor([0.5, 0.2, 1.1], dtype=torch.float64)


def then(a, shift=SHIFT, matrix=MATRIX, width=WIDTH):
    assert a.dim() == 2
    loc = a @ matrix.mT + shift
    return Independent(Normal(loc, width.expand_as(loc)), 1)


def linear(loc=LOC, scale=SCALE, **options):
    return Chained(Independent(Normal(loc, scale), 1), then, sizes=(2, 3), **options)


def joint():
    """The joint normal law, from the blocks of its covariance."""
    first = (SCALE**2).diag()
    cross = MATRIX @ first
    covariance = torch.cat(
        [torch.cat([first, cross.mT], 1), torch.cat([cross, cross @ MATRIX.mT + (WIDTH**2).diag()], 1)]
    )
    return td.MultivariateNormal(torch.cat([LOC, MATRIX @ LOC + SHIFT]), covariance)


def test_two_linear_normal_laws_are_a_joint_normal_law():
    law, expected = linear(), joint()
    value = law.sample((2, 50), generator=generator(0))
    assert (law.batch_shape, law.event_shape, law.sizes) == ((), (5,), (2, 3))
    torch.testing.assert_close(law.log_prob(value), expected.log_prob(value), rtol=1e-12, atol=1e-12)
    # The map is linear: its value at 0 and its Jacobian say which normal law the draws have.
    at = torch.zeros(5, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(law.from_noise, at)
    torch.testing.assert_close(law.from_noise(at), expected.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(jacobian @ jacobian.mT, expected.covariance_matrix, rtol=1e-12, atol=1e-12)


def test_draws_by_a_generator_follow_the_density():
    draws, expected = linear().sample((50_000,), generator=generator(0)), joint()
    # Whitened by the exact law, means and second moments of n draws have standard errors 1/√n and at most √(2/n).
    white = torch.linalg.solve_triangular(expected.scale_tril, (draws - expected.mean).mT, upper=False)
    tolerance = 6 * (2 / draws.shape[0]) ** 0.5
    assert white.mean(1).abs().max() < tolerance
    assert (white @ white.mT / draws.shape[0] - torch.eye(5)).abs().max() < tolerance


def test_the_gradient_is_exact():
    noise = linear().noise((4,), generator=generator(0)).requires_grad_()
    value = linear().sample((4,), generator=generator(1))

    def law(loc, scale, shift, matrix, width):
        return Chained(Independent(Normal(loc, scale), 1), lambda a: then(a.sin(), shift, matrix, width), sizes=(2, 3))

    parameters = tuple(part.clone().requires_grad_() for part in (LOC, SCALE, SHIFT, MATRIX, WIDTH))
    assert torch.autograd.gradcheck(lambda noise, *given: law(*given).from_noise(noise), (noise, *parameters))
    assert torch.autograd.gradcheck(lambda *given: law(*given).log_prob(value), parameters)
    assert torch.autograd.gradcheck(
        lambda noise, *given: rsample_with_log_prob(law(*given), noise=noise), (noise, *parameters)
    )


@pytest.mark.parametrize("options", [{"generator": 0}, {"noise": Sobol(3)}, {"noise": Antithetic(3)}], ids=str)
def test_a_draw_with_its_density_is_the_draw_and_its_density(options):
    def given():
        return {name: generator(value) if name == "generator" else value for name, value in options.items()}

    draw, log_prob = rsample_with_log_prob(linear(), (8,), **given())
    assert torch.equal(draw, linear().rsample((8,), **given()))
    torch.testing.assert_close(log_prob, joint().log_prob(draw), rtol=1e-12, atol=1e-12)


def test_the_second_law_is_asked_once_for_a_draw_and_its_density():
    asked = []

    def counted(a):
        asked.append(a.shape)
        return then(a)

    law = Chained(Independent(Normal(LOC, SCALE), 1), counted, sizes=(2, 3))
    rsample_with_log_prob(law, (4,))
    assert asked == [(4, 2)]


def test_what_is_given_comes_along_row_by_row():
    """A batch with features of its own, drawn several times: the same as element by element."""
    loc = torch.stack([LOC, LOC + 1, LOC - 3])
    features = torch.stack([SHIFT, SHIFT * 2, SHIFT - 5])
    law = linear(loc, SCALE.expand(3, 2), given=[features])
    value = law.sample((4, 2), generator=generator(0))
    assert value.shape == (4, 2, 3, 5)
    singles = [linear(loc[index], SCALE, given=[features[index]]) for index in range(3)]
    expected = torch.stack([single.log_prob(value[:, :, index]) for index, single in enumerate(singles)], -1)
    torch.testing.assert_close(law.log_prob(value), expected, rtol=1e-12, atol=1e-12)
    noise = law.noise((4,), generator=generator(0))
    drawn = torch.stack([single.from_noise(noise[:, index]) for index, single in enumerate(singles)], 1)
    torch.testing.assert_close(law.from_noise(noise), drawn, rtol=1e-12, atol=1e-12)
    wider = law.expand((2, 3))
    torch.testing.assert_close(wider.log_prob(value), law.log_prob(value), rtol=1e-12, atol=1e-12)
    # One value for the whole batch.
    torch.testing.assert_close(law.log_prob(value[0, 0, 0]), law.log_prob(value[0, 0, 0].expand(3, 5)))


def test_classes_that_are_given_stay_classes():
    table = torch.stack([SHIFT, SHIFT + 1])
    loc = LOC.expand(4, 2)
    law = Chained(
        Independent(Normal(loc, SCALE), 1),
        lambda a, label: then(a, table[label]),
        sizes=(2, 3),
        given=[torch.tensor([0, 1, 1, 0])],
    )
    value = law.sample((2,))
    expected = linear().log_prob(value[:, 0])
    torch.testing.assert_close(law.log_prob(value)[:, 0], expected)


def test_the_two_parts_get_different_coordinates_of_a_source():
    law = linear()
    ours = law.rsample((16,), noise=Sobol(5))
    points = Sobol(5).standard_normal(torch.Size([16]), torch.Size([5]), like=LOC)
    assert torch.equal(ours, law.from_noise(points))
    mirrored = law.rsample((16,), noise=Antithetic(5))
    torch.testing.assert_close(mirrored[:8] + mirrored[8:], (2 * joint().mean).expand(8, 5))


def test_chains_of_chains():
    def last(ab):
        return Independent(Normal(ab.sum(-1, keepdim=True), torch.full_like(ab[:, :1], 0.3)), 1)

    law = Chained(linear(), last, sizes=(5, 1))
    value = law.rsample((7,), noise=Sobol(1))
    expected = joint().log_prob(value[:, :5]) + td.Normal(value[:, :5].sum(-1), 0.3).log_prob(value[:, 5])
    torch.testing.assert_close(law.log_prob(value), expected, rtol=1e-12, atol=1e-12)
    points = Sobol(1).standard_normal(torch.Size([7]), torch.Size([6]), like=LOC)
    assert torch.equal(value, law.from_noise(points))


def test_a_network_and_a_family_are_a_second_law():
    head = Conditional(torch.nn.Linear(2, 6), DiagonalNormal())
    law = Chained(Independent(Normal(torch.zeros(4, 2), torch.ones(4, 2)), 1), head, sizes=(2, 3))
    draw, log_prob = rsample_with_log_prob(law, (5,))
    assert (draw.shape, log_prob.shape) == ((5, 4, 5), (5, 4))
    log_prob.sum().backward()
    assert head.network.weight.grad.abs().sum() > 0


def test_support_is_that_of_both():
    law = Chained(Independent(Exponential(SCALE), 1), lambda a: Transformed(then(a), td.ExpTransform()), sizes=(2, 3))
    good = law.sample((3,))
    assert law.support.check(good).all()
    for index in (0, 4):
        bad = good.clone()
        bad[1, index] = -1
        assert law.support.check(bad).tolist() == [True, False, True]


def test_draws_without_noise_come_from_a_generator():
    first = Independent(Gamma(SCALE, SCALE), 1)
    law = Chained(first, lambda a: Independent(Gamma(a.exp(), torch.ones_like(a)), 1), sizes=(2, 2))
    draw, log_prob = rsample_with_log_prob(law, (3,), generator=generator(0))
    torch.testing.assert_close(log_prob, law.log_prob(draw))
    mixed = Chained(Independent(Normal(LOC, SCALE), 1), lambda a: Independent(Laplace(a, 1.0), 1), sizes=(2, 2))
    assert mixed.rsample((3,), generator=generator(0)).shape == (3, 4)
    with pytest.raises(ParameterError, match="a needs standard normal noise and b uniform"):
        mixed.rsample((4,), noise=Sobol(0))


def first(**changes):
    return {"first": Independent(Normal(LOC, SCALE), 1), "then": then, "sizes": (2, 3), **changes}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (first(first=td.Independent(td.Normal(LOC, SCALE), 1)), r"first must be a law of reparam\.distributions"),
        (first(sizes=(3, 3)), r"first must have the event shape \(3,\)"),
        (first(first=Normal(LOC, SCALE)), r"first must have the event shape \(2,\) .* got \(\)"),
        (
            first(first=Independent(Normal(LOC.expand(4, 2), SCALE), 1), given=[torch.zeros(3, 2)]),
            r"begin with the batch shape \(4,\)",
        ),
        (first(sizes=(2, 2)), r"batch shape \(1,\) and event shape \(2,\); got \(1,\) and \(3,\)"),
        (first(then=lambda a: Normal(a, 1.0)), r"got \(1, 2\) and \(\).*Independent\(law, 1\)"),
        (first(then=lambda a: a), r"what then\(a\) gives must be a law"),
        (first(then=lambda a: td.Normal(a, 1.0)), r"what then\(a\) gives must be a law"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        Chained(**arguments).rsample()


def test_the_instrument_says_what_it_needs():
    with pytest.raises(ParameterError, match=r"check_rsample\(lambda"):
        check_rsample(linear())
