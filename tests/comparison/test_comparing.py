"""``compare`` against anchors with known answers, and seen to find what is wrong."""

import math

import pytest
import torch
import torch.distributions as td
from scipy import stats

from reparam import distributions as rd
from reparam.comparison import compare
from reparam.comparison.comparing import duration
from reparam.errors import EstimatorError
from reparam.estimators import Enumerate, LeaveOneOut, Pathwise, ScoreFunction


def toy(y):
    return (y - 0.45) ** 2


def row(comparison, name):
    return next(row for row in comparison.rows if row.name == name)


def test_variances_on_the_bernoulli_toy_are_the_exact_ones():
    """f(1) - f(0) = D: score function from the two outcomes, leave-one-out D²[p(1-p)/2 - p²(1-p)²] for two samples."""
    p, gap = 0.7, 0.1
    law = rd.Bernoulli(logits=math.log(p / (1 - p)))
    single = compare(toy, law, [ScoreFunction()], samples=1, repeats=200_000).rows[0]
    ones, zeros = 0.55**2 * (1 - p), -(0.45**2) * p
    exact = p * ones**2 + (1 - p) * zeros**2 - (gap * p * (1 - p)) ** 2
    assert exact == pytest.approx(1.135e-2, rel=1e-3)  # published
    assert single.total_variance == pytest.approx(exact, rel=0.02)
    both = compare(toy, law, [ScoreFunction(LeaveOneOut())], samples=2, repeats=200_000).rows[0]
    exact = gap**2 * (p * (1 - p) / 2 - (p * (1 - p)) ** 2)
    assert exact == pytest.approx(6.09e-4, rel=1e-3)
    assert both.total_variance == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("k", "loc", "scale", "score", "pathwise"),
    [
        (0, 1.0, 1.0, (30, 136), (4, 12)),
        (0, 1.0, 0.1, (114.2, 260.7), (0.04, 4.08)),
        (-3, 1.0, 1.5, (371.5, 1354), (9, 82)),
        (3, 1.0, 1.5, (96.86, 420.7), (9, 34)),
    ],
)
def test_variances_on_the_normal_toy_are_the_exact_ones(k, loc, scale, score, pathwise):
    comparison = compare(
        lambda y: (y - k) ** 2, rd.Normal(loc, scale), [ScoreFunction(), Pathwise()], samples=1, repeats=1_000_000
    )
    assert row(comparison, "ScoreFunction()").variance.tolist() == pytest.approx(score, rel=0.05)
    assert row(comparison, "Pathwise()").variance.tolist() == pytest.approx(pathwise, rel=0.02)


@pytest.mark.parametrize(
    "law",
    [rd.Normal(0.7, 1.3), rd.Poisson(2.3), td.Gamma(1.6, 1.3), rd.Categorical(logits=torch.tensor([0.1, 0.7, 0.3]))],
    ids=lambda law: type(law).__name__,
)
def test_the_truth_is_known_and_unbiased_estimators_agree_with_it(law):
    comparison = compare(toy, law, [ScoreFunction(LeaveOneOut())], samples=2, repeats=50_000)
    assert comparison.rows[0].exact is not None
    assert not comparison.is_biased(comparison.rows[0])


def test_the_truth_of_a_normal():
    law = rd.Normal(torch.tensor(0.7, dtype=torch.float64), 1.3)
    (found,) = compare(toy, law, [Pathwise()], repeats=100).rows
    assert found.exact.value == pytest.approx(0.25**2 + 1.3**2, rel=1e-9)
    assert found.exact.gradient.tolist() == pytest.approx([0.5, 2.6], rel=1e-9)


class Shrunk(Pathwise):
    """A planted fault: the gradient is 5 % too small."""

    def surrogate(self, integrand, law, samples, generator):
        value = super().surrogate(integrand, law, samples, generator)
        return value.detach() + 0.95 * (value - value.detach())


def test_a_gradient_that_is_too_small_is_called_biased():
    comparison = compare(toy, rd.Normal(0.7, 1.3), [Shrunk(), Pathwise()], repeats=100_000)
    shrunk, right = row(comparison, "Shrunk()"), row(comparison, "Pathwise()")
    assert comparison.is_biased(shrunk)
    assert not comparison.is_biased(right)
    assert shrunk.bias == pytest.approx(0.05, abs=0.02)
    assert "never: BIASED" in str(comparison)


def test_the_limit_shares_one_false_alarm_among_all_directions():
    comparison = compare(toy, rd.Normal(0.7, 1.3), [Pathwise(), ScoreFunction()], repeats=100)
    assert comparison.limit == pytest.approx(stats.norm.isf(1e-6 / 2 / 4))


def test_what_does_not_fit_is_left_out_unless_it_was_named():
    comparison = compare(toy, rd.Bernoulli(0.3), repeats=100)
    assert "Pathwise()" in dict(comparison.left_out)
    with pytest.raises(EstimatorError, match=r"Pathwise\(\) does not fit Bernoulli"):
        compare(toy, rd.Bernoulli(0.3), [Pathwise()])


def test_a_law_in_several_dimensions_has_no_known_truth_and_is_measured_all_the_same():
    law = rd.MultivariateNormal(torch.zeros(2), scale_tril=torch.eye(2))
    comparison = compare(lambda y: (y**2).sum(-1), law, [Pathwise()], repeats=500)
    assert comparison.rows[0].exact is None
    assert "Pathwise()" in str(comparison)
    assert comparison.to_dict()["rows"][0]["bias"] is None


def test_coupled_elements_are_enumerated():
    law = rd.Independent(rd.Bernoulli(torch.tensor([0.3, 0.6])), 1)
    comparison = compare(lambda y: y.prod(-1), law, [Enumerate(), ScoreFunction()], repeats=20_000)
    assert comparison.rows[0].exact.gradient.tolist() == pytest.approx([0.6, 0.3])
    assert not any(map(comparison.is_biased, comparison.rows))


def test_draws_of_whole_numbers_and_parameters_of_another_dtype():
    law = rd.Categorical(torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64))
    comparison = compare(lambda y: (y - 1.2) ** 2, law, repeats=1000)
    assert "MeasureValued()" in [row.name for row in comparison.rows]
    assert not any(comparison.is_biased(row) for row in comparison.rows if row.unbiased)


def test_the_score_of_a_law_whose_support_moves_is_left_out():
    comparison = compare(torch.cos, rd.Uniform(0.0, 1.0), repeats=1000)
    assert [row.name for row in comparison.rows] == ["Pathwise()"]
    assert "support moves" in dict(comparison.left_out)["ScoreFunction()"]


def test_torch_s_own_random_state_is_left_alone():
    before = torch.get_rng_state()
    compare(toy, rd.Bernoulli(0.3), repeats=100)
    compare(toy, td.Normal(0.0, 1.0), repeats=100)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_is_refused():
    with pytest.raises(EstimatorError, match=r"batch of shape \(3,\)"):
        compare(toy, rd.Normal(torch.zeros(3), 1.0))


def test_times_are_said_in_the_unit_that_fits():
    assert [duration(time) for time in (1.234, 45.67, 999.0, 1.5e3, 2e6, 5e12)] == [
        "1.2 µs", "46 µs", "999 µs", "1.5 ms", "2 s", "5000000 s",
    ]  # fmt: skip
