"""One update, and what is said when a number in it is not finite: nothing has changed then."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reparam import noise
from reparam.errors import DivergedError
from reparam.training.device import accelerator_for
from reparam.training.protocols import Rows
from reparam.training.state import TrainingState
from reparam.training.step import update
from reparam.vae import Terms
from tests.training.small import LOSS, TABLE, make_state, make_vae

ROWS = torch.tensor([40, 7, 23, 1, 18])


def step(state: TrainingState, x: Tensor, rows: Tensor = ROWS, **changes: Any) -> None:
    """One update with ordinary settings."""
    options = {"learning_rate": 0.01, "beta": 1.0, "gradient_clip": 200.0} | changes
    generator = noise.generator(0, "step", state.progress.step)
    loss = options.pop("loss", LOSS)
    update(state, accelerator_for("cpu", "float32"), loss, Rows(x), rows, generator=generator, **options)


def snapshot(state: TrainingState) -> dict[str, Any]:
    """All that an update changes."""
    return copy.deepcopy({**state.training_tensors(), **state.averaged_weights(), "progress": state.progress})


def assert_unchanged(state: TrainingState, before: dict[str, Any]) -> None:
    after = snapshot(state)
    assert after.keys() == before.keys()
    for name, value in before.items():
        same = torch.equal(value, after[name]) if isinstance(value, Tensor) else value == after[name]
        assert same, name


@pytest.fixture
def state() -> TrainingState:
    made = make_state(make_vae(dropout=0.0))
    step(made, TABLE.draw(5).float())
    return made


def test_an_update_adds_the_terms_of_its_batch_and_counts(state: TrainingState) -> None:
    x = TABLE.draw(5, seed=9).float()
    before, sums = snapshot(state), state.sums.clone()
    with torch.no_grad():
        terms = state.model(x, noise.generator(0, "step", 1))
    step(state, x)
    added = state.sums - sums
    torch.testing.assert_close(added[0], terms.distortion.sum().double())
    torch.testing.assert_close(added[1], terms.rate.sum().double())
    torch.testing.assert_close(added[2], terms.bound.sum().double())
    assert added[3] == 5
    assert state.progress.step == 2
    assert not torch.equal(
        state.training_tensors()["model.encoder.network.0.weight"], before["model.encoder.network.0.weight"]
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_bad_value_names_the_step_the_term_and_the_training_row(state: TrainingState, bad: float) -> None:
    x, before = TABLE.draw(5).float(), snapshot(state)
    x[1, 2] = x[3, 0] = bad
    with pytest.raises(DivergedError) as caught:
        step(state, x)
    message = str(caught.value)
    assert message.startswith("step 2: not finite: distortion of rows 7, 1 of the data (from 0; 2 of 5 in the batch)")
    assert "rate of rows 7, 1 of the data (from 0; 2 of 5 in the batch)" in message
    assert "The update was not made and the last checkpoint is good" in message
    assert caught.value.exit_code == 5
    assert_unchanged(state, before)
    step(state, TABLE.draw(5).float())
    assert state.progress.step == 2


def test_only_the_term_that_is_not_finite_is_named(state: TrainingState) -> None:
    with torch.no_grad():
        state.model.decoder.family.offset[0] = math.nan  # type: ignore[union-attr, operator, index]
    with pytest.raises(
        DivergedError,
        match=r"not finite: distortion of rows 40, 7, 23, 1, 18 of the data \(from 0; 5 of 5 in the batch\)\. The",
    ):
        step(state, TABLE.draw(5).float())


def test_many_bad_rows_are_counted_not_listed(state: TrainingState) -> None:
    with pytest.raises(
        DivergedError, match=r"rows 0, 1, 2, 3, 4, 5, 6, 7 and 92 more of the data \(from 0; 100 of 100 in the batch\)"
    ):
        step(state, torch.full((100, 4), math.nan), torch.arange(100))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_bad_gradient_alone_names_its_parameter_and_no_other(state: TrainingState, bad: float) -> None:
    before = snapshot(state)
    weight = state.model.decoder.network[0].weight  # type: ignore[union-attr, index]
    hook = weight.register_hook(lambda gradient: gradient * bad)  # type: ignore[operator, union-attr]
    with pytest.raises(
        DivergedError, match=r"step 2: not finite: gradient of decoder\.network\.0\.weight\. The update was not"
    ):
        step(state, TABLE.draw(5).float())
    assert_unchanged(state, before)
    hook.remove()
    step(state, TABLE.draw(5).float())


class Line(nn.Module):
    """A loss of known gradient: ``slope · weight`` for each example."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * self.weight.sum() * torch.ones(len(x))


