"""ARM and DisARM: exact variances of one coin, and many coins that f couples against enumeration."""

import pytest
import torch

from reparam import noise
from reparam.distributions import Bernoulli
from reparam.estimators import Arm, DisArm, expectation
from reparam.noise import generator
from tests.estimators.gradients import assert_unbiased, exact_gradient, single_gradients


@pytest.fixture
def evenly_spaced(monkeypatch):
    """Uniform noise at the middles of equal cells: moments of a function of one number are then integrals of it."""

    def uniform(shape, *, like, generator=None):
        count = torch.Size(shape).numel()
        return ((torch.arange(count, dtype=torch.float64) + 0.5) / count).reshape(shape)

    monkeypatch.setattr(noise, "uniform", uniform)


@pytest.mark.parametrize(
    ("t", "p", "gradient", "arm", "disarm"),
    [
        (0.45, 0.50, 2.500e-2, 2.083e-4, 0),
        (0.45, 0.70, 2.100e-2, 3.390e-4, 2.940e-4),
        (0.45, 0.90, 9.000e-3, 3.257e-4, 3.240e-4),
        (0.45, 0.99, 9.900e-4, 4.803e-5, 4.802e-5),
        (0.499, 0.50, 5.000e-4, 8.333e-8, 0),
        (0.45, 0.30, 2.100e-2, 3.390e-4, 2.940e-4),
    ],
)
@pytest.mark.usefixtures("evenly_spaced")
def test_variances_of_one_coin(t, p, gradient, arm, disarm):
    logit = torch.tensor(p, dtype=torch.float64).logit()
    for estimator, variance in ((Arm(), arm), (DisArm(), disarm)):
        found = single_gradients(lambda y: (y - t) ** 2, lambda a: Bernoulli(logits=a), logit, estimator, 200_000)
        assert found.mean().item() == pytest.approx(gradient, rel=1e-4)
        assert found.var().item() == pytest.approx(variance, rel=1e-3, abs=1e-20)


def test_variance_of_one_coin_in_closed_form(evenly_spaced):
    """D² s² q/4·(1 - q), s the sigmoid of |α| and q the probability that the pair disagrees."""
    for alpha in (-6.0, -0.3, 0.0, 2.0):
        logit = torch.tensor(alpha, dtype=torch.float64)
        s, q = torch.sigmoid(logit.abs()), 2 * torch.sigmoid(-logit.abs())
        found = single_gradients(lambda y: 5 * y, lambda a: Bernoulli(logits=a), logit, DisArm(), 1_000_000)
        assert found.var().item() == pytest.approx((25 * s**2 * q / 4 * (1 - q)).item(), rel=1e-3, abs=1e-20)


COEFFICIENTS = torch.linspace(-1.0, 1.5, 10, dtype=torch.float64)
LOGITS = torch.linspace(-2.0, 3.0, 10, dtype=torch.float64)


def together(y):
    return torch.tanh((y * COEFFICIENTS).sum(-1)) + y[..., 0] * y[..., 9]


@pytest.mark.parametrize("estimator", [Arm(), DisArm()], ids=repr)
def test_ten_coupled_coins_against_enumeration(estimator):
    make = lambda logits: Bernoulli(logits=logits)  # noqa: E731
    found = single_gradients(together, make, LOGITS, estimator, 200_000, generator(0))
    assert_unbiased(found, exact_gradient(together, make, LOGITS))


def test_a_planted_fault_is_seen(monkeypatch):
    """The probability that a pair disagrees is 2·s(-|α|), and not what 1 in place of s(|α|) would make up for."""
    make = lambda logits: Bernoulli(logits=logits)  # noqa: E731
    monkeypatch.setattr(DisArm, "_weights", lambda self, u, first, second, _: (first.to(u) - second.to(u)) / 2)
    found = single_gradients(together, make, LOGITS, DisArm(), 200_000, generator(0))
    with pytest.raises(AssertionError):
        assert_unbiased(found, exact_gradient(together, make, LOGITS))


def test_disarm_is_never_worse_than_arm():
    make = lambda logits: Bernoulli(logits=logits)  # noqa: E731
    arm, disarm = (
        single_gradients(together, make, LOGITS, estimator, 100_000, generator(0)).var(0).sum()
        for estimator in (Arm(), DisArm())
    )
    assert disarm < arm


def test_two_evaluations_a_sample():
    seen = []

    def f(y):
        seen.append(len(y))
        return y.sum(-1)

    expectation(f, Bernoulli(logits=torch.zeros(40)), estimator=DisArm(), samples=3)
    assert seen == [6]
