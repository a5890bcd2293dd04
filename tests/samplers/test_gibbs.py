"""Gibbs: the right law, in the order of the scan, with gradients where every block has a path."""

import pytest
import torch
from torch import Tensor

from reparam import distributions as law
from reparam.errors import SamplerError
from reparam.noise import generator
from reparam.samplers import Gibbs, InverseCdf, effective_sample_size, r_hat, run, standard_error
from tests.statistical.instruments import check_mean

DOUBLE = torch.float64


def correlated(correlation: Tensor | float) -> Gibbs:
    rest = (1 - torch.as_tensor(correlation, dtype=DOUBLE) ** 2).sqrt()
    return Gibbs(
        {
            "x": lambda at: law.Normal(correlation * at["y"], rest),
            "y": lambda at: law.Normal(correlation * at["x"], rest),
        }
    )


def start(chains: int) -> dict[str, Tensor]:
    return {name: torch.zeros(chains, dtype=DOUBLE) for name in ("x", "y")}


def test_a_correlated_gaussian() -> None:
    """Of variance 1; each coordinate is an autoregression of coefficient ρ², which the effective size knows."""
    chains = run(correlated(0.9), start(32), 1500, num_discarded=100, generator=generator(0))
    for block in chains.draws.values():
        assert r_hat(block) < 1.02
        assert effective_sample_size(block).item() == pytest.approx(block.numel() * (1 - 0.81) / (1 + 0.81), rel=0.25)
        for values, expected in ((block, 0.0), (block**2, 1.0)):
            assert abs(values.mean() - expected) < 5 * standard_error(values)
    product = chains.draws["x"] * chains.draws["y"]
    assert abs(product.mean() - 0.9) < 5 * standard_error(product)


def normal_gamma(shape: float = 3.0) -> Gibbs:
    """Skewed: ``τ ~ Gamma(3, 3)``, ``μ | τ ~ N(1, 1/√τ)``; μ is Student t with 6 degrees of freedom."""
    return Gibbs(
        {
            "tau": lambda at: law.Gamma(torch.full_like(at["mu"], shape + 0.5), shape + (at["mu"] - 1) ** 2 / 2),
            "mu": lambda at: law.Normal(torch.ones_like(at["tau"]), at["tau"].rsqrt()),
        }
    )


def test_a_skewed_target() -> None:
    first = {"tau": torch.ones(64, dtype=DOUBLE), "mu": torch.zeros(64, dtype=DOUBLE)}
    draws = run(normal_gamma(), first, 1000, num_discarded=50, generator=generator(1)).draws
    tau, mu = draws["tau"], draws["mu"]
    for values, expected in ((tau, 1.0), ((tau - 1) ** 2, 1 / 3), (mu, 1.0), ((mu - 1) ** 2, 6 / 4)):
        assert abs(values.mean() - expected) < 5 * standard_error(values), expected


class GivenHeight(law.Law):
    """Of the banana ``x ~ N(0, 1)``, ``y | x ~ N(x²/2, 1)``: x given y, drawn by a table of its CDF."""

    def __init__(self, height: Tensor) -> None:
        grid = torch.linspace(-7, 7, 1401, dtype=DOUBLE).expand(*height.shape, 1401)
        density = torch.exp(-(grid**2) / 2 - (height.unsqueeze(-1) - grid**2 / 2) ** 2 / 2)
        levels = torch.nn.functional.pad(torch.cumulative_trapezoid(density, dim=-1), (1, 0))
        self.table = InverseCdf.from_table(grid, levels / levels[..., -1:])
        super().__init__(height.shape, validate_args=False)

    def sample(self, sample_shape=(), *, generator=None) -> Tensor:
        return self.table.sample(sample_shape, generator=generator)


def test_a_banana() -> None:
    kernel = Gibbs({"x": lambda at: GivenHeight(at["y"]), "y": lambda at: law.Normal(at["x"] ** 2 / 2, 1.0)})
    draws = run(kernel, start(64), 300, num_discarded=30, generator=generator(4)).draws
    x, y = draws["x"], draws["y"]
    assert r_hat(y) < 1.02
    for values, expected in ((x, 0.0), (x**2, 1.0), (x**4, 3.0), (y, 0.5), ((y - 0.5) ** 2, 1.5), (x**2 * y, 1.5)):
        assert abs(values.mean() - expected) < 5 * standard_error(values), expected


def test_the_newest_value_is_used() -> None:
    """Planted: both blocks from the old position. The correlation is lost, and seen to be."""
    stale = correlated(0.9)

    def step(state, generator):
        position = {name: stale._drawn(name, state.position, generator) for name in stale.conditionals}
        return state._replace(position=position)

    state, randomness = stale.init(start(20_000)), generator(2)
    for _ in range(40):
        state = step(state, randomness)
    with pytest.raises(AssertionError):
        check_mean(state.position["x"] * state.position["y"], 0.9)
    right = run(correlated(0.9), start(20_000), 1, num_discarded=40, generator=generator(2)).draws
    check_mean((right["x"] * right["y"])[0], 0.9)


