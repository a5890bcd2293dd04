"""What every law promises, over the registry in ``rows/``."""

import contextlib
import inspect
import re

import numpy as np
import pytest
import torch
import torch.distributions as td

from reparam import distributions
from reparam.distributions import HypersphericalUniform, Independent, Law, Unreparameterized
from reparam.errors import ParameterError
from reparam.noise import Antithetic, Sobol, generator
from tests.contracts.laws import (
    DISCRETE,
    JUMPING,
    PATHWISE,
    REPARAMETERIZED,
    ROWS,
    UNBIASED,
    UNIVARIATE,
    WITH_DENSITY,
    WITH_NOISE,
)
from tests.statistical.instruments import check_continuous, check_discrete, check_mean

every_law = pytest.mark.parametrize("row", ROWS, ids=str)
with_density = pytest.mark.parametrize("row", WITH_DENSITY, ids=str)
reparameterized = pytest.mark.parametrize("row", REPARAMETERIZED, ids=str)
with_noise = pytest.mark.parametrize("row", WITH_NOISE, ids=str)
unbiased = pytest.mark.parametrize("row", UNBIASED, ids=str)
pathwise = pytest.mark.parametrize("row", PATHWISE, ids=str)
univariate = pytest.mark.parametrize("row", UNIVARIATE, ids=str)
jumping = pytest.mark.parametrize("row", JUMPING, ids=str)
discrete = pytest.mark.parametrize("row", DISCRETE, ids=str)
# torch warns of itself when it compiles a function with a gradient of its own.
own_gradient = pytest.mark.filterwarnings("ignore:.*Function'> should not be instantiated:DeprecationWarning")
HALVES = [torch.float16, torch.bfloat16]


@pytest.fixture
def default_validation():
    """torch.compile switches validation off for the whole process; put it back. It also counts recompilations."""
    before = td.Distribution._validate_args
    torch.compiler.reset()
    yield
    td.Distribution.set_default_validate_args(before)


def test_every_public_law_has_a_row():
    public = {getattr(distributions, name) for name in distributions.__all__}
    laws = {entry for entry in public if issubclass(entry, Law) and not inspect.isabstract(entry)}
    # There is nothing to vary in a law without parameters.
    assert laws - {Unreparameterized, HypersphericalUniform} == {type(row.law()) for row in ROWS}


# --- every law ---


@every_law
def test_shapes(row):
    law = row.law()
    assert law.batch_shape == (2,)
    for sample_shape, expected in (((), (2,)), (3, (3, 2)), ((4, 3), (4, 3, 2)), ([5], (5, 2)), (0, (0, 2))):
        assert law.sample(sample_shape).shape == expected + law.event_shape
        if row.has_density:
            assert law.log_prob(law.sample(sample_shape)).shape == expected
    assert law.expand((7, 2)).sample((3,)).shape == (3, 7, 2, *law.event_shape)


@every_law
@pytest.mark.parametrize("bad", [True, -1, 2.5, "3", (2, -1), (True,), None, torch.tensor(3)], ids=repr)
def test_bad_sample_shapes_are_refused(row, bad):
    with pytest.raises(ParameterError, match="sample_shape must be a whole number >= 0"):
        row.law().sample(bad)


@every_law
def test_draws_follow_the_generator_and_leave_the_global_one_alone(row):
    law, before = row.law(), torch.get_rng_state()
    first, again = (law.sample((50,), generator=generator(0)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, law.sample((50,), generator=generator(1)))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    first = law.sample((50,))
    torch.manual_seed(5)
    assert torch.equal(first, law.sample((50,)))


@every_law
def test_seed_instead_of_generator_is_refused(row):
    with pytest.raises(ParameterError, match=r"reparam\.noise\.generator\(seed\)"):
        row.law().sample(generator=0)


@every_law
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALVES])
def test_dtype_is_kept_and_half_computed_in_float32(row, dtype):
    law = row.law(dtype)
    value = law.sample((1000,), generator=generator(0))
    assert value.dtype in (dtype, torch.int64)  # classes are counted
    with contextlib.suppress(NotImplementedError):  # not every mean has a closed form
        assert law.mean.dtype == dtype
    if not row.has_density:
        return
    assert law.log_prob(value).dtype == dtype
    precise = row.make(**{name: tensor.double() for name, tensor in row.tensors(dtype).items()}, validate_args=False)
    eps = 2 * torch.finfo(dtype).eps
    expected = precise.log_prob(value.double())
    torch.testing.assert_close(law.log_prob(value).double(), expected, rtol=max(eps, 2e-6), atol=max(eps, 2e-6))


