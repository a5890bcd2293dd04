"""How long a run is and what changes on the way: pure functions of the step, so that resuming has nothing to
restore."""

import math
from dataclasses import dataclass

from reparam.training.settings import Settings

__all__ = ["Schedule", "default_batch_size"]

# A run has fewer steps where examples are so large that it would take hours: values seen by the network (steps x batch
# x values of an example) then stay near those of as many steps of 128 small images, but never under the least number.
DEFAULT_STEPS, LEAST_STEPS = 13_000, 2_000
VALUES_PER_STEP = 100_385


@dataclass(frozen=True)
class Schedule:
    """Steps of a run, worked out from the number of training rows.

    An epoch is the whole batches that fit in a fresh permutation of the rows; the few rows left over differ from
    epoch to epoch. All warm-ups are counted in steps and end inside the run.

    Args:
        batch_size: examples a step, at most the number of rows.
        steps_per_epoch: steps in a pass through the rows.
        total_steps: steps of the whole run.
        evaluate_every: steps between evaluations.
        learning_rate, learning_rate_warmup: peak, and steps of linear rise; then half a cosine down to 0.
        beta, kl_warmup: final weight of the KL, and steps of its linear rise.

    Example:
        >>> schedule = Schedule.plan(Settings(epochs=10, batch_size=128), num_rows=1280, num_values=12)
        >>> schedule.total_steps, schedule.evaluate_every, schedule.kl_warmup
        (100, 100, 20)
        >>> schedule.beta_at(0), schedule.beta_at(20), schedule.learning_rate_at(100)
        (0.05, 1.0, 0.0)
    """

    batch_size: int
    steps_per_epoch: int
    total_steps: int
    evaluate_every: int
    learning_rate: float
    learning_rate_warmup: int
    beta: float
    kl_warmup: int

    @classmethod
    def plan(cls, settings: Settings, num_rows: int, num_values: int, num_steps: int = DEFAULT_STEPS) -> "Schedule":
        """The schedule these settings mean for this many training rows, of this many values each.

        Args:
            num_steps: of a run of small examples whose ``epochs`` were left open.
        """
        batch_size = min(settings.batch_size or default_batch_size(num_rows), num_rows)
        steps_per_epoch = num_rows // batch_size
        steps = min(max(num_steps * VALUES_PER_STEP // (batch_size * num_values), LEAST_STEPS), num_steps)
        epochs = settings.epochs or math.ceil(steps / steps_per_epoch)
        total = epochs * steps_per_epoch
        evaluate_every = min(settings.evaluate_every or min(max(steps_per_epoch, total // 100, 100), 1000), total)
        return cls(
            batch_size=batch_size,
            steps_per_epoch=steps_per_epoch,
            total_steps=total,
            evaluate_every=evaluate_every,
            learning_rate=settings.learning_rate,
            learning_rate_warmup=min(settings.learning_rate_warmup_steps, total // 10),
            beta=settings.beta,
            kl_warmup=min(settings.kl_warmup_steps, total // 5),
        )

    def epoch_and_position(self, step: int) -> tuple[int, int]:
        """Which pass through the rows a step is in, and which batch of that pass."""
        return divmod(step, self.steps_per_epoch)

    def learning_rate_at(self, step: int) -> float:
        """Step size used in step ``step`` (counted from 0)."""
        rise = min(1.0, (step + 1) / (self.learning_rate_warmup + 1))
        return self.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.total_steps))

    def beta_at(self, step: int) -> float:
        """Weight of the KL in step ``step`` (counted from 0)."""
        return self.beta * min(1.0, (step + 1) / self.kl_warmup) if self.kl_warmup else self.beta

    def evaluates_after(self, step: int) -> bool:
        """Whether an evaluation follows step ``step``."""
        return (step + 1) % self.evaluate_every == 0 or step + 1 == self.total_steps


def default_batch_size(num_rows: int) -> int:
    """A power of two from 16 to 128 that makes at least 16 steps of a pass through the rows, where that is possible.

    Example:
        >>> default_batch_size(160), default_batch_size(1437), default_batch_size(54_000)
        (16, 64, 128)
    """
    return min(max(1 << (max(num_rows // 16, 1).bit_length() - 1), 16), 128)
