"""Networks sized from the data."""

from reparam.vae.networks.convolutional import ConvDecoder as ConvDecoder
from reparam.vae.networks.convolutional import ConvEncoder as ConvEncoder
from reparam.vae.networks.mlp import MLP as MLP
from reparam.vae.networks.mlp import GatedMLP as GatedMLP
