"""Networks fit images of any size and start where they should."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from reparam import vae
from reparam.vae.networks import MLP, ConvDecoder, ConvEncoder
from tests.vae.small import small_vae


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 48, 64), (1, 8, 8), (3, 1, 1), (1, 5, 200), (3, 33, 47), (1, 2, 3)])
def test_images_of_any_size_go_in_and_come_out(shape: tuple[int, int, int]) -> None:
    encoder, decoder = ConvEncoder(shape, 6, width=4), ConvDecoder(3, (2 * shape[0], *shape[1:]), width=4)
    x = torch.zeros(2, *shape)
    assert encoder(x).shape == (2, 6)
    assert decoder(torch.zeros(2, 3)).shape == (2, 2 * shape[0], *shape[1:])


def test_the_first_posterior_is_the_prior_for_data_of_any_scale() -> None:
    for model, x in (
        (small_vae((7,), latent_dim=3, width=16), torch.full((2, 7), 1e6)),
        (
            small_vae((1, 9, 9), "bernoulli", latent_dim=3),
            torch.full((2, 1, 9, 9), 1e6),
        ),
    ):
        terms = vae.elbo_terms(model, x)
        torch.testing.assert_close(terms.rate, torch.zeros(2), atol=0.01, rtol=0)


def test_every_parameter_receives_a_gradient_once_heads_have_moved() -> None:
    model = small_vae((1, 12, 12), "bernoulli", latent_dim=3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.1)
    model(torch.ones(2, 1, 12, 12)).loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_mlp_head_may_start_at_zero() -> None:
    assert MLP(3, 4, width=8, zero_head=True)(torch.randn(5, 3)).abs().max() == 0


@pytest.mark.parametrize(("dense_width", "hidden"), [(None, [64]), (5, [5]), (0, [])])
def test_the_dense_layers_have_the_width_asked_for(dense_width: int | None, hidden: list[int]) -> None:
    encoder = ConvEncoder((1, 12, 12), 6, width=4, dense_width=dense_width)
    decoder = ConvDecoder(3, (1, 12, 12), width=4, dense_width=dense_width)
    for network, inputs, outputs in ((encoder, 4 * 6 * 6, 6), (decoder, 3, 4 * 6 * 6)):
        sizes = [(layer.in_features, layer.out_features) for layer in network.dense if isinstance(layer, nn.Linear)]
        assert sizes == list(pairwise([inputs, *hidden, outputs]))
    assert decoder(encoder(torch.zeros(2, 1, 12, 12))[:, :3]).shape == (2, 1, 12, 12)
