"""Which likelihood goes with which data: chosen, refused with what to use instead, and in which units it sees them."""

import numpy as np
import pytest

import reparam
from reparam import vae
from reparam.data.arrays import examples_from_array
from reparam.data.schema import Schema
from reparam.errors import DataError, UsageError
from reparam.planning import choose_likelihood, make_plan, row_totals
from reparam.training.settings import Settings

GREY = Schema("image", (1, 8, 8), levels=256)
BLACK_AND_WHITE = Schema("image", (1, 8, 8), levels=256, binary=True)
REAL_IMAGE = Schema("image", (1, 8, 8))
REAL_TABLE = Schema("table", (3,))
BINARY_TABLE = Schema("table", (3,), levels=2, binary=True)
COUNTS = ("poisson", "negative-binomial", "zero-inflated-poisson", "zero-inflated-negative-binomial")

RNG = np.random.default_rng(0)
COUNT_TABLE = RNG.negative_binomial(2, 0.2, size=(200, 4)).astype(float)
SHARES = RNG.uniform(size=(200, 4))
NORMAL = RNG.normal(size=(200, 4))
IMAGES = RNG.integers(0, 256, size=(50, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize(
    ("schema", "likelihood", "said"),
    [
        (REAL_TABLE, "laplace", "Laplace with a calibrated scale"),
        (REAL_TABLE, "student-t", "Student's t with a calibrated scale"),
        (REAL_IMAGE, "student-t", "Student's t"),
        (GREY, "laplace", "not comparable to bits per dimension"),
        (GREY, "continuous-bernoulli", "not comparable to bits per dimension"),
        (BLACK_AND_WHITE, "continuous-bernoulli", "continuous Bernoulli"),
        (REAL_TABLE, "continuous-bernoulli", "for values between 0 and 1"),
        (GREY, "categorical", "categorical over 256 levels"),
        (GREY, "discretized-logistic-mixture", "mixture of discretised logistic laws over 256 levels"),
        (BINARY_TABLE, "categorical", "categorical over 2 levels"),
        (REAL_TABLE, "poisson", "Poisson, counts whose variance is their mean"),
        (REAL_TABLE, "negative-binomial", "negative binomial, counts that vary more"),
        (REAL_IMAGE, "zero-inflated-negative-binomial", "negative binomial, with zeros besides"),
        (REAL_TABLE, "zero-inflated-poisson", "Poisson, with zeros besides"),
    ],
)
def test_a_likelihood_that_fits_is_taken_and_said(schema: Schema, likelihood: str, said: str) -> None:
    chosen, binarize, reason = choose_likelihood(schema, Settings(likelihood=likelihood))
    assert (chosen, binarize) == (likelihood, "none")
    assert said in reason


@pytest.mark.parametrize(
    ("schema", "settings", "message"),
    [
        (REAL_TABLE, {"likelihood": "categorical"}, r"categorical needs whole levels; .* Use --likelihood gaussian"),
        (REAL_IMAGE, {"likelihood": "discretized-logistic-mixture"}, r"mixture needs whole levels; these are real"),
        *(
            (GREY, {"likelihood": name}, f"{name} needs counts .* levels from 0 to 255. Use .*discretized-logistic, or")
            for name in COUNTS
        ),
        (BINARY_TABLE, {"likelihood": "poisson"}, r"these are 0 or 1\. Use --likelihood bernoulli"),
        (GREY, {"likelihood": "categorical", "binarize": "static"}, "needs --likelihood bernoulli, got 'categorical'"),
        (REAL_TABLE, {"library_size": True}, r"library_size is for .* counts, and this one is gaussian\. Leave it out"),
        (GREY, {"likelihood": "categorical", "library_size": True}, r"this one is categorical\. .*negative-binomial"),
        (GREY, {"likelihood_components": 3}, r"likelihood_components is for mixtures, .* is discretized-logistic\."),
        (REAL_TABLE, {"likelihood": "gaussian", "likelihood_components": 3}, "--likelihood discretized-logistic-mixt"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(schema: Schema, settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_likelihood(schema, Settings(**settings))


@pytest.mark.parametrize("likelihood", COUNTS)
def test_counts_keep_their_units(likelihood: str) -> None:
    plan = make_plan(examples_from_array(COUNT_TABLE), Settings(likelihood=likelihood))
    assert (set(plan.scaling.offset), set(plan.scaling.scale)) == ({0.0}, {1.0})
    assert plan.scaling.log_scale_nats(plan.schema) == 0
    feed = plan.feed(examples_from_array(COUNT_TABLE), "train")
    np.testing.assert_array_equal(feed.values, COUNT_TABLE[plan.split.train])
    assert feed.exposure is None
    assert plan.architecture.exposure is False


@pytest.mark.parametrize("likelihood", COUNTS)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.5, r"whole numbers from 0 on; row 7, column 'x2' \(from 0\) is 0\.5\. For real values use --likelihood gau"),
        (-1.0, r"whole numbers from 0 on; row 7, column 'x2' \(from 0\) is -1\.0"),
        (2.0**24 + 2, r"takes counts up to 16,777,216, as 32-bit floats do; row 7, column 'x2' \(from 0\) is 16777218"),
    ],
)
def test_what_are_no_counts_is_refused_where_it_is(likelihood: str, value: float, message: str) -> None:
    bad = COUNT_TABLE.copy()
    bad[7, 2] = value
    with pytest.raises(UsageError, match=f"the likelihood {likelihood} .*{message}"):
        make_plan(examples_from_array(bad), Settings(likelihood=likelihood))


def test_values_between_0_and_1_keep_their_units_and_others_are_refused() -> None:
    settings = Settings(likelihood="continuous-bernoulli")
    plan = make_plan(examples_from_array(SHARES), settings)
    assert set(plan.scaling.scale) == {1.0}
    with pytest.raises(UsageError, match=r"bernoulli needs values between 0 and 1; row 0, column 'x0' .* is "):
        make_plan(examples_from_array(SHARES + 1), settings)
    levels = make_plan(examples_from_array(IMAGES), settings)
    assert levels.scaling.scale == (255.0,)


@pytest.mark.parametrize("likelihood", ["laplace", "student-t"])
def test_real_values_are_standardised(likelihood: str) -> None:
    plan = make_plan(examples_from_array(NORMAL), Settings(likelihood=likelihood))
    assert plan.scaling == make_plan(examples_from_array(NORMAL), Settings()).scaling


def test_whole_numbers_without_a_likelihood_are_said_to_look_like_counts() -> None:
    def reason(values: np.ndarray, **settings) -> str:
        plan = make_plan(examples_from_array(values), Settings(**settings))
        return next(sentence for sentence in plan.sentences if sentence.startswith("likelihood"))

    assert "if they are counts, use --likelihood negative-binomial" in reason(COUNT_TABLE)
    assert "counts" not in reason(NORMAL)
    assert "if they are counts" not in reason(COUNT_TABLE, likelihood="gaussian")


def test_the_library_size_is_the_total_of_a_row_and_1_where_that_is_0() -> None:
    values = COUNT_TABLE.copy()
    values[3] = 0
    examples = examples_from_array(values)
    plan = make_plan(examples, Settings(likelihood="poisson", library_size=True))
    assert plan.architecture.exposure is True
    for part in ("train", "validation", "test"):
        feed = plan.feed(examples, part)
        expected = np.maximum(values[getattr(plan.split, part)].sum(1), 1)
        np.testing.assert_array_equal(feed.exposure, expected)
    assert row_totals(values)[3] == 1
    assert any("proportional to the total of each row" in sentence for sentence in plan.sentences)


def own(family, num_values: int = 4) -> vae.VAE:
    network = vae.MLP(1, family.num_outputs(num_values), width=4)
    encoder = vae.Conditional(vae.MLP(num_values, 2, width=4), vae.DiagonalNormal(), vae.LogCounts((num_values,)))
    return vae.VAE(encoder, vae.Conditional(network, family), vae.StandardNormal(1))


class Own(vae.Poisson):
    """A family of counts of one's own is one as well; it is one more kind of those in the table."""


class Unknown(vae.CountFamily):
    """Poisson again, but of no kind in the table."""

    def _law(self, log_mean, *others):
        return reparam.distributions.Poisson(log_mean.exp(), validate_args=False)

    def _start(self, mean, variance):
        return mean


@pytest.mark.parametrize("kind", [vae.NegativeBinomial, Own, Unknown])
def test_a_model_of_ones_own_with_counts_sees_counts(kind) -> None:
    examples = examples_from_array(COUNT_TABLE)
    plan = make_plan(examples, Settings(library_size=True), own(kind((4,))))
    assert set(plan.scaling.scale) == {1.0}
    assert plan.feed(examples, "test").exposure is not None
    with pytest.raises(UsageError, match="needs counts"):
        make_plan(examples_from_array(NORMAL), Settings(), own(kind((4,))))


def test_a_model_of_ones_own_without_counts_has_no_library_size() -> None:
    class Wide(vae.DiagonalNormal):
        pass

    for family in (vae.Gaussian((4,)), Wide()):
        with pytest.raises(UsageError, match="library_size"):
            make_plan(examples_from_array(NORMAL), Settings(library_size=True), own(family))


def test_components_reach_the_architecture() -> None:
    def components(**settings) -> int:
        chosen = Settings(likelihood="discretized-logistic-mixture", **settings)
        return make_plan(examples_from_array(IMAGES), chosen).architecture.likelihood_components

    assert (components(), components(likelihood_components=2)) == (5, 2)
    with pytest.raises(UsageError, match="likelihood_components must be a whole number of at least 1"):
        Settings(likelihood_components=0)


def test_counts_of_a_trained_model_are_asked_of_new_rows(tmp_path) -> None:
    settings = Settings(likelihood="negative-binomial", epochs=1, num_samples=2)
    model = reparam.fit(COUNT_TABLE, settings, out=tmp_path / "run", progress=False)
    assert model.encode(COUNT_TABLE[:2]).loc.shape == (2, 2)
    for call in (model.encode, model.reconstruct, model.log_likelihood):
        with pytest.raises(DataError, match=r"likelihood, negative-binomial, needs counts.*row 0.*is \d+\.5"):
            call(COUNT_TABLE[:2] + 0.5)