def test_the_gradient_of_an_expectation() -> None:
    """``d/dρ E[xy] = 1``, through 40 sweeps that forget their start."""
    correlation = torch.full((20_000,), 0.6, dtype=DOUBLE, requires_grad=True)
    kernel = Gibbs(
        {
            "x": lambda at: law.Normal(correlation * at["y"], (1 - correlation**2).sqrt()),
            "y": lambda at: law.Normal(correlation * at["x"], (1 - correlation**2).sqrt()),
        }
    )
    options = {"num_discarded": 40, "generator": generator(3), "differentiable": True}
    draws = run(kernel, start(20_000), 1, **options).draws
    (found,) = torch.autograd.grad((draws["x"] * draws["y"]).sum(), correlation)
    check_mean(found, 1.0)


def test_gradients_are_those_of_finite_differences() -> None:
    def last(shift: Tensor, first: Tensor) -> Tensor:
        kernel = Gibbs(
            {
                "x": lambda at: law.Normal(torch.tanh(at["y"] + shift), 1.0),
                "y": lambda at: law.Normal(torch.sin(at["x"]) * shift, 0.5),
            }
        )
        position = {"x": torch.zeros_like(first), "y": first}
        return run(kernel, position, 3, generator=generator(4), differentiable=True).draws["y"]

    inputs = [torch.tensor(0.4, dtype=DOUBLE), torch.tensor([0.1, -1.0], dtype=DOUBLE)]
    assert torch.autograd.gradcheck(last, [tensor.requires_grad_() for tensor in inputs])


def test_a_gradient_is_let_through_or_refused_and_never_dropped() -> None:
    correlation = torch.tensor(0.5, dtype=DOUBLE, requires_grad=True)
    with pytest.raises(SamplerError, match="gradient is wanted by the law of block 'x'"):
        run(correlated(correlation), start(3), 2)
    with torch.no_grad():
        assert not run(correlated(correlation), start(3), 2).draws["x"].requires_grad
    logits = torch.zeros(3, requires_grad=True)
    coin = Gibbs({"b": lambda at: law.Bernoulli(logits=logits)})
    with pytest.raises(SamplerError, match=r"block 'b' has no gradient: Bernoulli has no rsample"):
        run(coin, {"b": torch.zeros(3)}, 2, differentiable=True)
    hidden = Gibbs({"b": lambda at: law.Independent(law.Bernoulli(logits=logits.expand(2, 3).T), 1)})
    with pytest.raises(SamplerError, match="block 'b' has no gradient"):
        run(hidden, {"b": torch.zeros(3, 2)}, 2, differentiable=True)


def test_a_discrete_block_whose_law_wants_nothing_may_be_among_others() -> None:
    """A mixture of two normals at ±2, its component drawn as a block."""
    loc = torch.tensor(2.0, dtype=DOUBLE, requires_grad=True)
    kernel = Gibbs(
        {
            "b": lambda at: law.Bernoulli(torch.full((5,), 0.5, dtype=DOUBLE)),
            "x": lambda at: law.Normal(loc * (2 * at["b"] - 1), 1.0),
        }
    )
    first = {"b": torch.zeros(5, dtype=DOUBLE), "x": torch.zeros(5, dtype=DOUBLE)}
    draws = run(kernel, first, 4, generator=generator(5), differentiable=True).draws
    (found,) = torch.autograd.grad(draws["x"].sum(), loc)
    assert found == (2 * draws["b"] - 1).sum()


def test_blocks_of_any_shape_and_what_is_refused() -> None:
    vector = Gibbs({"z": lambda at: law.Independent(law.Normal(torch.zeros(4, 3), 1.0), 1)})
    assert run(vector, {"z": torch.zeros(4, 3)}, 5).draws["z"].shape == (5, 4, 3)
    with pytest.raises(SamplerError, match=r"the shape of the block, \(2, 3\)"):
        run(vector, {"z": torch.zeros(2, 3)}, 5)
    with pytest.raises(SamplerError, match="must return a distribution"):
        run(Gibbs({"z": lambda at: 3.0}), {"z": torch.zeros(2)}, 5)
    with pytest.raises(SamplerError, match="must have the blocks"):
        vector.init({"y": torch.zeros(4, 3)})
    with pytest.raises(SamplerError, match="same number of chains"):
        correlated(0.5).init({"x": torch.zeros(3), "y": torch.zeros(4)})
    with pytest.raises(SamplerError, match="dictionary of functions"):
        Gibbs({})
