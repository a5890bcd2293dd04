"""Networks are chosen by the shape of an example."""

import pytest

from reparam import vae
from reparam.vae.networks import MLP, ConvEncoder


@pytest.mark.parametrize(("shape", "network"), [((5,), MLP), ((1, 8, 8), ConvEncoder)])
def test_vectors_get_mlps_and_images_convolutions(shape: tuple[int, ...], network: type) -> None:
    model = vae.assemble(shape, vae.Gaussian(shape), latent_dim=2, width=4)
    assert isinstance(model.encoder.network, network)
    assert model.prior().event_shape == (2,)
