"""Independent estimates of a gradient from one call: every row is the same example with parameters of its own.

The parameters are offsets, 0 everywhere, of the outputs of the encoder's and the decoder's network. As rows share
nothing, the gradient of the sum of their losses in the offsets of a row is that row's own estimate.
"""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from reparam import vae


class PerRow:
    """A VAE for ``num_rows`` copies of one example, each with offsets of its own.

    Args:
        model: its networks and families.
        x: the example, ``[X]``.
        num_rows: ``R``.
        num_outputs: of encoder and decoder.
    """

    def __init__(self, model: vae.VAE, x: Tensor, num_rows: int, num_outputs: tuple[int, int]) -> None:
        self.model, self.x = model, x.expand(num_rows, -1)
        self.offsets = [x.new_zeros(num_rows, size, requires_grad=True) for size in num_outputs]

    def encoder(self, x: Tensor) -> Distribution:
        return self.model.encoder.family(self.model.encoder.network(x) + self.offsets[0])

    def decoder(self, z: Tensor) -> Distribution:
        shift = self.offsets[1].repeat(len(z) // len(self.x), 1)
        return self.model.decoder.family(self.model.decoder.network(z) + shift)

    def prior(self) -> Distribution:
        law: Distribution = self.model.prior()
        return law

    def estimates(
        self, objective: Any, generator: torch.Generator, beta: float = 1.0
    ) -> tuple[vae.Terms, Tensor, Tensor]:
        """Terms, and the gradients of the loss in the encoder's and decoder's outputs, ``[R, num_outputs]`` each."""
        terms = objective(self, self.x, beta=beta, generator=generator)
        encoder, decoder = torch.autograd.grad(terms.loss * len(self.x), self.offsets)
        return terms, encoder, decoder
