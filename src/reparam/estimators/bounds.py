"""Importance-weighted bounds on ``log ∫ w(z) q(z) dz``, with gradients that do not drown in noise.

For ``log w(z) = log p(x, z) - log q(z)`` the bound with one sample is the ELBO, with K the IWAE bound. The pathwise
gradient in the parameters of q has a part, the score of q at a fixed draw, whose expectation is known or can be turned
into something of smaller variance.
"""

from collections.abc import Callable
from typing import Literal, get_args

import torch
import torch.distributions as td
from torch import Tensor

from reparam.errors import EstimatorError
from reparam.estimators.base import draw, elements, wants_gradient

__all__ = ["evidence_bound", "weigh_gradient", "without_score"]

Gradient = Literal["pathwise", "sticking-the-landing", "doubly-reparameterized"]


def evidence_bound(
    log_joint: Callable[[Tensor], Tensor],
    law: td.Distribution,
    *,
    samples: int = 1,
    gradient: Gradient = "doubly-reparameterized",
    generator: torch.Generator | None = None,
) -> Tensor:
    """``log (1/K) Σ_k p(x, z_k)/q(z_k)``, z_k drawn from q: a lower bound on log p(x) on average, in nats.

    Args:
        log_joint: draws ``[K, *batch_shape, *event_shape]`` to ``log p(x, z)``, ``[K, *batch_shape]``, in nats. It does
            not use the parameters of q (what it does use gets the usual gradient, whatever ``gradient`` says).
        law: q, with an ``rsample``.
        samples: K.
        gradient: in the parameters of q. ``"pathwise"``: everything is differentiated. ``"sticking-the-landing"``:
            without the score of q (Roeder, Wu & Duvenaud, arXiv:1703.09194): no variance at q = posterior, unbiased for
            K = 1, and BIASED for K > 1. ``"doubly-reparameterized"`` (DReG; Tucker et al., arXiv:1810.04152): the score
            is reparameterised once more, unbiased, the signal-to-noise ratio grows as √K where that of ``"pathwise"``
            falls as 1/√K; the same as sticking the landing for K = 1.
        generator: where the randomness comes from; torch's default generator if None.

    Returns:
        shape ``[*batch_shape]``.

    Raises:
        EstimatorError: q has no ``rsample``; ``gradient`` is none of these; ``log_joint`` gives another shape.
        NotImplementedError: the doubly reparameterized gradient, in forward mode.

    Example:
        >>> from reparam.distributions import Normal
        >>> q = Normal(torch.tensor(0.65, requires_grad=True), 0.5**0.5)  # the posterior for x = 1.3
        >>> joint = lambda z: Normal(0.0, 1.0).log_prob(z) + Normal(z, 1.0).log_prob(torch.tensor(1.3))
        >>> bound = evidence_bound(joint, q)
        >>> round(bound.item(), 3), torch.autograd.grad(bound, q.loc)[0].abs() < 1e-6
        (-1.688, tensor(True))
    """
    if gradient not in get_args(Gradient):
        raise EstimatorError(f"gradient must be one of {', '.join(map(repr, get_args(Gradient)))}; got {gradient!r}")
    if not law.has_rsample:
        raise EstimatorError(f"{type(elements(law)).__name__} has no rsample; these gradients are pathwise")
    draws = draw(law, (samples,), generator, "rsample")
    log_joint_values = log_joint(draws)
    wanted = torch.Size((samples, *law.batch_shape))
    if log_joint_values.shape != wanted:
        raise EstimatorError(
            f"log_joint must give one value for each draw, {tuple(wanted)}; it gave {tuple(log_joint_values.shape)}"
        )
    log_density = law.log_prob(draws)
    if gradient != "pathwise":
        log_density = without_score(law, draws, log_density)
    log_weights = log_joint_values - log_density
    if gradient == "doubly-reparameterized":
        weigh_gradient(draws, log_weights)
    return torch.logsumexp(log_weights, 0) - torch.log(log_weights.new_tensor(samples))


def without_score(law: td.Distribution, draws: Tensor, log_density: Tensor) -> Tensor:
    """``log_density``, to the bit, without the score: no gradient in the law's parameters but that through the draws.

    Args:
        law: its parameters' gradient at fixed draws is what is taken out.
        draws: ``[*sample_shape, *batch_shape, *event_shape]``, from ``law.rsample``.
        log_density: ``law.log_prob(draws)``.
    """
    score = law.log_prob(draws.detach())
    return log_density - (score - score.detach())


def weigh_gradient(draws: Tensor, log_weights: Tensor, *, beta: float = 1.0) -> None:
    """Weigh the gradient that reaches each draw once more by its share of the weights: the second half of DReG.

    With the density of q in the weights to the power of -β, its score at a fixed draw is weighed by β, and so is what
    stands for it: the gradient is weighed by ``(1 - β) + β·share``.

    Args:
        draws: ``[K, *batch_shape, *event_shape]``, from ``rsample``; they are changed: a hook is registered.
        log_weights: ``[K, *batch_shape]``.
        beta: β; 1 are the weights of the bound itself.

    Raises:
        NotImplementedError: in forward mode.
    """
    if not wants_gradient(draws):
        return
    if not draws.requires_grad:
        raise NotImplementedError("no doubly reparameterized gradient in forward mode, only in reverse mode")
    shares = torch.softmax(log_weights.detach(), 0)
    shares = shares[(..., *(None for _ in range(draws.dim() - log_weights.dim())))]
    draws.register_hook(lambda grad: (1 - beta + beta * shares) * grad)
