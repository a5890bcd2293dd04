"""The page: complete, self-contained, safe with any text, and calm about what is missing."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from reparam.data.schema import Column, Schema
from reparam.errors import RunError
from reparam.report import inside, plots, write_report
from reparam.report.reading import read_contents
from reparam.report.summary import key_numbers

HOSTILE = '<script>alert("1")</script><img src=x onerror=y>'
VOID = {"meta", "link", "img"}


class Reader(HTMLParser):
    """Collects tags and visible text, and insists that every element is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.images, self.text = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def shown(file):
    """The page as it is, as a reader of HTML sees it, and its text alone with all space made plain."""
    page = file.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return page, reader, re.sub(r"\s+", " ", "".join(reader.text))


def text_of(run):
    return shown(write_report(run))[2]


def names(run):
    return sorted(file.name for file in (run.path / "report").iterdir())


FIGURES = {
    "digits": ["bound", "kl", "latent", "reconstructions", "samples", "terms", "variations"],
    "scenes <3": ["bound", "kl", "latent", "reconstructions", "samples", "terms", "variations"],
    "households": ["bound", "correlations", "kl", "latent", "marginals", "terms"],
    "new": [],
}

PHRASES = {
    "digits": [
        "Test log-likelihood", "−20.96 ± 0.21 nats", "−21.87 nats", "0.91 nats below", "8.66 nats",
        "10 of 16", "test, 360 examples", "500 draws an example", "dynamic", "Warning", "Good", "Advice",
        "1 797 examples",
        "two first principal components of the 10 active dimensions", "variance above 0.01",
        "3 files were skipped", "batch_size", "never saw the labels",
    ],
    "scenes <3": [
        "± 36 nats", "3.422 bits", "latent dimension 0 and latent dimension 1", "nine most frequent labels",
        "Training stopped early", "beta",
    ],
    "households": [
        "+3.15 nats", "Better than the baseline: full-covariance Gaussian", "data's own units: −69.16 nats",
        "There are no validation records", "There are no labels", "The largest difference is between",
        "distance to work (km)", "original", "reconstruction",
    ],
    "new": [
        "Training has not finished", "This run has not been evaluated yet",
        "There are no examples to show yet", "Nothing is known about the latent space",
        "Training has not recorded any numbers yet",
    ],
}  # fmt: skip


def test_the_page_says_what_the_run_holds(any_reported_run):
    name = any_reported_run.description["name"]
    _, reader, text = shown(any_reported_run.path / "report" / "index.html")
    for phrase in (name, *PHRASES[name]):
        assert phrase in text, phrase
    assert len(reader.images) == len(FIGURES[name])
    if name == "digits":
        assert text.index("Warning") < text.index("Advice") < text.index("Good")


def test_the_figures_in_the_page_are_the_files_beside_it(any_reported_run):
    run = any_reported_run
    _, reader, _ = shown(run.path / "report" / "index.html")
    sources = [image["src"].removeprefix("data:image/png;base64,") for image in reader.images]
    files = {file.read_bytes() for file in (run.path / "report").glob("*.png")}
    assert {base64.b64decode(source) for source in sources} == files
    assert all(image["alt"] and int(image["width"]) <= 1000 for image in reader.images)
    assert names(run) == sorted(["index.html", *(f"{n}.png" for n in FIGURES[run.description["name"]])])


def test_the_page_is_self_contained(any_reported_run):
    page, reader, _ = shown(any_reported_run.path / "report" / "index.html")
    without_figures = re.sub(r'src="data:image/png;base64,[A-Za-z0-9+/=]+"', "", page)
    assert not re.search(r"http:|https:|//|<script|url\(|@import|src=", without_figures)
    assert not {"script", "iframe", "object", "a", "form"} & set(reader.tags)


def test_writing_twice_gives_identical_bytes(any_reported_run):
    folder = any_reported_run.path / "report"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert write_report(any_reported_run) == folder / "index.html"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_text_of_users_is_escaped_everywhere(table_run):
    schema = Schema.from_json(table_run.description["schema"])
    columns = tuple(Column(f"{HOSTILE}{index}") for index in range(12))
    table_run.description |= {
        "name": HOSTILE,
        "schema": replace(schema, columns=columns, label=HOSTILE).to_json(),
        "settings": {HOSTILE: HOSTILE},
        "notes": [HOSTILE],
        "likelihood": HOSTILE,
        "data": {"source": HOSTILE},
    }
    health = [{"level": "advice", "title": HOSTILE, "text": f"{HOSTILE} `{HOSTILE}`"}]
    baseline = {"name": HOSTILE, "log_likelihood_nats": -1.0}
    protocol = {"binarize": HOSTILE, "seed": HOSTILE, "split": HOSTILE}
    table_run.add_evaluation(health=health, baseline=baseline, protocol=protocol, split=HOSTILE)
    loc = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    rows = np.random.default_rng(1).normal(size=(40, 12)).astype(np.float32)
    table_run.add_gallery(
        [HOSTILE, HOSTILE * 2], originals=rows, reconstructions=rows, samples=rows, latent_loc=loc,
        labels=np.arange(40) % 2,
    )  # fmt: skip
    page, reader, text = shown(write_report(table_run))
    assert "<script" not in page.lower()
    assert "onerror" not in re.sub(r"&lt;img src=x onerror=y&gt;", "", page)
    assert text.count(HOSTILE) > 20
    assert len(reader.images) == 6


