"""Mixtures: both gradients against closed forms, near and far apart; what has no path says so."""

import math
import warnings

import pytest
import torch
import torch.distributions as td

from reparam.distributions import Independent, Logistic, MixtureSameFamily, Normal
from reparam.distributions.mixture_separation import widest_gap
from reparam.errors import ParameterError, SeparatedModesWarning
from reparam.noise import generator, standard_normal
from tests.statistical.instruments import check_mean

LOGITS = torch.tensor([0.3, -0.5, 0.9], dtype=torch.float64)
MEANS = torch.tensor([[-1.0, 0.4], [0.7, 1.9], [2.0, -0.3]], dtype=torch.float64)
WIDTHS = torch.tensor([[0.6, 1.1], [1.3, 0.7], [0.8, 1.4]], dtype=torch.float64)
FACTORS = torch.diag_embed(WIDTHS) + torch.tensor([[[0.0, 0.0], [c, 0.0]] for c in (0.8, -0.5, 0.3)]).double()


def mixture(logits, component, **options):
    return MixtureSameFamily(td.Categorical(logits=logits), component, **options)


def line(logits, loc, scale, **options):
    return mixture(logits, Normal(loc, scale), **options)


def diagonal(logits, loc, scale, **options):
    return mixture(logits, Independent(Normal(loc, scale), 1), **options)


def full(logits, loc, factor, **options):
    return mixture(logits, td.MultivariateNormal(loc, scale_tril=factor), **options)


def each(count, *parameters):
    """The parameters once for each draw, so that every draw has a gradient of its own."""
    return tuple(value.expand(count, *value.shape).clone().requires_grad_() for value in parameters)


def draws_of(law, count=(), seed=0):
    return law.rsample(count, noise=law.noise(count, generator=generator(seed)))


def gradients(value, parameters):
    return torch.cat([grad.flatten(1) for grad in torch.autograd.grad(value.sum(), parameters, retain_graph=True)], 1)


def truth(expectation, *parameters):
    parameters = each(1, *parameters)
    return gradients(expectation(*parameters), parameters)[0]


vectors = pytest.mark.parametrize(
    ("make", "widths", "factor_of"),
    [(diagonal, WIDTHS, torch.diag_embed), (full, FACTORS, torch.tril)],
    ids=["diagonal", "full"],
)


# --- the implicit gradient ---


@vectors
@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.0, -1.0), (0.0, 3.0)])
def test_gradient_of_a_quadratic_wherever_the_origin_is(make, widths, factor_of, shift):
    """E (y-c)' A (y-c) in closed form; Pyro's MixtureOfDiagNormals is wrong unless c suits it."""
    matrix = torch.tensor([[1.0, 0.4], [0.4, -0.3]], dtype=torch.float64)
    shift = torch.tensor(shift, dtype=torch.float64)

    def quadratic(value):
        return ((value @ matrix) * value).sum(-1)

    def expectation(logits, loc, width):
        factor = factor_of(width)
        of_component = quadratic(loc - shift) + ((factor @ factor.mT) * matrix).sum((-1, -2))
        return (logits.softmax(-1) * of_component).sum(-1)

    parameters = each(20_000, LOGITS, MEANS, widths)
    seen = gradients(quadratic(draws_of(make(*parameters)) - shift), parameters)
    check_mean(seen, truth(expectation, LOGITS, MEANS, widths).detach())


@vectors
def test_draws_and_velocities_obey_the_continuity_equation(make, widths, factor_of):
    """Weakly: the derivative of E cos(w·y + b) is right for random w and b."""
    parameters = each(20_000, LOGITS, MEANS, widths)
    drawn = draws_of(make(*parameters), seed=1)
    random = standard_normal((4, 3), like=LOGITS, generator=generator(2))
    for frequency, phase in zip(random[:, :2], random[:, 2], strict=True):

        def expectation(logits, loc, width, frequency=frequency, phase=phase):
            variance = ((frequency @ factor_of(width)) ** 2).sum(-1)
            return (logits.softmax(-1) * torch.exp(-variance / 2) * torch.cos(loc @ frequency + phase)).sum(-1)

        value = torch.cos(drawn @ frequency + phase)
        check_mean(gradients(value, parameters), truth(expectation, LOGITS, MEANS, widths).detach())


