"""The code of the how-to pages keeps the promises that the pages name."""

import inspect
import re

import numpy as np
import pytest
import torch
from scipy import stats

import reparam
from reparam.distributions import Bernoulli, Independent
from tests.cli.test_frozen import OPTIONS
from tests.contracts import test_laws as contract
from tests.contracts.laws import PATHWISE, REPARAMETERIZED, ROWS, UNIVARIATE, WITH_NOISE
from tests.contracts.test_estimators import test_value_and_gradient_are_right as value_and_gradient_are_right
from tests.docs.pages import ROOT, blocks
from tests.statistical.instruments import check_mean


def names_of(page):
    """What the Python blocks of a page define, run in order as one program."""
    names = {"__name__": page}
    text = (ROOT / "docs" / "how-to" / page).read_text("utf-8")
    for block in blocks(text, "python"):
        exec(compile(block.code, page, "exec"), names)
    return names


LAW = names_of("add-a-distribution.md")
LIKELIHOOD = names_of("add-a-likelihood.md")
ESTIMATOR = names_of("add-an-estimator.md")
POSTERIOR = names_of("add-a-posterior-or-a-prior.md")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The names of the page on conditions, run in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("given"))
        return names_of("condition-on-what-you-know.md")


def is_of_pathwise_laws(test):
    """Whether it runs over rows with a pathwise gradient, and needs nothing but a row and a CPU."""
    marks = getattr(test, "pytestmark", [])
    registries = [mark.args[1] for mark in marks if mark.args[:1] == ("row",)]
    if any(mark.name == "skipif" for mark in marks):
        return False
    mine = (ROWS, REPARAMETERIZED, WITH_NOISE, PATHWISE, UNIVARIATE)
    return bool(registries) and registries[0] in mine and list(inspect.signature(test).parameters) == ["row"]


CONTRACT = [test for _, test in inspect.getmembers(contract, inspect.isfunction) if is_of_pathwise_laws(test)]