@every_law
def test_sample_carries_no_gradient(row):
    assert not row.make(**row.tensors(requires_grad=True)).sample((2,)).requires_grad


@with_density
def test_log_prob_gradients(row):
    tensors = row.tensors(requires_grad=True)
    value = row.law().sample((3,), generator=generator(0))

    def log_prob(*parameters):
        return row.make(**dict(zip(tensors, parameters, strict=True)), validate_args=False).log_prob(value)

    assert torch.autograd.gradcheck(log_prob, tuple(tensors.values()))
    assert torch.autograd.gradgradcheck(log_prob, tuple(tensors.values()))


@every_law
def test_moments_and_the_mean(row):
    draws, law = row.law().sample((100_000,), generator=generator(0)), row.law()
    try:
        known = law.variance.isfinite().all()
    except NotImplementedError:
        known = False
    if known and not row.circular:
        check_mean(draws, law.mean)
        check_mean((draws - law.mean) ** 2, law.variance)


@every_law
def test_torch_wrappers(row):
    law = row.law()
    for independent in (Independent(law, 1), td.Independent(law, 1)):
        assert independent.event_shape == (2, *law.event_shape)
        value = independent.sample((3,))
        if row.has_density:
            torch.testing.assert_close(independent.log_prob(value), law.log_prob(value).sum(-1))
    expanded = Independent(law, 1).expand((5,))
    assert isinstance(expanded, Independent)
    assert expanded.sample((3,), generator=generator(0)).shape == (3, 5, 2, *law.event_shape)
    assert type(law.expand((4, 2))) is type(law)


@every_law
def test_the_validation_switch(row, default_validation):
    bad = {name: torch.full_like(value, torch.nan) for name, value in row.tensors().items()}
    row.make(**bad, validate_args=False)
    with pytest.raises(ParameterError, match="nan"):
        row.make(**bad)
    td.Distribution.set_default_validate_args(False)
    row.make(**bad)
    with pytest.raises(ParameterError, match="nan"):
        row.make(**bad, validate_args=True)


@every_law
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_bad_parameters_are_named_with_value_count_and_place(row, bad):
    for name in set(row.parameters) - set(row.infinite if bad in (torch.inf, -torch.inf) else ()):
        tensors = {key: torch.stack([value] * 3) for key, value in row.tensors().items()}
        tensors[name][1:, 1] = bad
        if isinstance(row.law(), td.MixtureSameFamily):
            # It passes on what its parts say: nan for logits that torch normalized, an index with the component.
            message = rf"{name} must be .* got (nan|{bad:g}) at index \(1, 1.*\) \(.* values are wrong\)\. Look for"
        else:
            # A parameter of one draw is one value, unless each of its elements has a meaning of its own.
            elements = tensors[name].shape[
                2 : tensors[name].dim() - row.law().arg_constraints.get(name, td.constraints.real).event_dim
            ]
            place, count = re.escape(str((1, 1, *(0 for _ in elements)))), elements.numel()
            found = rf"\({2 * count} of {6 * count} values are wrong\)"
            message = rf"{name} must be .* got {bad:g} at index {place} {found}\. Look for"
        with pytest.raises(ParameterError, match=message):
            row.make(**tensors)


