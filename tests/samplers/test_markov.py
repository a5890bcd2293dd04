"""Kernels with accept/reject leave the target where it is, and refuse a gradient."""

import pytest
import torch
from scipy import stats
from torch import Tensor

from reparam.errors import SamplerError
from reparam.noise import generator
from reparam.samplers import Hmc, Kernel, Mala, RandomWalk, adapt, r_hat, run, standard_error
from reparam.samplers.kernels import State, leapfrog
from tests.samplers.targets import GAUSSIAN, GUMBEL, TARGETS, Target
from tests.statistical.instruments import FALSE_ALARM, check_mean

MAKE = {
    "RandomWalk": lambda f: RandomWalk(f, 1.2),
    "Mala": lambda f: Mala(f, 0.9),
    "Hmc": lambda f: Hmc(f, 0.5, 4),
}


class MalaWithoutCorrection(Mala):
    """Planted: accepted by the ratio of the densities alone."""

    def _propose(self, state: State, generator) -> tuple[State, Tensor]:
        proposed, _ = super()._propose(state, generator)
        return proposed, proposed.log_density - state.log_density


class HmcWithStaleMomentum(Hmc):
    """Planted: momenta are refreshed with the mass turned round."""

    def _propose(self, state: State, generator) -> tuple[State, Tensor]:
        mass = self.inverse_mass.to(state.position)
        momentum = torch.randn(state.position.shape, generator=generator, dtype=torch.float64) * mass.sqrt()
        proposed, after = leapfrog(self, state, momentum, self.num_steps, differentiable=False)
        gained = (mass * (after.square() - momentum.square())).sum(-1) / 2
        return proposed, proposed.log_density - state.log_density - gained


def moved(kernel: Kernel, target: Target, steps: int = 12, chains: int = 30_000) -> Tensor:
    """Chains that start with exact draws, after some steps: again exact draws, if the kernel is right."""
    state, randomness = kernel.init(target.draw(chains, 1)), generator(2)
    for _ in range(steps):
        state, _ = kernel.step(state, randomness)
    return state.position


def check_moments(x: Tensor, target: Target) -> None:
    mean = torch.tensor(target.mean, dtype=torch.float64)
    square = (x - mean) ** 2
    both = [*target.mean, *target.variance, *(m + 0.0 for m in target.mean)]
    check_mean(torch.cat([x, square, x], -1), both)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("kernel", MAKE)
def test_a_step_leaves_the_target_where_it_is(kernel: str, target: Target) -> None:
    x = moved(MAKE[kernel](target.log_density), target)
    check_moments(x, target)
    fresh = target.draw(30_000, 3)
    for column in range(2):
        assert stats.ks_2samp(x[:, column], fresh[:, column]).pvalue > FALSE_ALARM / 2


@pytest.mark.parametrize(
    "fault",
    [
        lambda: MalaWithoutCorrection(GUMBEL.log_density, 0.9),
        lambda: HmcWithStaleMomentum(GUMBEL.log_density, 0.5, 4, torch.tensor([1.0, 9.0])),
    ],
)
def test_planted_faults_are_seen(fault) -> None:
    with pytest.raises(AssertionError):
        check_moments(moved(fault(), GUMBEL), GUMBEL)


def test_a_mass_is_no_fault() -> None:
    check_moments(moved(Hmc(GUMBEL.log_density, 0.5, 4, torch.tensor([1.0, 9.0])), GUMBEL), GUMBEL)
    check_moments(moved(RandomWalk(GUMBEL.log_density, 1.0, torch.tensor([1.0, 9.0])), GUMBEL), GUMBEL)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("kernel", MAKE)
def test_chains_find_the_target(kernel: str, target: Target) -> None:
    """From elsewhere, after a warm-up: within the Monte Carlo error that the chains themselves say they have."""
    randomness = generator(4)
    start = torch.randn(32, 2, generator=randomness, dtype=torch.float64)
    stiff = None if kernel == "RandomWalk" else 0.9  # the slopes of two of the targets grow as x³ and exp(-x)
    made = MAKE[kernel](target.log_density)
    found = adapt(made, start, 300, target_acceptance=stiff, generator=randomness)
    chains = run(found.kernel, found.positions, 1000, num_discarded=100, generator=randomness)
    assert (r_hat(chains.draws) < 1.05).all()
    assert chains.num_divergences.sum() < 100  # of 32,000
    mean = torch.tensor(target.mean, dtype=torch.float64)
    for values, expected in ((chains.draws, target.mean), ((chains.draws - mean) ** 2, target.variance)):
        errors = (values.mean((0, 1)) - torch.tensor(expected, dtype=torch.float64)) / standard_error(values)
        assert errors.abs().max() < 5, errors  # 1 in 400,000 for each, if the error is right to 10 %


def test_mala_is_accepted_as_the_textbook_says() -> None:
    """``log p(y) - log p(x) + log q(x|y) - log q(y|x)``, with q written out."""
    step, chains = 0.7, 5
    kernel, x = Mala(GUMBEL.log_density, step), GUMBEL.draw(chains, 5)
    state = kernel.init(x)
    proposed, log_ratio = kernel._propose(state, generator(6))

    def log_q(to: Tensor, origin: Tensor) -> Tensor:
        origin = origin.clone().requires_grad_()
        (slope,) = torch.autograd.grad(GUMBEL.log_density(origin).sum(), origin)
        return -((to - origin - step**2 / 2 * slope) ** 2).sum(-1) / (2 * step**2)

    y = proposed.position
    ratio = GUMBEL.log_density(y) - GUMBEL.log_density(x) + log_q(x, y) - log_q(y, x)
    assert torch.allclose(log_ratio, ratio.detach(), rtol=1e-9)


