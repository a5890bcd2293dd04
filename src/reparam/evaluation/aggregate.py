"""What the rate is spent on: information about the example, or a gap between the posteriors together and the prior.

With ``q(z) = 1/N Σ_n q(z|x_n)``, the aggregate posterior of N rows::

    1/N Σ_n KL(q(z|x_n) || p(z))  =  I_q(n; z)  +  KL(q(z) || p(z))

The information is what the latents tell about which row it was; the gap is what samples from the prior suffer from,
for the decoder has been trained on q(z). Hoffman & Johnson 2016, "ELBO surgery"; Makhzani et al. 2016,
arXiv:1511.05644.

Shape letters: S draws, N rows, M of them in a batch.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from reparam.errors import UsageError, whole_number

__all__ = ["AggregateGap", "aggregate_gap", "largest_shift"]

# Pairs whose log densities are computed at once.
PAIRS_AT_ONCE = 200_000

# Draws that tell mean and spread of a prior, to 3 % of its spread.
PRIOR_DRAWS = 1000


@dataclass(frozen=True)
class AggregateGap:
    """The parts of the rate, in nats, each a mean over the rows with the standard error of its draws.

    Args:
        num_rows: N.
        rate_nats: ``KL(q(z|x) || p(z))``, mean over rows, by the same draws as the parts, so that they add up.
        information_nats: ``I_q(n; z)``, between 0 and ``log N``.
        gap_nats: ``KL(q(z) || p(z))`` of the N rows.
        rate_standard_error_nats, information_standard_error_nats, gap_standard_error_nats: of the draws, for these N
            rows; other rows would give other numbers.
        most_information_nats: ``log N``, the most that N rows can show.
    """

    num_rows: int
    rate_nats: float
    information_nats: float
    gap_nats: float
    rate_standard_error_nats: float
    information_standard_error_nats: float
    gap_standard_error_nats: float
    most_information_nats: float

    @property
    def saturated(self) -> bool:
        """Whether the information is within 5 % of ``log N``, so that it is a lower bound and the gap an upper one."""
        return self.information_nats > 0.95 * self.most_information_nats

    def to_json(self) -> dict[str, Any]:
        """The numbers."""
        return asdict(self)

    def sentence(self) -> str:
        """What it means, in a sentence or two."""
        parts = (
            f"of a rate of {self.rate_nats:.2f} nats, {self.information_nats:.2f} ± "
            f"{self.information_standard_error_nats:.2f} tell rows apart and {self.gap_nats:.2f} ± "
            f"{self.gap_standard_error_nats:.2f} are the gap between the posteriors together and the prior"
        )
        if self.saturated:
            parts += (
                f". {self.num_rows} rows cannot show more information than log N = {self.most_information_nats:.2f} "
                "nats: with more rows the information would be larger and the gap smaller"
            )
        return parts


@torch.no_grad()
def aggregate_gap(
    posterior: Distribution, prior: Distribution, *, generator: torch.Generator, num_samples: int = 1
) -> AggregateGap:
    """Estimate both parts of the rate from draws of each posterior, held against all N posteriors.

    ``log q(z) = logsumexp_n log q(z|x_n) - log N`` is exact for q(z) of these N rows, so each part is a plain mean over
    draws, without bias. As an estimate for the law the rows come from, the information is too small and the gap too
    large, by the same amount; the information cannot exceed ``log N``, and near that says nothing but so. The memory is
    that of 200,000 pairs, whatever N is; the time goes with ``num_samples·N²``.

    Shapes:
        posterior: batch shape ``[N]``; prior: batch shape ``[]``; the same event shape.

    Args:
        posterior: the encoder's law of all rows at once, with ``sample(generator=)`` and ``log_prob``.
        prior: the law of the latents before an example is seen.
        generator: where the draws come from.
        num_samples: draws of each posterior, at least 1.

    Raises:
        UsageError: the posterior has no rows, or fewer than 2; shapes do not go together; ``num_samples`` is no number.

    Example:
        >>> from reparam import noise
        >>> from reparam.distributions import Independent, Normal
        >>> prior = Independent(Normal(torch.zeros(2), 1.0), 1)
        >>> apart = Independent(Normal(torch.tensor([[-9.0, 0.0], [9.0, 0.0]]), 1.0), 1)      # two rows far apart
        >>> found = aggregate_gap(apart, prior, generator=noise.generator(0), num_samples=2000)
        >>> round(found.information_nats, 3), round(found.most_information_nats, 3)
        (0.693, 0.693)
    """
    num_rows = _rows(posterior, prior, num_samples)
    z_SN: Tensor = posterior.sample((num_samples,), generator=generator)  # type: ignore[call-arg]
    own = posterior.log_prob(z_SN).double().flatten()
    z = z_SN.flatten(0, 1)
    log_prior = prior.log_prob(z).double()
    at_once = max(PAIRS_AT_ONCE // num_rows, 1)
    together = torch.cat([_log_mixture(posterior, part, num_rows) for part in z.split(at_once)])
    # Of one row's draws, then over rows: the rows are given, so only the spread within a row is an error. With one draw
    # a row the spread over rows is all there is to go by; it is larger, and never too small.
    terms = {"rate": own - log_prior, "information": own - together, "gap": together - log_prior}
    found = {name: _mean_and_error(values.reshape(num_samples, num_rows)) for name, values in terms.items()}
    return AggregateGap(
        num_rows=num_rows,
        most_information_nats=math.log(num_rows),
        **{f"{name}_nats": mean for name, (mean, _) in found.items()},
        **{f"{name}_standard_error_nats": error for name, (_, error) in found.items()},
    )


@torch.no_grad()
def largest_shift(prior: Distribution, loc: Tensor, scale: Tensor, *, generator: torch.Generator) -> float:
    """How far posteriors together are from the prior in their worst coordinate, by mean and spread alone.

    The larger of ``|mean(q) - mean(p)|/std(p)`` and ``|log std(q)/std(p)|``, the worst of all coordinates. Unlike the
    gap it says nothing of shapes and dependence; but a few rows tell it, however much each of them tells.

    Shapes:
        loc, scale: ``[N, D]``, means and deviations of the posteriors, D the coordinates of an event of the prior.

    Args:
        prior: its mean and spread are those of 1000 draws, since few laws that are learned have them in closed form.
        generator: where these draws come from.

    Example:
        >>> from reparam import noise
        >>> from reparam.distributions import Beta, Independent
        >>> prior = Independent(Beta(torch.ones(1), torch.ones(1)), 1)
        >>> loc, scale = torch.full((5, 1), 0.5), torch.full((5, 1), 12**-0.5)        # each posterior is the prior
        >>> largest_shift(prior, loc, scale, generator=noise.generator(0)) < 0.1
        True
    """
    drawn = prior.sample((PRIOR_DRAWS,), generator=generator).flatten(1).double().cpu()  # type: ignore[call-arg]
    mean, deviation = drawn.mean(0), drawn.std(0).clamp(min=1e-12)
    loc, scale = loc.double(), scale.double()
    moved = (loc.mean(0) - mean).abs() / deviation
    variance = loc.var(0, correction=0) + scale.square().mean(0)
    widened = (variance.clamp(min=1e-24).log() / 2 - deviation.log()).abs()
    return torch.maximum(moved, widened).max().item()


def _log_mixture(posterior: Distribution, z: Tensor, num_rows: int) -> Tensor:
    """``log q(z)``: draws ``[M, *event]`` against all posteriors, ``[M]``."""
    return posterior.log_prob(z.unsqueeze(1)).double().logsumexp(1) - math.log(num_rows)


def _mean_and_error(values_SN: Tensor) -> tuple[float, float]:
    num_samples, num_rows = values_SN.shape
    spread = values_SN.var(0).mean() if num_samples > 1 else values_SN.var()
    return values_SN.mean().item(), math.sqrt(spread.item() / (num_samples * num_rows))


def _rows(posterior: Distribution, prior: Distribution, num_samples: int) -> int:
    if len(posterior.batch_shape) != 1 or posterior.batch_shape[0] < 2:
        raise UsageError(
            "the posterior must have batch shape [N] with N >= 2, one law for each row; got "
            f"{tuple(posterior.batch_shape)}"
        )
    if prior.batch_shape or prior.event_shape != posterior.event_shape:
        raise UsageError(
            f"the prior must have batch shape () and the posterior's event shape {tuple(posterior.event_shape)}; got "
            f"batch shape {tuple(prior.batch_shape)} and event shape {tuple(prior.event_shape)}"
        )
    whole_number("num_samples", num_samples)
    return posterior.batch_shape[0]
