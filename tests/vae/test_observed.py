"""Missing values: the likelihood of the rest, whatever stands in their place."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reparam import noise, vae
from reparam.distributions import MultivariateNormal
from reparam.errors import UsageError
from reparam.vae.terms import log_likelihood_of
from tests.linear_gaussian import DTYPE, LinearGaussian
from tests.vae.small import small_plan, small_vae

MODEL = LinearGaussian()
X = MODEL.draw(6)
OBSERVED = torch.rand(6, 5, generator=noise.generator(0)) < 0.6


def spoiled(value: float) -> Tensor:
    return torch.where(OBSERVED, X, value)


def test_every_draw_of_the_posterior_weighs_as_much_as_what_is_observed() -> None:
    assert 0 < OBSERVED.sum(1).min() < OBSERVED.sum(1).max()
    model = MODEL.exact_vae()
    for x, seen in zip(X, OBSERVED, strict=True):
        W, mean = MODEL.W[seen], MODEL.mean[seen]
        precision = W.T @ W / MODEL.sigma**2 + torch.eye(2, dtype=DTYPE)
        loc = torch.linalg.solve(precision, W.T @ (x[seen] - mean) / MODEL.sigma**2)
        posterior = MultivariateNormal(loc, precision_matrix=precision)
        z = posterior.sample((7, 1), generator=noise.generator(1))
        likelihood = log_likelihood_of(model, torch.where(seen, x, math.nan)[None], z, seen[None])
        weights = likelihood + model.prior().log_prob(z) - posterior.log_prob(z)
        marginal = torch.distributions.MultivariateNormal(
            mean, W @ W.T + MODEL.sigma**2 * torch.eye(len(mean), dtype=DTYPE)
        )
        torch.testing.assert_close(weights, marginal.log_prob(x[seen]).expand(7, 1))


def test_with_all_observed_it_is_the_likelihood() -> None:
    model = MODEL.exact_vae(shift=0.3)
    for objective in (vae.Elbo(2), vae.ImportanceWeighted(3)):
        everything, plain = (
            objective(model, X, generator=noise.generator(0), observed=observed)
            for observed in (torch.ones_like(OBSERVED), None)
        )
        torch.testing.assert_close(everything.bound, plain.bound)
        torch.testing.assert_close(everything.loss, plain.loss)


@pytest.mark.parametrize("value", [math.nan, math.inf, 7.0, -1e30])
@pytest.mark.parametrize("objective", [vae.Elbo(2), vae.Elbo(sticking_the_landing=True), vae.ImportanceWeighted(3)])
def test_what_stands_at_missing_places_does_not_matter(objective: Any, value: float) -> None:
    model, found = MODEL.exact_vae(shift=0.3), []
    for x in (spoiled(value), spoiled(0.0)):
        x.requires_grad_()
        terms = objective(model, x, generator=noise.generator(0), observed=OBSERVED)
        (in_x,) = torch.autograd.grad(terms.loss, x, retain_graph=True)
        found.append((terms.bound, in_x, *torch.autograd.grad(terms.loss, model.parameters())))
    for ours, theirs in zip(*found, strict=True):
        assert ours.isfinite().all()
        assert torch.equal(ours, theirs)
    in_x = found[0][1]
    assert (in_x[~OBSERVED] == 0).all()
    assert (in_x[OBSERVED] != 0).all()


@pytest.mark.parametrize("name", sorted(vae.LIKELIHOODS))
def test_every_likelihood_can_do_without_some_values(name: str) -> None:
    x = torch.ones(4, 3)
    observed = torch.tensor([[True, False, True]] * 4)
    with torch.random.fork_rng():
        noise.seed_global(0, "observed")
        model = small_vae((3,), name, levels=2)
    terms = vae.Elbo()(model, torch.where(observed, x, math.nan), generator=noise.generator(0), observed=observed)
    law = model.decoder(model.encoder(torch.where(observed, x, 0.0)).rsample(generator=noise.generator(0)))
    each = law.base_dist.log_prob(x)  # type: ignore[attr-defined]
    torch.testing.assert_close(terms.distortion, -(each[:, 0] + each[:, 2]))
    terms.loss.backward()
    assert all(part.grad.isfinite().all() for part in model.parameters() if part.grad is not None)
    assert small_plan((3,), name).likelihood == name


class Whole(nn.Module):
    """A likelihood whose values depend on each other."""

    def num_outputs(self, num_values: int) -> int:
        return num_values

    def forward(self, outputs: Tensor) -> MultivariateNormal:
        return MultivariateNormal(outputs, torch.eye(5, dtype=DTYPE))


def test_values_that_depend_on_each_other_are_refused() -> None:
    model = MODEL.exact_vae()
    model.decoder.family = Whole()
    with pytest.raises(UsageError, match=r"missing values need a likelihood of independent values, got Multivariate"):
        vae.Elbo()(model, X, observed=OBSERVED)
