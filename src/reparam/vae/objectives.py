"""The bounds a VAE is trained on, term by term.

For an encoder ``q(z|x)``, a prior ``p(z)`` and a decoder ``p(x|z)``::

    log p(x)  >=  E_q[log p(x|z)]  -  KL(q(z|x) || p(z))  =  -(distortion + rate)            (ELBO)
    log p(x)  >=  log 1/S Σ_s p(x|z_s) p(z_s) / q(z_s|x),   z_s ~ q(z|x)                     (importance weighted)

Kingma & Welling 2014, arXiv:1312.6114, eq. 3; Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, eq. 8. Every term
stays per example, in nats, summed over dimensions; the mean over examples is taken at the very end, by whoever reports.

What is minimised (``Terms.loss``) may be weighted, or have a gradient of its own making; what is reported
(``Terms.bound``) is always the exact bound of the model as it is.

Shape letters: S draws, B batch, D latent, X data.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor
from torch.distributions import Distribution

from reparam.distributions import rsample_with_log_prob
from reparam.errors import UsageError
from reparam.estimators import Estimator, expectation, weigh_gradient, without_score
from reparam.vae.spreading import NoiseKind, check_spread, randomness_of
from reparam.vae.terms import (
    LatentVariableModel,
    Terms,
    closed_rate,
    draw,
    importance_weighted_bound,
    log_likelihood_of,
    rate_per_dimension,
)

__all__ = ["Elbo", "ImportanceWeighted", "Objective", "elbo_terms"]


Gradient = Literal["pathwise", "doubly-reparameterized"]


class Objective(Protocol):
    """What training minimises. Without gradients (``torch.no_grad``) all of :class:`Terms` is exact.

    ``observed``, ``[B, *X]``, is ``True`` where a value is known: the bound is that of those values alone, and what
    stands at the others does not matter.
    """

    def __call__(
        self,
        model: LatentVariableModel,
        x: Tensor,
        *,
        beta: float = 1.0,
        generator: torch.Generator | None = None,
        observed: Tensor | None = None,
    ) -> Terms: ...


@dataclass(frozen=True)
class Elbo:
    """``distortion + β·rate``: the evidence lower bound for β = 1.

    Args:
        num_samples: draws of z that are averaged, S.
        free_bits: λ, in nats: each latent dimension costs ``max(λ, its mean rate over the batch)``, so that the first λ
            nats are free and it pays to use them (Kingma et al. 2016, arXiv:1606.04934, eq. 15). The bound does not
            change. Needs a posterior and a prior of independent dimensions.
        sticking_the_landing: leave out the score of q, whose expectation is 0: no variance where the posterior is exact
            (Roeder, Wu & Duvenaud 2017, arXiv:1703.09194). One draw only.
        noise: ``"iid"``, or draws that spread evenly: ``"antithetic"`` pairs or a scrambled ``"sobol"`` sequence over
            the S draws of each example.
        estimator: for posteriors whose draws cannot move (coins, classes): where the gradient of the distortion comes
            from, e.g. :class:`reparam.estimators.DisArm`; ``None`` chooses an unbiased one.

    Raises:
        UsageError: a combination that makes no sense.

    Example:
        >>> import reparam.vae as vae
        >>> model = vae.VAE(
        ...     vae.Conditional(torch.nn.Linear(3, 4), vae.DiagonalNormal()),
        ...     vae.Conditional(torch.nn.Linear(2, 3), vae.Gaussian((3,))),
        ...     vae.StandardNormal(2),
        ... )
        >>> terms = Elbo()(model, torch.zeros(5, 3))
        >>> terms.bound.shape, bool((terms.rate >= 0).all())
        (torch.Size([5]), True)
    """

    num_samples: int = 1
    free_bits: float = 0.0
    sticking_the_landing: bool = False
    noise: NoiseKind = "iid"
    estimator: Estimator | None = None

    def __post_init__(self) -> None:
        check_spread(self.noise, self.num_samples)
        if not 0 <= self.free_bits < math.inf:
            raise UsageError(f"free_bits must be a number of at least 0, got {self.free_bits!r}")
        if self.sticking_the_landing and self.num_samples > 1:
            raise UsageError(
                f"sticking the landing takes one draw, got num_samples={self.num_samples}; with several, use "
                'ImportanceWeighted(gradient="doubly-reparameterized")'
            )
        if self.sticking_the_landing and self.free_bits:
            raise UsageError("free bits need the rate in closed form, which sticking the landing does not use")

    def __call__(
        self,
        model: LatentVariableModel,
        x: Tensor,
        *,
        beta: float = 1.0,
        generator: torch.Generator | None = None,
        observed: Tensor | None = None,
    ) -> Terms:
        """See :class:`Objective`."""
        posterior, prior = _encoded(model, x, observed), model.prior()
        if not posterior.has_rsample:
            self._check_estimated(posterior)
            return self._estimated(model, posterior, prior, x, beta, generator, observed)
        if self.estimator is not None:
            raise UsageError(
                f"an estimator is for draws that cannot move, and those of {type(posterior).__name__} move: leave out "
                f"{self.estimator!r}"
            )
        closed = None if self.sticking_the_landing else closed_rate(posterior, prior)
        randomness = randomness_of(self.noise, generator)
        if closed is None:
            z_SBD, log_q_SB = rsample_with_log_prob(posterior, (self.num_samples,), **randomness)
            if self.sticking_the_landing:
                log_q_SB = without_score(posterior, z_SBD, log_q_SB)
            rate = (log_q_SB - prior.log_prob(z_SBD)).mean(0)
        else:
            z_SBD = draw(posterior, self.num_samples, **randomness)
            rate = closed
        distortion = -log_likelihood_of(model, x, z_SBD, observed).mean(0)
        return self._terms(distortion, distortion, rate, posterior, prior, beta)

    def _check_estimated(self, posterior: Distribution) -> None:
        if self.sticking_the_landing or self.noise != "iid":
            what = "sticking the landing" if self.sticking_the_landing else f"{self.noise} noise"
            raise UsageError(f"{what} needs draws that move, and those of {type(posterior).__name__} cannot")

    def _estimated(
        self,
        model: LatentVariableModel,
        posterior: Distribution,
        prior: Distribution,
        x: Tensor,
        beta: float,
        generator: torch.Generator | None,
        observed: Tensor | None,
    ) -> Terms:
        """For draws that cannot move. A biased estimator looks between their values: the bound takes a draw more."""

        def f(z_SBD: Tensor) -> Tensor:
            return -log_likelihood_of(model, x, z_SBD, observed)

        rate = closed_rate(posterior, prior)
        if rate is None:
            raise UsageError(
                f"no KL in closed form between {type(posterior).__name__} and {type(prior).__name__}, which discrete "
                "latents need; use their standard prior"
            )
        exact = distortion = None
        if torch.is_grad_enabled():
            distortion = expectation(
                f, posterior, estimator=self.estimator, samples=self.num_samples, generator=generator
            )
            if self.estimator is None or self.estimator.unbiased:
                exact = distortion
        if exact is None:
            with torch.no_grad():
                exact = f(draw(posterior, self.num_samples, generator=generator)).mean(0)
        return self._terms(exact if distortion is None else distortion, exact, rate, posterior, prior, beta)

    def _terms(
        self,
        moved: Tensor,
        distortion: Tensor,
        rate: Tensor,
        posterior: Distribution,
        prior: Distribution,
        beta: float,
    ) -> Terms:
        cost = rate.mean()
        if self.free_bits:
            cost = rate_per_dimension(posterior, prior).mean(0).clamp(min=self.free_bits).sum()
        return Terms(distortion, rate, -(distortion + rate), moved.mean() + beta * cost)


@dataclass(frozen=True)
class ImportanceWeighted:
    """``-log 1/K Σ_k w_k``, ``log w = log p(x|z) + β·(log p(z) - log q(z|x))``: tighter the larger K is (IWAE).

    Args:
        num_samples: draws of z, K, at least 2.
        gradient: in the encoder. ``"pathwise"``: of the bound as it stands, whose signal-to-noise ratio falls as 1/√K
            (Rainforth et al. 2018, arXiv:1802.04537). ``"doubly-reparameterized"``: as unbiased, and its ratio grows as
            √K (DReG; Tucker et al. 2019, arXiv:1810.04152). That of decoder and prior is the same.
        noise: ``"iid"``, ``"antithetic"`` or ``"sobol"``, see :class:`Elbo`.

    Raises:
        UsageError: fewer than 2 draws; the doubly reparameterised gradient with draws that depend on each other, which
            would make it biased.

    Example:
        >>> import reparam.vae as vae
        >>> model = vae.VAE(
        ...     vae.Conditional(torch.nn.Linear(3, 4), vae.DiagonalNormal()),
        ...     vae.Conditional(torch.nn.Linear(2, 3), vae.Gaussian((3,))),
        ...     vae.StandardNormal(2),
        ... )
        >>> terms = ImportanceWeighted(16)(model, torch.zeros(5, 3))
        >>> bool((terms.bound > terms.elbo).all())
        True
    """

    num_samples: int
    gradient: Gradient = "doubly-reparameterized"
    noise: NoiseKind = "iid"

    def __post_init__(self) -> None:
        if self.gradient not in get_args(Gradient):
            raise UsageError(f"gradient must be one of {', '.join(get_args(Gradient))}, got {self.gradient!r}")
        if self.num_samples < 2:
            raise UsageError(f"importance weighting needs at least 2 draws, got num_samples={self.num_samples}")
        check_spread(self.noise, self.num_samples)
        if self.gradient == "doubly-reparameterized" and self.noise != "iid":
            raise UsageError(
                f'the doubly reparameterised gradient needs independent draws, got noise="{self.noise}"; use '
                'noise="iid", or gradient="pathwise"'
            )

    def __call__(
        self,
        model: LatentVariableModel,
        x: Tensor,
        *,
        beta: float = 1.0,
        generator: torch.Generator | None = None,
        observed: Tensor | None = None,
    ) -> Terms:
        """See :class:`Objective`."""
        posterior = _encoded(model, x, observed)
        if not posterior.has_rsample:
            raise UsageError(
                "importance-weighted objectives move the draws of the posterior, and those of "
                f"{type(posterior).__name__} cannot move; use the ELBO"
            )
        randomness = randomness_of(self.noise, generator)
        z_SBD, log_q_SB = rsample_with_log_prob(posterior, (self.num_samples,), **randomness)
        if self.gradient == "doubly-reparameterized":
            log_q_SB = without_score(posterior, z_SBD, log_q_SB)
        log_likelihood_SB = log_likelihood_of(model, x, z_SBD, observed)
        log_ratio_SB = log_q_SB - model.prior().log_prob(z_SBD)
        log_weights_SB = log_likelihood_SB - beta * log_ratio_SB
        if self.gradient == "doubly-reparameterized":
            weigh_gradient(z_SBD, log_weights_SB, beta=beta)
        bound = importance_weighted_bound(log_likelihood_SB - log_ratio_SB)
        loss = -importance_weighted_bound(log_weights_SB).mean()
        return Terms(-log_likelihood_SB.mean(0), log_ratio_SB.mean(0), bound, loss)


def elbo_terms(model: LatentVariableModel, x: Tensor, *, generator: torch.Generator | None = None) -> Terms:
    """Distortion and rate of each example, with one draw from the posterior: :class:`Elbo` as it is.

    Shapes:
        x: ``[B, *X]``; the terms are ``[B]``.
    """
    return Elbo()(model, x, generator=generator)


def _encoded(model: LatentVariableModel, x: Tensor, observed: Tensor | None) -> Distribution:
    """``q(z | x)``; the encoder is shown 0 where a value is missing (Mattei & Frellsen 2019, arXiv:1812.02633)."""
    return model.encoder(x if observed is None else torch.where(observed, x, 0.0))