@vectors
def test_moving_everything_moves_the_draws_and_no_velocity(make, widths, factor_of):
    shift = torch.tensor([3.0, -70.0], dtype=torch.float64)
    jacobians = []
    for move in (torch.zeros_like(shift), shift):
        levels = make(LOGITS, MEANS, widths).noise((5,), generator=generator(0))

        def draw(*parameters, levels=levels, move=move):
            logits, loc, width = parameters
            return make(logits, loc + move, width, validate_args=False).from_noise(levels) - move

        jacobians.append((draw(LOGITS, MEANS, widths), *torch.func.jacrev(draw, (0, 1, 2))(LOGITS, MEANS, widths)))
    for here, there in zip(*jacobians, strict=True):
        torch.testing.assert_close(here, there, rtol=1e-6, atol=1e-9)


def test_turning_everything_turns_the_gradient():
    """The path takes the coordinates in order and depends on the axes; its expectation does not."""
    angle = torch.tensor(0.7, dtype=torch.float64)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    parameters = each(20_000, LOGITS, MEANS, FACTORS)
    logits, loc, factor = parameters
    covariance = turn @ factor @ factor.mT @ turn.mT
    turned = full(logits, loc @ turn.mT, torch.linalg.cholesky(covariance))
    seen = gradients((draws_of(turned) @ turn)[..., 0].sin(), parameters)
    straight = gradients(draws_of(full(*parameters), seed=1)[..., 0].sin(), parameters)
    check_mean(seen - straight, torch.zeros(seen.shape[1:]))


@pytest.mark.parametrize("kind", [Logistic, td.Laplace, td.LogNormal, td.Gumbel])
def test_gradient_agrees_with_the_score_function(kind):
    parameters = each(20_000, LOGITS, MEANS[:, 0], WIDTHS[:, 0] / 2)
    logits, loc, scale = parameters
    law = mixture(logits, kind(loc, scale))
    torch.manual_seed(0)
    drawn = law.rsample()
    pathwise = gradients(drawn.tanh(), parameters)
    fixed = drawn.detach()
    score = gradients((fixed.tanh() - fixed.tanh().mean()) * law.log_prob(fixed), parameters)
    check_mean(pathwise - score, torch.zeros(9))


@vectors
def test_a_draw_moves_as_the_quantile_of_its_level_to_second_order(make, widths, factor_of):
    """The draws' own path, against the map from noise, which the contract checks by finite differences."""
    levels = make(LOGITS, MEANS, widths).noise((6,), generator=generator(0))
    fixed = make(LOGITS, MEANS, widths).from_noise(levels)

    def loss(draw):
        return lambda *parameters: (draw(make(*parameters, validate_args=False)) ** 3).sum()

    for derivative in (torch.func.grad, torch.func.hessian):
        moved = derivative(loss(lambda law: law._move(fixed)), (0, 1, 2))(LOGITS, MEANS, widths)
        exact = derivative(loss(lambda law: law.from_noise(levels)), (0, 1, 2))(LOGITS, MEANS, widths)
        torch.testing.assert_close(moved, exact, rtol=1e-6, atol=1e-6)


def test_second_derivatives_in_expectation():
    """∂²E[y³] in the logits and means of normals, in closed form."""
    parameters = each(20_000, LOGITS, MEANS[:, 0], WIDTHS[:, 0])
    direction = torch.tensor([1.0, -0.5, 0.3], dtype=torch.float64)

    def second(value, parameters):
        logits, loc, _ = parameters
        first = torch.autograd.grad(value.sum(), (logits, loc), create_graph=True)
        return gradients(((first[0] + first[1]) * direction).sum(-1), (logits, loc))

    def expectation(logits, loc, scale):
        return (logits.softmax(-1) * (loc**3 + 3 * loc * scale**2)).sum(-1)

    point = each(1, LOGITS, MEANS[:, 0], WIDTHS[:, 0])
    seen = second(line(*parameters).rsample(generator=generator(0)) ** 3, parameters)
    check_mean(seen, second(expectation(*point), point)[0])


