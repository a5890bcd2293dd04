"""The part of the page that looks inside: how training went, and how the latent space is used."""

import numpy as np

from reparam.report.elements import Picture, Section, count, figure, notice, number, section
from reparam.report.latent import group_labels, latent_map, project
from reparam.report.plots import Curve, active_kl, training_bound, training_terms
from reparam.report.reading import ACTIVE_THRESHOLD, Contents

__all__ = ["latent_section", "training_section"]


def training_section(contents: Contents) -> Section:
    """Curves of the bound and of its two terms."""
    title = "How it learned"
    terms = ("bound_nats", "distortion_nats", "rate_nats")
    splits = ("train", "validation")
    bound, distortion, rate = ({split: contents.curve(split, term) for split in splits} for term in terms)
    if not any(len(steps) for steps, _ in bound.values()):
        return Section(section("training", title, notice("Training has not recorded any numbers yet.")))
    pictures = (
        Picture("bound.png", training_bound(bound, contents.best()), "The bound against the training step"),
        Picture("terms.png", training_terms(distortion, rate), "Distortion and rate against the training step"),
    )
    caption = (
        "The bound is what training raises, a lower bound on the log-likelihood. Distortion and rate are the two costs "
        "whose sum, with a minus sign, is the ELBO: the bound itself, unless that is importance weighted. Look for "
        "curves that have flattened out. A validation curve that turns down while the training curve still rises means "
        "overfitting; a rate near zero means that the latent code is ignored. The vertical scales leave out the first "
        "steps, whose values are huge."
    )
    return Section(section("training", title, figure(pictures, caption), *_remarks(contents, bound)), pictures)


def _remarks(contents: Contents, bound: dict[str, Curve]) -> list[str]:
    remarks = []
    if not len(bound["validation"][0]):
        remarks.append(
            notice("There are no validation records, so nothing shows whether the model does as well on unseen data.")
        )
    betas = [record["beta"] for record in contents.metrics if "beta" in record]
    if betas and min(betas) != max(betas):
        remarks.append(
            notice(
                f"The weight of the rate (beta) was changed from {betas[0]:g} to {betas[-1]:g} during "
                "training. The bound shown always weighs it by 1, so it is an exact bound throughout."
            )
        )
    if contents.description.get("stopped_early"):
        remarks.append(notice("Training stopped early: the validation bound had stopped getting better."))
    return remarks


def latent_section(contents: Contents) -> Section:
    """The map of the latent space and the KL of each dimension."""
    title = "The latent space"
    if contents.evaluation is None and contents.gallery is None:
        missing = (
            "Nothing is known about the latent space yet: `reparam evaluate RUN` encodes the examples and "
            "measures the KL of each dimension."
        )
        return Section(section("latent", title, notice(missing)))
    parts = [_map(contents), _kl(contents)]
    return Section(
        section("latent", title, *(part.html for part in parts)),
        tuple(picture for part in parts for picture in part.pictures),
    )


def _map(contents: Contents) -> Section:
    gallery, active = contents.gallery, contents.active()
    if gallery is None or gallery.latent_loc is None or active is None:
        return Section(
            notice("There is no map of the latent space yet: `reparam evaluate RUN` encodes the examples for it.")
        )
    # A class has several numbers, and is one dimension.
    projection = project(gallery.latent_loc, active.repeat(gallery.latent_loc.shape[1] // len(active)))
    if projection is None:
        return Section(
            notice(
                "No latent dimension is active: every example has the same place in the latent space, so "
                "there is no map to draw. The model ignores its latent code (posterior collapse)."
            )
        )
    groups = None if gallery.labels is None else group_labels(gallery.labels, gallery.label_names)
    examples = count(len(gallery.latent_loc), "example")
    if projection.explained is not None:
        caption = (
            f"Where the encoder puts {examples} (posterior means), seen along the two first principal "
            f"components of the {count(int(active.sum()), 'active dimension')}; these hold "
            f"{number(100 * projection.explained, 0)} % of their variance, so groups that overlap here may "
            "still be apart."
        )
    else:
        caption = f"Where the encoder puts {examples} (posterior means), on {' and '.join(projection.axes)}."
    if groups is None:
        caption += " There are no labels, so all points have one colour. Look for clumps and for empty regions."
    elif contents.schema.label in contents.given or "label" in contents.given:
        caption += (
            " Colours are the labels, which the model is given: what they tell need not be in the latent code, so "
            "groups that lie over each other are as it should be."
        )
    else:
        caption += (
            " The model never saw the labels that give the colours: groups that lie apart were found from "
            "the data alone."
        )
    if groups is not None and groups.others:
        caption += f" The nine most frequent labels have a colour; the other {groups.others} share the grey."
    picture = Picture("latent.png", latent_map(projection, groups), "A map of the latent space", chart=False)
    return Section(figure([picture], caption, "Map"), (picture,))


def _kl(contents: Contents) -> Section:
    if contents.evaluation is None:
        return Section(
            notice("The KL of each latent dimension is measured by `reparam evaluate RUN`; it is not there yet.")
        )
    if contents.evaluation["kl_per_dimension_nats"] is None:
        return Section(
            notice(
                "The latent dimensions depend on each other, in posterior or prior: their rate of "
                f"{contents.evaluation['rate_nats']:.1f} nats is of all together, and has no parts."
            )
        )
    kl = np.array(contents.evaluation["kl_per_dimension_nats"], dtype=float)
    active = contents.active()
    caption = (
        "How many nats each latent dimension tells about an example; together they are the rate. A "
        "dimension is called active where its posterior mean differs between examples (variance above "
        f"{ACTIVE_THRESHOLD:g} of the prior's). The others stay at the prior and the decoder learns to ignore them: "
        "harmless while several are active, and a sign that a smaller latent space would do as well."
    )
    if active is None:
        caption += " Which of them are active is not marked, because this run has no encoded examples."
    picture = Picture("kl.png", active_kl(kl, active), "Bars: the KL of each latent dimension, largest first")
    return Section(figure([picture], caption, "Use of each dimension"), (picture,))
