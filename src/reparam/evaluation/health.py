"""A run's health in plain words: what is seen, what it means, what to do."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from reparam import noise

__all__ = ["Finding", "health", "relative_to"]

_PRIOR_DRAWS = 1000


class Finding(NamedTuple):
    """One thing worth saying about a run."""

    level: Literal["good", "advice", "warning"]
    title: str
    text: str


def health(
    numbers: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], latent_loc: Tensor, latent_scale: Tensor
) -> list[Finding]:
    """Findings from the numbers of an evaluation, the metrics of training and the posteriors.

    Args:
        numbers: entries of ``evaluation.json``.
        metrics: records of ``metrics.jsonl``.
        latent_loc, latent_scale: ``[N, D]`` of the evaluated posteriors, as :func:`relative_to` the prior gives them.
    """
    findings = [
        _latents(numbers),
        _overfitting(metrics),
        _still_improving(metrics),
        _aggregate_posterior(latent_loc, latent_scale),
        _estimate(numbers),
        _baseline(numbers),
    ]
    return [finding for finding in findings if finding is not None]


@torch.no_grad()
def relative_to(prior: Distribution, latent_loc: Tensor, latent_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Means and deviations of posteriors in units of the prior: less its mean, over its standard deviation.

    Those are of 1000 draws, the same each time, since few laws that are learned have them in closed form.

    Shapes:
        latent_loc, latent_scale: ``[N, D]``, D the coordinates of an event of the prior; so are the results.

    Example:
        >>> from reparam.distributions import Beta, Independent
        >>> prior = Independent(Beta(torch.ones(1), torch.ones(1)), 1)
        >>> loc, scale = relative_to(prior, torch.tensor([[0.5]]), torch.tensor([[12**-0.5]]))
        >>> bool(loc.abs() < 0.1), bool((scale - 1).abs() < 0.1)
        (True, True)
    """
    drawn = prior.sample((_PRIOR_DRAWS,), generator=noise.generator(0, "health"))  # type: ignore[call-arg]
    drawn = drawn.flatten(1).to(latent_loc)
    deviation = drawn.std(0).clamp(min=1e-12)
    return (latent_loc - drawn.mean(0)) / deviation, latent_scale / deviation


def _latents(numbers: Mapping[str, Any]) -> Finding:
    active, dim, rate = numbers["active_units"], numbers["latent_dim"], numbers["rate_nats"]
    if active == 0 and numbers.get("protocol", {}).get("given"):
        return Finding(
            "advice",
            "The latents are not used",
            f"No unit of {dim} carries information (rate {rate:.2f} nats): the model is a regression on what is given, "
            "and each value varies on its own around it. That is right where the pre-check found nothing beside what "
            "is given; otherwise raise kl_warmup_steps, or look at the likelihood.",
        )
    if active == 0:
        return Finding(
            "warning",
            "The latents are not used",
            f"No unit of {dim} carries information (rate {rate:.2f} nats): posterior collapse. The decoder ignores "
            "the latents. Look at the pre-check: if the values hardly depend on each other there is nothing to "
            "encode; otherwise raise kl_warmup_steps, lower the batch size, or check that the likelihood fits the "
            "data.",
        )
    if active == dim:
        return Finding(
            "advice",
            "Every latent unit is in use",
            f"All {dim} units carry information, {rate:.1f} nats together. A larger --latent-dim may describe the "
            "data better.",
        )
    return Finding(
        "good",
        f"{active} of {dim} latent units are in use",
        f"They carry {rate:.1f} nats about each example. The other {dim - active} follow the prior and cost nothing.",
    )


def _bounds(metrics: Sequence[Mapping[str, Any]], split: str) -> list[float]:
    return [record["bound_nats"] for record in metrics if record["split"] == split]


def _overfitting(metrics: Sequence[Mapping[str, Any]]) -> Finding | None:
    train, validation = _bounds(metrics, "train"), _bounds(metrics, "validation")
    if not validation:
        return None
    best = max(range(len(validation)), key=validation.__getitem__)
    gap = train[best] - validation[best]
    size = max(abs(validation[best]), 1.0)
    if gap > 0.05 * size:
        return Finding(
            "advice",
            "The model knows the training data better than new data",
            f"At the kept weights the training bound is {gap:.1f} nats above the validation bound "
            f"({validation[best]:.1f}). More data, a smaller width or fewer epochs would narrow the gap; the kept "
            "weights are those of the best validation bound.",
        )
    return Finding(
        "good",
        "No sign of overfitting",
        f"Training and validation bounds differ by {abs(gap):.1f} nats at the kept weights ({validation[best]:.1f} on "
        "validation).",
    )


def _still_improving(metrics: Sequence[Mapping[str, Any]]) -> Finding | None:
    validation = _bounds(metrics, "validation")
    if len(validation) < 5 or max(validation) != validation[-1]:
        return None
    gain = validation[-1] - validation[-1 - len(validation) // 5]
    if gain < 0.005 * abs(validation[-1]):
        return None
    return Finding(
        "advice",
        "It was still getting better when it ended",
        f"The validation bound rose by {gain:.1f} nats in the last fifth of the run. More --epochs are likely to pay.",
    )


def _aggregate_posterior(loc: Tensor, scale: Tensor) -> Finding:
    mean, variance = loc.mean(0), loc.var(0, correction=0) + scale.square().mean(0)
    worst = max(mean.abs().max().item(), (variance.clamp(min=1e-12).log() / 2).abs().max().item())
    if worst > 0.5:
        return Finding(
            "advice",
            "Samples may differ from the data",
            f"The posteriors taken together differ from the prior by up to {worst:.2f} standard deviations in one "
            "unit: the decoder is asked for latents in sampling that it seldom saw in training. Longer training "
            "usually narrows this.",
        )
    return Finding(
        "good",
        "Posteriors together look like the prior",
        "Mean and spread of every latent unit over the data agree with the prior, so samples start where training "
        "has been.",
    )


def _estimate(numbers: Mapping[str, Any]) -> Finding | None:
    effective, samples = numbers["effective_sample_size"], numbers["num_samples"]
    if effective >= 5 or samples < 10:
        return None
    return Finding(
        "advice",
        "The log-likelihood is a cautious estimate",
        f"On average {effective:.1f} of {samples} importance samples carry the estimate, so the true log-likelihood "
        "is higher than what is printed. More --samples tighten it.",
    )


def _baseline(numbers: Mapping[str, Any]) -> Finding | None:
    baseline = numbers.get("baseline")
    if not baseline:
        return None
    gain = numbers["log_likelihood_nats"] - baseline["log_likelihood_nats"]
    if gain > 0:
        return Finding(
            "good",
            f"Better than a {baseline['name']}",
            f"{gain:.2f} nats an example above it on held-out rows: the model has found structure beyond linear "
            "correlation.",
        )
    return Finding(
        "warning",
        f"No better than a {baseline['name']}",
        f"{-gain:.2f} nats an example below it on held-out rows. For this data the simple model is the better one; "
        "more epochs, a larger --latent-dim, or more rows may change that.",
    )
