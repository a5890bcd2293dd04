"""Direct draws: right on average, and without a gradient."""

import pytest
import torch

from reparam import distributions as rd
from reparam.checking.taking_apart import subjects_of_law
from reparam.comparison import compare
from reparam.comparison.cases import LAWS, LOSSES
from reparam.comparison.direct import direct_draws
from reparam.comparison.truth import truth

WAYS = {
    "normal": ["inverse CDF, from a table", "rejection", "Metropolis-Hastings"],
    "gamma": ["inverse CDF, from a table", "rejection", "Metropolis-Hastings"],
    "bernoulli": ["inverse CDF"],
    "mixture": ["inverse CDF, from a table", "Metropolis-Hastings", "Gibbs, component and y in turn"],
}


@pytest.mark.parametrize("name", LAWS)
def test_every_way_is_right_on_average_and_has_no_gradient(name):
    (subject,) = subjects_of_law(LAWS[name](), 0)
    for loss in LOSSES:
        found = direct_draws(loss.function, subject, truth(loss.function, subject))
        assert [way.name for way in found] == WAYS[name]
        for way in found:
            assert way.z < 5.5, way
            assert not way.has_gradient
            assert "no gradient: " in str(way)


def test_a_wrong_truth_is_seen():
    (subject,) = subjects_of_law(rd.Normal(0.0, 1.0), 0)
    exact = truth(torch.cos, subject)
    for way in direct_draws(torch.cos, subject, exact._replace(value=exact.value + 0.05)):
        assert way.z > 5.5


def test_a_law_without_a_cdf_or_with_several_dimensions_has_fewer_ways_or_none():
    vector = rd.MultivariateNormal(torch.zeros(2), scale_tril=torch.eye(2))
    assert compare(lambda y: y.sum(-1), vector, repeats=100).direct == ()
    assert compare(lambda y: y**2, rd.Poisson(2.0), repeats=100).direct == ()
    assert compare(torch.cos, rd.VonMises(0.3, 2.0), repeats=100).direct == ()
    assert compare(torch.cos, rd.InverseGaussian(1.0, 2.0), repeats=100).direct != ()
    ways = compare(torch.tanh, rd.StudentT(3.0), repeats=100).direct
    assert [way.name for way in ways] == ["inverse CDF, from a table", "Metropolis-Hastings"]


def test_they_follow_from_the_seed():
    first, again, other = (compare(torch.cos, rd.Normal(0.0, 1.0), repeats=100, seed=seed).direct for seed in (0, 0, 1))
    assert [way.value for way in first] == [way.value for way in again] != [way.value for way in other]
