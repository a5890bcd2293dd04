"""Dirichlet: the right law and the right gradient at the corners of the simplex."""

import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam.distributions import Dirichlet
from reparam.errors import ParameterError
from reparam.noise import generator
from tests.statistical.instruments import check_continuous, check_discrete, check_mean

WEIGHT = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def second_moment(a):
    """``E (w·x)²``."""
    total = a.sum()
    return ((WEIGHT**2 * a).sum() + (WEIGHT @ a) ** 2) / (total * (total + 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("a", [(1e-3, 1e-3, 1e-3), (0.4, 2.0, 1.1), (300.0, 20.0, 1e3)])
def test_gradient_of_a_second_moment(a, dtype):
    """torch's is 42 times too large at 1e-3."""
    concentration = torch.tensor(a, dtype=dtype).expand(100_000, 3).clone().requires_grad_()
    x = Dirichlet(concentration).rsample(generator=generator(0))
    (seen,) = torch.autograd.grad((x.double() @ WEIGHT).square().sum(), concentration)
    exact = torch.tensor(a, dtype=dtype).double().requires_grad_()
    value = second_moment(exact)
    check_mean((x.detach().double() @ WEIGHT).square(), value.item())
    check_mean(seen.double(), torch.autograd.grad(value, exact)[0])


@pytest.mark.parametrize("a", [1e-30, 1e-3])
def test_tiny_concentrations_sit_at_the_corners_evenly(a):
    concentration = torch.full((3,), a, requires_grad=True)
    x = Dirichlet(concentration).rsample((30_000,), generator=generator(1))
    assert (x > 0).all()
    torch.testing.assert_close(x.sum(-1), torch.ones(30_000))
    check_discrete(x.argmax(-1), torch.full((3,), 1 / 3))
    (gradient,) = torch.autograd.grad(x[:, 0].sum(), concentration)
    assert gradient.isfinite().all()
    assert Dirichlet(concentration).log_prob(x).isfinite().all()


def test_marginals_are_beta():
    a = (0.4, 2.0, 1.1)
    x = Dirichlet(torch.tensor(a)).sample((100_000,), generator=generator(2))
    for k in range(3):
        check_continuous(x[:, k], stats.beta(a[k], sum(a) - a[k]).cdf)


def test_density_and_moments_agree_with_torch_and_scipy():
    a = torch.tensor([[0.4, 2.0, 1.1], [30.0, 0.7, 6.0]], dtype=torch.float64)
    ours, theirs = Dirichlet(a), td.Dirichlet(a)
    x = ours.sample((20,), generator=generator(0))
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
    for name in ("mean", "variance"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    torch.testing.assert_close(td.kl_divergence(ours, theirs), torch.zeros(2).double(), rtol=0, atol=1e-12)
    at_edge = torch.tensor([0.3, 0.0, 0.7]).double()
    torch.testing.assert_close(ours.log_prob(at_edge), theirs.log_prob(at_edge))


def test_density_at_large_concentrations_in_float32():
    """Of sums of log Γ ~ 1e8 torch's float32 keeps no digit."""
    a = torch.tensor([1e6, 2e6, 3e6])
    x = torch.tensor([1 / 6, 1 / 3, 1 / 2])
    exact = Dirichlet(a.double()).log_prob(x.double() / x.double().sum())
    torch.testing.assert_close(Dirichlet(a).log_prob(x).double(), exact, rtol=1e-5, atol=0)


def test_second_derivative():
    a = torch.tensor([0.4, 2.0, 1.1], dtype=torch.float64)
    concentration = a.expand(50_000, 3).clone().requires_grad_()
    x = Dirichlet(concentration).rsample(generator=generator(0))
    (first,) = torch.autograd.grad((x @ WEIGHT).square().sum(), concentration, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), concentration)
    check_mean(second, torch.autograd.functional.hessian(second_moment, a)[0])


def test_refusals():
    with pytest.raises(ParameterError, match="concentration must be positive"):
        Dirichlet(torch.tensor([1.0, -1.0]))
    with pytest.raises(ParameterError, match="at least 1 dimension"):
        Dirichlet(torch.tensor(1.0))
    with pytest.raises(ValueError, match="support"):
        Dirichlet(torch.ones(3)).log_prob(torch.tensor([0.5, 0.4, 0.2]))
    with pytest.raises(NotImplementedError, match="no map from noise"):
        Dirichlet(torch.ones(3)).noise()
