"""Every warm-up ends inside the run, the learning rate falls to 0, and all of it is a function of the step."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reparam.training.schedule import DEFAULT_STEPS, Schedule
from reparam.training.settings import Settings

SETTINGS = st.builds(
    Settings,
    epochs=st.none() | st.integers(1, 200),
    batch_size=st.integers(1, 1000),
    learning_rate=st.floats(1e-6, 1),
    learning_rate_warmup_steps=st.integers(0, 100_000),
    kl_warmup_steps=st.integers(0, 100_000),
    beta=st.sampled_from([0.0, 0.5, 1.0, 4.0]),
    evaluate_every=st.none() | st.integers(1, 2000),
)
ROWS = st.integers(1, 100_000)


@given(SETTINGS, ROWS)
def test_warm_ups_end_inside_the_run(settings: Settings, num_rows: int) -> None:
    schedule = Schedule.plan(settings, num_rows)
    last = schedule.total_steps - 1
    assert schedule.kl_warmup <= min(settings.kl_warmup_steps, schedule.total_steps / 5)
    assert schedule.learning_rate_warmup <= min(settings.learning_rate_warmup_steps, schedule.total_steps / 10)
    assert schedule.beta_at(last) == schedule.beta_at(schedule.kl_warmup) == settings.beta
    if schedule.kl_warmup > 1 and settings.beta:
        assert 0 < schedule.beta_at(0) < settings.beta


@given(SETTINGS, ROWS)
def test_the_learning_rate_rises_to_its_peak_and_ends_near_0(settings: Settings, num_rows: int) -> None:
    schedule = Schedule.plan(settings, num_rows)
    total, peak = schedule.total_steps, settings.learning_rate
    steps = sorted({round(share * (total - 1) / 50) for share in range(51)})
    rates = [schedule.learning_rate_at(step) for step in steps]
    assert all(0 < rate <= peak for rate in rates)
    after = [rate for step, rate in zip(steps, rates, strict=True) if step >= schedule.learning_rate_warmup]
    assert after == sorted(after, reverse=True)
    # One step before the end of half a cosine: (1 - cos(π / total)) / 2 of the peak.
    assert rates[-1] <= peak * (math.pi / (2 * total)) ** 2 * (1 + 1e-9) + 1e-15
    assert schedule.learning_rate_at(total) == pytest.approx(0, abs=1e-15)


@given(SETTINGS, ROWS)
def test_steps_fill_whole_epochs_of_whole_batches(settings: Settings, num_rows: int) -> None:
    schedule = Schedule.plan(settings, num_rows)
    assert schedule.batch_size == min(settings.batch_size, num_rows)
    assert schedule.steps_per_epoch * schedule.batch_size <= num_rows
    assert (schedule.steps_per_epoch + 1) * schedule.batch_size > num_rows
    if settings.epochs is None:
        assert DEFAULT_STEPS <= schedule.total_steps < DEFAULT_STEPS + schedule.steps_per_epoch
    else:
        assert schedule.total_steps == settings.epochs * schedule.steps_per_epoch
    assert schedule.epoch_and_position(0) == (0, 0)
    assert schedule.epoch_and_position(schedule.steps_per_epoch) == (1, 0)
    assert schedule.epoch_and_position(schedule.total_steps - 1)[1] == schedule.steps_per_epoch - 1


@given(SETTINGS, ROWS)
def test_the_same_settings_and_rows_plan_the_same_schedule(settings: Settings, num_rows: int) -> None:
    first, second = (Schedule.plan(settings, num_rows) for _ in range(2))
    assert first == second
    for step in (0, first.total_steps // 3, first.total_steps - 1):
        assert first.beta_at(step) == second.beta_at(step)
        assert first.learning_rate_at(step) == second.learning_rate_at(step)


@pytest.mark.parametrize(
    ("settings", "num_rows", "every"),
    [
        (Settings(), 50_000, 390),  # an epoch
        (Settings(), 200_000, 1000),  # at most
        (Settings(), 1280, 130),  # a hundredth of the run
        (Settings(epochs=10), 1280, 100),  # at least
        (Settings(epochs=10, evaluate_every=7), 1280, 7),
    ],
)
def test_evaluations_follow_epochs_within_limits(settings: Settings, num_rows: int, every: int) -> None:
    assert Schedule.plan(settings, num_rows).evaluate_every == every


@pytest.mark.parametrize("every", [1, 7, 10, 1000])
def test_an_evaluation_follows_every_so_many_steps_and_the_last(every: int) -> None:
    schedule = Schedule.plan(Settings(epochs=4, batch_size=10, evaluate_every=every), 100)
    after = [step + 1 for step in range(schedule.total_steps) if schedule.evaluates_after(step)]
    assert after == sorted({*range(every, 41, every), 40})


def test_without_warm_up_the_full_weights_hold_from_the_start() -> None:
    schedule = Schedule.plan(Settings(epochs=10, kl_warmup_steps=0, learning_rate_warmup_steps=0, beta=0.5), 1280)
    assert schedule.beta_at(0) == 0.5
    assert schedule.learning_rate_at(0) == 2e-3
