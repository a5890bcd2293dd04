"""The model whose answers are exact: probabilistic PCA (Tipping & Bishop 1999).

``z ~ N(0, I)``, ``x | z ~ N(Wz + m, σ²I)``, so ``x ~ N(m, WWᵀ + σ²I)`` and ``z | x ~ N(M⁻¹Wᵀ(x - m), σ²M⁻¹)`` with
``M = WᵀW + σ²I``. With orthogonal columns of ``W`` the posterior is diagonal, and a linear encoder can hold it exactly.
"""

import math

import torch
from torch import Tensor, nn

from reparam import vae
from reparam.vae.posteriors import DiagonalNormal

DTYPE = torch.float64


class LinearGaussian:
    """A fixed instance with ``latent_dim`` orthogonal directions in ``num_values`` dimensions."""

    def __init__(self, num_values: int = 5, latent_dim: int = 2, sigma: float = 0.6, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        directions = torch.linalg.qr(torch.randn(num_values, latent_dim, generator=generator, dtype=DTYPE)).Q
        self.W = directions * torch.linspace(1.0, 2.0, latent_dim, dtype=DTYPE)
        self.mean = torch.randn(num_values, generator=generator, dtype=DTYPE)
        self.sigma = sigma
        self.marginal = torch.distributions.MultivariateNormal(
            self.mean, self.W @ self.W.T + sigma**2 * torch.eye(num_values, dtype=DTYPE)
        )

    def draw(self, num_rows: int, seed: int = 1) -> Tensor:
        """Rows from the model, ``[num_rows, num_values]``."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(num_rows, self.W.shape[1], generator=generator, dtype=DTYPE)
        noise = torch.randn(num_rows, len(self.mean), generator=generator, dtype=DTYPE)
        return z @ self.W.T + self.mean + self.sigma * noise

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact ``log p(x)``, ``[N]``, in nats."""
        return self.marginal.log_prob(x)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Exact posterior mean ``[N, D]`` and scale ``[D]``."""
        precision = (self.W.T @ self.W).diagonal() + self.sigma**2
        return (x - self.mean) @ self.W / precision, (self.sigma**2 / precision).sqrt()

    def exact_vae(self, *, shift: float = 0.0, widen: float = 1.0) -> vae.VAE:
        """The VAE at its optimum; ``shift`` and ``widen`` move its posterior away from the truth."""
        latent_dim = self.W.shape[1]
        precision = (self.W.T @ self.W).diagonal() + self.sigma**2
        encoder = nn.Linear(len(self.mean), 2 * latent_dim, dtype=DTYPE)
        decoder = nn.Linear(latent_dim, len(self.mean), dtype=DTYPE)
        log_scale = (widen * self.sigma / precision.sqrt()).log()
        with torch.no_grad():
            encoder.weight[:latent_dim] = self.W.T / precision[:, None]
            encoder.weight[latent_dim:] = 0
            encoder.bias[:latent_dim] = -self.W.T @ self.mean / precision + shift
            encoder.bias[latent_dim:] = unbound(log_scale, *DiagonalNormal.log_scale_bounds)
            decoder.weight.copy_(self.W)
            decoder.bias.copy_(self.mean)
        likelihood = vae.Gaussian((len(self.mean),), floor=1e-3).to(DTYPE)
        with torch.no_grad():
            likelihood.log_scale.fill_(0.5 * math.log(self.sigma**2 - 1e-6))
        prior = vae.StandardNormal(latent_dim).to(DTYPE)
        return vae.VAE(vae.Conditional(encoder, vae.DiagonalNormal()), vae.Conditional(decoder, likelihood), prior)


def unbound(values: Tensor, low: float, high: float) -> Tensor:
    """The inverse of ``soft_bound``."""
    middle, half = (low + high) / 2, (high - low) / 2
    return middle + half * (2 / math.pi) * torch.tan((math.pi / 2) * (values - middle) / half)


def bias_and_error_of_importance_weighting(log_weights: Tensor, num_samples: int) -> tuple[float, float]:
    """How far a mean of bounds from ``num_samples`` weights lies below the truth, and its standard error, in nats.

    Delta method: with v the relative variance of one weight, the logarithm of a mean of K weights has bias -v / 2K,
    and the mean of such logarithms over all S draws of an example has variance v / S.

    Shapes:
        log_weights: all draws, ``[S, N]``.
    """
    num_draws, num_rows = log_weights.shape
    effective = (2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp()
    relative_variance = num_draws / effective - 1
    bias = relative_variance.mean() / (2 * num_samples)
    return bias.item(), (relative_variance.sum() / num_draws).sqrt().item() / num_rows
