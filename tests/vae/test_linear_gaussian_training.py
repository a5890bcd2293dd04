"""Each posterior that contains the truth finds it: the bound of a linear-Gaussian model reaches its log-likelihood.

The decoder is the true one and does not move, so that ``log p(x)`` is known exactly; the encoder starts at the prior.
At the exact posterior ``log p(x, z) - log q(z|x)`` is ``log p(x)`` for every draw z: what is left between the two is
what the posterior has not learned.
"""

import math

import pytest
import torch
from torch import nn

from reparam import noise, vae
from reparam.vae.flows import FlowFamily

DTYPE = torch.float64
NUM_VALUES, SIGMA = 5, 0.6
NATS = 0.01

# Of S·(I + V·Vᵀ)·S, S = 0.4, 0.5, 0.6 and V of one column.
LOW_RANK = torch.tensor([[0.32, 0.12, 0.12], [0.12, 0.34, 0.09], [0.12, 0.09, 0.45]], dtype=DTYPE)


def loadings(posterior_covariance):
    """``[X, D]``, with which ``x = W·z + σ·ε`` has this covariance of z given x: ``WᵀW = σ²·(C⁻¹ - I)``."""
    identity = torch.eye(len(posterior_covariance), dtype=DTYPE)
    precision = SIGMA**2 * (torch.linalg.inv(posterior_covariance) - identity)
    generator = noise.generator(0, "directions")
    like = torch.zeros((), dtype=DTYPE)
    directions = torch.linalg.qr(noise.standard_normal((NUM_VALUES, len(identity)), like=like, generator=generator)).Q
    return directions @ torch.linalg.cholesky(precision, upper=True)


def true_decoder(weights, view=None):
    network = nn.Linear(weights.shape[1], NUM_VALUES, dtype=DTYPE)
    likelihood = vae.Gaussian((NUM_VALUES,), floor=1e-3).to(DTYPE)
    with torch.no_grad():
        network.weight.copy_(weights)
        network.bias.copy_(torch.linspace(-1, 1, NUM_VALUES))
        likelihood.log_scale.fill_(0.5 * math.log(SIGMA**2 - 1e-6))
    return vae.Conditional(network, likelihood, view).requires_grad_(False)


def gap_after_training(family, weights, prior=None, view=None, *, steps, learning_rate=0.05, num_rows=300):
    """``log p(x)`` less the bound, mean over rows and draws, in nats."""
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
    exact = marginal.log_prob(x)
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
    gap = exact - log_weights
    # A bound, up to what chance does to its mean.
    assert gap.mean() > -5 * gap.std() / math.sqrt(gap.numel()) - 1e-9
    return gap.mean().item()


CORRELATED = torch.tensor([[0.3, 0.2], [0.2, 0.4]], dtype=DTYPE)
DIAGONAL = torch.diag(torch.tensor([0.1, 0.3], dtype=DTYPE))


def test_diagonal_normal_with_orthogonal_directions():
    assert gap_after_training(vae.DiagonalNormal(), loadings(DIAGONAL), steps=600) < NATS


def test_full_normal():
    assert gap_after_training(vae.FullNormal(2), loadings(CORRELATED), steps=300) < NATS


def test_low_rank_normal_where_one_factor_is_the_truth():
    assert gap_after_training(vae.LowRankNormal(3, 1), loadings(LOW_RANK), steps=500) < NATS


@pytest.mark.parametrize("kind", ["iaf", "spline"])
def test_flows(kind):
    family = FlowFamily(2, kind, context_dim=0, hidden=(16,))
    assert gap_after_training(family, loadings(CORRELATED), steps=300, learning_rate=0.04, num_rows=100) < NATS


def test_a_diagonal_posterior_falls_short_where_dimensions_depend_on_each_other():
    # KL of the best diagonal law, of the inverse of the precision's diagonal: ½ Σ log (C_dd·P_dd) - it has to be seen.
    precision = torch.linalg.inv(CORRELATED)
    least = 0.5 * (precision.diagonal().log().sum() + torch.logdet(CORRELATED)).item()
    gap = gap_after_training(vae.DiagonalNormal(), loadings(CORRELATED), steps=300)
    assert gap == pytest.approx(least, abs=NATS)
    assert gap > 10 * NATS


def test_two_levels():
    # z2 ~ N(0, I), z1 | z2 ~ N(a·z2, 1 - a²): z1 ~ N(0, I), and all posteriors are diagonal.
    share = torch.tensor([0.8, 0.6], dtype=DTYPE)
    downward = nn.Linear(2, 4, dtype=DTYPE).requires_grad_(False)
    downward.weight.zero_()[:2] = torch.diag(share)
    downward.bias.zero_()[2:] = unbounded((1 - share**2).sqrt().log())
    prior = vae.TwoLevelPrior(2, 2, downward).to(DTYPE)
    upward = nn.Linear(2, 4, dtype=DTYPE)
    family = vae.TwoLevelFamily(2, 2, upward)
    assert gap_after_training(family, loadings(DIAGONAL), prior, vae.FirstLevel(2), steps=500) < NATS


def unbounded(log_scale):
    low, high = vae.DiagonalNormal.log_scale_bounds
    half = (high - low) / 2
    return half * (2 / math.pi) * torch.tan((math.pi / 2) * log_scale / half)
