"""The loop against the model whose answers are exact, and against everything that can interrupt it."""

import math
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from reparam import noise, vae
from reparam.distributions import Independent, Normal
from reparam.errors import DivergedError, Interrupted
from reparam.evaluation import log_likelihood
from reparam.training import loop
from reparam.training.feed import DeviceFeed
from reparam.training.loop import exact_terms
from reparam.training.progress import SilentWatcher
from reparam.training.schedule import Schedule
from reparam.training.settings import Settings
from tests.linear_gaussian import LinearGaussian
from tests.statistical.instruments import FALSE_ALARM
from tests.training.small import (
    LOSS,
    SCHEDULE,
    SETTINGS,
    Memory,
    SignalAfter,
    make_feed,
    make_state,
    make_vae,
    run_training,
)


class SharedScale(nn.Module):
    """The likelihood of probabilistic PCA: one standard deviation for all values."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(()))

    def num_outputs(self, num_values: int) -> int:
        return num_values

    def forward(self, outputs: Tensor) -> Independent:
        law = Normal(outputs, self.log_scale.exp().expand_as(outputs), validate_args=False)
        return Independent(law, 1, validate_args=False)


def principal_components(x: Tensor, latent_dim: int) -> torch.distributions.MultivariateNormal:
    """The law of ``x`` under maximum likelihood (Tipping & Bishop 1999, eqs. 7 and 8)."""
    covariance = torch.cov(x.T, correction=0)
    values, vectors = torch.linalg.eigh(covariance)
    variance = values[:-latent_dim].mean()
    top = vectors[:, -latent_dim:] * (values[-latent_dim:] - variance).sqrt()
    return torch.distributions.MultivariateNormal(x.mean(0), top @ top.T + variance * torch.eye(len(values)))


def linear_law(model: vae.VAE) -> torch.distributions.MultivariateNormal:
    """The exact law of ``x`` under a VAE whose decoder is linear."""
    with torch.no_grad():
        weight, bias = model.decoder.network.weight.double(), model.decoder.network.bias.double()
        variance = model.decoder.family.log_scale.double().exp() ** 2
        covariance = weight @ weight.T + variance * torch.eye(len(bias), dtype=torch.float64)  # type: ignore[operator]
    return torch.distributions.MultivariateNormal(bias, covariance)  # type: ignore[arg-type]


def test_training_a_linear_vae_reaches_the_exact_log_likelihood() -> None:
    truth, num_rows, latent_dim = LinearGaussian(num_values=5, latent_dim=2), 2000, 2
    x, held_out = truth.draw(num_rows, seed=1), truth.draw(1000, seed=2)
    with torch.random.fork_rng():
        noise.seed_global(0, "linear")
        model = vae.VAE(
            vae.Conditional(nn.Linear(5, 2 * latent_dim), vae.DiagonalNormal()),
            vae.Conditional(nn.Linear(latent_dim, 5), SharedScale()),
            vae.StandardNormal(latent_dim),
        )
    settings = Settings(epochs=150, batch_size=200, learning_rate=0.02, evaluate_every=250, kl_warmup_steps=100)
    schedule, record, state = Schedule.plan(settings, num_rows, 5), Memory(), make_state(model)
    validation = DeviceFeed(held_out.float(), seed=0, name="validation")
    run_training(
        state, record, schedule=schedule, rows=DeviceFeed(x.float(), seed=0, name="train"), validation=validation
    )
    trained = state.average.module
    best, ours = principal_components(x, latent_dim), linear_law(trained)

    # On the training rows nothing beats the closed form. Training stops within the sampling error of that form itself:
    # p / 2N nats for p parameters (loadings up to rotation, mean, variance).
    num_parameters = 5 * latent_dim - latent_dim * (latent_dim - 1) / 2 + 5 + 1
    deficit = (best.log_prob(x) - ours.log_prob(x)).mean().item()
    assert 0 <= deficit < num_parameters / (2 * num_rows)

    # The reported bound is one draw a row: its standard error is known by repeating it. Beside it there may be no more
    # than the sampling error again, so the encoder has found the posterior.
    exact = best.log_prob(held_out).mean().item()
    with torch.no_grad():
        generator = noise.generator(0)
        draws = torch.stack([trained(held_out.float(), generator).elbo for _ in range(200)])
    noise_of_one = stats.norm.isf(FALSE_ALARM / 2) * draws.std(0).square().mean().sqrt().item() / len(held_out) ** 0.5
    sampling_error = num_parameters / (2 * num_rows)
    assert record.validation()[schedule.total_steps] == pytest.approx(exact, abs=noise_of_one + sampling_error)
    assert draws.mean().item() == pytest.approx(exact, abs=noise_of_one / len(draws) ** 0.5 + sampling_error)

    # Importance weighting closes that gap: what is left is the noise of the weights.
    estimate, effective = log_likelihood(trained, held_out.float(), num_samples=200, generator=noise.generator(1))
    error = estimate - ours.log_prob(held_out)
    tolerance = stats.norm.isf(FALSE_ALARM / 2 / len(error)) * (1 / effective).sqrt()
    assert (error.abs() < tolerance).all()
    assert estimate.mean().item() == pytest.approx(exact, abs=sampling_error)


# What is recorded, and what is selected


def test_each_evaluation_records_training_and_validation() -> None:
    record, state = Memory(), make_state()
    run_training(state, record)
    steps = [*range(7, 40, 7), 40]
    assert [(line["step"], line["split"]) for line in record.lines] == [
        (step, split) for step in steps for split in ("train", "validation")
    ]
    for line in record.lines:
        assert line["epoch"] == -(-line["step"] // 10)
        assert line["elbo_nats"] == -(line["distortion_nats"] + line["rate_nats"])
        assert line["bound_nats"] == pytest.approx(line["elbo_nats"], rel=1e-6)
        if line["split"] == "train":
            assert line["beta"] == SCHEDULE.beta_at(line["step"] - 1)
            assert line["learning_rate"] == SCHEDULE.learning_rate_at(line["step"] - 1)
    assert [checkpoint.step for checkpoint in record.checkpoints] == [0, *steps]
    assert [checkpoint.progress["metrics_size"] for checkpoint in record.checkpoints] == list(range(0, 13, 2))
    assert state.progress.step == 40
    assert not state.progress.stopped_early


def test_validation_is_scored_by_the_averaged_weights_that_are_kept() -> None:
    record = Memory()
    run_training(make_state(), record)
    model = make_vae()
    for checkpoint in record.checkpoints[1:]:
        model.load_state_dict(checkpoint.model)
        _, _, bound = exact_terms(model, LOSS, make_feed(20, seed=2), seed=SETTINGS.seed)
        assert record.validation()[checkpoint.step] == bound


def test_the_best_checkpoint_has_the_highest_validation_bound() -> None:
    # A step size far too large makes the bound go up and down.
    settings = Settings(epochs=4, batch_size=6, evaluate_every=2, learning_rate=0.3, kl_warmup_steps=8)
    record, state = Memory(), make_state(make_vae(dropout=0.0))
    run_training(state, record, schedule=Schedule.plan(settings, 60, 4))
    bounds = record.validation()
    assert state.progress.best_bound_nats == max(bounds.values())
    assert state.progress.best_step == max(bounds, key=bounds.__getitem__) == record.best[-1]
    highest = -math.inf
    for step, elbo in bounds.items():
        assert (step in record.best) == (elbo > highest)
        highest = max(highest, elbo)
    assert 1 < len(record.best) < len(bounds)


@pytest.mark.parametrize(("warmup", "stopped_at"), [(0, 4), (8, 8)])
def test_patience_is_counted_once_the_kl_has_its_full_weight(
    monkeypatch: pytest.MonkeyPatch, warmup: int, stopped_at: int
) -> None:
    # The first evaluation, after step 2, stays the best and is kept; the first worse one that counts ends the run.
    distortions = iter([1.0, *[9.0] * 30])
    monkeypatch.setattr(loop, "exact_terms", lambda *_, **__: (0.0, 0.0, -next(distortions)))
    settings = Settings(epochs=4, batch_size=6, evaluate_every=2, kl_warmup_steps=warmup)
    record, state = Memory(), make_state(make_vae(dropout=0.0))
    run_training(state, record, schedule=Schedule.plan(settings, 60, 4), patience=1)
    assert (state.progress.best_step, state.progress.step) == (2, stopped_at)


def test_selection_looks_at_the_bound_itself_whatever_beta_is() -> None:
    settings = Settings(epochs=4, batch_size=6, evaluate_every=2, beta=0.0, kl_warmup_steps=0)
    record, state = Memory(), make_state(make_vae(dropout=0.0), learning_rate=0.1)
    run_training(state, record, schedule=Schedule.plan(settings, 60, 4))
    assert state.progress.best_bound_nats == max(record.validation().values())


@pytest.mark.parametrize("patience", [1, 3])
def test_training_stops_after_that_many_evaluations_without_a_better_bound(patience: int) -> None:
    settings = Settings(epochs=30, batch_size=6, evaluate_every=2, learning_rate=1.0, kl_warmup_steps=0)
    record, state = Memory(), make_state(make_vae(dropout=0.0))
    run_training(state, record, schedule=Schedule.plan(settings, 60, 4), patience=patience)
    assert state.progress.stopped_early
    assert state.progress.step < 300
    assert state.progress.step == state.progress.best_step + 2 * patience  # type: ignore[operator]
    assert record.checkpoints[-1].progress["stopped_early"]
    resumed = make_state(make_vae(dropout=0.0))
    resumed.restore(record.checkpoints[-1])
    run_training(resumed, record, schedule=Schedule.plan(settings, 60, 4), patience=patience)
    assert resumed.progress == state.progress


def test_a_better_bound_renews_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    distortions = iter([9.0, 9.0, 9.5, 8.0, 8.5, 7.0, 7.5, 7.0, 8.0, 1.0])
    monkeypatch.setattr(loop, "exact_terms", lambda *arguments, **more: (0.0, 0.0, -1.0 - next(distortions)))
    settings = Settings(epochs=2, batch_size=6, evaluate_every=1, kl_warmup_steps=0)
    record, state = Memory(), make_state()
    run_training(state, record, schedule=Schedule.plan(settings, 60, 4), patience=3)
    assert record.best == [1, 4, 6]
    assert (state.progress.step, state.progress.best_step, state.progress.best_bound_nats) == (9, 6, -8.0)
    assert state.progress.stopped_early


def test_the_bound_is_a_mean_over_rows_of_any_batching() -> None:
    model, feed = make_vae(), make_feed(50)
    distortion, rate, bound = exact_terms(model, LOSS, feed, seed=0)
    assert (distortion, rate, bound) == exact_terms(model, LOSS, feed, seed=0)
    assert distortion != exact_terms(model, LOSS, feed, seed=1)[0]
    assert rate == pytest.approx(exact_terms(model, LOSS, feed, seed=0, batch_size=7)[1], rel=1e-6)
    model.eval()
    with torch.no_grad():
        terms = model(feed.values, noise.generator(0, "bound"))
    assert distortion == pytest.approx(terms.distortion.mean().item(), rel=1e-6)
    assert rate == pytest.approx(terms.rate.mean().item(), rel=1e-6)
    assert bound == pytest.approx(terms.bound.mean().item(), rel=1e-6)
    assert bound == pytest.approx(-(distortion + rate), rel=1e-6)


def test_a_validation_bound_that_is_not_finite_stops_before_its_checkpoint() -> None:
    bad = make_feed(20, seed=2)
    bad.values[3, 1] = math.inf
    record = Memory()
    with pytest.raises(
        DivergedError, match=r"step 7: the validation bound is not finite \(distortion .*, rate .*validation rows"
    ):
        run_training(make_state(), record, validation=bad)
    assert [checkpoint.step for checkpoint in record.checkpoints] == [0]
    assert record.lines == []


# Signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("step", [3, 14, 40])
def test_a_signal_saves_a_checkpoint_and_the_run_goes_on_from_there(
    number: signal.Signals, code: int, step: int
) -> None:
    straight, record = Memory(), Memory()
    run_training(make_state(), straight)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match=rf"stopped by {number.name} after step {step}, checkpoint saved") as caught:
        run_training(make_state(), record, SignalAfter(step, number))
    assert caught.value.exit_code == code
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert record.checkpoints[-1].step == step
    state = make_state()
    state.restore(record.checkpoints[-1])
    run_training(state, record)
    assert record.lines == straight.lines
    for ours, theirs in ((record.checkpoints[-1], straight.checkpoints[-1]),):
        assert all(torch.equal(ours.model[name], theirs.model[name]) for name in theirs.model)
        assert all(torch.equal(ours.training[name], theirs.training[name]) for name in theirs.training)
        assert ours.progress == theirs.progress


def test_a_second_ctrl_c_stops_at_once() -> None:
    record = Memory()
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run_training(make_state(), record, SignalAfter(3, signal.SIGINT, signal.SIGINT))
    assert [checkpoint.step for checkpoint in record.checkpoints] == [0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_a_second_sigterm_changes_nothing() -> None:
    record = Memory()
    with pytest.raises(Interrupted, match="stopped by SIGTERM after step 3"):
        run_training(make_state(), record, SignalAfter(3, signal.SIGTERM, signal.SIGTERM))
    assert record.checkpoints[-1].step == 3


# What training leaves as it found it


def global_state() -> tuple[Any, ...]:
    return (
        torch.random.get_rng_state().tolist(),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
    )


def test_training_leaves_global_state_as_it_was_however_it_ends() -> None:
    inside = []

    class Look(SilentWatcher):
        def step(self, step: int) -> None:
            inside.append((torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark))

    before = global_state()
    run_training(make_state(), Memory(), Look())
    assert global_state() == before
    assert set(inside) == {(True, False)}
    with pytest.raises(Interrupted):
        run_training(make_state(), Memory(), SignalAfter(3, signal.SIGTERM))
    assert global_state() == before
    bad = make_feed()
    bad.values[:] = math.nan
    with pytest.raises(DivergedError):
        run_training(make_state(), Memory(), rows=bad)
    assert global_state() == before


def test_global_randomness_does_not_reach_the_run() -> None:
    results = []
    for seed in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            record = Memory()
            run_training(make_state(), record)
            results.append(record.lines)
    assert results[0] == results[1]


def test_training_in_a_thread_gives_the_same_run_and_touches_no_handler() -> None:
    straight, record, handlers, failed = Memory(), Memory(), [], []
    run_training(make_state(), straight)
    before = signal.getsignal(signal.SIGINT)

    class Look(SilentWatcher):
        def evaluated(self, records: Sequence[Mapping[str, Any]], *, best: bool) -> None:
            handlers.append(signal.getsignal(signal.SIGINT))

    def work() -> None:
        try:
            run_training(make_state(), record, Look())
        except BaseException as error:  # noqa: BLE001 - looked at in the main thread
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failed == []
    assert record.lines == straight.lines
    assert set(handlers) == {before}
