"""Chains without accept/reject: gradients flow through them, and their bias is the known one."""

import math

import pytest
import torch
from torch import Tensor

from reparam.errors import SamplerError
from reparam.noise import generator
from reparam.samplers import Mala, UnadjustedHmc, UnadjustedLangevin, run
from tests.samplers.targets import GUMBEL
from tests.statistical.instruments import check_mean

DOUBLE = torch.float64


def gaussian(loc: Tensor, scale: Tensor):
    return lambda x: -((x - loc) / scale).square().sum(-1) / 2


@pytest.mark.parametrize(("num_steps", "step"), [(1, 0.6), (1, 1.4), (3, 1.0)])
def test_a_gaussian_stays_a_gaussian_of_the_known_scale(num_steps: int, step: float) -> None:
    """Scale ``σ/√(1 - h²/(4σ²))``; chains that start there stay there."""
    scale = 1.3 / math.sqrt(1 - step**2 / (4 * 1.3**2))
    start = scale * torch.randn(40_000, 1, generator=generator(0), dtype=DOUBLE)
    kernel = UnadjustedHmc(gaussian(torch.zeros(1), torch.tensor(1.3)), step, num_steps)
    end = run(kernel, start, 1, num_discarded=20, generator=generator(1)).draws[0]
    check_mean(torch.cat([end, end**2], 1), [0.0, scale**2])


def test_langevin_is_what_mala_proposes() -> None:
    x = GUMBEL.draw(6, 0)
    adjusted, plain = Mala(GUMBEL.log_density, 0.4), UnadjustedLangevin(GUMBEL.log_density, 0.4)
    proposed, _ = adjusted._propose(adjusted.init(x), generator(1))
    stepped, info = plain.step(plain.init(x), generator(1))
    assert torch.equal(stepped.position, proposed.position)
    assert info.accepted.all()


@pytest.mark.parametrize("num_steps", [1, 3])
def test_gradients_are_those_of_finite_differences(num_steps: int) -> None:
    """In the parameters of the log density, the step size, the mass, and the start; float64, one noise."""

    def last(loc: Tensor, scale: Tensor, step: Tensor, mass: Tensor, start: Tensor) -> Tensor:
        def log_density(x: Tensor) -> Tensor:
            z = (x - loc) / scale
            return -(z + torch.exp(-z)).sum(-1)  # not quadratic, so that slopes have slopes

        kernel = UnadjustedHmc(log_density, step, num_steps, mass)
        return run(kernel, start, 4, generator=generator(2), differentiable=True).draws

    inputs = [
        torch.tensor([0.3, -0.2], dtype=DOUBLE),
        torch.tensor(1.4, dtype=DOUBLE),
        torch.tensor(0.3, dtype=DOUBLE),
        torch.tensor([1.0, 2.0], dtype=DOUBLE),
        torch.tensor([[0.1, 0.2], [0.0, 1.0], [-0.5, 0.4]], dtype=DOUBLE),
    ]
    assert torch.autograd.gradcheck(last, [tensor.requires_grad_() for tensor in inputs], atol=1e-6, rtol=1e-6)


def test_the_gradient_of_an_expectation_under_the_stationary_law() -> None:
    """``d/dσ E[x²]``: the chain forgets its start, and moves with its target."""
    scale = torch.full((20_000, 1), 0.9, dtype=DOUBLE, requires_grad=True)
    kernel = UnadjustedLangevin(gaussian(torch.zeros(1), scale), 0.5)
    start, options = torch.zeros(20_000, 1, dtype=DOUBLE), {"num_discarded": 80, "differentiable": True}
    chains = run(kernel, start, 1, generator=generator(3), **options)
    (found,) = torch.autograd.grad(chains.draws.square().sum(), scale)
    s = torch.tensor(0.9, dtype=DOUBLE, requires_grad=True)
    (exact,) = torch.autograd.grad(s**2 / (1 - 0.25 / (4 * s**2)), s)
    check_mean(found, exact.item())


def test_a_gradient_is_let_through_or_refused_and_never_dropped() -> None:
    loc = torch.tensor(0.5, requires_grad=True)
    kernel = UnadjustedLangevin(gaussian(loc, torch.tensor(1.0)), 0.5)
    start = torch.zeros(3, 2)
    with pytest.raises(SamplerError, match="differentiable=True lets it through"):
        run(kernel, start, 2)
    with torch.no_grad():
        assert not run(kernel, start, 2).draws.requires_grad
    assert run(kernel, start, 2, differentiable=True).draws.requires_grad
    free = UnadjustedLangevin(gaussian(loc.detach(), torch.tensor(1.0)), 0.5)
    assert not run(free, start, 2).draws.requires_grad
    assert not run(free, start, 2, differentiable=True).draws.requires_grad


def test_a_chain_that_runs_away_says_so() -> None:
    with pytest.raises(SamplerError, match=r"chain 0 left .* step_size is too large"):
        run(UnadjustedLangevin(lambda x: -(x**4).sum(-1), 10.0), torch.ones(2, 1), 50)
