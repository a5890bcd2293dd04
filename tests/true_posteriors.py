"""Posteriors trained where the truth is known: the decoder of a linear-Gaussian model, which does not move.

``z ~ N(0, I)``, ``x | z ~ N(Wz + m, σ²I)``: ``log p(x)`` has a closed form. At the exact posterior
``log p(x, z) - log q(z|x)`` is ``log p(x)`` for every draw z; what is left between the two is what the posterior has
not learned.
"""

import math

import torch
from torch import Tensor, nn

from reparam import noise, vae
from tests.linear_gaussian import DTYPE, unbound

NUM_VALUES, SIGMA = 5, 0.6

DIAGONAL = torch.diag(torch.tensor([0.1, 0.3], dtype=DTYPE))
CORRELATED = torch.tensor([[0.3, 0.2], [0.2, 0.4]], dtype=DTYPE)
# Of S·(I + V·Vᵀ)·S, S = 0.4, 0.5, 0.6 and V of one column.
LOW_RANK = torch.tensor([[0.32, 0.12, 0.12], [0.12, 0.34, 0.09], [0.12, 0.09, 0.45]], dtype=DTYPE)


def loadings(posterior_covariance: Tensor) -> Tensor:
    """``[X, D]``, with which ``x = W·z + σ·ε`` has this covariance of z given x: ``WᵀW = σ²·(C⁻¹ - I)``."""
    identity = torch.eye(len(posterior_covariance), dtype=DTYPE)
    precision = SIGMA**2 * (torch.linalg.inv(posterior_covariance) - identity)
    generator = noise.generator(0, "directions")
    like = torch.zeros((), dtype=DTYPE)
    directions = torch.linalg.qr(noise.standard_normal((NUM_VALUES, len(identity)), like=like, generator=generator)).Q
    return directions @ torch.linalg.cholesky(precision, upper=True)


def true_decoder(weights: Tensor, view: nn.Module | None = None) -> vae.Conditional:
    """The decoder with these loadings."""
    network = nn.Linear(weights.shape[1], NUM_VALUES, dtype=DTYPE)
    likelihood = vae.Gaussian((NUM_VALUES,), floor=1e-3).to(DTYPE)
    with torch.no_grad():
        network.weight.copy_(weights)
        network.bias.copy_(torch.linspace(-1, 1, NUM_VALUES))
        likelihood.log_scale.fill_(0.5 * math.log(SIGMA**2 - 1e-6))
    return vae.Conditional(network, likelihood, view).requires_grad_(False)


def least_gap_of_diagonal(posterior_covariance: Tensor) -> float:
    """KL of the best law of independent dimensions, that of the precision's diagonal: ``½ Σ log (C_dd·P_dd)``, nats."""
    precision = torch.linalg.inv(posterior_covariance)
    return 0.5 * (precision.diagonal().log().sum() + torch.logdet(posterior_covariance)).item()


def two_levels() -> tuple[vae.TwoLevelFamily, vae.TwoLevelPrior]:
    """``z2 ~ N(0, I)``, ``z1 | z2 ~ N(a·z2, 1 - a²)``: z1 ~ N(0, I), and all posteriors are diagonal."""
    share = torch.tensor([0.8, 0.6], dtype=DTYPE)
    downward = nn.Linear(2, 4, dtype=DTYPE).requires_grad_(False)
    downward.weight.zero_()[:2] = torch.diag(share)
    downward.bias.zero_()[2:] = unbound((1 - share**2).sqrt().log(), *vae.DiagonalNormal.log_scale_bounds)
    return vae.TwoLevelFamily(2, 2, nn.Linear(2, 4, dtype=DTYPE)), vae.TwoLevelPrior(2, 2, downward).to(DTYPE)


def gaps_after_training(
    family: nn.Module,
    posterior_covariance: Tensor,
    prior: nn.Module | None = None,
    view: nn.Module | None = None,
    *,
    steps: int,
    learning_rate: float = 0.05,
    num_rows: int = 300,
) -> Tensor:
    """``log p(x) - (log p(x, z) - log q(z|x))`` of 64 draws and ``num_rows`` rows, ``[64, N]``, in nats.

    The encoder is linear and starts at the prior.

    Args:
        family: of the posterior; the first level has this covariance in truth.
        prior: default: standard Normal; view: what the decoder sees of z.
    """
    weights = loadings(posterior_covariance)
    torch.manual_seed(0)
    num_dims = weights.shape[1]
    encoder = nn.Linear(NUM_VALUES, family.num_outputs(num_dims), dtype=DTYPE)
    nn.init.zeros_(encoder.weight)
    nn.init.zeros_(encoder.bias)
    prior = vae.StandardNormal(num_dims).to(DTYPE) if prior is None else prior
    model = vae.VAE(vae.Conditional(encoder, family.to(DTYPE)), true_decoder(weights, view), prior)
    covariance = weights @ weights.T + SIGMA**2 * torch.eye(NUM_VALUES, dtype=DTYPE)
    marginal = torch.distributions.MultivariateNormal(model.decoder.network.bias, covariance)
    x = marginal.sample((num_rows,))
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=learning_rate)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    objective = vae.Elbo(sticking_the_landing=True)
    for step in range(steps):
        optimizer.zero_grad()
        objective(model, x, generator=noise.generator(0, "step", step)).loss.backward()
        optimizer.step()
        decay.step()
    with torch.no_grad():
        log_weights = vae.importance_log_weights(model, model.encoder(x), x, 64, generator=noise.generator(1))
    return marginal.log_prob(x) - log_weights
