"""A run's health in plain words: what is seen, what it means, what to do."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

__all__ = ["Finding", "health"]

# Nats about an example that are as good as none: a fair coin has 0.7.
UNUSED_RATE = 0.1


class Finding(NamedTuple):
    """One thing worth saying about a run."""

    level: Literal["good", "advice", "warning"]
    title: str
    text: str


def health(numbers: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Findings from the numbers of an evaluation and the metrics of training.

    Args:
        numbers: entries of ``evaluation.json``.
        metrics: records of ``metrics.jsonl``.
    """
    findings = [
        _latents(numbers),
        _overfitting(metrics),
        _still_improving(metrics),
        _gap_to_the_prior(numbers),
        _estimate(numbers),
        _baseline(numbers),
    ]
    return [finding for finding in findings if finding is not None]


def _latents(numbers: Mapping[str, Any]) -> Finding:
    active, dim, rate = numbers["active_units"], numbers["latent_dim"], numbers["rate_nats"]
    apart = numbers["kl_per_dimension_nats"] is not None
    units = "unit" if apart else "coordinate"
    idle = active == 0 or rate < UNUSED_RATE
    if idle and numbers.get("protocol", {}).get("given"):
        return Finding(
            "advice",
            "The latents are not used",
            f"They tell next to nothing about an example (rate {rate:.2f} nats): the model is a regression on what is "
            "given, and each value varies on its own around it. That is right where the pre-check found nothing beside "
            "what is given; otherwise raise kl_warmup_steps, or look at the likelihood.",
        )
    if idle:
        return Finding(
            "warning",
            "The latents are not used",
            f"They tell next to nothing about an example (rate {rate:.2f} nats): posterior collapse. The decoder "
            "ignores the latents. Look at the pre-check: if the values hardly depend on each other there is nothing to "
            "encode; otherwise raise kl_warmup_steps, lower the batch size, or check that the likelihood fits the "
            "data.",
        )
    if active == dim:
        return Finding(
            "advice",
            f"Every latent {units} is in use",
            f"All {dim} {units}s carry information, {rate:.1f} nats together. A larger --latent-dim may describe the "
            "data better.",
        )
    others = "follow the prior and cost nothing" if apart else "hardly differ from example to example"
    return Finding(
        "good",
        f"{active} of {dim} latent {units}s are in use",
        f"They carry {rate:.1f} nats about each example. The other {dim - active} {others}.",
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


def _gap_to_the_prior(numbers: Mapping[str, Any]) -> Finding | None:
    gap = numbers["aggregate"]
    if "left_out" in gap:
        return None
    nats, error, rate = gap["gap_nats"], gap["gap_standard_error_nats"], gap["rate_nats"]
    # What is within the error of the draws, or costs less than a tenth of the rate, is nothing to act on.
    small = nats <= max(3 * error, 0.1 * rate, 0.1)
    if gap["saturated"] and not small:
        return _shift_from_the_prior(gap)
    if small:
        return Finding(
            "good",
            "Posteriors together look like the prior",
            f"Of a rate of {rate:.1f} nats, {max(nats, 0):.2f} are the gap between them, so samples start where "
            "training has been.",
        )
    return Finding(
        "advice",
        "Samples may differ from the data",
        f"Of a rate of {rate:.1f} nats, {nats:.1f} tell nothing about the example: they are the gap between the "
        "posteriors taken together and the prior. Sampling asks the decoder for latents that it seldom saw in "
        "training. A prior that is learned (`--prior realnvp` or `vampprior`), or longer training, narrows the gap.",
    )


def _shift_from_the_prior(gap: Mapping[str, Any]) -> Finding:
    """Where each row tells so much that few rows cannot measure the gap: mean and spread of each coordinate."""
    shift = gap["largest_shift"]
    seen = f"{gap['num_rows']:,} rows are too few to measure the gap itself, as each tells too much."
    if shift <= 0.5:
        return Finding(
            "good",
            "Posteriors together have mean and spread of the prior",
            f"In every coordinate, so samples start near where training has been. {seen}",
        )
    return Finding(
        "advice",
        "Samples may differ from the data",
        f"The posteriors taken together differ from the prior by up to {shift:.2f} standard deviations in one "
        f"coordinate: sampling asks the decoder for latents that it seldom saw in training. {seen} A prior that is "
        "learned (`--prior realnvp` or `vampprior`), or longer training, usually helps.",
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
