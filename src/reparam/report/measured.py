"""The part of the page about what was measured beside the bound, each number with its protocol and its reference."""

from collections.abc import Mapping
from typing import Any

from reparam.report.elements import Picture, Section, boxed, count, figure, notice, number, section, values_table
from reparam.report.plots import rate_parts
from reparam.report.reading import Contents

__all__ = ["measured_section"]

Found = Mapping[str, Any]

SCORES = {
    "precision": "samples that lie among real rows",
    "recall": "real rows that lie among samples",
    "density": "real rows around a sample, 1 where it is right",
    "coverage": "real rows with a sample near",
}


def measured_section(contents: Contents) -> Section:
    """What the rate is spent on, samples against test rows, what latents tell, a second opinion on the likelihood."""
    evaluation = contents.evaluation or {}
    blocks = {
        "aggregate": _rate,
        "samples": _samples,
        "probes": _probes,
        "disentanglement": _disentanglement,
        "annealing": _annealing,
    }
    parts = [_part(name, block, evaluation) for name, block in blocks.items() if name in evaluation]
    if not parts:
        return Section("")
    html = section("measured", "What was measured besides", *(part.html for part in parts))
    return Section(html, tuple(picture for part in parts for picture in part.pictures))


def _part(name: str, block: Any, evaluation: Found) -> Section:
    found = evaluation[name]
    if "left_out" in found:
        return Section(notice(f"Not measured ({name}): {found['left_out']}."))
    made: Section = block(found, evaluation)
    return made


def _rate(found: Found, evaluation: Found) -> Section:
    information, gap = found["information_nats"], found["gap_nats"]
    caption = (
        f"The model pays a rate of {number(evaluation['rate_nats'])} nats an example for a distortion of "
        f"{number(evaluation['distortion_nats'])}. Of the rate, {number(information)} ± "
        f"{number(found['information_standard_error_nats'])} nats tell examples apart; {number(gap)} ± "
        f"{number(found['gap_standard_error_nats'])} are the gap between the posteriors taken together and the prior, "
        f"which samples suffer from. By draws, on {_rows(found)}."
    )
    if found["saturated"]:
        caption += (
            f" So many rows cannot show more information than {number(found['most_information_nats'])} nats: with more "
            "rows the information would be larger, and the gap smaller."
        )
    if found["protocol"].get("given"):
        caption += " Examples of every condition are taken together."
    picture = Picture("rate.png", rate_parts(information, gap), "A bar: the two parts of the rate")
    return Section(figure([picture], caption, "What the rate is spent on"), (picture,))


def _samples(found: Found, _: Found) -> Section:
    reference = found["reference"]
    told = ["a classifier tells them from test rows", _share(found["two_sample_test"])]
    rows = [[*told, _share(reference["two_sample_test"])]]
    for name, meaning in SCORES.items():
        values = (number(each["neighbours"][name], 3) for each in (found, reference))
        rows.append([f"{name}: {meaning}", *values])
    protocol = found["protocol"]
    caption = (
        f"{count(protocol['num_samples'], 'sample')}, {protocol['samples_are']}, against {_rows(found)}, in "
        f"{protocol['feature_space']}. Read each number beside that of real rows: these are "
        f"{count(protocol['num_reference'], 'training row')} in place of the samples, and no model can be expected to "
        "do better. A classifier that guesses is right half of the time."
    )
    if protocol["binarize"] != "none":
        caption += " Samples and rows are black or white."
    if "given" in protocol:
        caption += f" Samples were drawn for the {', '.join(protocol['given'])} of the test rows."
    return Section(boxed(values_table(["", "samples", "real rows"], rows), caption, "Samples against test rows"))


def _probes(found: Found, _: Found) -> Section:
    rows = [
        [each["name"], _share(each), f"{number(100 * each['chance'], 1)} %"]
        for each in (found["nearest"], found["linear"])
    ]
    caption = (
        f"How often a classifier of the posterior means is right about the label of {_rows(found)} that it has not "
        f"seen, having learned from {found['protocol']['learned_from']}. Chance is always saying the most frequent "
        "label. Neighbours far ahead of the linear map mean that classes are there, but curled up."
    )
    if "label" in found["protocol"].get("given", ()):
        caption += " The model is given the label, so its latents need not tell it."
    return Section(boxed(values_table(["", "right", "chance"], rows), caption, "Do the latents tell the labels?"))


def _disentanglement(found: Found, _: Found) -> Section:
    rows = [["mutual information gap", number(found["mutual_information_gap"], 3)]]
    if found["dci"] is not None:
        rows += [[n, number(found["dci"][n], 3)] for n in ("disentanglement", "completeness", "informativeness")]
    protocol = found["protocol"]
    caption = (
        f"Of 1, where each known factor ({', '.join(protocol['factors'])}) has a latent of its own. On {_rows(found)}, "
        f"learned from {protocol['learned_from']}, by posterior means."
    )
    return Section(boxed(values_table(["", "score"], rows), caption, "Does each latent stand for a factor?"))


def _annealing(found: Found, _: Found) -> Section:
    protocol = found["protocol"]
    rows = [
        ["importance weighting", f"{number(found['importance_weighted_nats'])} nats"],
        ["annealing", f"{number(found['annealed_nats'])} nats"],
    ]
    caption = (
        f"{found['sentence'][0].upper()}{found['sentence'][1:]}. Both are lower bounds on average, so the higher one "
        f"is nearer to the truth. {count(protocol['num_chains'], 'chain')} of {count(protocol['num_steps'], 'step')} "
        f"and {count(protocol['num_samples'], 'importance sample')} a row."
    )
    return Section(boxed(values_table(["", "log-likelihood"], rows), caption, "A second opinion on the log-likelihood"))


def _rows(found: Found) -> str:
    return count(found["protocol"]["num_rows"], f"{found['protocol']['split']} row")


def _share(found: Found) -> str:
    return f"{number(100 * found['accuracy'], 1)} ± {number(100 * found['standard_error'], 1)} %"
