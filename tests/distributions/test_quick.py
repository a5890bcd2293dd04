"""Float32 draws in few passes: against the same law in float64, over the whole domain, and at the ends."""

import pytest
import torch

from reparam.distributions import Kumaraswamy, Pareto, Weibull
from reparam.distributions.precision import positive_range
from reparam.distributions.quick import level
from reparam.noise import generator

COUNT = 20_000
LAWS = {
    Weibull: ((1e-3, 1e3), (0.05, 1e3)),
    Pareto: ((1e-3, 1e3), (0.05, 1e4)),
    Kumaraswamy: ((1e-4, 1e4), (1e-4, 1e6)),
}


def _case(kind):
    """Parameters over their range, and noise in both tails and between."""
    numbers = torch.rand(3, COUNT, generator=generator(0), dtype=torch.float64)
    parameters = [low * (high / low) ** part for (low, high), part in zip(LAWS[kind], numbers, strict=False)]
    tail = 0.5 * 1e-15 ** numbers[2]
    noise = torch.where(torch.arange(COUNT) % 2 == 0, tail, 1 - tail)
    return [part.float().requires_grad_() for part in parameters], noise.requires_grad_()


@pytest.mark.parametrize("again", [False, True], ids=["first", "for the second"])
@pytest.mark.parametrize("kind", LAWS)
def test_draws_and_velocities_are_those_of_float64(kind, again):
    """To 5e-5, which is the rounding of log y (up to 88, next to the smallest draws; 2e-6 at y = 1)."""
    narrow, noise = _case(kind)
    wide = [part.detach().double().requires_grad_() for part in narrow]
    drawn, exact = kind(*narrow).from_noise(noise), kind(*wide).from_noise(noise)
    smallest, largest = positive_range(drawn)
    largest = 1 - 1e-7 if kind is Kumaraswamy else largest / 2
    inside = (exact > 2 * smallest) & (exact < largest) & (drawn < largest)
    assert inside.count_nonzero() > COUNT / 3
    torch.testing.assert_close(drawn[inside].double(), exact[inside], rtol=5e-5, atol=0)
    ours = torch.autograd.grad(drawn.sum(), [*narrow, noise], create_graph=again)
    theirs = torch.autograd.grad(exact.sum(), [*wide, noise])
    for which, (quick, true) in enumerate(zip(ours, theirs, strict=True)):
        seen = inside & (true.abs() > 1e-34) & (true.abs() < 1e37)
        # Next to t = 1 log t, of the rounded level, is right to 2e-7 of 1, not of itself.
        rounding = 2e-7 * exact / wide[1] ** 2 if kind is Weibull and which == 1 else 0.0
        assert ((quick - true).abs() <= 5e-5 * true.abs() + rounding)[seen].all(), which


@pytest.mark.parametrize("kind", LAWS)
def test_a_draw_does_not_depend_on_how_many_there_are(kind):
    parameters, noise = _case(kind)
    whole = kind(*(part.repeat(10) for part in parameters)).from_noise(noise.repeat(10))
    assert torch.equal(whole[-COUNT:], kind(*parameters).from_noise(noise))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("kind", LAWS)
def test_draws_at_the_ends_do_not_move(kind, dtype):
    parameters = [torch.tensor([1e-3, 1.0, 1e-3], dtype=dtype, requires_grad=True) for _ in range(2)]
    noise = torch.tensor([1e-9, 0.5, 1 - 1e-9], dtype=torch.float64)
    drawn = kind(*parameters).from_noise(noise)
    ended = torch.tensor([kind is not Pareto, False, True])
    for velocity in torch.autograd.grad(drawn.sum(), parameters):
        assert torch.equal(velocity == 0, ended), velocity
    assert drawn.isfinite().all()


def test_the_level_is_exact_in_both_tails():
    noise = torch.tensor([1e-300, 1e-30, 1e-9, 0.3, 0.9, 1 - 2.0**-53], dtype=torch.float64)
    exact = -torch.log1p(-noise)
    torch.testing.assert_close(level(noise[3:]), exact[3:].float(), rtol=1e-7, atol=0)
    torch.testing.assert_close(level(noise), exact.float(), rtol=1e-7, atol=0)
    assert level(noise[:0]).shape == (0,)


@pytest.mark.parametrize(("kind", "shape"), [(Weibull, 0.042), (Pareto, 0.43)])
def test_a_draw_whose_velocity_would_overflow_is_the_largest(kind, shape):
    scale, shape = (torch.tensor(value, requires_grad=True) for value in (1.0, shape))
    drawn = kind(scale, shape).from_noise(torch.tensor(1 - 2.0**-53, dtype=torch.float64))
    assert drawn == torch.finfo(torch.float32).max
    assert [part.item() for part in torch.autograd.grad(drawn, (scale, shape))] == [0.0, 0.0]


def test_kumaraswamy_where_the_quotient_underflows():
    """y = (t/b)^(1/a): a quotient below the smallest float32 keeps its logarithm."""
    drawn = Kumaraswamy(torch.tensor(10.0), 3e38).from_noise(torch.tensor(1e-9, dtype=torch.float64))
    assert drawn.item() == pytest.approx((1e-9 / 3e38) ** 0.1, rel=1e-5)
