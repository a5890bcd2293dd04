"""The annealed bound on the linear-Gaussian model, whose log Z is exact."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from reparam.distributions import Bernoulli, Independent, Normal
from reparam.errors import SamplerError
from reparam.noise import generator
from reparam.samplers import annealed_bound, annealing
from tests.linear_gaussian import LinearGaussian
from tests.statistical.instruments import check_mean

MODEL = LinearGaussian()
ROWS = MODEL.draw(4)
EXACT = MODEL.log_prob(ROWS)
DOUBLE = torch.float64


def log_joint(z: Tensor, directions: Tensor = MODEL.W) -> Tensor:
    """``log p(z) + log p(x | z)`` for the four rows, z ``[*, 4, 2]``."""
    of_x = torch.distributions.Normal(z @ directions.T + MODEL.mean, MODEL.sigma).log_prob(ROWS).sum(-1)
    return of_x - z.square().sum(-1) / 2 - math.log(2 * math.pi)


def prior(loc: Tensor | float = 0.0) -> Independent:
    return Independent(Normal(torch.zeros(4, 2, dtype=DOUBLE) + loc, 1.0), 1)


def bound(num_steps: int, draws: int = 400, **options) -> Tensor:
    with torch.no_grad():
        options = {"step_size": 0.1, "sample_shape": (draws,), "generator": generator(1), **options}
        return annealed_bound(log_joint, prior(), num_steps, **options)


@pytest.mark.parametrize("persistence", [0.0, 0.9])
@pytest.mark.parametrize("num_steps", [1, 10, 40])
def test_the_weights_are_unbiased_and_the_bound_is_below(num_steps: int, persistence: float) -> None:
    found = bound(num_steps, 4000, step_size=0.15, persistence=persistence)
    assert (found.mean(0) < EXACT + 5 * found.std(0) / math.sqrt(len(found))).all()
    if num_steps == 40:  # with fewer the weights are too heavy-tailed for their mean to be known
        check_mean(torch.exp(found - EXACT), 1.0)


def test_masses_step_sizes_and_temperatures_keep_the_weights_unbiased() -> None:
    steps = torch.linspace(0.05, 0.2, 40, dtype=DOUBLE)[:, None, None].expand(40, 4, 2)
    betas = torch.linspace(0, 1, 40, dtype=DOUBLE) ** 2
    mass = torch.tensor([0.5, 2.0], dtype=DOUBLE)
    found = bound(40, 4000, step_size=steps, temperatures=betas, inverse_mass=mass)
    check_mean(torch.exp(found - EXACT), 1.0)


def test_a_planted_fault_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Momenta of twice the variance."""
    draw = annealing._momentum
    monkeypatch.setattr(annealing, "_momentum", lambda *args: math.sqrt(2) * draw(*args))
    with pytest.raises(AssertionError):
        check_mean(torch.exp(bound(40, 4000, step_size=0.15) - EXACT), 1.0)


def test_the_gap_shrinks_as_one_over_the_steps() -> None:
    counts = [32, 64, 128, 256]
    gaps = [(EXACT - bound(count)).mean().item() for count in counts]
    slope = np.polyfit(np.log(counts), np.log(gaps), 1)[0]
    assert -1.1 < slope < -0.9, gaps


def test_the_gradient_is_that_of_finite_differences() -> None:
    """In everything at once: target, initial law, step sizes, persistence, mass, temperatures; float64, one noise."""

    def value(directions: Tensor, loc: Tensor, step: Tensor, keep: Tensor, mass: Tensor, betas: Tensor) -> Tensor:
        return annealed_bound(
            lambda z: log_joint(z, directions),
            prior(loc),
            5,
            step_size=step,
            persistence=keep,
            inverse_mass=mass,
            temperatures=betas,
            generator=generator(2),
        )

    loc = torch.full((4, 2), 0.1, dtype=DOUBLE)
    step, keep = torch.full((5,), 0.2, dtype=DOUBLE), torch.tensor(0.7, dtype=DOUBLE)
    mass, betas = torch.tensor([0.5, 1.5], dtype=DOUBLE), torch.linspace(0.2, 0.95, 5, dtype=DOUBLE)
    inputs = [tensor.clone().requires_grad_() for tensor in (MODEL.W, loc, step, keep, mass, betas)]
    assert torch.autograd.gradcheck(value, inputs, atol=1e-6, rtol=1e-6)


def test_the_gradient_in_a_target_alone() -> None:
    """The initial law holds nothing that wants a gradient, so the graph starts inside the chain."""
    directions = MODEL.W.clone().requires_grad_()

    def value(directions: Tensor) -> Tensor:
        log_target = lambda z: log_joint(z, directions)  # noqa: E731
        return annealed_bound(log_target, prior(), 4, step_size=0.2, generator=generator(2)).sum()

    assert torch.autograd.gradcheck(value, [directions], atol=1e-6, rtol=1e-6)


def test_nothing_that_is_not_wanted_is_kept() -> None:
    assert not annealed_bound(log_joint, prior(), 3, step_size=0.1).requires_grad


def test_ascent_on_the_bound_learns_the_step_size() -> None:
    log_step = torch.tensor(-4.0, dtype=DOUBLE, requires_grad=True)
    optimizer = torch.optim.Adam([log_step], lr=0.2)
    before = bound(8, 50, step_size=math.exp(-4)).mean()
    for index in range(15):
        optimizer.zero_grad()
        options = {"step_size": log_step.exp(), "sample_shape": (10,), "generator": generator(3, index)}
        (-annealed_bound(log_joint, prior(), 8, **options).mean()).backward()
        optimizer.step()
    assert bound(8, 50, step_size=log_step.detach().exp()).mean() > before + 1


def test_float32_and_shapes() -> None:
    law = Independent(Normal(torch.zeros(3, 2), 1.0), 1)
    found = annealed_bound(lambda z: -z.square().sum(-1), law, 3, step_size=0.1, sample_shape=(5,))
    assert found.shape == (5, 3)
    assert found.dtype == torch.float32
    plain = annealed_bound(lambda z: -(z**2), Normal(torch.zeros(3), 1.0), 3, step_size=0.1)
    assert plain.shape == (3,)
    assert annealed_bound(lambda z: -(z**2), Normal(torch.zeros(0), 1.0), 3, step_size=0.1).shape == (0,)


def test_what_is_refused() -> None:
    law, target = Normal(torch.zeros(3), 1.0), lambda z: -(z**2)
    with pytest.raises(SamplerError, match="num_steps"):
        annealed_bound(target, law, 0, step_size=0.1)
    with pytest.raises(SamplerError, match="step_size must be positive"):
        annealed_bound(target, law, 2, step_size=-0.1)
    with pytest.raises(SamplerError, match="one row for each of the 2 steps"):
        annealed_bound(target, law, 2, step_size=torch.ones(3))
    with pytest.raises(SamplerError, match="persistence"):
        annealed_bound(target, law, 2, step_size=0.1, persistence=1.0)
    with pytest.raises(SamplerError, match="temperatures"):
        annealed_bound(target, law, 2, step_size=0.1, temperatures=torch.tensor([0.5, 1.5]))
    with pytest.raises(SamplerError, match="one log density for each draw"):
        annealed_bound(lambda z: z.sum(), law, 2, step_size=0.1)
    with pytest.raises(SamplerError, match="has no rsample"):
        annealed_bound(target, Bernoulli(torch.full((3,), 0.5)), 2, step_size=0.1)
