"""The rows there are. A number that was recalled and not seen in a source is not here."""

from dataclasses import replace
from typing import Any

from reparam import Settings
from reproductions import models
from reproductions.relax import RelaxBound
from reproductions.row import NEVER, Number, Row, Study

NBIP = "the README of github.com/nbip/IWAE"
PYTHAE = "pythae's own table (github.com/clementchadebec/benchmark_VAE)"


def _burda() -> Study:
    full = Settings(
        epochs=3280,
        batch_size=20,
        learning_rate=1e-3,
        kl_warmup_steps=0,
        binarize="dynamic",
        validation_fraction=400 / 60_000,
        patience=NEVER,
        evaluate_every=5000,
        num_samples=5000,
    )
    faster: dict[str, Any] = {"batch_size": 128, "learning_rate": 2e-3, "evaluate_every": 2500}
    budget_epochs = {1: {1: 400, 5: 150, 50: 20}, 2: {1: 300, 5: 80, 50: 8}}
    reported = {
        (1, "vae", 1): (86.76, 86.35),
        (1, "vae", 5): (86.47, 86.10),
        (1, "vae", 50): (86.35, 86.06),
        (1, "iwae", 5): (85.54, 85.18),
        (1, "iwae", 50): (84.78, 84.59),
        (1, "dreg", 5): (None, 84.90),
        (1, "dreg", 50): (None, 84.32),
        (2, "vae", 1): (85.33, 84.83),
        (2, "vae", 5): (85.01, 84.08),
        (2, "vae", 50): (84.78, 83.89),
        (2, "iwae", 5): (83.89, 83.48),
        (2, "iwae", 50): (82.90, 82.82),
    }
    names = {"vae": "VAE", "iwae": "IWAE", "dreg": "IWAE with DReG's gradient"}
    rows = tuple(
        Row(
            name=f"burda-{depth}-layer{'s' * (depth > 1)}-{kind}-{draws}",
            what=f"{names[kind]}, {depth} layer{'s' * (depth > 1)}, k = {draws}",
            full=replace(full, objective="elbo" if kind == "vae" else kind, draws=draws),
            budget=faster | {"epochs": budget_epochs[depth][draws]},
            model=models.burda_one_layer if depth == 1 else models.burda_two_layers,
            published=None if published is None else Number(-published, f"{NBIP}, which quotes the paper"),
            again=Number(-again, NBIP),
        )
        for (depth, kind, draws), (published, again) in reported.items()
    )
    return Study(
        "VAE and IWAE with one and two layers of latents",
        "Burda, Grosse & Salakhutdinov 2016 (arXiv:1509.00519), table 1",
        "MNIST, binarised anew each time an image is seen. The full setting differs from the paper's in the optimiser: "
        "Adam with its usual constants, and a step size that falls along half a cosine instead of in eight stages. "
        "DReG's gradient (Tucker et al. 2019, arXiv:1810.04152) is not in that table.",
        rows,
    )


def _davidson() -> Study:
    full = Settings(
        epochs=1000,
        batch_size=64,
        learning_rate=1e-3,
        kl_warmup_steps=100 * 843,
        binarize="dynamic",
        evaluate_every=843,
        patience=50,
        num_samples=500,
    )
    budget: dict[str, Any] = {
        "epochs": 120,
        "batch_size": 128,
        "learning_rate": 2e-3,
        "kl_warmup_steps": 5000,
        "evaluate_every": 1000,
        "patience": NEVER,
    }
    paper = "the paper"
    reported = {
        2: ((135.73, 0.83), (132.50, 0.73)),
        5: ((110.21, 0.21), (108.43, 0.09)),
        10: ((93.84, 0.30), (93.16, 0.31)),
        20: ((88.90, 0.26), (89.02, 0.31)),
        40: ((88.93, 0.30), (90.87, 0.34)),
    }
    rows = []
    for latent_dim, (normal, sphere) in reported.items():
        for kind, latents, (value, error), model in (
            ("normal", "Normal", normal, models.davidson_normal(latent_dim)),
            ("sphere", "von Mises-Fisher", sphere, models.davidson_sphere(latent_dim)),
        ):
            rows.append(
                Row(
                    name=f"davidson-{kind}-{latent_dim}",
                    what=f"{latents} latents, d = {latent_dim}",
                    full=full,
                    budget=budget,
                    model=model,
                    published=Number(-value, paper, error),
                    again=Number(-93.13, PYTHAE) if (kind, latent_dim) == ("sphere", 10) else None,
                )
            )
    return Study(
        "Latents on a sphere",
        "Davidson et al. 2018 (arXiv:1804.00891), table 1",
        "MNIST, binarised anew each time an image is seen. d is degrees of freedom: the sphere has d + 1 coordinates. "
        "Networks, step size and batches of the full setting are the paper's; length of training, early stopping and "
        "KL warm-up are ours. The gradient of a draw is biased in the authors' published code; ours is exact.",
        tuple(rows),
    )


