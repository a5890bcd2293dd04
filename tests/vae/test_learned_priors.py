"""Mixtures and VampPriors: what they are, where they start, and what is stored of them."""

import copy
import math

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from reparam import noise, vae
from reparam.planning.plan import StartsAtData
from reparam.training.state import TrainingState


def normal(*shape, index=0):
    return noise.standard_normal(shape, like=torch.zeros(()), generator=noise.generator(0, "test", index))


def vamp_model(posterior="diagonal-normal", num_components=5):
    noise.seed_global(0, "weights")
    model = vae.assemble(
        vae.Architecture(
            event_shape=(4,), likelihood="gaussian", latent_dim=3, width=8, network="residual-mlp",
            posterior=posterior, prior="vampprior", prior_components=num_components,
        )
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.encoder.network[-1].head.parameters():
            parameter.copy_(normal(*parameter.shape) / 3)  # so that pseudo-inputs differ in their posteriors
    return model


def test_a_mixture_starts_spread_like_the_standard_normal():
    noise.seed_global(0, "weights")
    prior = vae.MixturePrior(2000, 3)
    law = prior()
    assert law.mean.abs().max() < 5 * math.sqrt(0.1 / 2000)
    torch.testing.assert_close(law.variance, torch.ones(3), atol=0.02, rtol=0)
    assert not torch.equal(prior.loc[0], prior.loc[1])


def test_a_mixture_learns_two_modes():
    noise.seed_global(0, "weights")
    prior = vae.MixturePrior(2, 1)
    z = torch.cat([normal(500, 1) * 0.1 - 1, normal(500, 1, index=1) * 0.1 + 1])
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = -prior().log_prob(z).mean()
        loss.backward()
        optimizer.step()
    # The entropy of the law that made them, one bit more than that of a mode: few rows can be fitted a little better.
    assert loss.item() == pytest.approx(math.log(2) + 0.5 * math.log(2 * math.pi * math.e * 0.01), abs=0.05)


@pytest.mark.parametrize(
    "posterior",
    ["diagonal-normal", "full-normal", "low-rank-normal", "von-mises-fisher", "power-spherical", "gamma", "beta",
     "dirichlet", "von-mises", "spline-flow"],
)  # fmt: skip
def test_a_vampprior_is_the_mean_of_the_posteriors_of_its_inputs(posterior):
    model = vamp_model(posterior)
    z = model.encoder(normal(6, 4)).sample((2,), generator=noise.generator(0))
    each = torch.stack([model.encoder(row[None]).log_prob(z) for row in model.prior.inputs])
    torch.testing.assert_close(model.prior().log_prob(z), each.logsumexp(0) - math.log(5), rtol=1e-4, atol=1e-4)
    assert model.prior().sample((7,), generator=noise.generator(1)).shape == (7, *z.shape[2:])


def test_a_vampprior_follows_the_encoder_at_once():
    model = vamp_model()
    z = normal(3, 3)
    before = model.prior().log_prob(z)
    with torch.no_grad():
        model.encoder.network[-1].head.bias += 1.0
    assert not torch.allclose(model.prior().log_prob(z), before)
    model.prior().log_prob(z).sum().backward()
    assert model.prior.raw_inputs.grad.abs().sum() > 0
    assert model.encoder.network[-1].head.weight.grad.abs().sum() > 0


def test_the_encoder_is_stored_once_and_comes_back():
    model = vamp_model()
    names = list(model.state_dict())
    assert len(names) == len(set(names))
    assert [name for name in names if name.startswith("prior")] == ["prior.raw_inputs", "prior.low", "prior.high"]
    stored = load(save(model.state_dict()))
    other = vamp_model()
    with torch.no_grad():
        other.prior.raw_inputs.zero_()
    other.load_state_dict(stored)
    z = normal(3, 3)
    torch.testing.assert_close(other.prior().log_prob(z), model.prior().log_prob(z), rtol=0, atol=0)


def test_a_copy_of_the_model_has_a_prior_of_its_own_encoder():
    model = vamp_model()
    twin = copy.deepcopy(model)
    assert twin.prior._encoder[0] is twin.encoder
    averaged = TrainingState.start(
        model, average_decay=0.9, learning_rate=1e-3, device=torch.device("cpu")
    ).average.module
    assert averaged.prior._encoder[0] is averaged.encoder
    with torch.no_grad():
        twin.encoder.network[-1].head.bias += 1.0
    z = normal(3, 3)
    assert not torch.allclose(twin.prior().log_prob(z), model.prior().log_prob(z))


def test_moving_the_model_moves_what_the_prior_sees():
    model = vamp_model().double()
    assert model.prior().log_prob(normal(3, 3).double()).dtype == torch.float64


def test_pseudo_inputs_start_at_examples_and_stay_in_their_range():
    prior = vamp_model().prior
    assert isinstance(prior, StartsAtData)
    x = torch.rand(50, 4, generator=noise.generator(0)) * torch.tensor([1.0, 10.0, 0.0, 1.0]) - 2
    prior.start_at(x, resolution=torch.tensor(0.0))
    chosen = x[torch.linspace(0, 49, 5).round().long()]
    span = x.amax(0) - x.amin(0)
    assert ((prior.inputs - chosen).abs() <= 0.0201 * span + 1e-6).all()
    with torch.no_grad():
        prior.raw_inputs.copy_(normal(5, 4) * 1e4)
    assert (prior.inputs >= x.amin(0)).all()
    assert (prior.inputs <= x.amax(0)).all()


def test_images_that_are_black_or_white_start_where_they_can_still_move():
    prior = vae.VampPrior(vae.Conditional(nn.Linear(4, 2), vae.DiagonalNormal()), 3, (4,))
    prior.start_at(torch.tensor([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]]))
    prior().log_prob(torch.zeros(1)).backward()
    assert (prior.raw_inputs.grad.abs() > 0).all()
    torch.testing.assert_close((prior.inputs - 0.5).abs(), torch.full((3, 4), 0.48))


def test_a_vampprior_with_fewer_examples_than_components_repeats_them():
    prior = vae.VampPrior(vae.Conditional(nn.Linear(4, 2), vae.DiagonalNormal()), 5, (4,))
    prior.start_at(normal(2, 4))
    assert prior.inputs.isfinite().all()


@pytest.mark.parametrize(
    ("prior", "entropy"),
    [
        (vae.uniform_angles(2), 2 * math.log(2 * math.pi)),
        (vae.uniform_direction(2), math.log(4 * math.pi)),
        (vae.uniform_interval(2), 0.0),
        (vae.uniform_simplex(2), -math.log(2)),
        (vae.fair_coins(2), 2 * math.log(2)),
        (vae.even_classes(2, 5), 2 * math.log(5)),
        (vae.unit_gamma(2), 2.0),
        (vae.StandardNormal(2), math.log(2 * math.pi * math.e)),
    ],
)
def test_laws_that_know_nothing(prior, entropy):
    law = prior()
    z = law.sample((4000,), generator=noise.generator(0))
    log_prob = law.log_prob(z)
    error = 5 * log_prob.std() / math.sqrt(4000)
    assert (-log_prob).mean().item() == pytest.approx(entropy, abs=error.item() + 1e-5)
    assert not prior.state_dict()
    assert prior.double()().sample(generator=noise.generator(0)).dtype == torch.float64
