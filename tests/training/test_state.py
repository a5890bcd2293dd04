"""A state written to a checkpoint and read back goes on with the same bits."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from reparam import noise, vae
from reparam.errors import RunError
from reparam.runs import Run
from reparam.training.device import accelerator_for
from reparam.training.protocols import Rows
from reparam.training.state import TrainingState
from reparam.training.step import update
from tests.training.small import LOSS, make_state, make_vae
from tests.vae.small import small_vae


def make_images() -> vae.VAE:
    """Convolutional networks, whose weights are stored channels last."""
    with torch.random.fork_rng():
        noise.seed_global(0, "images")
        return small_vae((3, 8, 12), "bernoulli", latent_dim=3)


class WithStatistics(nn.Module):
    """A network with buffers that change in training."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Linear(8, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.layers(x)
        return outputs


def make_with_statistics() -> vae.VAE:
    """A VAE with batch normalisation."""
    model = make_vae()
    with torch.random.fork_rng():
        noise.seed_global(0, "statistics")
        model.encoder.network = WithStatistics()
    return model


def make_partly_frozen() -> vae.VAE:
    """A VAE with a weight that is not trained."""
    model = make_vae()
    model.decoder.network[0].weight.requires_grad_(False)  # type: ignore[index, union-attr]
    return model


def advance(state: TrainingState, num_steps: int) -> None:
    """Steps on random examples, each a function of its number."""
    accelerator = accelerator_for("cpu", "float32")
    shape = state.model.decoder.family.offset.shape  # type: ignore[union-attr]
    for _ in range(num_steps):
        step = state.progress.step
        noise.seed_global(0, "network", step)
        x = noise.uniform((8, *shape), like=torch.zeros(()), generator=noise.generator(0, "x", step)).float()
        update(
            state,
            accelerator,
            LOSS,
            Rows(x.round()),
            torch.arange(8),
            learning_rate=0.01,
            beta=1.0,
            gradient_clip=200.0,
            generator=noise.generator(0, "z", step),
        )


def everything(state: TrainingState) -> dict[str, torch.Tensor]:
    """All tensors of a state."""
    averaged = {f"averaged.{name}": value for name, value in state.averaged_weights().items()}
    return state.training_tensors() | averaged


@pytest.mark.parametrize("make", [make_images, make_vae, make_with_statistics, make_partly_frozen])
@pytest.mark.parametrize("num_steps", [0, 1, 4])
def test_a_restored_state_goes_on_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, make: Callable[[], vae.VAE], num_steps: int
) -> None:
    run = Run.create(tmp_path_factory.mktemp("state") / "run", {})
    with torch.random.fork_rng():
        straight = make_state(make())
        advance(straight, num_steps)
        run.write_checkpoint(
            num_steps, straight.averaged_weights(), straight.training_tensors(), vars(straight.progress), best=False
        )
        at_checkpoint = copy.deepcopy(everything(straight))
        advance(straight, 3)

        resumed = make_state(make())
        resumed.restore(run.load_checkpoint("latest"))
        assert resumed.progress.step == num_steps
        for name, value in everything(resumed).items():
            assert torch.equal(value, at_checkpoint[name]), name
        advance(resumed, 3)
    ours, theirs = everything(resumed), everything(straight)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_restored_moments_lie_in_memory_as_their_parameters_do() -> None:
    with torch.random.fork_rng():
        straight, resumed = make_state(make_images()), make_state(make_images())
        advance(straight, 1)
    contiguous = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in everything(straight).items()
    }
    resumed._restore_optimizer(contiguous)
    channels_last = 0
    for parameter in resumed.model.parameters():
        for key in ("exp_avg", "exp_avg_sq"):
            assert resumed.optimizer.state[parameter][key].stride() == parameter.stride()
        channels_last += not parameter.is_contiguous()
    assert channels_last > 3


def test_restored_moments_and_counts_live_where_the_fused_update_looks_for_them() -> None:
    straight, elsewhere = make_state(), make_state()
    advance(straight, 1)
    elsewhere.model.to("meta")  # a device that every machine has beside its own
    elsewhere._restore_optimizer(straight.training_tensors())
    for parameter in elsewhere.model.parameters():
        assert {value.device.type for value in elsewhere.optimizer.state[parameter].values()} == {"meta"}


def test_the_average_follows_fast_at_first_and_slowly_later() -> None:
    state = make_state(make_vae(dropout=0.0))
    weight, averaged = (model.decoder.network[0].weight for model in (state.model, state.average.module))  # type: ignore[union-attr, index]
    expected = None
    for count in range(2000):
        with torch.no_grad():
            weight.fill_(float(count))
        state.average.update_parameters(state.model)
        decay = min(0.99, count / (9 + count)) if count else 0.0
        expected = float(count) if expected is None else decay * expected + (1 - decay) * count
    assert averaged.unique().numel() == 1
    # Far from the start the average lags by decay / (1 - decay) steps.
    assert averaged[0, 0].item() == pytest.approx(1999 - 99, abs=0.5)
    assert averaged[0, 0].item() == pytest.approx(expected, rel=0.01)


def narrower() -> vae.VAE:
    model = make_vae()
    model.encoder.network[0] = nn.Linear(4, 7)  # type: ignore[index, assignment]
    return model


def in_double() -> vae.VAE:
    return make_vae().double()


def with_one_layer_more() -> vae.VAE:
    model = make_vae()
    model.encoder.network.append(nn.Linear(4, 4))  # type: ignore[union-attr, operator]
    return model


def with_one_layer_less() -> vae.VAE:
    model = make_vae()
    model.encoder.network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.SiLU())
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            narrower,
            r"expected 'model\.encoder\.network\.0\.weight' as torch\.float32 \(7, 4\), found torch\.float32 \(8, 4\)",
        ),
        (in_double, r"expected 'model\.\S+' as torch\.float64 .*, found torch\.float32"),
        (
            with_one_layer_more,
            r"expected 'model\.encoder\.network\.4\.weight' as torch\.float32 \(4, 4\), found nothing",
        ),
        (with_one_layer_less, r"'model\.encoder\.network\.3\.\w+'"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused_and_nothing_changes(
    tmp_path_factory: pytest.TempPathFactory, make: Callable[[], vae.VAE], message: str
) -> None:
    run = Run.create(tmp_path_factory.mktemp("state") / "run", {})
    with torch.random.fork_rng():
        state = make_state()
        advance(state, 2)
        other = make_state(make())
    run.write_checkpoint(2, state.averaged_weights(), state.training_tensors(), vars(state.progress), best=False)
    before = copy.deepcopy(everything(other))
    with pytest.raises(RunError, match=r"checkpoint 2 is of another model: .*" + message):
        other.restore(run.load_checkpoint("latest"))
    assert other.progress.step == 0
    assert all(torch.equal(value, before[name]) for name, value in everything(other).items())