def test_numbers_so_far_before_the_evaluation(new_run):
    record = {"step": 50, "epoch": 1, "bound_nats": -3.5, "elbo_nats": -3.5, "distortion_nats": 3.0, "rate_nats": 0.5}
    new_run.add_metrics([record | {"split": "train"}])
    text = text_of(new_run)
    assert "−3.50 nats" in text
    assert "On the train split, after 50 steps." in text
    new_run.add_metrics([record | {"split": "train"}, record | {"split": "validation", "elbo_nats": -4.0}])
    assert "−4.00 nats" in text_of(new_run)


def test_the_best_is_marked_on_the_curve_of_the_bound_that_was_raised(new_run, monkeypatch):
    drawn = []

    def training_bound(curves, best):
        drawn.append((curves, best))
        return plots.training_bound(curves, best)

    monkeypatch.setattr(inside, "training_bound", training_bound)
    record = {"epoch": 1, "distortion_nats": 3.0, "rate_nats": 0.5, "elbo_nats": -3.5}
    bounds, splits = {50: -3.1, 100: -2.9, 150: -3.0}, ("train", "validation")
    new_run.add_metrics(
        [record | {"step": step, "split": split, "bound_nats": bounds[step]} for step in bounds for split in splits]
    )
    write_report(new_run)
    ((curves, best),) = drawn
    assert best == (100, -2.9)
    for split in splits:
        assert [part.tolist() for part in curves[split]] == [[*bounds], [*bounds.values()]]


def test_an_evaluation_without_a_gallery(digits_run):
    (digits_run.path / "gallery.safetensors").unlink()
    text = text_of(digits_run)
    assert "no examples to show yet" in text
    assert "no map of the latent space yet" in text
    assert "is not marked" in text


def test_a_gallery_without_an_evaluation(digits_run):
    (digits_run.path / "evaluation.json").unlink()
    text = text_of(digits_run)
    assert "Where the encoder puts" in text
    assert "The KL of each latent dimension is measured by" in text


def test_a_collapsed_model_has_no_map(digits_run):
    digits_run.add_gallery(latent_loc=np.zeros((50, 16), dtype=np.float32))
    digits_run.add_evaluation(health=[], active_units=0, kl_per_dimension_nats=[0.0] * 16)
    text = text_of(digits_run)
    assert "No latent dimension is active" in text
    assert "The gallery of this run is empty" in text
    assert "recorded no findings" in text


def test_images_of_real_values(digits_run):
    schema = replace(Schema.from_json(digits_run.description["schema"]), levels=None, shape=(2, 4, 4))
    digits_run.description["schema"] = schema.to_json()
    images = np.random.default_rng(0).normal(size=(30, 2, 4, 4)).astype(np.float32)
    digits_run.add_gallery(originals=images, reconstructions=images, samples=images)
    text = text_of(digits_run)
    assert "Of 2 channels only the first are shown." in text
    assert "Shown are the first 20 of 30." in text


def test_a_table_of_one_column_has_no_correlations(new_run):
    new_run.description["schema"] = Schema("table", (1,), columns=(Column("x"),)).to_json()
    rows = np.arange(20, dtype=np.float32)[:, None]
    new_run.add_gallery(originals=rows, samples=rows)
    assert "With a single column" in text_of(new_run)


def test_a_table_of_many_columns_says_which_are_shown(new_run):
    columns = tuple(Column(f"c{index}") for index in range(40))
    new_run.description["schema"] = Schema("table", (40,), columns=columns).to_json()
    rows = np.random.default_rng(0).normal(size=(20, 40)).astype(np.float32)
    new_run.add_gallery(originals=rows, samples=rows, reconstructions=rows)
    text = text_of(new_run)
    assert "first 12 of 40 columns" in text
    assert "first 30 of 40 columns" in text


@pytest.mark.parametrize(
    ("likelihood", "verdict"),
    [(-19.9, "No clear difference from"), (-25.0, "Worse than"), (-9.0, "Better than")],
)
def test_the_baseline_is_judged_against_the_standard_error(digits_run, likelihood, verdict):
    baseline = {"name": "an average", "log_likelihood_nats": -20.0}
    digits_run.add_evaluation(log_likelihood_nats=likelihood, baseline=baseline)
    page = key_numbers(read_contents(digits_run))
    assert f"{verdict} the baseline: an average, −20.00 nats." in page


def test_a_gallery_of_other_shapes_is_refused(digits_run):
    digits_run.add_gallery(samples=np.zeros((3, 1, 9, 9), dtype=np.float32))
    with pytest.raises(RunError, match=r"expected examples of shape \(1, 8, 8\) in 'samples'"):
        write_report(digits_run)


def test_a_label_without_a_name_is_refused(digits_run):
    digits_run.add_gallery(["a"], latent_loc=np.zeros((2, 16), dtype=np.float32), labels=np.array([0, 1]))
    with pytest.raises(RunError, match="expected labels from 0 to 0"):
        write_report(digits_run)
    assert not (digits_run.path / "report").exists()
