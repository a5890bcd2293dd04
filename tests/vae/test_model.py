"""The model decodes deterministically unless a draw is asked for."""

import torch

from reparam import noise, vae
from tests.vae.small import small_vae


def make_model() -> vae.VAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return small_vae((4,), width=8)


def test_reconstruct_is_the_mean_of_the_mean() -> None:
    model, x = make_model(), torch.ones(3, 4)
    torch.testing.assert_close(model.reconstruct(x), model.decoder(model.encoder(x).mean).mean)


def test_decode_with_noise_follows_the_generator() -> None:
    model, z = make_model(), torch.zeros(3, 2)
    first, second = (model.decode(z, observation_noise=True, generator=noise.generator(0)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, model.decode(z, observation_noise=False))


def test_prior_has_no_state_of_its_own_in_checkpoints() -> None:
    assert not [name for name in make_model().state_dict() if name.startswith("prior")]
