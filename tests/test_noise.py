"""Base noise: repeatable, of the right law, inside its interval."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from reparam import noise
from reparam.errors import ParameterError
from reparam.noise import Antithetic, Iid, Sobol, generator
from tests.statistical.instruments import check_continuous, check_discrete, check_mean

F32, F64 = torch.zeros((), dtype=torch.float32), torch.zeros((), dtype=torch.float64)
HALVES = [torch.float16, torch.bfloat16]


def numbers(*stream):
    return tuple(torch.randint(2**31, (4,), generator=generator(*stream)).tolist())


def test_a_stream_is_a_function_of_seed_purpose_and_index():
    assert numbers(0, "noise", 3) == numbers(0, "noise", 3)
    streams = [
        (0,),
        (1,),
        (0, "noise"),
        (0, "noise", 0),
        (0, "noise", 1),
        (0, "shuffle", 1),
        (0, "1"),
        (0, 1),
        (-1,),
    ]
    assert len({numbers(*stream) for stream in streams}) == len(streams)


def test_a_seed_from_a_generator_follows_it_and_moves_it_on():
    made = generator(0)
    first, second = noise.seed_from(made), noise.seed_from(made)
    assert first == noise.seed_from(generator(0)) != second
    assert all(0 <= seed < 2**62 for seed in (first, second))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        default = noise.seed_from(None)
        assert default != noise.seed_from(None)
        torch.manual_seed(3)
        assert default == noise.seed_from(None)
    with pytest.raises(ParameterError, match=r"generator must be a torch\.Generator; got 3"):
        noise.seed_from(3)


def test_a_stream_stays_the_same_over_versions():
    assert generator(0, "noise", 3).initial_seed() == 7535507083991715305


def test_generator_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    noise.uniform((3,), like=F32, generator=generator(0))
    Sobol(0).uniform(torch.Size([4]), torch.Size([2]), like=F32)
    Antithetic(0).standard_normal(torch.Size([4]), torch.Size([2]), like=F32)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("stream", [(True,), (0.5,), ("a",), (0, None), (0, 1.5)])
def test_generator_refuses_what_is_not_a_seed(stream):
    with pytest.raises(ParameterError, match="a seed is an integer"):
        generator(*stream)


def test_without_generator_the_global_one_is_used():
    torch.manual_seed(3)
    first = noise.standard_normal((4,), like=F32)
    torch.manual_seed(3)
    assert torch.equal(first, noise.standard_normal((4,), like=F32))


@pytest.mark.parametrize("draw", [noise.standard_normal, noise.uniform])
def test_seed_instead_of_generator_is_refused(draw):
    with pytest.raises(ParameterError, match=r"Make one from a seed with reparam\.noise\.generator"):
        draw((2,), like=F32, generator=3)
    with pytest.raises(ParameterError, match=r"must be a torch\.Generator"):
        noise.bernoulli(F32, generator=3)
    with pytest.raises(ParameterError, match=r"must be a torch\.Generator"):
        noise.permutation(3, generator=None)


@pytest.mark.parametrize("like", [F32, F64])
def test_laws_of_the_noise(like):
    check_continuous(noise.standard_normal((100_000,), like=like, generator=generator(0)), stats.norm.cdf)
    check_continuous(noise.uniform((100_000,), like=like, generator=generator(0)), stats.uniform.cdf)


@pytest.mark.parametrize("dtype", HALVES)
def test_half_types_get_float32_normals_and_every_type_float64_uniforms(dtype):
    like = torch.zeros((), dtype=dtype)
    for source in (Iid(), Antithetic(0), Sobol(0)):
        assert source.standard_normal(torch.Size([2]), torch.Size([3]), like=like).dtype == torch.float32
        assert source.uniform(torch.Size([2]), torch.Size([3]), like=like).dtype == torch.float64


@pytest.mark.parametrize("cell", [0, 2**52 - 1])
def test_uniform_never_reaches_the_ends(monkeypatch, cell):
    """Force the extreme cells that torch may draw; each has a chance of 2^-52."""
    monkeypatch.setattr(torch, "randint", lambda high, shape, **_: torch.full(shape, cell))
    drawn = noise.uniform((1,), like=F32)
    assert drawn.item() == (2.0**-53 if cell == 0 else 1 - 2.0**-53)
    mirrored = Antithetic(0).uniform(torch.Size([2]), torch.Size([]), like=F32)
    assert mirrored.sum() == 1
    assert ((mirrored > 0) & (mirrored < 1)).all()


def test_uniform_reaches_further_down_than_a_float32_lattice():
    smallest = noise.uniform((4_000_000,), like=F32, generator=generator(0)).min().item()
    assert smallest * 2**24 != round(smallest * 2**24)


def test_bernoulli():
    chances = torch.tensor([0.0, 0.2, 1.0])
    drawn = noise.bernoulli(chances.expand(20_000, 3), generator=generator(0))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    check_discrete(drawn[:, 1], [0.8, 0.2])
    assert drawn[:, 0].sum() == 0
    assert drawn[:, 2].sum() == 20_000


@pytest.mark.parametrize("dtype", [*HALVES, torch.float64])
def test_bernoulli_keeps_the_dtype(dtype):
    chances = torch.full((50_000,), 0.1, dtype=dtype, requires_grad=True)
    drawn = noise.bernoulli(chances, generator=generator(0))
    assert drawn.dtype == dtype
    assert not drawn.requires_grad
    chance = chances[0].item()
    check_discrete(drawn.float(), [1 - chance, chance])


def test_binomial():
    total, chances = torch.tensor([5.0, 5.0, 5.0]), torch.tensor([0.0, 0.2, 1.0])
    drawn = noise.binomial(total.expand(20_000, 3), chances.expand(20_000, 3), generator=generator(0))
    check_discrete(drawn[:, 1], stats.binom(5, 0.2).pmf(range(6)))
    assert drawn[:, 0].sum() == 0
    assert (drawn[:, 2] == 5).all()


def test_poisson():
    rates = torch.tensor([0.0, 2.5, 1e20])
    drawn = noise.poisson(rates.expand(20_000, 3), generator=generator(0))
    check_discrete(drawn[:, 1], stats.poisson(2.5).pmf(range(40)))
    assert drawn[:, 0].sum() == 0
    assert (drawn[:, 2] == 1e20).all()


def test_categorical():
    weights = torch.tensor([[0.2, 0.5, 0.3], [0.0, 3.0, 1.0]])
    drawn = noise.categorical(weights, 20_000, generator=generator(0))
    assert drawn.shape == (20_000, 2)
    for element in range(2):
        check_discrete(drawn[:, element], weights[element] / weights[element].sum())
    assert noise.categorical(weights, 0).shape == (0, 2)
    assert noise.categorical(weights[:0], 3).shape == (3, 0)
    assert noise.categorical(weights[0], 3).shape == (3,)


@pytest.mark.parametrize("dtype", [*HALVES, torch.float64])
def test_native_draws_keep_dtype_and_carry_no_gradient(dtype):
    rate = torch.full((4,), 0.5, dtype=dtype, requires_grad=True)
    for draw in (
        lambda **options: noise.poisson(rate, **options),
        lambda **options: noise.binomial(4 * rate, rate, **options),
    ):
        drawn = draw(generator=generator(0))
        assert drawn.dtype == dtype
        assert not drawn.requires_grad
        assert torch.equal(drawn, draw(generator=generator(0)))
        with pytest.raises(ParameterError, match=r"reparam\.noise\.generator"):
            draw(generator=0)
    with pytest.raises(ParameterError, match=r"reparam\.noise\.generator"):
        noise.categorical(rate, 3, generator=0)


def test_permutation():
    order = noise.permutation(100, generator=generator(0, "shuffle", 1))
    assert sorted(order.tolist()) == list(range(100))
    assert not torch.equal(order, noise.permutation(100, generator=generator(0, "shuffle", 2)))


@pytest.mark.parametrize("shape", [(4,), (5,), (2, 3), (1,), (0,)])
def test_antithetic_mirrors_the_first_dimension(shape):
    normal = Antithetic(1).standard_normal(torch.Size(shape), torch.Size([3]), like=F32)
    uniform = Antithetic(1).uniform(torch.Size(shape), torch.Size([3]), like=F32)
    assert normal.shape == uniform.shape == (*shape, 3)
    half, pairs = math.ceil(shape[0] / 2), shape[0] // 2
    assert torch.equal(normal[half:], -normal[:pairs])
    torch.testing.assert_close(uniform[half:], 1 - uniform[:pairs])


def test_antithetic_needs_a_pair():
    with pytest.raises(ParameterError, match="come in pairs"):
        Antithetic(0).uniform(torch.Size([]), torch.Size([3]), like=F32)


@pytest.mark.parametrize("source", [Antithetic, Sobol])
def test_each_draw_of_a_source_has_the_right_law(source):
    """One draw of each of many sources: these are independent, the draws of one source are not."""
    drawn = [source(seed).standard_normal(torch.Size([4]), torch.Size([]), like=F64) for seed in range(800)]
    for place in range(4):
        check_continuous(torch.stack(drawn)[:, place], stats.norm.cdf)
    check_mean(torch.stack(drawn).square(), 1.0)


@pytest.mark.parametrize("source", [Antithetic(0), Sobol(0)])
def test_a_source_has_no_state(source):
    arguments = torch.Size([6]), torch.Size([2])
    assert torch.equal(source.uniform(*arguments, like=F32), source.uniform(*arguments, like=F32))
    other = type(source)(1).uniform(*arguments, like=F32)
    assert not torch.equal(source.uniform(*arguments, like=F32), other)


def test_sobol_fills_space_and_stays_inside():
    drawn = Sobol(0).uniform(torch.Size([16, 64]), torch.Size([3, 2]), like=F32)
    assert drawn.shape == (16, 64, 3, 2)
    points = drawn.reshape(1024, 6)
    assert ((points > 0) & (points < 1)).all()
    for column in points.T:  # a net: exactly one point in each of the 1024 intervals
        assert sorted((column * 1024).floor().int().tolist()) == list(range(1024))
    assert np.abs(points.mean(0).numpy() - 0.5).max() < 1e-3  # iid: 9e-3


def test_sobol_edges():
    assert Sobol(0).standard_normal(torch.Size([]), torch.Size([3]), like=F32).isfinite().all()
    assert Sobol(0).uniform(torch.Size([4]), torch.Size([0]), like=F32).shape == (4, 0)
    with pytest.raises(ParameterError, match="at most 21201 dimensions"):
        Sobol(0).uniform(torch.Size([4]), torch.Size([100, 213]), like=F32)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_cpu_generator_gives_the_same_numbers_on_a_gpu():
    there = noise.standard_normal((5,), like=F32.cuda(), generator=generator(0))
    assert torch.equal(there.cpu(), noise.standard_normal((5,), like=F32, generator=generator(0)))


@pytest.mark.parametrize("concentration", [1e-30, 0.03, 1.0, 7.5, 1e6])
def test_standard_gamma_follows_its_law_in_log_space(concentration):
    a = torch.full((100_000,), concentration, dtype=torch.float64)
    g, e = noise.standard_gamma(a, generator=generator(0))
    log_draw = g.log() - e / a
    assert log_draw.isfinite().all()
    if concentration < 1e-20:  # log P(log x < t) is a·t there, as far as float64 can tell
        check_continuous(concentration * log_draw, lambda t: np.exp(np.minimum(t, 0)))
    else:
        check_continuous(log_draw, lambda t: stats.gamma(concentration).cdf(np.exp(t)))


@pytest.mark.parametrize("dtype", HALVES)
def test_standard_gamma_takes_half_types_and_a_generator(dtype):
    a = torch.full((4,), 0.5, dtype=dtype, requires_grad=True)
    one, other = (noise.standard_gamma(a, generator=generator(0)) for _ in range(2))
    for x, y in zip(one, other, strict=True):
        assert torch.equal(x, y)
        assert x.dtype == torch.float32
        assert not x.requires_grad
    with pytest.raises(ParameterError, match=r"reparam\.noise\.generator"):
        noise.standard_gamma(a, generator=0)