def _tomczak() -> Study:
    full = Settings(
        epochs=2000,
        batch_size=100,
        learning_rate=5e-4,
        kl_warmup_steps=100 * 500,
        binarize="static",
        validation_fraction=1 / 6,
        evaluate_every=500,
        patience=50,
        num_samples=5000,
    )
    budget: dict[str, Any] = {
        "epochs": 60,
        "batch_size": 128,
        "learning_rate": 1e-3,
        "kl_warmup_steps": 4000,
        "evaluate_every": 390,
    }
    return Study(
        "A prior made of posteriors",
        "Tomczak & Welling 2018 (arXiv:1705.07120)",
        "MNIST, binarised once. Ours is another draw than the fixed file of binary images that the paper takes, so the "
        "numbers compare only up to what that draw makes of them. The paper's optimiser normalises gradients; ours is "
        "Adam. Its pseudo-inputs start at noise, ours at training images.",
        (
            Row(
                name="tomczak-standard",
                what="VAE, standard prior",
                full=full,
                budget=budget,
                model=models.tomczak_standard,
                published=Number(-88.56, "quoted from the paper, which was not at hand"),
            ),
            Row(
                name="tomczak-vampprior",
                what="VAE, VampPrior of 500 pseudo-inputs",
                full=full,
                budget=budget,
                model=models.tomczak_vampprior,
                published=Number(-85.57, f"{PYTHAE}, which quotes the paper"),
                again=Number(-85.79, PYTHAE),
            ),
        ),
    )


def _xu() -> Study:
    full = Settings(
        preset="best",
        width=64,
        num_blocks=3,
        epochs=1000,
        binarize="dynamic",
        patience=NEVER,
        num_samples=1000,
    )
    return Study(
        "A flow as prior",
        "Xu et al. 2019 (arXiv:1905.13452)",
        "MNIST, binarised anew each time an image is seen. The networks are `reparam`'s own (the preset `best`, wider "
        "and deeper), not the paper's, with 40 latents as there; the full setting wants a GPU.",
        (
            Row(
                name="xu-residual-realnvp",
                what="residual VAE, RealNVP prior",
                full=full,
                budget={"width": 32, "num_blocks": 2, "epochs": 50},
                published=Number(-78.49, "notes on the paper, which was not at hand"),
            ),
        ),
    )


NETWORKS: dict[str, tuple[int, ...]] = {"linear": (), "nonlinear": (200, 200)}


def _binary_layer() -> Study:
    full = Settings(
        epochs=926,
        batch_size=50,
        learning_rate=1e-4,
        kl_warmup_steps=0,
        binarize="dynamic",
        patience=NEVER,
        num_samples=100,
    )
    budget: dict[str, Any] = {"epochs": 200, "batch_size": 128, "learning_rate": 1e-3}
    # Draws that make two evaluations of the decoder for each image and step.
    draws_of = {"gumbel-softmax": 2, "reinmax": 2, "leave-one-out": 2, "disarm": 1, "rebar": 1}
    published = {
        ("linear", "rebar"): Number(
            -114.32,
            "Grathwohl et al. 2018 (arXiv:1711.00123), 1 linear layer of 200 coins by REBAR, validation rows, another "
            "protocol: 2 million steps with batches of 24, and the best of several step sizes",
            of="validation ELBO",
        )
    }
    return Study(
        "A layer of coins",
        "The set-up of Dong, Mnih & Tucker 2020 (arXiv:2006.10680)",
        "MNIST, binarised anew each time an image is seen; 200 coins, prior learned, between linear maps or networks "
        "of two hidden layers of 200. Rows differ in the estimator alone, each with two evaluations of the decoder for "
        "each image and step; relax takes four more, for the variance that its control network learns to lower. "
        "gumbel-softmax and reinmax are biased. Prior and networks (and the control network) share one optimiser, "
        "Adam, where the paper gives the prior plain gradient descent.",
        tuple(
            Row(
                name=f"binary-{network}-relax",
                what=f"{network}, relax",
                # The gradient of a variance may be large: it must not shrink that of the bound.
                full=replace(full, gradient_clip=1e9),
                budget=budget,
                model=models.controlled_binary_layer(hidden),
                objective=RelaxBound(),
            )
            for network, hidden in NETWORKS.items()
        )
        + tuple(
            Row(
                name=f"binary-{network}-{estimator}",
                what=f"{network}, {estimator}",
                full=replace(full, estimator=estimator, draws=draws),
                budget=budget,
                model=models.binary_layer(hidden),
                published=published.get((network, estimator)),
            )
            for network, hidden in NETWORKS.items()
            for estimator, draws in draws_of.items()
        ),
    )


STUDIES = (_burda(), _davidson(), _tomczak(), _xu(), _binary_layer())
ROWS = {row.name: row for study in STUDIES for row in study.rows}
