"""RELAX with its control network in the model: one optimiser for both, each with a gradient of its own."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from reparam.estimators import Relax
from reparam.vae import VAE, Elbo, Terms, log_likelihood_of

TEMPERATURE = 0.5
SAMPLES_OF_VARIANCE = 2


class WithControl(VAE):
    """A VAE with coins, and a network that predicts the distortion from their scores ``[S, B, D]``, in nats."""

    def __init__(self, made: VAE, latent_dim: int, width: int = 200) -> None:
        super().__init__(made.encoder, made.decoder, made.prior)
        last = nn.Linear(width, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.control = nn.Sequential(nn.Linear(latent_dim, width), nn.LeakyReLU(0.3), last, nn.Flatten(-2))


class RelaxBound:
    """The ELBO with RELAX's gradient, and for the control network that of the variance of the encoder's.

    Grathwohl et al. 2018, arXiv:1711.00123. The control variate is that of REBAR at first: the network starts at 0.
    """

    def __call__(
        self,
        model: WithControl,
        x: Tensor,
        *,
        beta: float = 1.0,
        generator: torch.Generator | None = None,
        observed: Tensor | None = None,
    ) -> Terms:
        """See :class:`reparam.vae.Objective`. What the control network learns from adds 0 to the loss."""
        estimator = Relax(model.control, TEMPERATURE)
        terms = Elbo(estimator=estimator)(model, x, beta=beta, generator=generator, observed=observed)
        if not torch.is_grad_enabled():
            return terms
        with torch.no_grad():
            posterior = model.encoder(x)
        variance = estimator.variance(
            lambda z: -log_likelihood_of(model, x, z, observed),
            posterior,
            samples=SAMPLES_OF_VARIANCE,
            generator=generator,
        )
        weights = list(model.control.parameters())
        lesson = sum(
            (weight * gradient).sum()
            for weight, gradient in zip(weights, torch.autograd.grad(variance / len(x), weights), strict=True)
        )
        return replace(terms, loss=terms.loss + (lesson - lesson.detach()))