def test_leapfrog_goes_back_where_it_came_from() -> None:
    kernel = Hmc(GUMBEL.log_density, 0.3, 7, torch.tensor([0.5, 4.0]))
    state = kernel.init(GUMBEL.draw(10, 7))
    momentum = torch.ones(10, 2, dtype=torch.float64)
    there, after = leapfrog(kernel, state, momentum, 7, differentiable=False)
    back, last = leapfrog(kernel, there, -after, 7, differentiable=False)
    assert torch.allclose(back.position, state.position, atol=1e-12)
    assert torch.allclose(last, -momentum, atol=1e-12)


def test_a_step_size_for_each_chain() -> None:
    steps = torch.tensor([0.01, 1.0])
    state, _ = RandomWalk(GAUSSIAN.log_density, steps).step(
        RandomWalk(GAUSSIAN.log_density, steps).init(torch.zeros(2, 2, dtype=torch.float64)), generator(0)
    )
    assert state.position[0].norm() < 0.1
    with pytest.raises(SamplerError, match="one for each of the 3 chains"):
        RandomWalk(GAUSSIAN.log_density, steps).init(torch.zeros(3, 2))


def test_edges_and_overflow_are_rejected_and_counted() -> None:
    edge = lambda x: torch.where(x[:, 0] > 0, -x[:, 0], -torch.inf) + 0 * x.sum(-1)  # noqa: E731
    chains = run(Hmc(edge, 1.0, 3), torch.ones(20, 1, dtype=torch.float64), 200, generator=generator(8))
    assert (chains.draws > 0).all()
    wild = run(Hmc(lambda x: -(x**4).sum(-1), 1e3, 20), torch.ones(4, 1), 5, generator=generator(8))
    assert (wild.num_divergences == 5).all()
    assert (wild.draws == 1).all()
    holes = lambda x: torch.where(x[:, 0] > 1, torch.nan, 1.0) - x[:, 0] ** 2  # noqa: E731
    assert (run(RandomWalk(holes, 1.0), torch.zeros(9, 1), 50).draws <= 1).all()


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_a_wanted_gradient_is_refused_and_not_dropped(make) -> None:
    weight = torch.tensor(1.0, requires_grad=True)
    kernel = make(lambda x: -weight * x.square().sum(-1))
    with pytest.raises(SamplerError, match=r"wanted by a parameter of logdensity_fn.*UnadjustedLangevin"):
        kernel.init(torch.zeros(3, 2))
    with pytest.raises(SamplerError, match="gradient is wanted by a parameter of logdensity_fn"):
        run(kernel, torch.zeros(3, 2), 2)
    with torch.no_grad():
        assert not run(kernel, torch.zeros(3, 2), 2).draws.requires_grad
    plain = make(lambda x: -x.square().sum(-1))
    with pytest.raises(SamplerError, match="wanted by the position"):
        run(plain, torch.zeros(3, 2, requires_grad=True), 2)
    with pytest.raises(SamplerError, match=r"has no gradient: its accept/reject step jumps"):
        run(plain, torch.zeros(3, 2), 2, differentiable=True)
    with pytest.raises(SamplerError, match="wanted by step_size"):
        run(plain.tuned(torch.tensor(0.5, requires_grad=True), torch.tensor(1.0)), torch.zeros(3, 2), 2)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(SamplerError, match="step_size must be positive"):
        RandomWalk(GAUSSIAN.log_density, 0.0)
    with pytest.raises(SamplerError, match="inverse_mass must be positive"):
        Mala(GAUSSIAN.log_density, 1.0, torch.tensor([1.0, -1.0]))
    with pytest.raises(SamplerError, match="num_steps must be a whole number"):
        Hmc(GAUSSIAN.log_density, 1.0, 0)
    with pytest.raises(SamplerError, match="must be a function"):
        Hmc(3.0, 1.0, 1)
    with pytest.raises(SamplerError, match="sum out the event and keep the chains"):
        Hmc(lambda x: x, 1.0, 1).init(torch.zeros(3, 2))
    with pytest.raises(SamplerError, match="cannot be differentiated in the position"):
        Hmc(lambda x: torch.zeros(len(x)), 1.0, 1).init(torch.zeros(3, 2))
    with pytest.raises(SamplerError, match="-inf where chain 1 starts"):
        RandomWalk(lambda x: x[:, 0].log(), 1.0).init(torch.tensor([[1.0], [0.0]]))
    with pytest.raises(SamplerError, match="floating-point tensor"):
        RandomWalk(lambda x: x[:, 0], 1.0).init(torch.zeros(3, 1, dtype=torch.int64))


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_generator_dtype_and_event_shapes(make) -> None:
    kernel = make(lambda x: -x.square().flatten(1).sum(1))
    for event in ((), (3,), (2, 2)):
        kernel = make(lambda x: -x.square().reshape(len(x), -1).sum(1))
        one, two = (run(kernel, torch.zeros(4, *event), 5, generator=generator(9)).draws for _ in range(2))
        assert torch.equal(one, two)
        assert one.shape == (5, 4, *event)
        assert one.dtype == torch.float32