def line_loss(model: nn.Module, rows: Rows, *, beta: float, generator: torch.Generator) -> Terms:
    """The loss of :class:`Line`: an objective like any other."""
    distortion = model(rows.x)
    return Terms(distortion, rate=torch.zeros(len(rows.x)), bound=-distortion, loss=distortion.mean())


@pytest.mark.parametrize(
    ("slope", "clip", "expected"), [(3.0, 200.0, 3.0), (3e4, 200.0, 200 / 2**0.5), (1e12, 1.0, 0.5**0.5)]
)
def test_gradients_are_cut_to_the_largest_norm(slope: float, clip: float, expected: float) -> None:
    state = make_state(Line(slope))
    step(state, torch.zeros(5, 1), gradient_clip=clip, loss=line_loss)
    moments = state.training_tensors()["optimizer.exp_avg.weight"]  # (1 - 0.9) · gradient after the first step
    torch.testing.assert_close(moments, torch.full((2,), 0.1 * expected), rtol=1e-5, atol=0)


def test_a_large_finite_loss_is_no_error() -> None:
    state = make_state(Line(1e12))
    step(state, torch.zeros(5, 1), loss=line_loss)
    assert state.progress.step == 1
    assert state.sums[0] == pytest.approx(5 * 3e12)


def test_a_gradient_whose_norm_overflows_is_told_as_such() -> None:
    state = make_state(Line(1e30))
    before = snapshot(state)
    with pytest.raises(
        DivergedError, match=r"step 1: not finite: norm of the gradient \(largest entry 1\.0e\+30, of weight\)"
    ):
        step(state, torch.zeros(5, 1), loss=line_loss)
    assert_unchanged(state, before)


def test_beta_weighs_the_rate() -> None:
    x = TABLE.draw(5).float()
    plain, weighted = make_state(make_vae(dropout=0.0)), make_state(make_vae(dropout=0.0))
    step(plain, x, beta=0.0)
    with torch.no_grad():
        start = make_vae(dropout=0.0)
    step(weighted, x, beta=1.0)
    terms = start(x, noise.generator(0, "step", 0))
    terms.distortion.mean().backward()
    expected = 0.1 * start.encoder.network[0].weight.grad  # type: ignore[union-attr, operator, index]
    found = plain.training_tensors()["optimizer.exp_avg.encoder.network.0.weight"]
    torch.testing.assert_close(found, expected)
    assert not torch.equal(found, weighted.training_tensors()["optimizer.exp_avg.encoder.network.0.weight"])
    assert torch.equal(plain.sums, weighted.sums)


def test_weights_of_layers_decay_and_nothing_else() -> None:
    """AdamW: the step of Adam, and ``learning_rate * weight_decay`` of the old weight taken away."""
    plain, decayed = (
        TrainingState.start(
            make_vae(dropout=0.0), average_decay=0.99, learning_rate=1.0, device=torch.device("cpu"), weight_decay=decay
        )
        for decay in (0.0, 0.5)
    )
    before = {name: value.clone() for name, value in plain.model.named_parameters()}
    for made in (plain, decayed):
        step(made, TABLE.draw(5).float(), learning_rate=0.01)
    after = dict(decayed.model.named_parameters())
    for name, value in plain.model.named_parameters():
        taken = 0.01 * 0.5 * before[name] if name.endswith("weight") else torch.zeros(())
        torch.testing.assert_close(value - after[name], taken.expand_as(value), atol=1e-7, rtol=1e-4)
    assert any(name.endswith("bias") for name in after)
    assert any("offset" in name for name in after)
