"""A gradient for draws by rejection: the accepted noise moves the draw, and how likely it is accepted is scored."""

from abc import ABC, abstractmethod

import torch
import torch.distributions as td
from torch import Tensor

from reparam.errors import EstimatorError
from reparam.estimators.base import Estimator, Integrand, as_made, elements
from reparam.estimators.baselines import Baseline
from reparam.estimators.score import scored
from reparam.samplers.rejection import Trials, accepts, trials_until
from reparam.special import log1mexp

__all__ = ["AcceptReject", "RejectionReparameterized"]

_MAX_TRIALS = 10_000


class AcceptReject(ABC):
    """A sampler ``y = h(ε, θ)`` whose ε, from a law without parameters, is accepted with probability ``a(ε, θ)``.

    Shapes: ``law`` is one without ``Independent``; its batch ``[*elements]`` is independent, its parameters are θ.
    """

    @abstractmethod
    def refusal(self, law: td.Distribution) -> str:
        """Why it cannot draw from this law, as the end of a sentence; empty if it can."""

    @abstractmethod
    def propose(self, law: td.Distribution, count: int, generator: torch.Generator | None) -> Tensor:
        """Noise ``[count, *elements, *noise]``: of shapes and dtypes of the law, of no value of its parameters.

        All of it, also what the decision does not look at, such as a second stage.
        """

    @abstractmethod
    def log_accept(self, law: td.Distribution, noise: Tensor) -> Tensor:
        """``log a(ε, θ) <= 0``, ``[count, *elements]``, differentiable in θ; -inf (a constant) never accepts."""

    @abstractmethod
    def transform(self, law: td.Distribution, noise: Tensor) -> Tensor:
        """``h(ε, θ)``, ``[count, *elements, *event]``, differentiable in θ."""

    def log_acceptance_rate(self, law: td.Distribution) -> Tensor | None:
        """``log E[a(ε, θ)]``, ``[*elements]``, differentiable; None where no formula is known."""
        return None

    def log_density(self, law: td.Distribution, noise: Tensor) -> Tensor | None:
        """``log π(ε; θ)`` of accepted noise, up to what has no θ, ``[count, *elements]``; None without a formula."""
        log_rate = self.log_acceptance_rate(law)
        return None if log_rate is None else self.log_accept(law, noise) - log_rate

    def trials(self, law: td.Distribution, count: int, generator: torch.Generator | None) -> Trials:
        """Until each element has ``count`` accepted ones; no gradient."""

        def propose(size: int) -> tuple[Tensor, Tensor]:
            noise = self.propose(law, size, generator)
            return noise, accepts(self.log_accept(law, noise), generator)

        with torch.no_grad():
            return trials_until(count, torch.Size(law.batch_shape), propose, _MAX_TRIALS)

    def __repr__(self) -> str:
        return as_made(self)


class RejectionReparameterized(Estimator):
    """``∇E f(y) = E[f'(y)·∇h(ε, θ) + (f(y) - b)·∇log π(ε; θ)]``; ``π ∝ s·a`` is the law of accepted noise.

    For any accept/reject sampler; f must be differentiable, or at least continuous. The first part is pathwise. The
    second corrects for ε not being free of θ once it is selected; where nearly all is accepted it is small, and what
    remains has nearly the variance of a pathwise gradient. One evaluation of f a sample.

    *What is averaged out.* The sampler's whole history has the score ``∇log a(ε) + Σ ∇log(1 - a(ε_r))``, over the
    rejected noise ε_r. Given the accepted ε, the sum has the conditional mean ``-∇log Z``, Z the acceptance rate. Where
    the sampler knows Z (``log_acceptance_rate``), that mean stands in the sum's place: number of trials and rejected
    noise are integrated out, and they add no variance. Where not, the sum itself does, which is unbiased too.

    Args:
        sampler: how the law is drawn: :class:`MarsagliaTsang`, :class:`Wood`, or an :class:`AcceptReject` of one's own.
        baseline: b, what to subtract from f in the correction: as for ``ScoreFunction``.

    Example:
        >>> from reparam import expectation
        >>> from reparam.distributions import Gamma
        >>> from reparam.samplers import MarsagliaTsang
        >>> concentration = torch.tensor(2.0, requires_grad=True)
        >>> value = expectation(lambda y: y**2, Gamma(concentration, 1.0), samples=100_000,
        ...                     estimator=RejectionReparameterized(MarsagliaTsang(augmentation=1)),
        ...                     generator=torch.Generator().manual_seed(0))
        >>> torch.autograd.grad(value, concentration)[0].round()  # of a·(a + 1): 2·a + 1
        tensor(5.)

    Source: Naesseth, Ruiz, Linderman & Blei, arXiv:1610.05683 (with Z known). The score of the history: Casella &
    Robert, Biometrika 83 (1996), on integrating out the rejected.
    """

    def __init__(self, sampler: AcceptReject, baseline: Baseline | None = None) -> None:
        if not isinstance(sampler, AcceptReject):
            raise EstimatorError(f"sampler must be an AcceptReject, such as MarsagliaTsang(); got {sampler!r}")
        if baseline is not None and not isinstance(baseline, Baseline):
            raise EstimatorError(
                f"baseline must be LeaveOneOut(), MovingAverage(), Learned(prediction) or None; got {baseline!r}"
            )
        self.sampler, self.baseline = sampler, baseline

    def refusal(self, law: td.Distribution) -> str:
        """See :meth:`Estimator.refusal`."""
        return self.sampler.refusal(elements(law))

    def surrogate(
        self, integrand: Integrand, law: td.Distribution, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """See :meth:`Estimator.surrogate`."""
        single = elements(law)
        trials = self.sampler.trials(single, samples, generator)
        noise = trials.draws(samples)
        values = integrand(self.sampler.transform(single, noise))
        log_density = self._log_density(single, trials, noise)
        return scored(values, integrand.joined(log_density), self.baseline).mean(0)

    def _log_density(self, law: td.Distribution, trials: Trials, noise: Tensor) -> Tensor:
        """``log π(ε; θ)``, or the log probability of the whole history, up to what has no θ; ``[S, *elements]``."""
        log_density = self.sampler.log_density(law, noise)
        if log_density is not None:
            return log_density
        log_accept = self.sampler.log_accept(law, noise)
        of_trials = self.sampler.log_accept(law, trials.proposals)
        owner, samples = trials.owner(), len(noise)
        rejected = ~trials.accepted & (owner < samples)
        log_reject = torch.where(rejected, log1mexp(torch.where(rejected, of_trials, -1.0)), 0.0)
        sums = torch.zeros_like(log_accept).scatter_add(0, owner.clamp(max=max(samples - 1, 0)), log_reject)
        history: Tensor = log_accept + sums
        return history