@pytest.mark.parametrize("test", CONTRACT, ids=lambda test: test.__name__)
def test_the_new_law_keeps_the_contract(test):
    test(LAW["row"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_new_law_draws_what_it_says(dtype):
    contract.test_draws_follow_the_reference_law(LAW["row"], dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_new_law_rounds_half_types_once(dtype):
    contract.test_half_draws_are_float32_draws_rounded_once(LAW["row"], dtype)
    contract.test_dtype_is_kept_and_half_computed_in_float32(LAW["row"], dtype)


def test_the_contract_is_not_empty():
    assert len(CONTRACT) > 15


@pytest.mark.parametrize("row", ESTIMATOR["rows"], ids=str)
def test_the_new_estimator_keeps_the_contract(row):
    value_and_gradient_are_right(row)


def test_the_new_estimator_is_refused_and_coupled_as_others_are():
    probs = torch.full((100_000, 2), 0.3, dtype=torch.float64, requires_grad=True)
    law = Independent(Bernoulli(probs), 1)
    value = reparam.expectation(lambda y: y.prod(-1), law, estimator=ESTIMATOR["MeanBaseline"]())
    check_mean(torch.autograd.grad(value.sum(), probs)[0], 0.3)


def test_the_new_likelihood_starts_at_the_data():
    x = torch.tensor([[1.0, -1.0], [3.0, -5.0]])
    law = LIKELIHOOD["Logistic"]((2,)).start_at(x, resolution=torch.zeros(2))(torch.zeros(1, 2))
    torch.testing.assert_close(law.mean[0], x.mean(0))
    torch.testing.assert_close(law.stddev[0], x.std(0, correction=0), rtol=1e-5, atol=0)


def test_the_new_likelihood_is_the_density_summed_over_values():
    family = LIKELIHOOD["Logistic"]((2,), floor=torch.tensor([0.3, 0.4]))
    with torch.no_grad():
        family.log_scale.copy_(torch.tensor([0.4, 0.3]).log())
    seen = family(torch.tensor([[0.5, 0.0]])).log_prob(torch.tensor([[1.0, 2.0]])).item()
    assert seen == pytest.approx(stats.logistic.logpdf([1.0, 2.0], [0.5, 0.0], 0.5).sum(), rel=1e-6)


@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_the_new_likelihood_stays_finite(size):
    x = torch.tensor([[1.0, -1.0], [3.0, -5.0]])
    outputs = torch.full((2, 2), size, requires_grad=True)
    log_prob = LIKELIHOOD["Logistic"]((2,)).start_at(x, resolution=torch.zeros(2))(outputs).log_prob(x)
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    assert outputs.grad.isfinite().all()


def test_the_new_likelihood_is_trained_and_used_through_fit(tmp_path):
    x, model = LIKELIHOOD["x"], LIKELIHOOD["model"]
    assert LIKELIHOOD["terms"].distortion.shape == (500,)
    trained = reparam.fit(
        x, reparam.Settings(epochs=2, num_samples=5), out=tmp_path / "run", model=model, progress=False
    )
    assert trained.sample(3, seed=0).shape == trained.reconstruct(x[:3]).shape == (3, 3)


def test_the_page_on_conditions_has_the_shapes_it_states(given):
    assert given["threes"].shape == (20, 1, 8, 8)
    assert given["each"].shape == (10, 20, 1, 8, 8)
    assert given["loc"].shape == (1797, 32)
    assert given["draws"].shape == (3, 1000)
    assert given["pairs"].shape == (500, 1)
    assert given["own"].condition.names == ("x",)


def test_the_regression_of_the_page_is_right(given):
    # The truth is sin(2x) with deviation 0.1; a short run is off by less than half of that, beside the error of draws.
    assert np.abs(given["mean"] - np.sin([-2.0, 0.0, 2.0])).max() < 0.05 + 5 * 0.1 / np.sqrt(1000)
    assert np.log(given["deviation"] / 0.1) == pytest.approx(np.zeros(3), abs=0.5)
    assert (given["low"] < given["mean"]).all()
    assert (given["mean"] < given["high"]).all()
    error = given["pairs"][:, 0] - np.sin(2 * given["given"]["x"])
    assert np.sqrt(np.mean(error**2)) < 0.2


def test_the_commands_of_the_page_name_options_that_are_there(given):
    text = (ROOT / "docs" / "how-to" / "condition-on-what-you-know.md").read_text("utf-8")
    said = set(re.findall(r" (--[a-z-]+)", "".join(block.code for block in blocks(text, "bash"))))
    assert said == {"--condition", "--given", "--num", "--out"}
    assert said <= set(f"{OPTIONS['train']} {OPTIONS['sample']}".split())


def test_the_new_posterior_starts_at_the_new_prior():
    law = POSTERIOR["LaplaceFamily"]()(torch.zeros(4, 4))
    torch.testing.assert_close(torch.distributions.kl_divergence(law, POSTERIOR["prior"]()), torch.zeros(4))


@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_the_new_posterior_stays_finite(size):
    outputs = torch.full((4, 4), size, requires_grad=True)
    rate = torch.distributions.kl_divergence(POSTERIOR["LaplaceFamily"]()(outputs), POSTERIOR["prior"]())
    rate.sum().backward()
    assert rate.isfinite().all()
    assert outputs.grad.isfinite().all()


def test_the_new_posterior_is_trained_and_used_through_fit(tmp_path):
    assert POSTERIOR["terms"].bound.shape == (500,)
    settings = reparam.Settings(epochs=2, num_samples=5, objective="dreg", draws=4)
    run = tmp_path / "run"
    trained = reparam.fit(POSTERIOR["x"], settings, out=run, model=POSTERIOR["model"], progress=False)
    assert trained.encode(POSTERIOR["x"]).scale.shape == (500, 2)
