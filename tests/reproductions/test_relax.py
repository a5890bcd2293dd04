"""RELAX's control network learns, and what it learns from reaches nothing else."""

import pytest
import torch

from reparam import noise
from reparam.estimators import Relax
from reparam.vae import Elbo, log_likelihood_of
from reproductions import models
from reproductions.relax import TEMPERATURE, RelaxBound
from reproductions.row import PIXELS, started


@pytest.fixture
def x():
    return torch.bernoulli(torch.full((8, *PIXELS), 0.2), generator=noise.generator(0))


@pytest.fixture
def model(x):
    return started(models.controlled_binary_layer(), x, 0)


def gradients(model, objective, x):
    model.zero_grad()
    loss = objective(model, x, generator=noise.generator(1)).loss
    loss.backward()
    return loss.item(), {name: parameter.grad for name, parameter in model.named_parameters()}


def test_the_lesson_is_for_the_control_network_alone(model, x):
    with torch.no_grad():
        model.control[2].weight.normal_(generator=noise.generator(2))
    ours, taught = gradients(model, RelaxBound(), x)
    plain, untaught = gradients(model, Elbo(estimator=Relax(model.control, TEMPERATURE)), x)
    assert ours == plain
    for name, gradient in taught.items():
        if name.startswith("control"):
            assert untaught[name] is None
            assert gradient.abs().sum() > 0
        else:
            assert torch.equal(gradient, untaught[name]), name


def test_the_control_network_lowers_the_variance(model, x):
    def variance():
        def f(z):
            return -log_likelihood_of(model, x, z, None)

        with torch.no_grad():
            law = model.encoder(x)
        return Relax(model.control, TEMPERATURE).variance(f, law, samples=200, generator=noise.generator(3)).item()

    before = variance()
    optimizer = torch.optim.Adam(model.control.parameters(), lr=1e-2)
    for step in range(100):
        optimizer.zero_grad()
        RelaxBound()(model, x, generator=noise.generator(4, step)).loss.backward()
        optimizer.step()
    assert variance() < 0.9 * before
