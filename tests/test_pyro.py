"""Our laws inside the real Pyro: sampled, conditioned on, and fitted by SVI."""

import copy
import inspect

import pyro
import pytest
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam

import reparam.pyro as dist
from reparam import distributions
from tests.contracts.laws import ROWS


@pytest.fixture(autouse=True)
def clean_store():
    pyro.clear_param_store()
    pyro.set_rng_seed(0)


def test_every_law_is_there_and_is_the_law():
    for name in dir(dist):
        assert issubclass(getattr(dist, name), getattr(distributions, name))
        assert not inspect.isabstract(getattr(dist, name))
    with pytest.raises(AttributeError, match="no law 'Norml'"):
        _ = dist.Norml


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_site_in_a_plate(row):
    ours = row.law(torch.float32)
    law = copy.copy(ours)
    law.__class__ = getattr(dist, type(ours).__name__)

    def model():
        with pyro.plate("rows", 5, dim=-2), pyro.plate("columns", 2, dim=-1):
            return pyro.sample("y", law)

    trace = pyro.poutine.trace(model).get_trace()
    assert trace.nodes["y"]["value"].shape == (5, 2, *ours.event_shape)
    if row.has_density:
        trace.compute_log_prob()
        assert trace.nodes["y"]["log_prob"].shape == (5, 2)
    held = pyro.poutine.condition(model, {"y": trace.nodes["y"]["value"]})
    assert torch.equal(held(), trace.nodes["y"]["value"])


def fit(model, guide, steps, rate):
    svi = SVI(model, guide, Adam({"lr": rate}), Trace_ELBO(num_particles=20, vectorize_particles=True))
    for _ in range(steps):
        svi.step()


def test_svi_finds_the_posterior_of_a_normal_mean():
    x = torch.tensor([1.2, 2.9, 2.1, 1.7, 2.6])

    def model():
        z = pyro.sample("z", dist.Normal(0.0, 2.0))
        with pyro.plate("rows", len(x)):
            pyro.sample("x", dist.Normal(z, 0.5), obs=x)

    def guide():
        scale = pyro.param("scale", torch.tensor(1.0), constraint=torch.distributions.constraints.positive)
        pyro.sample("z", dist.Normal(pyro.param("loc", torch.tensor(0.0)), scale))

    fit(model, guide, 600, 0.02)
    precision = 1 / 2.0**2 + len(x) / 0.5**2
    torch.testing.assert_close(pyro.param("loc").detach(), x.sum() / 0.5**2 / precision, rtol=0.02, atol=0)
    torch.testing.assert_close(pyro.param("scale").item(), precision**-0.5, rtol=0.05, atol=0)