@every_law
def test_integer_tensors_are_refused(row):
    with pytest.raises(ParameterError, match=r"must be floating point; got a tensor of torch\.int64\. Use .*float"):
        row.make(**{name: value.long() for name, value in row.tensors().items()})


@every_law
def test_numbers_take_the_default_dtype(row):
    if any(value.dim() > 1 for value in row.tensors().values()):
        return  # vectors and matrices are no numbers
    law = row.make(**{name: values[0] for name, values in row.parameters.items()})
    assert law.batch_shape == ()
    assert law.sample((3,)).dtype == torch.get_default_dtype()
    assert law.sample((3,)).shape == (3, *law.event_shape)


@every_law
def test_empty_batch(row):
    law = row.make(**{name: value[:0] for name, value in row.tensors().items()})
    assert law.sample((3,)).shape == (3, 0, *law.event_shape)
    if row.has_density:
        assert law.log_prob(law.sample((3,))).shape == (3, 0)


@with_density
def test_vmap_over_parameters(row):
    tensors, value = row.tensors(), row.law().sample(generator=generator(0))

    def log_prob(value, *parameters):
        return row.make(**dict(zip(tensors, parameters, strict=True)), validate_args=False).log_prob(value)

    torch.testing.assert_close(torch.vmap(log_prob)(value, *tensors.values()), row.law().log_prob(value))


# --- laws with a pathwise gradient ---


@pathwise
def test_rsample_is_from_noise_of_noise(row):
    law = row.law()
    noise = law.noise((3,), generator=generator(0))
    assert torch.equal(law.rsample((3,), generator=generator(0)), law.from_noise(noise))
    assert torch.equal(law.rsample((3,), noise=noise), law.from_noise(noise))
    assert torch.equal(law.rsample(noise=noise), law.from_noise(noise))
    assert torch.equal(law.sample((3,), generator=generator(0)), law.from_noise(noise))


@with_noise
def test_draws_from_noise_are_from_noise(row):
    law = row.law()
    noise = law.noise((3,), generator=generator(0))
    assert torch.equal(law.rsample((3,), noise=noise), law.from_noise(noise))
    assert torch.equal(law.rsample(noise=noise), law.from_noise(noise))


@reparameterized
def test_draws_without_a_map_from_noise_say_so(row):
    if row.has_noise:
        return
    for refused in (row.law().noise, lambda: row.law().rsample((4,), noise=Sobol(0))):
        with pytest.raises(NotImplementedError, match="no map from noise"):
            refused()


@reparameterized
def test_sample_and_rsample_are_the_same_draws(row):
    law = row.law()
    assert torch.equal(law.sample((3,), generator=generator(0)), law.rsample((3,), generator=generator(0)))
    drawn = row.make(**row.tensors(requires_grad=True)).rsample((3,), generator=generator(0))
    assert torch.equal(drawn, law.rsample((3,), generator=generator(0)))
    assert drawn.requires_grad


@with_noise
def test_noise_knows_shapes_and_no_parameters(row):
    tensors = row.tensors()
    other = row.make(**{name: value + 1 for name, value in tensors.items()}, validate_args=False)
    assert torch.equal(row.law().noise(4, generator=generator(0)), other.noise(4, generator=generator(0)))
    assert row.make(**row.tensors(requires_grad=True)).noise((4,)).requires_grad is False
    assert row.law().noise((4,)).shape == (4, *row.law().noise_shape)


@unbiased
def test_the_gradient_is_exact(row):
    """Deterministic: what autograd returns for from_noise is its derivative, first and second."""
    tensors = row.tensors(requires_grad=True)
    noise = row.law().noise((3,), generator=generator(0)).requires_grad_()

    def draw(noise, *parameters):
        return row.make(**dict(zip(tensors, parameters, strict=True)), validate_args=False).from_noise(noise)

    assert torch.autograd.gradcheck(draw, (noise, *tensors.values()))
    assert torch.autograd.gradgradcheck(draw, (noise, *tensors.values()))


