"""The posterior of z ~ N(0, 1), x | z ~ N(z, 1) at x = 1.3 is N(0.65, 0.5): everything is known."""

import math

import pytest
import torch

from reparam.distributions import Bernoulli, Independent, Normal
from reparam.errors import EstimatorError
from reparam.estimators import evidence_bound
from reparam.noise import generator
from tests.statistical.instruments import check_mean

X = 1.3
LOG_EVIDENCE = -0.5 * math.log(2 * math.pi * 2) - X**2 / 4


def log_joint(z):
    return Normal(0.0, 1.0).log_prob(z) + Normal(z, 1.0).log_prob(torch.tensor(X, dtype=z.dtype))


def gradients(loc, scale, samples, gradient, repeats=100_000, seed=0):
    """Independent estimates of the bound and of its gradient, ``[repeats]`` and ``[repeats, 2]``."""
    loc, scale = (torch.full((repeats,), value, dtype=torch.float64, requires_grad=True) for value in (loc, scale))
    bound = evidence_bound(
        log_joint, Normal(loc, scale), samples=samples, gradient=gradient, generator=generator(seed, "bounds", samples)
    )
    return bound.detach(), torch.stack(torch.autograd.grad(bound.sum(), (loc, scale)), -1)


def test_at_the_posterior_the_bound_is_exact_and_sticking_the_landing_has_no_variance():
    posterior = (X / 2, math.sqrt(0.5))
    for gradient in ("sticking-the-landing", "doubly-reparameterized"):
        bound, found = gradients(*posterior, 1, gradient)
        assert (bound - LOG_EVIDENCE).abs().max() < 1e-12
        assert found.var(0).max() < 1e-28
    _, found = gradients(*posterior, 1, "pathwise")
    assert torch.allclose(found.var(0), torch.tensor([2.0, 4.0], dtype=torch.float64), rtol=0.05)


def exact_elbo_gradient(loc, scale):
    loc, scale = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (loc, scale))
    expected = -0.5 * (loc**2 + scale**2) - 0.5 * ((X - loc) ** 2 + scale**2) + scale.log()
    return torch.stack(torch.autograd.grad(expected, (loc, scale)))


@pytest.mark.parametrize("gradient", ["pathwise", "sticking-the-landing", "doubly-reparameterized"])
def test_one_sample_gives_the_gradient_of_the_elbo(gradient):
    _, found = gradients(0.5, 0.8, 1, gradient)
    check_mean(found, exact_elbo_gradient(0.5, 0.8))


def test_with_several_samples_doubly_reparameterized_agrees_with_pathwise_and_sticking_the_landing_does_not():
    _, plain = gradients(0.5, 0.8, 4, "pathwise", repeats=1_000_000)
    _, double = gradients(0.5, 0.8, 4, "doubly-reparameterized", seed=1)
    _, sticking = gradients(0.5, 0.8, 4, "sticking-the-landing", seed=2)
    error = (plain.var(0) / len(plain) + double.var(0) / len(double)).sqrt()
    assert ((plain.mean(0) - double.mean(0)).abs() < 5 * error).all()
    assert (sticking.mean(0)[0] - double.mean(0)[0]).abs() > 0.1  # published: .2488 against .055


def test_the_signal_to_noise_ratio_grows_with_the_root_of_the_samples():
    ratios = []
    for samples in (1, 4, 16, 64):
        _, found = gradients(0.5, 0.8, samples, "doubly-reparameterized", repeats=50_000)
        ratios.append(float(found[:, 0].mean() / found[:, 0].std()))
    assert ratios[0] == pytest.approx(0.856, rel=0.03)  # reference values of this model
    assert ratios[-1] == pytest.approx(5.65, rel=0.03)
    slope = math.log(ratios[-1] / ratios[1]) / math.log(16)
    assert slope == pytest.approx(0.5, abs=0.05)


def test_a_parameter_of_the_joint_gets_the_usual_gradient():
    mean = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)

    def joint(z):
        return Normal(mean, 1.0).log_prob(z) + Normal(z, 1.0).log_prob(torch.tensor(X, dtype=z.dtype))

    law = Normal(torch.full((1000,), 0.5, dtype=torch.float64), 0.8)
    found = []
    for gradient in ("pathwise", "doubly-reparameterized"):
        bound = evidence_bound(joint, law, samples=3, gradient=gradient, generator=generator(3))
        found.append(torch.autograd.grad(bound.sum(), mean)[0])
    assert found[0] == found[1] != 0


def test_events_are_weighted_as_a_whole():
    loc = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
    law = Independent(Normal(loc, 0.7), 1)
    bound = evidence_bound(
        lambda z: Independent(Normal(torch.zeros(3, dtype=z.dtype), 1.0), 1).log_prob(z),
        law,
        samples=6,
        generator=generator(0),
    )
    assert bound.shape == (5,)
    assert torch.autograd.grad(bound.sum(), loc)[0].isfinite().all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"gradient": "dreg"}, "gradient must be one of 'pathwise'"),
        ({"law": Bernoulli(torch.tensor(0.5))}, "Bernoulli has no rsample"),
        ({"log_joint": lambda z: z.sum()}, "one value for each draw"),
    ],
)
def test_what_makes_no_sense_is_refused(change, text):
    given = {"log_joint": log_joint, "law": Normal(torch.zeros(2), 1.0), **change}
    with pytest.raises(EstimatorError, match=text):
        evidence_bound(given.pop("log_joint"), given.pop("law"), **given)


def test_forward_mode_is_refused_where_it_would_be_another_gradient():
    def bound(loc, gradient):
        law = Normal(loc, 0.8)
        return evidence_bound(log_joint, law, samples=4, gradient=gradient, generator=generator(0)).sum()

    loc = torch.full((10,), 0.5, dtype=torch.float64)
    forward = torch.func.jvp(lambda loc: bound(loc, "pathwise"), (loc,), (torch.ones_like(loc),))[1]
    assert forward == pytest.approx(torch.func.grad(lambda loc: bound(loc, "pathwise"))(loc).sum().item())
    with pytest.raises(NotImplementedError, match="only in reverse mode"):
        torch.func.jvp(lambda loc: bound(loc, "doubly-reparameterized"), (loc,), (torch.ones_like(loc),))
