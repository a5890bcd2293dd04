"""Is DReG's gradient better than IWAE's, at the same k and cost? ``python -m reproductions.dreg``.

Both maximise the same bound, of k = 16 draws; the encoder's gradient is all that differs. Data, architecture, length
and step size were chosen before any of the runs: the digits of scikit-learn, binarised anew each time they are seen, so
that 1,258 rows last; the networks and the step size that ``reparam train`` takes for tables; no KL warm-up, so that
both follow the bound from the start. A pair of runs has seed, split, first weights and binarised images in common.
"""

import statistics
import time
from typing import Any

import torch

from reparam import Settings, noise
from reparam.vae import VAE, ImportanceWeighted
from reproductions.experiment import main, t_interval, trained
from reproductions.row import NEVER, stated

OBJECTIVES = ("iwae", "dreg")


def settings_of(objective: str, *, epochs: int, draws: int, seed: int = 0) -> Settings:
    """The settings of one run."""
    return Settings(
        seed=seed,
        epochs=epochs,
        batch_size=64,
        latent_dim=20,
        network="residual-mlp",
        width=128,
        num_blocks=2,
        learning_rate=2e-3,
        kl_warmup_steps=0,
        binarize="dynamic",
        objective=objective,
        draws=draws,
        patience=NEVER,
        validation_fraction=0.1,
        test_fraction=0.2,
        num_samples=1000,
    )


def measure(*, epochs: int = 300, seeds: int = 5, draws: int = 16, rounds: int = 300) -> dict[str, Any]:
    """Train both on the digits with the same seeds, and time a step of both in turns."""
    runs = []
    for seed in range(seeds):
        # Taking turns in who goes first, so that what else the machine does hits both.
        for objective in OBJECTIVES[:: 1 - 2 * (seed % 2)]:
            start = time.monotonic()
            with trained("digits", settings_of(objective, epochs=epochs, draws=draws, seed=seed)) as model:
                seconds = time.monotonic() - start
                numbers, description = model.evaluate(), model.run.description
            measured = ("log_likelihood_nats", "standard_error_nats", "elbo_nats", "effective_sample_size")
            runs.append(
                {
                    "seed": seed,
                    "objective": objective,
                    **{name: numbers[name] for name in measured},
                    "steps": description["steps_done"],
                    "best_step": description["best"]["step"],
                    "seconds": seconds,
                }
            )
            last = model.model
    settings = stated(settings_of("dreg", epochs=epochs, draws=draws))
    del settings["objective"], settings["seed"]
    return {
        "settings": settings,
        "num_test": numbers["num_rows"],
        "runs": runs,
        "milliseconds_a_step": step_times(last, draws=draws, rounds=rounds),
    }


def step_times(model: VAE, *, draws: int, rounds: int, batch_size: int = 64) -> dict[str, Any]:
    """Median of a step (loss, gradient, Adam) of each objective, taking turns, in milliseconds; and of the ratio."""
    objectives = (ImportanceWeighted(draws, gradient="pathwise"), ImportanceWeighted(draws))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5, fused=True)
    x = noise.bernoulli(torch.full((batch_size, 1, 8, 8), 0.5), generator=noise.generator(0))
    times: list[list[float]] = [[], []]
    for index in range(rounds + 10):
        for objective, column in zip(objectives, times, strict=True):
            start = time.perf_counter()
            optimizer.zero_grad()
            objective(model, x, generator=noise.generator(0, "step", index)).loss.backward()
            optimizer.step()
            column.append(1000 * (time.perf_counter() - start))
    iwae, dreg = (column[10:] for column in times)
    ratios = [after / before for before, after in zip(iwae, dreg, strict=True)]
    return {
        "iwae": statistics.median(iwae),
        "dreg": statistics.median(dreg),
        "ratio": statistics.median(ratios),
        "ratio_quartiles": statistics.quantiles(ratios, n=4)[::2] if rounds > 1 else [ratios[0]] * 2,
    }


def differences(result: dict[str, Any], name: str) -> list[float]:
    """DReG less IWAE of each seed."""
    by_run = {(run["objective"], run["seed"]): run[name] for run in result["runs"]}
    return [by_run["dreg", seed] - by_run["iwae", seed] for seed in sorted({run["seed"] for run in result["runs"]})]


def verdict(result: dict[str, Any]) -> str:
    """What the differences say, in one sentence."""
    found = t_interval(differences(result, "log_likelihood_nats"))
    if found.low > 0:
        return f"DReG is better, by {found} nats"
    if found.high < 0:
        return f"DReG is worse, by {found} nats"
    return f"No difference is shown: DReG less IWAE is {found} nats"


def section(result: dict[str, Any]) -> str:
    """Of the page of results."""
    settings, cost = result["settings"], result["milliseconds_a_step"]
    low, high = cost["ratio_quartiles"]
    lines = [
        f"The digits of scikit-learn, binarised anew each time they are seen; k = {settings['draws']}, residual MLPs "
        f"of width {settings['width']}, {settings['latent_dim']} latents, {settings['epochs']} epochs of batches of "
        f"{settings['batch_size']}, all chosen before the first run. Runs of a pair share seed, split and first "
        f"weights; splits of different seeds overlap. {settings['num_samples']:,} importance samples, "
        f"{result['num_test']} test rows.",
        "",
        "| seed | IWAE, nats | DReG, nats | DReG less IWAE | ELBO, DReG less IWAE |",
        "|---|---|---|---|---|",
    ]
    by_run = {(run["objective"], run["seed"]): run for run in result["runs"]}
    for seed in sorted({run["seed"] for run in result["runs"]}):
        iwae, dreg = by_run["iwae", seed], by_run["dreg", seed]
        lines.append(
            f"| {seed} | {iwae['log_likelihood_nats']:.2f} | {dreg['log_likelihood_nats']:.2f} | "
            f"{dreg['log_likelihood_nats'] - iwae['log_likelihood_nats']:+.2f} | "
            f"{dreg['elbo_nats'] - iwae['elbo_nats']:+.2f} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{verdict(result)} (ELBO: {t_interval(differences(result, 'elbo_nats'))}). A step of DReG takes "
            f"{cost['ratio']:.2f} times as long as one of IWAE (quartiles {low:.2f} to {high:.2f}; "
            f"{cost['dreg']:.1f} and {cost['iwae']:.1f} milliseconds, taking turns).",
        ]
    )


if __name__ == "__main__":
    main("dreg", measure)
