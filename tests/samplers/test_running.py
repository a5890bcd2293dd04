"""Running and warming up: what comes out, what is tuned, what is refused."""

from itertools import pairwise

import pytest
import torch
from torch.autograd import forward_ad

from reparam.distributions import Normal
from reparam.errors import SamplerError
from reparam.noise import generator
from reparam.samplers import Gibbs, Hmc, Mala, RandomWalk, UnadjustedLangevin, adapt, effective_sample_size, run
from reparam.samplers.running import _window_ends
from tests.samplers.targets import GAUSSIAN

SCALES = torch.tensor([0.01, 1.0, 100.0], dtype=torch.float64)


def stretched(x: torch.Tensor) -> torch.Tensor:
    return -(x / SCALES).square().sum(-1) / 2


@pytest.mark.parametrize(
    ("kernel", "target"),
    [(RandomWalk(stretched, 0.01), 0.3), (Mala(stretched, 0.01), 0.574), (Hmc(stretched, 0.01, 5), 0.8)],
    ids=["RandomWalk", "Mala", "Hmc"],
)
def test_step_size_and_mass_are_found(kernel, target: float) -> None:
    randomness = generator(0)
    start = torch.randn(40, 3, generator=randomness, dtype=torch.float64) * SCALES
    found = adapt(kernel, start, 400, generator=randomness)
    assert ((found.kernel.inverse_mass.sqrt() / SCALES).log().abs() < 0.5).all()
    chains = run(found.kernel, found.positions, 200, generator=randomness)
    assert chains.acceptance_rate.mean() == pytest.approx(target, abs=0.12)
    assert (effective_sample_size(chains.draws) > 100).all()  # 8000 draws; without a mass they would not have moved


def test_both_are_fixed_after_the_warm_up() -> None:
    found = adapt(Hmc(stretched, 0.01, 5), torch.zeros(4, 3, dtype=torch.float64), 50, generator=generator(0))
    step, mass = found.kernel.step_size.clone(), found.kernel.inverse_mass.clone()
    run(found.kernel, found.positions, 20)
    assert torch.equal(found.kernel.step_size, step)
    assert torch.equal(found.kernel.inverse_mass, mass)


def test_another_acceptance_rate_may_be_aimed_at() -> None:
    kernel = RandomWalk(GAUSSIAN.log_density, 1.0)
    found = adapt(kernel, GAUSSIAN.draw(50, 0), 400, target_acceptance=0.7, generator=generator(0))
    rate = run(found.kernel, found.positions, 200, generator=generator(1)).acceptance_rate.mean()
    assert rate == pytest.approx(0.7, abs=0.06)


@pytest.mark.parametrize("num_steps", [20, 50, 300, 1000, 5000])
def test_windows_grow_and_fill_the_warm_up(num_steps: int) -> None:
    ends = _window_ends(num_steps)
    sizes = [b - a for a, b in pairwise(ends)]
    assert all(size > 0 for size in sizes)
    assert ends[-1] < num_steps
    assert all(b >= 1.4 * a for a, b in pairwise(sizes)), sizes


def test_discarding_is_running_on() -> None:
    kernel, start = RandomWalk(GAUSSIAN.log_density, 1.0), torch.zeros(3, 2, dtype=torch.float64)
    whole = run(kernel, start, 10, generator=generator(3)).draws
    last = run(kernel, start, 4, num_discarded=6, generator=generator(3)).draws
    assert torch.equal(whole[6:], last)


def test_what_is_refused() -> None:
    kernel, start = Mala(GAUSSIAN.log_density, 1.0), torch.zeros(3, 2, dtype=torch.float64)
    with pytest.raises(SamplerError, match="num_draws"):
        run(kernel, start, 0)
    with pytest.raises(SamplerError, match="num_discarded"):
        run(kernel, start, 1, num_discarded=-1)
    with pytest.raises(SamplerError, match="num_steps >= 20"):
        adapt(kernel, start, 10)
    with pytest.raises(SamplerError, match="target_acceptance"):
        adapt(kernel, start, target_acceptance=1.0)
    with pytest.raises(SamplerError, match="accepts every step"):
        adapt(UnadjustedLangevin(GAUSSIAN.log_density, 1.0), start)
    with pytest.raises(SamplerError, match="wanted by the position"):
        adapt(kernel, start.requires_grad_())


def test_forward_mode_is_refused_and_never_dropped():
    """A tangent is no less a wish for a gradient than requires_grad is."""
    start = torch.zeros(4)

    def last(scale, make, **options):
        return run(make(lambda x: -((x / scale) ** 2) / 2), start, 3, **options).draws[-1].sum()

    def forward(make, **options):
        return torch.func.jvp(lambda scale: last(scale, make, **options), (torch.tensor(2.0),), (torch.tensor(1.0),))

    with pytest.raises(SamplerError, match="a gradient is wanted by a parameter of logdensity_fn"):
        forward(lambda f: RandomWalk(f, step_size=1.0))
    with pytest.raises(RuntimeError, match="requires_grad_"):  # torch's own: a slope inside of its transforms
        forward(lambda f: UnadjustedLangevin(f, step_size=0.5), differentiable=True)


def test_a_slope_refuses_a_position_with_a_tangent():
    kernel = UnadjustedLangevin(lambda x: -(x**2) / 2, step_size=0.5)
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match="no forward mode"):
        run(kernel, forward_ad.make_dual(torch.ones(4), torch.ones(4)), 3, differentiable=True)


def test_gibbs_goes_in_forward_mode():
    def last(loc):
        kernel = Gibbs({"x": lambda at: Normal(loc + 0.5 * at["y"], 1.0), "y": lambda at: Normal(0.5 * at["x"], 1.0)})
        chains = run(kernel, {"x": torch.zeros(3), "y": torch.zeros(3)}, 2, generator=generator(0), differentiable=True)
        return chains.draws["x"][-1]

    _, moved = torch.func.jvp(last, (torch.tensor(0.3),), (torch.tensor(1.0),))
    torch.testing.assert_close(moved, torch.full((3,), 1.25))  # 1 of the second sweep, and 1/4 of the first
