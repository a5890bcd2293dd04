"""The rows there are. A number that was recalled and not seen in the paper is not here."""

from dataclasses import replace
from typing import Any

from reparam import Settings
from reproductions import models
from reproductions.row import Row

BURDA = "Burda, Grosse & Salakhutdinov 2016 (arXiv:1509.00519), Table 1"
DAVIDSON = "Davidson et al. 2018 (arXiv:1804.00891), Table 1"
TOMCZAK = "Tomczak & Welling 2018 (arXiv:1705.07120), Table 1"
XU = "Xu et al. 2019 (arXiv:1905.13452)"
DISARM = "Dong, Mnih & Tucker 2020 (arXiv:2006.10680), set-up"

FOREVER = 1_000_000  # evaluations: no early stopping


def _burda() -> list[Row]:
    # Their 8 stages of 1 to 2187 epochs at step sizes from 1e-3 down to 1e-4 are half a cosine here; Adam as usual.
    full = Settings(
        epochs=3280,
        batch_size=20,
        learning_rate=1e-3,
        kl_warmup_steps=0,
        binarize="dynamic",
        validation_fraction=400 / 60_000,
        patience=FOREVER,
        evaluate_every=5000,
    )
    fast: dict[str, Any] = {"batch_size": 128, "learning_rate": 2e-3, "evaluate_every": 2500}
    cells = [
        ("vae", 1, 86.76, 86.35, {"epochs": 500}),
        ("vae", 5, 86.47, 86.10, {"epochs": 150}),
        ("iwae", 5, 85.54, 85.18, {"epochs": 150}),
        ("iwae", 50, 84.78, 84.59, {"epochs": 20}),
    ]
    return [
        Row(
            name=f"burda-1-layer-{kind}-{draws}",
            paper=BURDA,
            what=f"{kind.upper()}, 1 layer, k = {draws}",
            published=-published,
            again=-again,
            full=_with(full, objective="elbo" if kind == "vae" else "iwae", draws=draws),
            budget=fast | budget,
            model=models.burda_one_layer,
        )
        for kind, draws, published, again, budget in cells
    ]


def _davidson() -> list[Row]:
    full = Settings(
        epochs=1000, batch_size=64, learning_rate=1e-3, kl_warmup_steps=100 * 843, binarize="dynamic", patience=50
    )
    budget: dict[str, Any] = {
        "epochs": 120,
        "batch_size": 128,
        "learning_rate": 2e-3,
        "kl_warmup_steps": 5000,
        "patience": FOREVER,
    }
    published = {2: (135.73, 132.50), 5: (110.21, 108.43), 10: (93.84, 93.16), 20: (88.90, 89.02), 40: (88.93, 90.87)}
    rows = []
    for latent_dim, (normal, sphere) in published.items():
        for what, value, model in (
            ("normal", normal, models.davidson_normal(latent_dim)),
            ("sphere", sphere, models.davidson_sphere(latent_dim)),
        ):
            rows.append(
                Row(
                    name=f"davidson-{what}-{latent_dim}",
                    paper=DAVIDSON,
                    what=f"{'von Mises-Fisher' if what == 'sphere' else 'Normal'} latents, d = {latent_dim}",
                    published=-value,
                    full=full,
                    budget=budget,
                    model=model,
                    num_samples=500,
                )
            )
    return rows


def _tomczak() -> list[Row]:
    # Their networks are normalised (AdamNormGrad); Adam here.
    full = Settings(
        epochs=2000, batch_size=100, learning_rate=5e-4, kl_warmup_steps=100 * 500, patience=50, binarize="dynamic"
    )
    budget: dict[str, Any] = {
        "epochs": 120,
        "batch_size": 128,
        "learning_rate": 2e-3,
        "kl_warmup_steps": 5000,
        "patience": FOREVER,
    }
    return [
        Row(
            name=f"tomczak-{name}",
            paper=TOMCZAK,
            what=what,
            published=None,
            full=full,
            budget=budget,
            model=models.tomczak(vampprior=name == "vampprior"),
        )
        for name, what in (("standard", "VAE, standard prior"), ("vampprior", "VAE, VampPrior of 500 pseudo-inputs"))
    ]


def _xu() -> list[Row]:
    full = Settings(preset="best", binarize="dynamic", width=64, num_blocks=2, epochs=1000, prior="realnvp")
    return [
        Row(
            name="xu-residual-realnvp",
            paper=XU,
            what="residual VAE with a RealNVP prior",
            published=-78.49,
            full=full,
            budget={"width": None, "num_blocks": None, "epochs": 40},
        )
    ]


def _binary_layer() -> list[Row]:
    full = Settings(
        epochs=1000, batch_size=50, learning_rate=1e-4, kl_warmup_steps=0, binarize="dynamic", patience=FOREVER
    )
    budget: dict[str, Any] = {"epochs": 40, "batch_size": 128, "learning_rate": 2e-3}
    return [
        Row(
            name=f"binary-{network}-{estimator}",
            paper=DISARM,
            what=f"200 coins, {network} networks, gradients by {estimator}",
            published=None,
            full=_with(full, estimator=estimator, draws=draws),
            budget=budget,
            model=models.binary_layer(hidden),
            num_samples=100,
        )
        for network, hidden in (("linear", ()), ("nonlinear", (200, 200)))
        for estimator, draws in (
            ("gumbel-softmax", 1),
            ("reinmax", 1),
            ("leave-one-out", 2),
            ("disarm", 1),
            ("rebar", 1),
        )
    ]


def _with(settings: Settings, **changes: Any) -> Settings:
    return replace(settings, **changes)


ROWS = {row.name: row for row in (*_burda(), *_davidson(), *_tomczak(), *_xu(), *_binary_layer())}
