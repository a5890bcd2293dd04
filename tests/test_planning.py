"""Every decision of a run, and the sentence that says it."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from reparam import vae
from reparam.data.arrays import examples_from_array
from reparam.data.schema import Schema
from reparam.data.sources import read
from reparam.errors import DataError, UsageError
from reparam.planning import FeedLoss, choose_likelihood, make_objective, make_plan
from reparam.planning.plan import make_architecture
from reparam.planning.presets import PRESETS, resolved
from reparam.training.settings import Settings
from tests.vae.small import small_plan, small_vae

GREY = Schema("image", (1, 8, 8), levels=256)
BLACK_AND_WHITE = Schema("image", (1, 8, 8), levels=256, binary=True)
REAL_IMAGE = Schema("image", (1, 8, 8))
REAL_TABLE = Schema("table", (3,))
BINARY_TABLE = Schema("table", (3,), levels=2, binary=True)

LOGISTIC, BERNOULLI, GAUSSIAN = "discretized-logistic", "bernoulli", "gaussian"


@pytest.mark.parametrize(
    ("schema", "likelihood", "binarize", "expected"),
    [
        (GREY, None, None, (LOGISTIC, "none")),
        (GREY, None, "none", (LOGISTIC, "none")),
        (GREY, None, "dynamic", (BERNOULLI, "dynamic")),
        (GREY, None, "static", (BERNOULLI, "static")),
        (GREY, BERNOULLI, None, (BERNOULLI, "dynamic")),
        (GREY, BERNOULLI, "static", (BERNOULLI, "static")),
        (GREY, LOGISTIC, None, (LOGISTIC, "none")),
        (GREY, LOGISTIC, "none", (LOGISTIC, "none")),
        (GREY, GAUSSIAN, None, (GAUSSIAN, "none")),
        (BLACK_AND_WHITE, None, None, (BERNOULLI, "none")),
        (BLACK_AND_WHITE, None, "none", (BERNOULLI, "none")),
        (BLACK_AND_WHITE, LOGISTIC, None, (LOGISTIC, "none")),
        (BLACK_AND_WHITE, GAUSSIAN, None, (GAUSSIAN, "none")),
        (BINARY_TABLE, None, None, (BERNOULLI, "none")),
        (REAL_IMAGE, None, None, (GAUSSIAN, "none")),
        (REAL_TABLE, None, None, (GAUSSIAN, "none")),
        (REAL_TABLE, GAUSSIAN, "none", (GAUSSIAN, "none")),
    ],
)
def test_the_likelihood_follows_from_the_data_and_the_settings(
    schema: Schema, likelihood: str | None, binarize: str | None, expected: tuple[str, str]
) -> None:
    *chosen, reason = choose_likelihood(schema, Settings(likelihood=likelihood, binarize=binarize))
    assert tuple(chosen) == expected
    assert reason.lower().startswith({LOGISTIC: "discretised logistic"}.get(expected[0], expected[0]))


@pytest.mark.parametrize(
    ("schema", "likelihood", "binarize", "message"),
    [
        (REAL_TABLE, BERNOULLI, None, r"needs values that are 0 or 1, .* real values\. Use --likelihood gaussian"),
        (REAL_TABLE, LOGISTIC, None, r"needs whole levels; these are real values\. Use --likelihood gaussian"),
        (
            REAL_TABLE,
            None,
            "dynamic",
            r"--binarize dynamic needs grey levels; these are real values, .*Leave --binarize out",
        ),
        (REAL_IMAGE, None, "static", r"--binarize static needs grey levels; these are real values"),
        (
            BLACK_AND_WHITE,
            None,
            "dynamic",
            r"needs grey levels; these are black and white already\. Leave --binarize out",
        ),
        (BINARY_TABLE, BERNOULLI, "static", r"needs grey levels; these are black and white already"),
        (
            GREY,
            LOGISTIC,
            "dynamic",
            r"makes values 0 or 1, which needs --likelihood bernoulli, got 'discretized-logistic'",
        ),
        (GREY, GAUSSIAN, "static", r"needs --likelihood bernoulli, got 'gaussian'"),
        (
            GREY,
            BERNOULLI,
            "none",
            r"is no likelihood\. Use --binarize dynamic \(or static\), or --likelihood discretized",
        ),
    ],
)
def test_what_is_no_likelihood_of_the_data_is_refused_with_what_is(
    schema: Schema, likelihood: str | None, binarize: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        choose_likelihood(schema, Settings(likelihood=likelihood, binarize=binarize))


def test_grey_levels_under_a_density_are_said_not_to_compare() -> None:
    assert "not comparable to bits per dimension" in choose_likelihood(GREY, Settings(likelihood=GAUSSIAN))[2]
    assert "comparable" not in choose_likelihood(REAL_TABLE, Settings())[2]


def table(num_rows: int, num_columns: int) -> Any:
    return examples_from_array(np.random.default_rng(0).normal(size=(num_rows, num_columns)))


@pytest.mark.parametrize(("num_columns", "latent_dim"), [(1, 1), (2, 1), (3, 2), (11, 6), (64, 32), (200, 32)])
def test_a_table_gets_half_its_columns_as_latents_and_at_most_32(num_columns: int, latent_dim: int) -> None:
    plan = make_plan(table(300, num_columns), Settings())
    assert plan.architecture is not None
    assert (plan.latent_dim, plan.architecture.width) == (latent_dim, 128)
    assert (plan.architecture.network, plan.architecture.num_blocks) == ("residual-mlp", 2)


def test_images_get_32_latents_and_settings_win() -> None:
    plan = make_plan(read("digits"), Settings())
    assert plan.architecture == small_plan((1, 8, 8), LOGISTIC, latent_dim=32, width=16, num_blocks=1, levels=17)
    assert plan.scaling.scale == (16.0,)
    plan = make_plan(read("digits"), Settings(latent_dim=3, width=5, likelihood=BERNOULLI))
    assert plan.architecture is not None
    assert (plan.latent_dim, plan.architecture.width, plan.likelihood, plan.binarize) == (3, 5, BERNOULLI, "dynamic")


def test_the_plan_says_every_decision() -> None:
    sentences = make_plan(read("digits"), Settings(epochs=4, batch_size=100)).sentences
    assert sentences == (
        "data: 1,797 images, 8 x 8, 1 channel, 17 levels",
        "split: 1,437 training, 180 validation, 180 test rows (by seed 0)",
        "likelihood: discretised logistic over 17 levels (--likelihood or --binarize to change)",
        "model: 32 latent dimensions, diagonal-normal posterior, standard prior, convolutional networks of width 16",
        "training: 56 steps of 100 rows (4 epochs), evaluated every 56",
    )
    sentences = make_plan(table(50, 2), Settings(latent_dim=1)).sentences
    parts = "diagonal-normal posterior, standard prior, residual-mlp networks of width 128"
    assert f"model: 1 latent dimension, {parts}" in sentences
    assert "likelihood: Gaussian with a calibrated scale for each value" in sentences


def test_a_model_of_your_own_decides_latents_and_likelihood() -> None:
    model = small_vae((1, 8, 8), "bernoulli", latent_dim=7)
    plan = make_plan(read("digits"), Settings(), model)
    assert (plan.latent_dim, plan.likelihood, plan.binarize) == (7, BERNOULLI, "dynamic")
    assert "model: 7 latent dimensions, networks of your own" in plan.sentences
    assert plan.settings.likelihood is None
    with pytest.raises(UsageError, match="decoder has the likelihood bernoulli, but likelihood='gaussian' was set"):
        make_plan(read("digits"), Settings(likelihood=GAUSSIAN), model)
    with pytest.raises(UsageError, match="--likelihood bernoulli needs values that are 0 or 1"):
        make_plan(table(50, 3), Settings(), small_vae((3,), "bernoulli"))


def test_a_law_of_your_own_is_planned_as_the_settings_say() -> None:
    class Mine(vae.Gaussian):
        """A family that is none of ours."""

    model = small_vae((3,))
    model.decoder.family = Mine((3,))
    assert make_plan(table(50, 3), Settings(), model).settings.likelihood is None
    assert make_plan(table(50, 3), Settings(likelihood=GAUSSIAN), model).likelihood == GAUSSIAN


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), vae.Elbo()),
        (Settings(draws=4, draw_noise="sobol", free_bits=0.5), vae.Elbo(4, free_bits=0.5, noise="sobol")),
        (Settings(objective="stl"), vae.Elbo(sticking_the_landing=True)),
        (Settings(objective="iwae"), vae.ImportanceWeighted(16, gradient="pathwise")),
        (
            Settings(objective="iwae", draws=3, draw_noise="antithetic"),
            vae.ImportanceWeighted(3, "pathwise", "antithetic"),
        ),
        (Settings(objective="dreg", draws=5), vae.ImportanceWeighted(5)),
    ],
)
def test_the_objective_is_what_the_settings_name(settings: Settings, expected: vae.Objective) -> None:
    assert make_objective(settings) == expected
    assert make_plan(table(50, 3), settings).loss == FeedLoss(expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            Settings(objective="iwae", beta=0.5),
            r"objective iwae is a bound of its own: beta must be 1 .* got beta=0\.5",
        ),
        (
            Settings(objective="dreg", free_bits=0.1),
            r"objective dreg .* free_bits 0, got .* free_bits=0\.1; use objective",
        ),
        (Settings(objective="dreg", draws=1), r"needs at least 2 draws"),
        (Settings(objective="dreg", draw_noise="sobol"), r"needs independent draws"),
        (Settings(objective="stl", draws=2), r"takes one draw"),
        (Settings(objective="stl", free_bits=0.1), r"free bits need the rate in closed form"),
        (Settings(draw_noise="antithetic"), r"spreads several draws"),
    ],
)
def test_objectives_that_make_no_sense_are_refused_with_the_plan(settings: Settings, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_plan(table(50, 3), settings)


def test_an_objective_of_your_own_leaves_no_other_to_settings() -> None:
    own = vae.Elbo(2)
    assert make_plan(table(50, 3), Settings(beta=0.5), objective=own).loss.objective is own
    with pytest.raises(UsageError, match=r"an objective of your own decides objective, draws itself"):
        make_plan(table(50, 3), Settings(objective="iwae", draws=3), objective=own)


def test_every_preset_is_one_of_the_settings_and_says_all_that_a_model_needs() -> None:
    (entry,) = (entry for entry in dataclasses.fields(Settings) if entry.name == "preset")
    assert set(entry.metadata["choices"]) == set(PRESETS)
    for preset in PRESETS:
        for schema in (GREY, REAL_TABLE):
            settings = resolved(Settings(preset=preset), schema)
            assert make_architecture(settings, schema, GAUSSIAN).event_shape == schema.shape
            mine = resolved(Settings(preset=preset, width=3, num_blocks=7), schema)
            assert (mine.width, mine.num_blocks) == (3, 7)


def test_the_defaults_that_settings_state_are_those_of_the_presets() -> None:
    stated = {
        entry.name: entry.metadata["meaning"].partition("; default: ")[2] for entry in dataclasses.fields(Settings)
    }
    for name in ("prior", "precision", "latent_dim"):
        usual, best = (resolved(Settings(preset=preset), GREY) for preset in ("standard", "best"))
        images = " for images" if name == "latent_dim" else ""
        assert stated[name].startswith(f"{getattr(usual, name)}{images} (best: {getattr(best, name)})")
    assert (
        stated["posterior"] == resolved(Settings(), GREY).posterior == resolved(Settings(preset="best"), GREY).posterior
    )
    best = resolved(Settings(preset="best"), GREY)
    assert stated["weight_decay"] == f"{resolved(Settings(), GREY).weight_decay:g} (best, images: {best.weight_decay})"
    assert stated["dense_width"] == f"16 times the width (best: {best.dense_width})"
    assert stated["flow_width"] == f"{vae.Architecture.flow_width} (best, images: {best.flow_width})"
    assert stated["epochs"].startswith(f"enough for {PRESETS['standard']['image'].num_steps:,} steps (best: more)")
    assert all(PRESETS["best"][kind].num_steps > PRESETS["standard"][kind].num_steps for kind in PRESETS["best"])


def test_networks_that_do_not_fit_the_data_are_refused() -> None:
    plan = make_plan(table(50, 3), Settings(network="convolutional"))
    with pytest.raises(UsageError, match=r"for images .*got examples of shape \(3,\); use .*residual-mlp"):
        plan.build_model(torch.zeros(5, 3))
    plan = make_plan(read("digits"), Settings(network="gated-mlp"))
    assert plan.build_model(torch.zeros(5, 1, 8, 8)).reconstruct(torch.zeros(2, 1, 8, 8)).shape == (2, 1, 8, 8)


def test_scaling_is_fitted_on_training_rows_alone() -> None:
    examples = table(100, 2)
    plan = make_plan(examples, Settings())
    train = examples.values[plan.split.train]
    assert plan.scaling.offset == pytest.approx(train.mean(0))
    assert plan.scaling.scale == pytest.approx(train.std(0))
    feed = plan.feed(examples, "train")
    seen = feed.gather(torch.arange(len(feed)), None).x
    torch.testing.assert_close(seen.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    held_out = plan.feed(examples, "test").values.numpy()
    np.testing.assert_allclose(plan.scaling.undo(held_out), examples.values[plan.split.test], rtol=1e-5, atol=1e-6)


def test_the_model_starts_at_the_training_data() -> None:
    examples = table(100, 2)
    plan = make_plan(examples, Settings())
    x = plan.feed(examples, "train").values
    law = plan.build_model(x).decoder.family(torch.zeros(1, 2))
    torch.testing.assert_close(law.mean[0], x.mean(0))
    torch.testing.assert_close(law.stddev[0], x.std(0, correction=0), rtol=1e-4, atol=0)


def test_a_column_that_varies_in_no_training_row_is_refused() -> None:
    values = np.random.default_rng(0).normal(size=(20, 2))
    test_rows = make_plan(examples_from_array(values), Settings()).split.test
    values[:, 1] = 0.5
    values[test_rows[0], 1] = 0.75
    with pytest.raises(DataError, match=r"column 'x1' is 0\.5 in all \d+ training values"):
        make_plan(examples_from_array(values), Settings())


def test_a_family_of_your_own_is_named_after_its_class() -> None:
    class Cauchy(torch.nn.Module):
        """A family that is none of ours."""

    model = small_vae((4,))
    model.decoder.family = Cauchy()
    rows = read(np.random.default_rng(0).normal(size=(20, 4)))
    assert make_plan(rows, Settings(), model).likelihood == "Cauchy"
    with pytest.raises(UsageError, match="has the likelihood Cauchy"):
        make_plan(rows, Settings(likelihood="gaussian"), model)