@univariate
def test_the_gradient_is_minus_dcdf_over_density(row):
    """The implicit formula, draw by draw, with the CDF of scipy: independent of our own map."""
    tensors = row.tensors(requires_grad=True)
    draws = row.make(**tensors).rsample((20,), generator=generator(0))
    for name, parameter in tensors.items():
        seen = torch.stack([torch.autograd.grad(y.sum(), parameter, retain_graph=True)[0] for y in draws])
        step, cdfs, direction = 1e-5, [], torch.ones_like(parameter)
        if parameter.dim() > 1:  # one parameter of several components: move them by different amounts
            direction = direction.cumsum(-1)
            seen = (seen * direction).sum(-1)
        for sign in (1, -1):
            moved = row.tensors()
            moved[name] = moved[name] + sign * step * direction
            cdfs.append(row.make(**moved).cdf(draws.detach()))
        density = row.law().log_prob(draws.detach()).exp()
        torch.testing.assert_close(seen, -(cdfs[0] - cdfs[1]) / (2 * step) / density, rtol=1e-5, atol=1e-6)


@univariate
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_follow_the_reference_law(row, dtype):
    draws = row.law(dtype).sample((100_000,), generator=generator(1)).double()
    for element in range(2):
        law = row.reference(element)
        check_continuous(draws[:, element], law.cdf)
        if np.isfinite(law.var()):
            check_mean(draws[:, element] ** 2, law.var() + law.mean() ** 2)


@univariate
def test_density_cdf_quantile_and_moments_agree_with_scipy(row):
    for element in range(2):
        # The points of one element may lie outside the support of the other.
        law, reference = row.law(validate_args=False), row.reference(element)
        levels = np.array([1e-30, 1e-12, 1e-3, 0.2, 0.5, 0.9, 1 - 1e-9])
        points = reference.ppf(levels)
        value = torch.from_numpy(points)[:, None].expand(-1, 2)
        for ours, theirs in (
            (law.log_prob(value), reference.logpdf(points)),
            (law.cdf(value), reference.cdf(points)),
            (law.icdf(torch.from_numpy(levels)[:, None]), points),
        ):
            # scipy's half-Cauchy quantile is off by 1e-7 at the last level.
            np.testing.assert_allclose(ours[:, element].numpy(), theirs, rtol=2e-7, atol=1e-14)
        moments = [(law.mean, reference.mean()), (law.variance, reference.var()), (law.stddev, reference.std())]
        if type(law).entropy is not td.Distribution.entropy:  # mixtures have none in closed form
            moments.append((law.entropy(), reference.entropy()))
        for ours, theirs in moments:
            if np.isfinite(theirs):
                np.testing.assert_allclose(ours[element].item(), theirs, rtol=1e-7)
            else:  # infinite or undefined: torch and scipy do not agree on which
                assert not ours[element].isfinite()


@univariate
def test_log_tails_are_the_logarithms_of_the_tails(row):
    for element in range(2):
        law, reference = row.law(validate_args=False), row.reference(element)
        levels = np.array([1e-3, 0.2, 0.5, 0.9])
        value = torch.from_numpy(reference.ppf(levels))[:, None].expand(-1, 2)
        np.testing.assert_allclose(law.log_cdf(value)[:, element].numpy(), np.log(levels), rtol=1e-6)
        np.testing.assert_allclose(law.log_survival_function(value)[:, element].numpy(), np.log1p(-levels), rtol=1e-6)
        assert law.log_cdf(value).dtype == law.log_survival_function(value).dtype == value.dtype