def test_equal_components_have_no_logits_gradient_and_no_nan():
    """Pyro's gives NaN."""
    logits, loc, scale = (value.clone().requires_grad_() for value in (LOGITS, MEANS[:1].expand(3, 2), WIDTHS[:1]))
    drawn = diagonal(logits, loc, scale.expand(3, 2)).rsample((50,), generator=generator(0))
    for_logits, for_loc = torch.autograd.grad(drawn.sum(), (logits, loc))
    torch.testing.assert_close(for_logits, torch.zeros_like(for_logits), rtol=0, atol=1e-12)
    torch.testing.assert_close(for_loc.sum(0), torch.full((2,), 50.0, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_extreme_scales_and_gaps(dtype, scale):
    logits = torch.tensor([0.0, 40.0, -5.0], dtype=dtype, requires_grad=True)
    loc = (scale * torch.tensor([-1e3, 0.0, 1e5], dtype=dtype)).requires_grad_()
    width = (scale * torch.tensor([1.0, 1e-3, 10.0], dtype=dtype)).requires_grad_()
    law = line(logits, loc, width, estimator="implicit")
    grads = torch.autograd.grad(law.rsample((2000,), generator=generator(0)).sum(), (logits, loc, width))
    assert all(grad.isfinite().all() for grad in grads)
    assert grads[1].sum().item() == pytest.approx(2000, rel=1e-3)  # all means moved together move every draw


def test_points_where_every_component_underflows_have_finite_gradients():
    logits, loc = torch.zeros(2, requires_grad=True), torch.tensor([-1.0, 1.0], requires_grad=True)
    moved = line(logits, loc, torch.ones(2))._move(torch.tensor([-1e4, 30.0, 1e30]))
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(moved.sum(), (logits, loc)))


def test_upper_tail_has_the_digits_of_the_lower_one():
    """A rare component on the right, float32: 1 - F is 1e-6, of which F itself keeps one digit."""
    jacobians = []
    for sign in (-1.0, 1.0):

        def draw(logits, sign=sign):
            law = line(logits, sign * torch.tensor([0.0, 10.0]), torch.ones(2), validate_args=False)
            return sign * law._move(sign * torch.tensor([9.0, 10.0, 11.0]))

        jacobians.append(torch.func.jacrev(draw)(torch.tensor([14.0, 0.0])))
    torch.testing.assert_close(jacobians[0], jacobians[1], rtol=1e-5, atol=1e-6)


# --- far apart ---


def far(separation, estimator, count=4000):
    parameters = each(count, LOGITS[:2], torch.tensor([0.0, separation]).double(), torch.ones(2).double())
    law = line(*parameters, estimator=estimator)
    drawn, weights = law.rsample_weighted(generator=generator(0))
    return gradients((weights * drawn**2).sum(0), parameters)


@pytest.mark.parametrize("separation", [1.0, 3.0, 6.0, 10.0, 40.0])
def test_stratified_gradient_is_right_and_its_variance_bounded_at_any_separation(separation):
    def expectation(logits, loc, scale):
        return (logits.softmax(-1) * (loc**2 + scale**2)).sum(-1)

    seen = far(separation, "stratified")
    point = LOGITS[:2], torch.tensor([0.0, separation]).double(), torch.ones(2).double()
    check_mean(seen, truth(expectation, *point).detach())
    # The gradient itself grows as s², so one draw is worth more the farther the modes are apart.
    relative = seen.var(0)[:2].sqrt() / truth(expectation, *point)[:2].abs()
    assert (relative < 4 / separation).all()


def test_implicit_variance_explodes():
    variance = {separation: far(separation, "implicit").var(0)[0] for separation in (2.0, 4.0, 6.0)}
    assert variance[2.0] < 2
    assert variance[4.0] > 10
    assert variance[6.0] > 200
    assert far(6.0, "stratified").var(0)[0] < 12


@vectors
def test_stratified_gradient_of_vectors_far_apart(make, widths, factor_of):
    parameters = each(5000, LOGITS, 20 * MEANS, widths)
    torch.manual_seed(0)
    drawn, weights = make(*parameters, estimator="stratified").rsample_weighted()

    def expectation(logits, loc, width):
        second_moment = loc**2 + (factor_of(width) ** 2).sum(-1)
        return (logits.softmax(-1) * second_moment.sum(-1)).sum(-1)

    seen = gradients((weights * drawn.square().sum(-1)).sum(0), parameters)
    check_mean(seen, truth(expectation, LOGITS, 20 * MEANS, widths).detach())


def test_stratified_derivatives_of_higher_order():
    logits = LOGITS.clone().requires_grad_()
    drawn, weights = line(logits, 20 * MEANS[:, 0], WIDTHS[:, 0]).rsample_weighted((50,), generator=generator(0))
    value = (weights * drawn).sum(0).mean()
    for _ in range(3):
        value = torch.autograd.grad(value, logits, create_graph=True)[0].square().sum()
    assert value.isfinite()
    assert value > 0


@pytest.mark.parametrize(("estimator", "strata"), [("implicit", 1), ("stratified", 3)])
def test_shapes_of_weighted_draws(estimator, strata):
    law = diagonal(LOGITS, MEANS.expand(4, 3, 2), WIDTHS, estimator=estimator)
    assert law.batch_shape == (4,)
    for sample_shape in ((), (5,), (5, 6)):
        drawn, weights = law.rsample_weighted(sample_shape, generator=generator(0))
        assert drawn.shape == (strata, *sample_shape, 4, 2)
        assert weights.shape == (strata, *sample_shape, 4)
        torch.testing.assert_close(weights.sum(0), torch.ones((*sample_shape, 4), dtype=torch.float64))


def test_the_choice_follows_the_separation_and_can_be_set():
    near, apart = torch.tensor([0.0, 3.0]), torch.tensor([0.0, 10.0])
    for loc, chosen in ((near, "implicit"), (apart, "stratified"), (torch.stack([near, apart]), "stratified")):
        law = line(torch.zeros(2), loc, torch.ones(2))
        assert law.estimator == chosen
        torch.testing.assert_close(law.separation, loc[..., 1])
        for set_one in ("implicit", "stratified"):
            law = line(torch.zeros(2), loc, torch.ones(2), estimator=set_one)
            assert law.estimator == law.expand((3, *law.batch_shape)).estimator == set_one
    with pytest.raises(ParameterError, match="estimator must be 'implicit', 'stratified' or None; got 'best'"):
        line(torch.zeros(2), near, torch.ones(2), estimator="best")


def test_separation_counts_the_widest_step_that_cannot_be_avoided():
    row = torch.tensor([0.0, 3.0, 5.0, 11.0])
    assert widest_gap((row[:, None] - row).abs()) == 6
    law = full(torch.zeros(2), torch.tensor([[0.0, 0.0], [1.0, -1.0]]), torch.tensor([[[1.0, 0.0], [0.995, 0.1]]] * 2))
    # Across the long axis of both, which the variances alone do not know.
    covariance = law.component_distribution.covariance_matrix[0].double()
    gap = torch.tensor([1.0, -1.0], dtype=torch.float64)
    assert law.separation.item() == pytest.approx((gap @ torch.linalg.solve(covariance, gap)).sqrt().item(), rel=1e-3)


def test_rsample_warns_only_when_the_weights_want_a_gradient_that_is_not_there():
    logits, loc = torch.zeros(2, requires_grad=True), torch.tensor([0.0, 10.0], requires_grad=True)
    for estimator in (None, "stratified"):
        law = line(logits, loc, torch.ones(2), estimator=estimator)
        with pytest.warns(SeparatedModesWarning, match="rsample_weighted"):
            law.rsample((3,))
        with pytest.warns(SeparatedModesWarning, match="hardly ever come"):
            law.rsample((3,), noise=law.noise((3,)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line(logits, loc, torch.ones(2), estimator="implicit").rsample()
        line(logits.detach(), loc, torch.ones(2)).rsample()
        line(logits, loc, 3 * torch.ones(2)).rsample()
        law.sample()
        law.rsample_weighted()
        mixture(logits, Normal(loc, 1.0), validate_args=False).rsample()


@pytest.fixture
def default_validation():
    """torch.compile switches validation off for the whole process; put it back."""
    before = td.Distribution._validate_args
    yield
    td.Distribution.set_default_validate_args(before)


@pytest.mark.parametrize("gap", [1.0, 20.0])
def test_weighted_draws_under_vmap_and_compile(gap, default_validation):
    loc = gap * torch.arange(3.0)

    def expectation(logits):
        weights = td.Categorical(logits=logits, validate_args=False)
        drawn, weights = MixtureSameFamily(weights, Normal(loc, torch.ones(3))).rsample_weighted((4,))
        return (weights * drawn).sum(0).mean()

    for_each = torch.vmap(torch.func.grad(expectation), randomness="different")(torch.zeros(2, 3))
    assert for_each.shape == (2, 3)
    assert for_each.isfinite().all()
    compiled = torch.compile(expectation, backend="aot_eager", fullgraph=True)
    logits = torch.zeros(3, requires_grad=True)
    assert torch.autograd.grad(compiled(logits), logits)[0].isfinite().all()


# --- what goes in ---


def test_components_without_a_path_say_so():
    counts = mixture(torch.zeros(2, requires_grad=True), td.Poisson(torch.tensor([1.0, 20.0])))
    tails = mixture(torch.zeros(2, requires_grad=True), td.StudentT(torch.tensor([3.0, 4.0])))
    gamma = mixture(torch.zeros(2, requires_grad=True), td.Gamma(torch.tensor([3.0, 4.0]), 1.0))
    for law in (counts, tails, gamma):
        assert not law.has_rsample
        assert law.sample((5,)).shape == (5,)
        assert law.log_prob(law.sample((5,))).isfinite().all()
        with pytest.raises(NotImplementedError, match=r"no rsample for components .*rsample_weighted"):
            law.rsample()
        with pytest.raises(NotImplementedError, match="no map from noise"):
            law.from_noise(torch.tensor(0.5))
    assert gamma.rsample_weighted((5,))[0].requires_grad is False
    assert gamma.estimator == "stratified"
    with pytest.raises(NotImplementedError):
        counts.rsample_weighted()


def test_mixture_of_mixtures():
    inner = line(torch.zeros(2, 3), MEANS[:2, :1].float() + torch.arange(3.0), torch.ones(3))
    logits = torch.zeros(2, requires_grad=True)
    law = mixture(logits, inner)
    assert not law.has_rsample
    assert law.log_prob(law.sample((5,), generator=generator(0))).shape == (5,)
    drawn, weights = law.rsample_weighted((5,), generator=generator(0))
    assert torch.autograd.grad((weights * drawn).sum(), logits)[0].isfinite().all()


def test_components_of_torch_take_no_generator():
    law = mixture(torch.zeros(2), td.Normal(torch.zeros(2), 1.0))
    assert law.has_rsample
    assert law.rsample((3,)).shape == (3,)
    with pytest.raises(ParameterError, match=r"normal\.Normal take no generator="):
        law.rsample((3,), generator=generator(0))
    with pytest.raises(NotImplementedError, match="no map from noise"):
        law.icdf(torch.tensor(0.5))


def test_parts_that_do_not_fit_are_refused():
    weights = td.Categorical(logits=torch.zeros(3))
    with pytest.raises(ParameterError, match="3 weights for 2 components"):
        MixtureSameFamily(weights, Normal(torch.zeros(2), 1.0))
    with pytest.raises(ParameterError, match=r"must be a torch\.distributions\.Categorical"):
        MixtureSameFamily(torch.zeros(3), Normal(torch.zeros(3), 1.0))
    with pytest.raises(ParameterError, match="last batch dimension"):
        MixtureSameFamily(weights, Normal(0.0, 1.0))
    with pytest.raises(ParameterError, match="do not broadcast"):
        MixtureSameFamily(td.Categorical(logits=torch.zeros(5, 3)), Normal(torch.zeros(4, 3), 1.0))


def test_batch_shapes_broadcast_and_gradients_reach_what_made_the_parameters():
    source = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    law = line(source[None].expand(4, 1, 3), MEANS[:, 0] + source.exp(), WIDTHS[:, 0].expand(5, 3))
    assert law.batch_shape == (4, 5)
    drawn = law.rsample((6,), generator=generator(0))
    assert drawn.shape == (6, 4, 5)
    assert law.expand((7, 4, 5)).sample().shape == (7, 4, 5)
    drawn.sum().backward()
    assert source.grad.isfinite().all()
    assert (source.grad != 0).all()


def test_weights_given_as_probabilities_are_not_rounded():
    """torch's logits stop at log(1e-7) in float32."""
    probs = torch.tensor([0.0, 1e-30, 1.0], requires_grad=True)
    law = MixtureSameFamily(td.Categorical(probs=probs), Normal(torch.tensor([5.0, 10.0, 0.0]), 1.0))
    assert law.log_prob(torch.tensor(30.0)).item() == pytest.approx(
        torch.logsumexp(torch.tensor([-30 * math.log(10) - 200, -450.0]), 0).item() - math.log(2 * math.pi) / 2
    )
    drawn = line(law._log_weights, torch.tensor([5.0, 10.0, 0.0]), torch.ones(3), estimator="implicit").rsample((50,))
    assert torch.autograd.grad(drawn.sum(), probs)[0].isfinite().all()


def test_density_is_torchs_where_torchs_is_right():
    ours, theirs = (
        full(LOGITS, MEANS, FACTORS),
        td.MixtureSameFamily(td.Categorical(logits=LOGITS), td.MultivariateNormal(MEANS, scale_tril=FACTORS)),
    )
    value = theirs.sample((10,))
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.variance, theirs.variance)


def test_a_value_in_the_support_of_one_component_is_in_the_support():
    law = mixture(torch.zeros(2), td.Uniform(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0])))
    torch.testing.assert_close(law.log_prob(torch.tensor([0.5, 2.5])), torch.full((2,), math.log(0.5)))
    with pytest.raises(ValueError, match="support"):
        law.log_prob(torch.tensor(1.5))
