"""A VAE for data of a given shape, when nobody brings their own."""

from torch import nn

from reparam.vae.conditional import Conditional
from reparam.vae.model import VAE
from reparam.vae.networks import MLP, ConvDecoder, ConvEncoder
from reparam.vae.posteriors import DiagonalNormal
from reparam.vae.priors import StandardNormal

__all__ = ["DEFAULT_WIDTH", "assemble"]

DEFAULT_WIDTH = {"image": 16, "table": 128}


def assemble(event_shape: tuple[int, ...], likelihood: nn.Module, *, latent_dim: int, width: int) -> VAE:
    """Residual MLPs for vectors ``(D,)``, residual convolutional networks for images ``(C, H, W)``.

    Args:
        event_shape: shape of one example.
        likelihood: the decoder's family, e.g. :class:`reparam.vae.Gaussian`.
        latent_dim: latent dimensions.
        width: hidden units of the MLP, or channels at half the image's size.

    Example:
        >>> from reparam.vae import Bernoulli
        >>> model = assemble((1, 28, 28), Bernoulli((1, 28, 28)), latent_dim=4, width=8)
        >>> import torch
        >>> model.reconstruct(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 1, 28, 28])
    """
    num_outputs: int = likelihood.num_outputs  # type: ignore[assignment]
    encoder: nn.Module
    decoder: nn.Module
    if len(event_shape) == 3:
        image_shape = (event_shape[0], event_shape[1], event_shape[2])
        encoder = ConvEncoder(image_shape, 2 * latent_dim, width=width)
        decoder = ConvDecoder(latent_dim, image_shape, num_outputs, width=width)
    else:
        (num_values,) = event_shape
        encoder = MLP(num_values, 2 * latent_dim, width=width, zero_head=True)
        decoder = MLP(latent_dim, num_outputs * num_values, width=width)
    return VAE(
        Conditional(encoder, DiagonalNormal()),
        Conditional(decoder, likelihood),  # type: ignore[arg-type]
        StandardNormal(latent_dim),
    )