@reparameterized
@pytest.mark.parametrize("dtype", HALVES)
def test_half_draws_are_float32_draws_rounded_once(row, dtype):
    law = row.law(dtype)
    # A unit vector in a half type is not quite one in float32.
    precise = row.make(**{name: value.float() for name, value in row.tensors(dtype).items()}, validate_args=False)
    drawn = law.rsample((1000,), generator=generator(0))
    rounded = precise.rsample((1000,), generator=generator(0)).to(dtype)
    # A draw that rounds onto the end of a bounded law is moved a step back inside.
    moved = drawn != rounded
    assert (~moved | (rounded == rounded.amax(0)) | (rounded == rounded.amin(0))).all()
    torch.testing.assert_close(drawn, rounded, rtol=2 * torch.finfo(dtype).eps, atol=2.0**-24)


@with_noise
@pytest.mark.parametrize("source", [Antithetic(3), Sobol(3)])
def test_sources(row, source):
    law = row.law()
    drawn = law.rsample((64,), noise=source)
    assert drawn.shape == (64, 2, *law.event_shape)
    assert torch.equal(drawn, law.rsample((64,), noise=source))
    bounded = drawn.atan()  # heavy tails have no mean to compare
    ordinary = law.rsample((2000, 64), generator=generator(0)).atan().mean(1)
    # Where the map is even, mirrored draws are equal and their mean is worse by √2 than that of independent ones.
    assert ((bounded.mean(0) - ordinary.mean(0)).abs() <= 3 * ordinary.std(0)).all()
    assert torch.equal(Independent(law, 1).rsample((64,), noise=source), drawn)


@with_noise
def test_bad_noise_is_refused(row):
    law, noise = row.law(), row.law().noise((3,))
    for bad, sample_shape in ((noise[:, :1], ()), (noise, (4,)), (noise[0, 0], ()), (noise, (3, 3))):
        with pytest.raises(ParameterError, match=r"noise must have shape .*law\.noise\(sample_shape\)"):
            law.rsample(sample_shape, noise=bad)
    with pytest.raises(ParameterError, match="not both"):
        law.rsample(noise=noise, generator=generator(0))
    with pytest.raises(ParameterError, match="a tensor or a source"):
        law.rsample(noise=noise.numpy())
    with pytest.raises(ParameterError, match="noise must be floating point"):
        law.rsample(noise=noise.long())


@reparameterized
def test_transformed(row):
    law = td.TransformedDistribution(row.law(), [td.AffineTransform(1.0, 2.0)])
    torch.manual_seed(0)
    drawn = law.rsample((3,))
    torch.manual_seed(0)
    torch.testing.assert_close(drawn, 1 + 2 * row.law().rsample((3,)))


@with_noise
def test_vmap_over_draws(row):
    tensors, noise = row.tensors(), row.law().noise((4,), generator=generator(0))

    def draw(noise, *parameters):
        return row.make(**dict(zip(tensors, parameters, strict=True)), validate_args=False).rsample(noise=noise)

    expected = row.law().from_noise(noise)
    over_draws = torch.vmap(draw, in_dims=(0, *(None for _ in tensors)))(noise, *tensors.values())
    torch.testing.assert_close(over_draws, expected)
    over_batch = torch.vmap(draw, in_dims=(1, *(0 for _ in tensors)), out_dims=1)(noise, *tensors.values())
    torch.testing.assert_close(over_batch, expected)


@reparameterized
def test_vmap_over_laws(row):
    def draw(*parameters):
        return row.make(**dict(zip(row.parameters, parameters, strict=True)), validate_args=False).rsample()

    drawn = torch.vmap(draw, randomness="different")(*row.tensors().values())
    assert drawn.shape == (2, *row.law().event_shape)
    jacobian = torch.vmap(torch.func.jacrev(draw), randomness="different")(*row.tensors().values())
    assert jacobian.isfinite().all()


@every_law
def test_a_plain_sample_does_not_move_in_forward_mode(row):
    names, values = zip(*row.tensors().items(), strict=True)
    tangents = tuple(torch.ones_like(value) for value in values)
    _, moved = torch.func.jvp(
        lambda *given: row.make(**dict(zip(names, given, strict=True)), validate_args=False).sample(), values, tangents
    )
    assert not moved.any()


