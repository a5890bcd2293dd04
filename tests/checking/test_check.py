"""The instrument as a function: what it takes, what it gives, and what it leaves as it was."""

import json

import pytest
import torch
import torch.distributions as td

import reparam
from reparam.checking import check_rsample
from reparam.checking.report import failed, judge, measured
from reparam.checking.statistics import FALSE_ALARM
from reparam.checking.taking_apart import subjects_of_law
from reparam.distributions import DiscretizedLogistic, Normal
from reparam.errors import ParameterError

FEW = 2000


def test_the_public_name():
    assert reparam.check_rsample is check_rsample


def test_a_report_is_a_function_of_the_seed_and_leaves_global_state_alone():
    torch.manual_seed(7)
    state, validating, dtype = torch.get_rng_state(), td.Distribution._validate_args, torch.get_default_dtype()
    law = td.StudentT(torch.tensor(3.0))
    first, again, other = (check_rsample(law, seed=seed, num_draws=FEW) for seed in (1, 1, 2))
    assert first == again != other
    assert torch.equal(state, torch.get_rng_state())
    assert (td.Distribution._validate_args, torch.get_default_dtype()) == (validating, dtype)


def test_state_is_put_back_when_a_check_breaks_off(monkeypatch):
    validating = td.Distribution._validate_args
    with pytest.raises(ParameterError):
        check_rsample(lambda loc: "no law", {"loc": 0.5})
    assert td.Distribution._validate_args is validating


def test_a_function_with_parameters():
    def make(loc, log_scale):
        return td.Independent(td.Normal(loc, log_scale.exp()), 1)

    report = check_rsample(make, {"loc": torch.tensor([1.0, 2.0]), "log_scale": torch.tensor(0.3)}, num_draws=FEW)
    assert report.ok, str(report)
    labels = {finding.parameter for finding in report.findings if finding.check == "gradient"}
    assert labels == {"loc[0]", "loc[1]", "log_scale"}


def test_a_batch_of_laws_is_checked_at_three_places():
    report = check_rsample(Normal(torch.zeros(5), torch.ones(5)), num_draws=FEW)
    assert report.ok
    laws = {finding.where["law"] for finding in report.findings}
    assert laws == {f"Normal, element {index} of the batch" for index in (0, 2, 4)}


def test_a_law_without_rsample_is_checked_for_its_draws_and_its_refusal():
    report = check_rsample(td.Poisson(torch.tensor(3.0)), num_draws=FEW)
    assert report.ok
    assert "refusal" in {finding.check for finding in report.findings}
    wrong = check_rsample(lambda rate: _Biased(rate), {"rate": 3.0}, num_draws=20_000)
    assert {finding.check for finding in wrong.failures} == {"distribution"}


class _Biased(td.Poisson):
    def sample(self, sample_shape=()):
        return super().sample(sample_shape) + torch.bernoulli(torch.full(tuple(sample_shape) + self.batch_shape, 0.1))


def test_a_law_that_computes_in_other_dtypes_keeps_its_options():
    (subject,) = subjects_of_law(DiscretizedLogistic(0.4, 0.1, levels=7), seed=0)
    assert subject.law().levels == 7
    assert subject.law(torch.float64).loc.dtype == torch.float64


TRIANGLE = torch.tensor([[1.0, 0.0], [0.5, 2.0]])


@pytest.mark.parametrize(
    ("law", "names"),
    [
        (td.Gamma(torch.tensor(0.3), torch.tensor(2.0)), ["concentration", "rate"]),
        (td.Chi2(torch.tensor(3.0)), ["df"]),
        (td.HalfNormal(torch.tensor(3.0)), ["scale"]),
        (td.MultivariateNormal(torch.zeros(2), scale_tril=TRIANGLE), ["loc", "scale_tril"]),
        (td.MultivariateNormal(torch.zeros(2), precision_matrix=torch.eye(2)), ["loc", "precision_matrix"]),
        (td.Bernoulli(logits=torch.tensor(0.3)), ["logits"]),
        (td.RelaxedBernoulli(torch.tensor(2.0), logits=torch.tensor(0.3)), ["temperature", "logits"]),
        (td.RelaxedBernoulli(torch.tensor(2.0), probs=torch.tensor(0.3)), ["temperature", "probs"]),
        (td.Binomial(7, torch.tensor(0.3)), ["probs"]),
        (
            td.MixtureSameFamily(td.Categorical(torch.ones(2)), td.Normal(torch.zeros(2), torch.ones(2))),
            ["mixture.probs", "component.loc", "component.scale"],
        ),
    ],
    ids=lambda entry: type(entry).__name__ if isinstance(entry, td.Distribution) else "",
)
def test_laws_are_taken_apart_and_made_again(law, names):
    law.entropy() if hasattr(law, "precision_matrix") else None  # computes what is lazy
    (subject,) = subjects_of_law(law, seed=0)
    assert list(subject.parameters) == names
    assert {value.dtype for value in subject.parameters.values()} == {torch.float64}
    value = law.sample((5,))
    torch.testing.assert_close(subject.law().log_prob(value.double()).float(), law.log_prob(value))


class _Secretive(td.Normal):
    def __init__(self, key):
        super().__init__(float(key), 1.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((_Secretive(3),), "nothing says what key was.*parameters="),
        ((Normal(0.0, 1.0), {"loc": 1.0}), "this law has its own"),
        ((Normal,), "needs its parameters"),
        ((3,), "expected a torch distribution, or a function that makes one; got int"),
        ((lambda loc: Normal(loc, 1.0), {"loc": torch.zeros(2)}), r"a batch of shape \(2,\)"),
        ((lambda loc: 3, {"loc": 0.0}), "made a int"),
        ((lambda loc: Normal(loc, 1.0), {"loc": torch.tensor(True)}), "must be a real number"),
        ((Normal(torch.zeros(0), torch.ones(0)),), "the batch is empty"),
        ((lambda loc: Normal(loc.sum(), 1.0), {"loc": torch.zeros(2)}), "must have batch shape"),
    ],
    ids=["secretive", "two", "none", "number", "batch", "no law", "bool", "empty", "broadcast"],
)
def test_what_cannot_be_checked_says_what_to_do(arguments, says):
    with pytest.raises(ParameterError, match=says):
        check_rsample(*arguments)


def test_too_few_draws_are_refused():
    with pytest.raises(ParameterError, match="at least 1000; got 10"):
        check_rsample(Normal(0.0, 1.0), num_draws=10)


def test_a_report_reads_aloud_and_as_json():
    report = check_rsample(td.Gamma(torch.tensor(8.1), torch.tensor(2.0)), num_draws=FEW)
    text = str(report)
    assert text.startswith("Gamma(concentration=8.1, rate=2): 1 FAILED")
    assert "FAILED   velocity" in text
    assert "concentration: the gradient is inaccurate" in text
    assert "allowed 1.0e-06" in text
    (failure,) = report.failures
    assert (failure.check, failure.parameter, failure.tolerance) == ("velocity", "concentration", 1e-6)
    assert failure.came == pytest.approx(failure.expected, rel=1e-2)
    assert failure.where["draw"] > 0
    read = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert read["ok"] is False
    assert read["failures"][0]["check"] == "velocity"
    assert read["parameters"]["rate"] == 2


def test_tests_share_one_false_alarm_rate():
    share = FALSE_ALARM / 4
    found = judge([measured("score", p_value, "") for p_value in (0.9 * share, 1.1 * share, 1.0, float("nan"))])
    assert [finding.status for finding in found] == ["failed", "passed", "passed", "failed"]
    assert judge([failed("score", "")])[0].status == "failed"
