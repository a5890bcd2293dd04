"""Laws that are right pass, whatever the seed; known defects of torch's are found, by the check they belong to."""

import inspect
import re

import pytest
import torch
import torch.distributions as td

from reparam import distributions
from reparam.checking import check_rsample
from reparam.checking.examples import EXAMPLES
from reparam.distributions import Law, Unreparameterized

FEW = 20_000


def tensor(*values):
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


RIGHT = [
    td.Normal(tensor(0.7), tensor(1.3)),
    td.Laplace(tensor(0.7), tensor(1.3)),
    td.Cauchy(tensor(0.7), tensor(1.3)),
    td.Gumbel(tensor(0.7), tensor(1.3)),
    td.HalfNormal(tensor(1.3)),
    td.Exponential(tensor(1.3)),
    td.Uniform(tensor(-1.0), tensor(2.0)),
    td.LogNormal(tensor(0.2), tensor(0.5)),
    td.StudentT(tensor(3.0), tensor(0.5), tensor(2.0)),
    td.TransformedDistribution(td.Normal(tensor(0.0), tensor(1.0)), [td.AffineTransform(tensor(1.0), tensor(2.0))]),
    td.RelaxedBernoulli(tensor(0.8), logits=tensor(0.4)),
    td.VonMises(tensor(0.3), tensor(2.0)),
    td.Poisson(tensor(3.0)),
    td.Categorical(logits=tensor(0.1, 0.3, 2.0)),
    td.Binomial(7, tensor(0.3)),
    td.Independent(td.Normal(tensor(1.0, 2.0), tensor(1.0, 3.0)), 1),
    td.MultivariateNormal(tensor(1.0, 2.0), covariance_matrix=tensor([2.0, 0.5], [0.5, 1.0])),
    td.Dirichlet(tensor(1.0, 2.0, 3.0)),
    td.RelaxedOneHotCategorical(tensor(1.0), logits=tensor(0.1, 0.5, -1.0)),
    td.MixtureSameFamily(td.Categorical(logits=tensor(0.2, 0.5)), td.Normal(tensor(-1.0, 2.0), tensor(0.5, 1.0))),
]


@pytest.mark.parametrize("law", RIGHT, ids=lambda law: type(law).__name__)
def test_laws_that_are_right_pass(law):
    for seed in range(2):
        report = check_rsample(law, seed=seed, num_draws=FEW)
        assert report.ok, str(report)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_our_laws_pass_here_and_elsewhere(example):
    report = check_rsample(example.make, example.tensors(), num_draws=FEW)
    assert report.ok, str(report)
    assert not report.warnings, str(report)


def test_every_public_law_has_an_example():
    public = {getattr(distributions, name) for name in distributions.__all__}
    laws = {entry for entry in public if issubclass(entry, Law) and not inspect.isabstract(entry)}
    made = {type(example.make(**example.tensors())) for example in EXAMPLES}
    assert laws - {Unreparameterized} == made - {distributions.Independent}


TRIANGLE = tensor([1.0, 0.0], [0.5, 2.0])
KNOWN = [
    # The approximation behind the gradient of Gamma, Beta and Dirichlet: 1e-5 to 1e-3, in float64 too.
    (td.Gamma(tensor(8.1), tensor(2.0)), "velocity", "concentration: the gradient is inaccurate"),
    (td.Beta(tensor(0.3), tensor(0.4)), "velocity", "concentration0: the gradient is inaccurate"),
    # A quarter of the draws is exactly 0.5.
    (td.Beta(tensor(1e-3), tensor(1e-3)), "atoms", "draw 0.5;"),
    (td.Beta(tensor(1e-3), tensor(1e-3)), "expectations", "concentration1: .*expected 250.*function y;"),
    # torch.where cuts the gradient.
    (td.ContinuousBernoulli(tensor(0.5)), "gradient", "probs: the gradient is zero for all draws"),
    (td.GeneralizedPareto(tensor(0.2), tensor(1.0), tensor(0.0)), "gradient", "concentration: the gradient is zero"),
    (td.GeneralizedPareto(tensor(0.2), tensor(1.0), tensor(0.3)), "draws", "Double did not match Float"),
    # Clamped probabilities.
    (td.RelaxedBernoulli(tensor(2.0), logits=tensor(40.0)), "gradient", "logits: the gradient is zero"),
    (td.RelaxedOneHotCategorical(tensor(0.1), logits=tensor(0.1, 0.5, -1.0, 1.0, 2.0)), "draws", "Simplex"),
    # An in-place change of what the backward pass needs.
    (td.Wishart(tensor(5.0), scale_tril=TRIANGLE), "shapes", "modified by an inplace operation"),
    (td.StudentT(tensor(0.2)), "gradient", "df: .* gradients are nan"),
    (td.Kumaraswamy(tensor(1000.0), tensor(1000.0)), "gradient", "concentration0: .*nan or infinite"),
    (td.Weibull(tensor(1.0), tensor(0.01)), "gradient", "concentration: .*nan or infinite"),
    (td.Pareto(tensor(1.0), tensor(0.1)), "draws", "draws are nan or infinite"),
    # The gradient of the relaxed law, for draws that are not relaxed.
    (td.OneHotCategoricalStraightThrough(logits=tensor(0.2, 0.5, -1.0)), "score", "pathwise less"),
    # Elements of rows after the second have too large a radius: E[r²] = 0.215 where it is 1/6.
    (td.LKJCholesky(3, tensor(2.0)), "distribution", "Stein"),
]


@pytest.mark.filterwarnings("ignore:Singular sample detected")
@pytest.mark.parametrize(("law", "check", "says"), KNOWN, ids=lambda entry: type(entry).__name__)
def test_known_defects_are_found(law, check, says):
    report = check_rsample(law, num_draws=50_000)
    texts = [str(finding) for finding in report.failures if finding.check == check]
    assert any(re.search(says, text) for text in texts), str(report)
