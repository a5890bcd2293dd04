"""The top of the page: key numbers, how they were measured, and what they say about the model's health."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from reparam.report.elements import card, count, marked, notice, number, section
from reparam.report.reading import Contents

__all__ = ["health", "key_numbers"]

BINARISATION = {
    "dynamic": "dynamic: grey values are chances, drawn as 0 or 1 anew each time",
    "static": "static: fixed to 0 or 1 once",
    "none": "none",
}

LEVELS = {"warning": ("Warning", "!"), "advice": ("Advice", "i"), "good": ("Good", "✓")}
"""Health levels, most pressing first: the word and the mark that show each."""


def key_numbers(contents: Contents) -> str:
    """Cards with the key numbers and the protocol by which they were measured."""
    evaluation = contents.evaluation
    if evaluation is None:
        missing = notice(
            "This run has not been evaluated yet, so there is no log-likelihood and no health check. "
            "`reparam evaluate RUN` measures both; `reparam report RUN` then writes this page again."
        )
        return section("numbers", "Key numbers", missing, _cards_so_far(contents))
    cards = "".join(_cards(evaluation))
    return section("numbers", "Key numbers", f'<div class="cards">{cards}</div>', _protocol(contents, evaluation))


def _cards(evaluation: Mapping[str, Any]) -> list[str]:
    likelihood, error = evaluation["log_likelihood_nats"], evaluation["standard_error_nats"]
    elbo = evaluation["elbo_nats"]
    digits = _digits(error)
    detail = "Per example, ± one standard error. Higher is better."
    if evaluation.get("log_scale_nats") is not None:
        own_units = number(likelihood - evaluation["log_scale_nats"], digits)
        detail += f" As a log density in the data's own units: {own_units} nats."
    title = f"{evaluation['split'].capitalize()} log-likelihood"
    side = "below" if likelihood >= elbo else "above (by chance)"
    gap = f"{number(abs(likelihood - elbo))} nats {side} the log-likelihood"
    cards = [
        card(title, number(likelihood, digits), "nats", detail, error=number(error, digits), hero=True),
        card("ELBO", number(elbo, digits), "nats", f"The bound that training raises, {gap}."),
        card("Rate", number(evaluation["rate_nats"]), "nats", "What the latent code tells about an example."),
        card(
            "Distortion",
            number(evaluation["distortion_nats"], digits),
            "nats",
            "What the decoder still has to guess.",
        ),
        card(
            "Active units",
            f"{evaluation['active_units']}",
            f"of {evaluation['latent_dim']}",
            "Latent dimensions that carry information.",
        ),
    ]
    if evaluation.get("bits_per_dim") is not None:
        bits = number(evaluation["bits_per_dim"], 3)
        cards.append(card("Bits per dimension", bits, "bits", "The log-likelihood per value. Lower is better."))
    if evaluation.get("baseline") is not None:
        cards.append(_baseline_card(evaluation["baseline"], likelihood, error))
    return cards


def _baseline_card(baseline: Mapping[str, Any], likelihood: float, error: float) -> str:
    difference = likelihood - baseline["log_likelihood_nats"]
    if abs(difference) <= 2 * error:
        verdict = "No clear difference from"
    else:
        verdict = "Better than" if difference > 0 else "Worse than"
    level = number(baseline["log_likelihood_nats"], _digits(error))
    detail = f"{verdict} the baseline: {baseline['name']}, {level} nats."
    return card("Against the baseline", number(difference, _digits(error), sign=True), "nats", detail)


def _digits(error: float) -> int:
    """Digits after the point at which two figures of the standard error show."""
    return min(max(1 - math.floor(math.log10(error)), 0), 4) if error > 0 else 2


def _cards_so_far(contents: Contents) -> str:
    for split in ("validation", "train"):
        records = sorted((r for r in contents.metrics if r["split"] == split), key=lambda r: r["step"])
        if records:
            last = records[-1]
            where = f"On the {split} split, after {count(last['step'], 'step')}."
            terms = (("ELBO", "elbo_nats"), ("Rate", "rate_nats"), ("Distortion", "distortion_nats"))
            cards = "".join(card(label, number(last[term]), "nats", where) for label, term in terms)
            return f'<div class="cards few">{cards}</div>'
    return ""


def _protocol(contents: Contents, evaluation: Mapping[str, Any]) -> str:
    protocol = evaluation["protocol"]
    estimate = f"importance sampling, {count(evaluation['num_samples'], 'draw')} an example"
    if evaluation.get("effective_sample_size") is not None:
        estimate += f" (worth {number(evaluation['effective_sample_size'], 1)} perfect ones on average)"
    binarize = str(protocol["binarize"])
    facts = [
        ("Split", f"{protocol['split']}, {count(evaluation['num_examples'], 'example')}"),
        ("Estimate", estimate),
        ("Likelihood", str(contents.description["likelihood"])),
        ("Binarisation", BINARISATION.get(binarize, binarize)),
        *([("Given", ", ".join(contents.given))] if contents.given else []),
        ("Seed", str(protocol["seed"])),
    ]
    entries = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(text)}</dd></div>" for key, text in facts)
    return f'<dl class="protocol" aria-label="How it was measured">{entries}</dl>'


def health(contents: Contents) -> str:
    """The findings of the evaluation in plain words, most pressing first."""
    if contents.evaluation is None:
        return ""
    findings = contents.evaluation.get("health", [])
    if not findings:
        return section("health", "Health", notice("The evaluation recorded no findings."))
    order = list(LEVELS)
    rows = "".join(_finding(entry) for entry in sorted(findings, key=lambda entry: order.index(entry["level"])))
    return section("health", "Health", f'<ul class="health">{rows}</ul>')


def _finding(entry: Mapping[str, str]) -> str:
    word, mark = LEVELS[entry["level"]]
    return (
        f'<li class="{entry["level"]}"><span class="mark" aria-hidden="true">{mark}</span>'
        f'<div><p class="finding"><span class="level">{word}</span> {escape(entry["title"])}</p>'
        f"<p>{marked(entry['text'])}</p></div></li>"
    )
