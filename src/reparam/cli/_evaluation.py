"""An evaluation for people: every number with its error, and with how it was obtained."""

from typing import Any

__all__ = ["evaluation_rows"]


def evaluation_rows(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values of what was measured, in the order in which they matter."""
    value, baseline, shift = numbers["log_likelihood_nats"], numbers["baseline"], numbers["log_scale_nats"]
    of = "" if shift is None else ", standardised values"
    rows = [("test log-likelihood", f"{value:,.2f} ± {numbers['standard_error_nats']:,.2f} nats (standard error){of}")]
    if shift is not None:
        rows.append(("in the data's units", f"{value - shift:,.2f} nats"))
    if numbers["bits_per_dim"] is not None:
        rows.append(("bits per dimension", f"{numbers['bits_per_dim']:.3f}"))
    if baseline is not None:
        ahead = value - baseline["log_likelihood_nats"]
        compared = f"model: {abs(ahead):,.2f} {'better' if ahead > 0 else 'worse'}"
        rows.append(("baseline", f"{baseline['log_likelihood_nats']:,.2f} nats, {baseline['name']} ({compared})"))
    terms = f"distortion {numbers['distortion_nats']:,.2f} + rate {numbers['rate_nats']:,.2f}"
    effective = f"{numbers['effective_sample_size']:,.1f} effective"
    rows += [
        ("bound (ELBO)", f"{numbers['elbo_nats']:,.2f} nats = -({terms})"),
        ("active units", f"{numbers['active_units']} of {numbers['latent_dim']}"),
        ("importance samples", f"{numbers['num_samples']:,} a row, {effective}; on average a lower bound"),
        ("protocol", _protocol(numbers)),
    ]
    for name, words in MEASURES.items():
        if name in numbers:
            found = numbers[name]
            rows += [(words[0], f"left out: {found['left_out']}")] if "left_out" in found else words[1](found)
    return [
        *rows,
        *(("warning", finding["title"]) for finding in numbers["health"] if finding["level"] == "warning"),
    ]


def _protocol(numbers: dict[str, Any]) -> str:
    protocol = numbers["protocol"]
    which = "all" if protocol["num_examples"] == numbers["num_rows"] else f"{protocol['num_examples']:,} of"
    how = protocol["binarize"]
    binarized = "" if how == "none" else f", binarised once ({how} in training)"
    given = f", given {', '.join(protocol['given'])}" if "given" in protocol else ""
    precision = protocol.get("precision", "float32")  # not said by evaluations from before there was a choice
    half = "" if precision == "float32" else f", decoded in {precision}"
    return f"{which} {numbers['num_rows']:,} {protocol['split']} rows, seed {protocol['seed']}{binarized}{given}{half}"


def _rows_of(found: dict[str, Any]) -> str:
    return f"{found['protocol']['num_rows']:,} {found['protocol']['split']} rows"


def _gap(found: dict[str, Any]) -> list[tuple[str, str]]:
    information = f"{found['information_nats']:,.2f} ± {found['information_standard_error_nats']:,.2f}"
    gap = f"{found['gap_nats']:,.2f} ± {found['gap_standard_error_nats']:,.2f}"
    said = f"{found['rate_nats']:,.2f} nats by draws = {information} tell rows apart + {gap} gap to the prior"
    if found["saturated"]:
        said += f", at most: N rows cannot show more information than log N = {found['most_information_nats']:.2f}"
    return [("rate", f"{said}; {_rows_of(found)}, 1 draw each")]


def _probes(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for name in ("nearest", "linear"):
        probe = found[name]
        said = f"{_share(probe)} right by {probe['name']}; chance {100 * probe['chance']:.1f} %"
        rows.append((f"labels, {name}", said))
    learned = found["protocol"]["learned_from"]
    return [*rows, ("  protocol", f"{_rows_of(found)}, learned from {learned}; {found['protocol']['feature_space']}")]


def _samples(found: dict[str, Any]) -> list[tuple[str, str]]:
    reference = found["reference"]
    told, real = _share(found["two_sample_test"]), _share(reference["two_sample_test"])
    rows = [("samples told apart", f"{told} of the time; real rows {real}, a guess 50 %")]
    near, other = found["neighbours"], reference["neighbours"]
    for name in ("precision", "recall", "density", "coverage"):
        rows.append((f"samples, {name}", f"{near[name]:.3f}; real rows {other[name]:.3f}"))
    protocol = found["protocol"]
    said = f"{protocol['num_samples']:,} samples ({protocol['samples_are']}) against {_rows_of(found)}; real rows: "
    said += f"{protocol['num_reference']:,} {protocol['reference']}; {protocol['feature_space']}"
    if protocol["binarize"] != "none":
        said += "; black or white on both sides"
    if "given" in protocol:
        said += f"; given {', '.join(protocol['given'])} of the test rows"
    return [*rows, ("  protocol", said)]


def _annealing(found: dict[str, Any]) -> list[tuple[str, str]]:
    protocol = found["protocol"]
    said = f"{found['annealed_nats']:,.2f} nats; importance-weighted {found['importance_weighted_nats']:,.2f}: "
    how = f"{_rows_of(found)}, {protocol['num_chains']} chains of {protocol['num_steps']} steps"
    samples = f"{protocol['num_samples']:,} importance samples"
    return [("annealed", said + found["sentence"]), ("  protocol", f"{how}, {samples}")]


def _disentanglement(found: dict[str, Any]) -> list[tuple[str, str]]:
    protocol = found["protocol"]
    rows = [("information gap", f"{found['mutual_information_gap']:.3f} (1: each factor has a latent of its own)")]
    if found["dci"] is not None:
        rows += [(name, f"{found['dci'][name]:.3f}") for name in ("disentanglement", "completeness", "informativeness")]
    said = f"{', '.join(protocol['factors'])}; {_rows_of(found)}, learned from {protocol['learned_from']}"
    return [*rows, ("  protocol", f"{said}; {protocol['feature_space']}")]


def _share(found: dict[str, Any]) -> str:
    return f"{100 * found['accuracy']:.1f} ± {100 * found['standard_error']:.1f} %"


MEASURES = {
    "aggregate": ("rate", _gap),
    "probes": ("labels", _probes),
    "samples": ("samples", _samples),
    "annealing": ("annealed", _annealing),
    "disentanglement": ("disentanglement", _disentanglement),
}
"""By their key in ``evaluation.json``: what a measure is called, and the rows that it is printed as."""
