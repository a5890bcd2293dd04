"""What a decoder noise fixed at 1 costs, against one that is learned: ``python -m reproductions.calibration``.

A table that scikit-learn ships, its columns scaled to variance 1. With the noise fixed, a latent is worth having only
where it explains more variance than the noise (for linear decoders: an eigenvalue of the covariance above 1; Lucas et
al. 2019, arXiv:1911.02469); the rest of the table is called noise. Fitting the noise afterwards mends the scale, and
not what was not learned (Rybkin et al. 2021, arXiv:2006.13202).
"""

from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer

from reparam import Settings, noise, vae
from reparam.planning import split_examples
from reparam.trained import TrainedVAE
from reproductions.experiment import main, t_interval, trained
from reproductions.row import NEVER

LATENTS = 15


def measure(*, epochs: int = 300, seeds: int = 5) -> dict[str, Any]:
    """Train with fixed and with learned noise on a table, and fit the noise of the first afterwards."""
    table = load_breast_cancer().data
    runs = []
    for seed in range(seeds):
        settings = Settings(seed=seed, epochs=epochs, batch_size=64, test_fraction=0.2, patience=NEVER, num_samples=500)
        for noise_is in ("fixed at 1", "learned"):
            model = network(table.shape[1], seed, learned=noise_is == "learned")
            with trained(table, settings, model) as run:
                runs.append({"seed": seed, "noise": noise_is, **numbers_of(run, table)})
                if noise_is == "fixed at 1":
                    fit_noise(run, table)
                    runs.append({"seed": seed, "noise": "fixed at 1, fitted afterwards", **numbers_of(run, table)})
    scaled = (table - table.mean(0)) / table.std(0)
    return {
        "rows": len(table),
        "columns": table.shape[1],
        "latents": LATENTS,
        "epochs": epochs,
        "eigenvalues_above_1": int((np.linalg.eigvalsh(np.cov(scaled.T)) > 1).sum()),
        "runs": runs,
    }


def network(columns: int, seed: int, *, learned: bool) -> vae.VAE:
    """Residual MLPs of width 64 with fresh weights; the noise starts at 1 and may stay there."""
    likelihood = vae.Gaussian((columns,))
    likelihood.log_scale.requires_grad_(learned)
    with torch.random.fork_rng(devices=[]):
        noise.seed_global(seed, "reproduction")
        return vae.VAE(
            vae.Conditional(vae.MLP(columns, 2 * LATENTS, width=64, zero_head=True), vae.DiagonalNormal()),
            vae.Conditional(vae.MLP(LATENTS, columns, width=64), likelihood),
            vae.StandardNormal(LATENTS),
        )


@torch.no_grad()
def fit_noise(run: TrainedVAE, table: Any) -> None:
    """The noise of each column that makes the training rows most likely: the mean squared error, posterior drawn."""
    rows = split_examples(run.examples(table), run.settings).train
    x = torch.from_numpy(run.scaling.apply(table[rows]))
    z = run.model.encoder(x).sample((32,), generator=noise.generator(0))
    error = (x - run.model.decoder(z.flatten(0, 1)).mean.unflatten(0, z.shape[:2])).square().mean((0, 1))
    likelihood = run.model.decoder.family
    assert isinstance(likelihood, vae.Gaussian)
    likelihood.log_scale.copy_(error.log() / 2)


def numbers_of(run: TrainedVAE, table: Any) -> dict[str, Any]:
    """What is compared."""
    numbers = run.evaluate(table)
    return {name: numbers[name] for name in ("log_likelihood_nats", "standard_error_nats", "rate_nats", "active_units")}


def section(result: dict[str, Any]) -> str:
    """Of the page of results."""
    seeds = sorted({run["seed"] for run in result["runs"]})
    by_noise: dict[str, list[dict[str, Any]]] = {}
    for run in result["runs"]:
        by_noise.setdefault(run["noise"], []).append(run)
    lines = [
        f"The breast cancer table of scikit-learn, {result['rows']} rows of {result['columns']} columns scaled to "
        f"variance 1; residual MLPs, {result['latents']} latents, {result['epochs']} epochs; means over {len(seeds)} "
        "seeds, each with a split of its own (they overlap, so that intervals are somewhat too narrow). Of a linear "
        "decoder with its noise fixed at 1, theory says that "
        f"{result['eigenvalues_above_1']} latents are worth their cost.",
        "",
        "| decoder noise | log-likelihood of the test rows, nats | rate, nats | active units |",
        "|---|---|---|---|",
    ]
    for name, runs in by_noise.items():
        likelihood, rate, active = (
            sum(run[key] for run in runs) / len(runs) for key in ("log_likelihood_nats", "rate_nats", "active_units")
        )
        lines.append(f"| {name} | {likelihood:.2f} | {rate:.2f} | {active:.1f} |")
    gains = [
        f"{t_interval(_gains(by_noise['learned'], runs))} nats over noise {name}"
        for name, runs in by_noise.items()
        if name != "learned"
    ]
    return "\n".join([*lines, "", f"Learned noise gains {', and '.join(gains)}."])


def _gains(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[float]:
    return [a["log_likelihood_nats"] - b["log_likelihood_nats"] for a, b in zip(ours, theirs, strict=True)]


if __name__ == "__main__":
    main("calibration", measure)