@reparameterized
def test_forward_mode_agrees_with_reverse_mode(row):
    tensors = row.tensors()

    def draw(*parameters):
        law = row.make(**dict(zip(tensors, parameters, strict=True)), validate_args=False)
        return law.rsample((3,), generator=generator(0))

    arguments = tuple(range(len(tensors)))
    forward = torch.func.jacfwd(draw, arguments, randomness="same")(*tensors.values())
    reverse = torch.func.jacrev(draw, arguments)(*tensors.values())
    for one, other in zip(forward, reverse, strict=True):
        torch.testing.assert_close(one, other)


@reparameterized
def test_no_draw_is_refused_an_empty_gradient(row):
    tensors = {name: value[:0].requires_grad_() for name, value in row.tensors().items()}
    drawn = row.make(**tensors).rsample((3,))
    drawn.sum().backward()
    assert all(value.grad.shape == value.shape for value in tensors.values())


@reparameterized
@own_gradient
def test_compile_a_draw(row, default_validation):
    tensors = row.tensors(requires_grad=True)

    def loss(*parameters):
        law = Independent(row.make(**dict(zip(tensors, parameters, strict=True))), 1)
        y = law.rsample((4,))
        return y.square().sum() + (law.log_prob(y.detach()).sum() if row.has_density else 0)

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    torch.manual_seed(0)
    seen = torch.autograd.grad(compiled(*tensors.values()), tuple(tensors.values()))
    torch.manual_seed(0)
    expected = torch.autograd.grad(loss(*tensors.values()), tuple(tensors.values()))
    torch.testing.assert_close(seen, expected)


@with_noise
@own_gradient
def test_compile(row, default_validation):
    tensors, noise = row.tensors(requires_grad=True), row.law().noise((4,), generator=generator(0))

    def loss(noise, *parameters):
        law = Independent(row.make(**dict(zip(tensors, parameters, strict=True))), 1)
        y = law.rsample(noise=noise)
        return y.square().sum() + (law.log_prob(y).sum() if row.has_density else 0)

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    seen = torch.autograd.grad(compiled(noise, *tensors.values()), tuple(tensors.values()))
    expected = torch.autograd.grad(loss(noise, *tensors.values()), tuple(tensors.values()))
    torch.testing.assert_close(seen, expected)


@with_noise
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda(row):
    law = row.make(**{name: value.cuda() for name, value in row.tensors().items()})
    torch.testing.assert_close(
        law.rsample((3,), generator=generator(0)).cpu(), row.law().rsample((3,), generator=generator(0))
    )


# --- laws whose draws jump ---


@discrete
def test_draws_have_the_probabilities(row):
    law = row.law()
    values = torch.tensor(row.values, dtype=torch.float64)[:, None]
    probabilities = law.log_prob(values.expand(-1, 2)).exp()
    torch.testing.assert_close(probabilities.sum(0), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close((probabilities * values).sum(0), law.mean)
    between = (values[1:, 0] + values[:-1, 0]) / 2
    draws = torch.bucketize(law.sample((100_000,), generator=generator(2)), between)
    for element in range(2):
        check_discrete(draws[:, element], probabilities[:, element])


@jumping
def test_rsample_is_refused_with_what_works(row):
    law = row.law()
    assert not law.has_rsample
    for refused in (law.rsample, Independent(law, 1).rsample):
        with pytest.raises(NotImplementedError, match=f"draws are discrete.*{row.instead}"):
            refused((3,))
    with pytest.raises(NotImplementedError, match="draws are discrete"):
        Independent(law, 1).rsample((3,), generator=generator(0))


@discrete
def test_values_off_the_support_are_refused(row):
    with pytest.raises(ValueError, match="support"):
        row.law().log_prob(torch.tensor(0.123, dtype=torch.float64))


@reparameterized
def test_reparameterized_laws_say_so(row):
    assert row.law().has_rsample
    assert Independent(row.law(), 1).has_rsample
