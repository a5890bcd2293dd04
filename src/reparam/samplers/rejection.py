"""Rejection sampling: propose, and keep what an acceptance rule keeps."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor

from reparam import noise
from reparam.errors import SamplerError
from reparam.estimators.base import draw, wants_gradient

__all__ = ["RejectionDraws", "Trials", "accepts", "rejection_sample", "trials_until"]

Propose = Callable[[int], tuple[Tensor, Tensor]]
_LARGEST = 1 << 22  # proposals of one round, over the whole batch


class RejectionDraws(NamedTuple):
    """What :func:`rejection_sample` returns."""

    draws: Tensor  # [*sample_shape, *batch_shape, *event_shape]
    num_trials: Tensor  # proposals that each draw took, itself included; int64, [*sample_shape, *batch_shape]
    acceptance_rate: Tensor  # share of all proposals that were accepted, [*batch_shape], float64


class Trials(NamedTuple):
    """Proposals in the order in which they were made, for each element of a batch."""

    proposals: Tensor  # [M, *batch_shape, *event_shape]
    accepted: Tensor  # bool, [M, *batch_shape]

    def order(self, count: int) -> Tensor:
        """Which trial each of the first ``count`` draws is, int64, ``[count, *batch_shape]``."""
        # Not in order are those after the accepted ones, in each column.
        return torch.argsort(~self.accepted, dim=0, stable=True)[:count]

    def draws(self, count: int) -> Tensor:
        """The first ``count`` accepted proposals, ``[count, *batch_shape, *event_shape]``."""
        order, batch_dims = self.order(count), self.accepted.dim()
        order = order.reshape(*order.shape, *(1 for _ in self.proposals.shape[batch_dims:]))
        return self.proposals.gather(0, order.expand(count, *self.proposals.shape[1:]))

    def owner(self) -> Tensor:
        """For which draw a trial was made, int64, ``[M, *batch_shape]``."""
        return self.accepted.cumsum(0) - self.accepted.long()


def rejection_sample(
    proposal: td.Distribution,
    log_accept: Callable[[Tensor], Tensor],
    sample_shape: Sequence[int] = (),
    *,
    generator: torch.Generator | None = None,
    max_trials: int = 10_000,
) -> RejectionDraws:
    """Independent draws of the law with density proportional to ``q(y)·a(y)``: y from q, kept with probability a(y).

    For a target density p, normalised or not, with ``p(y) <= C·q(y)`` everywhere, the rule is
    ``log_accept = lambda y: log_p(y) - q.log_prob(y) - log_C``. The smallest such C accepts most. Exact if the bound
    holds; where a proposal shows that it does not, the call fails. Proposals are made in rounds for the whole batch.

    The draws have no gradient: they jump when acceptance changes. In gradient mode a ``log_accept`` that wants a
    gradient is refused; ``reparam.samplers.RejectionReparameterized`` estimates it.

    Args:
        proposal: q, any torch distribution; laws of its batch are sampled independently.
        log_accept: proposals ``[M, *batch_shape, *event_shape]`` to ``log a(y) <= 0``, ``[M, *batch_shape]``; -inf
            never accepts.
        sample_shape: how many draws.
        generator: torch's default generator if None.
        max_trials: of one draw, on average; a rule that accepts less is refused.

    Raises:
        SamplerError: ``log_accept`` returns something of another shape, NaN, or more than 0; wants a gradient; or
            accepts too little.

    Example:
        >>> from reparam.distributions import Uniform
        >>> found = rejection_sample(Uniform(torch.zeros(2), 1.0), lambda y: y.log(), (4000,),
        ...                          generator=torch.Generator().manual_seed(0))  # the density 2y
        >>> found.draws.mean(0).round(decimals=1), found.acceptance_rate.round(decimals=1)
        (tensor([0.7000, 0.7000]), tensor([0.5000, 0.5000], dtype=torch.float64))
    """
    shape = torch.Size(sample_shape)
    count, batch_shape = shape.numel(), torch.Size(proposal.batch_shape)

    def propose(size: int) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            proposed = draw(proposal, (size,), generator)
        log_probability = log_accept(proposed)
        if not isinstance(log_probability, Tensor) or log_probability.shape != (size, *batch_shape):
            got = tuple(log_probability.shape) if isinstance(log_probability, Tensor) else log_probability
            raise SamplerError(
                f"log_accept must return one number for each proposal, {(size, *batch_shape)}; got {got}"
            )
        if wants_gradient(log_probability):
            raise SamplerError(
                "draws by rejection have no gradient: which proposal is kept jumps when log_accept changes, and that "
                "wants a gradient. Use expectation(..., estimator=RejectionReparameterized(...)), or "
                "torch.no_grad() if the draws alone are wanted"
            )
        return proposed, accepts(log_probability, generator)

    trials = trials_until(count, batch_shape, propose, max_trials)
    order = trials.order(count)
    first = torch.full_like(order[:1], -1) if count else order
    return RejectionDraws(
        trials.draws(count).reshape(shape + proposal.batch_shape + proposal.event_shape),
        torch.cat([first, order]).diff(dim=0).reshape(shape + batch_shape),
        trials.accepted.double().mean(0),
    )


def accepts(log_probability: Tensor, generator: torch.Generator | None) -> Tensor:
    """Decide, True with probability ``exp(log_probability)``; of its shape.

    Raises:
        SamplerError: it is NaN or above 0.
    """
    rounding = torch.finfo(log_probability.dtype).eps ** 0.6  # 7e-5 in float32, 4e-10 in float64
    log_probability = log_probability.detach().double()
    bad = ~(log_probability <= rounding)
    if bool(bad.any()):
        worst = log_probability[bad].max().item()
        raise SamplerError(
            f"the log probability of accepting must be <= 0; it is {worst:.6g} at a proposal: the bound of target over "
            "proposal is too small, by exp of that at least"
        )
    return noise.uniform(log_probability.shape, like=log_probability, generator=generator).log() < log_probability


def trials_until(count: int, batch_shape: torch.Size, propose: Propose, max_trials: int) -> Trials:
    """Trials until every element of the batch has ``count`` accepted ones; some have more.

    Args:
        propose: a number M to M proposals ``[M, *batch_shape, *event_shape]`` and which of them are accepted,
            ``[M, *batch_shape]``.

    Raises:
        SamplerError: that took more than ``max_trials`` each, on average.
    """
    rounds: list[tuple[Tensor, Tensor]] = []
    found, made, size = torch.zeros(batch_shape, dtype=torch.int64), 0, count + count // 8 + (1 if count else 0)
    most = max(1, _LARGEST // max(1, batch_shape.numel()))
    while True:
        rounds.append(propose(min(size, most)))
        made += len(rounds[-1][1])
        found = found + rounds[-1][1].sum(0).to(found.device)
        missing = count - int(found.min()) if found.numel() else 0
        if missing <= 0:
            return Trials(torch.cat([part for part, _ in rounds]), torch.cat([part for _, part in rounds]))
        if made >= max_trials * count:
            index = tuple(int(part) for part in (found == found.min()).nonzero()[0])
            where = f" for element {index} of the batch" if batch_shape else ""
            raise SamplerError(
                f"{int(found.min())} of {made} proposals were accepted{where}, and {count} draws are wanted; take a "
                "proposal nearer to the target, or raise max_trials"
            )
        rate = (float(found.double().mean()) + 0.1) / made  # of all; where one accepts less, rounds grow
        size = min(max(int(1.1 * missing / rate) + 1, made // 2), 4 * made, max(1, max_trials * count - made))
