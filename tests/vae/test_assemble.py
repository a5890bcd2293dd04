"""The plan of a model survives being written down, and every network builds for every shape."""

import dataclasses
import json
from typing import Any

import pytest
import torch

from reparam import noise, vae
from reparam.errors import UsageError
from reparam.vae.architecture import Architecture
from tests.vae.small import small_plan, small_vae

ROWS, IMAGES = (5,), (2, 9, 12)


def test_a_plan_survives_json() -> None:
    plan = small_plan(IMAGES, "discretized-logistic", levels=17, num_features=3, exposure=True, num_blocks=1)
    again = Architecture.from_json(json.loads(json.dumps(plan.to_json(), allow_nan=False)))
    assert again == plan
    assert set(plan.to_json()) == {entry.name for entry in dataclasses.fields(Architecture)}


@pytest.mark.parametrize("num_features", [0, 3])
@pytest.mark.parametrize("num_blocks", [1, 2])
@pytest.mark.parametrize("shape", [ROWS, IMAGES])
@pytest.mark.parametrize("network", sorted(vae.NETWORKS))
def test_every_network_builds_and_learns(
    network: str, shape: tuple[int, ...], num_blocks: int, num_features: int
) -> None:
    if network == "convolutional" and shape == ROWS:
        with pytest.raises(UsageError, match=r"for images .*got examples of shape \(5,\); use .*gated-mlp"):
            small_vae(ROWS, network=network, num_features=num_features)
        return
    model = small_vae(shape, network=network, num_blocks=num_blocks, num_features=num_features)
    generator = noise.generator(0)
    x = noise.uniform((6, *shape), like=torch.zeros(()), generator=generator).float()
    condition = vae.Condition(torch.eye(6)[:, :num_features]) if num_features else None
    given = model.given(condition)
    assert given.encoder(x).event_shape == (2,)
    assert given.decoder(torch.zeros(6, 2)).event_shape == shape
    assert given.reconstruct(x).shape == (6, *shape)
    terms = vae.elbo_terms(given, x, generator=generator)
    torch.testing.assert_close(terms.rate, torch.zeros(6), atol=1e-6, rtol=0)  # heads of encoders start at zero
    terms.loss.backward()
    decoder = [parameter.grad for parameter in model.decoder.parameters()]
    assert all(grad is not None and grad.isfinite().all() for grad in decoder)


@pytest.mark.parametrize("flow", [{"prior": "realnvp"}, {"prior": "spline-flow"}, {"posterior": "iaf"}])
def test_networks_of_flows_have_the_width_asked_for(flow: dict[str, Any]) -> None:
    model = small_vae(ROWS, latent_dim=4, flow_width=7, **flow)
    flows = [part.flow for part in (model.prior, model.encoder.family) if hasattr(part, "flow")]
    (widths,) = [{size for weight in each.parameters() for size in weight.shape} for each in flows]
    assert 7 in widths
    assert 64 not in widths


def test_a_name_that_is_no_part_gets_the_nearest_one() -> None:
    wrong: dict[str, Any]
    for wrong, message in (
        ({"likelihood": "bernouli"}, r"unknown likelihood 'bernouli'; did you mean 'bernoulli'"),
        ({"posterior": "diagonal"}, r"unknown posterior 'diagonal'; .*diagonal-normal"),
        ({"prior": "x"}, r"unknown prior 'x'; known are: .*standard"),
        ({"network": "gated"}, r"unknown network 'gated'; .*gated-mlp"),
    ):
        with pytest.raises(UsageError, match=message):
            vae.assemble(dataclasses.replace(small_plan(ROWS), **wrong))


def test_gated_layers_by_hand() -> None:
    network = vae.GatedMLP(1, 1, width=1, num_blocks=1)
    with torch.no_grad():
        linear = network.layers[0]
        linear.weight.copy_(torch.tensor([[2.0], [3.0]]))  # type: ignore[operator, union-attr]
        linear.bias.copy_(torch.tensor([1.0, -1.0]))  # type: ignore[operator, union-attr]
        network.head.weight.fill_(5.0)
        network.head.bias.fill_(7.0)
    x = torch.tensor([[0.5], [-2.0]])
    torch.testing.assert_close(network(x), 5 * (2 * x + 1) * torch.sigmoid(3 * x - 1) + 7)
    assert vae.GatedMLP(3, 4, width=8, zero_head=True)(torch.randn(5, 3)).abs().max() == 0
