"""How long the importance-weighted log-likelihood takes: ours against encoding anew for each sample, in one run.

    python benchmarks/evaluation.py --mnist FOLDER

writes `benchmarks/results/evaluation.json`, from which `benchmarks/table.py` makes a page. Both ways see the same
trained model and the same binary images, and take turns. *Anew* is the loop that many programs have: for each of S
samples, and each batch of 100 images, encode, draw once, decode, weigh; once with this library's laws, once with
torch's own functions alone, which is the faster of the two. Ratios of one run mean something; the seconds are this
machine's.
"""

import argparse
import gzip
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))

import numpy as np
import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.nn import functional as F

import reparam
from reparam import noise, vae
from reparam.evaluation import log_likelihood

RESULTS = Path(__file__).parent / "results" / "evaluation.json"
BATCH = 100


def images(folder: Path, part: str, num_rows: int) -> Tensor:
    """Grey levels in [0, 1], ``[num_rows, 784]``."""
    raw = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    return torch.from_numpy(np.frombuffer(raw, np.uint8, num_rows * 784, 16).reshape(num_rows, 784).copy()) / 255


def tanh_network(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def mlp() -> vae.VAE:
    """784-200-200-50, tanh, Bernoulli: the one-layer model of Burda et al. 2016."""
    return vae.VAE(
        vae.Conditional(tanh_network(784, 200, 200, 100), vae.DiagonalNormal()),
        vae.Conditional(tanh_network(50, 200, 200, 784), vae.Bernoulli((784,))),
        vae.StandardNormal(50),
    )


def convolutional() -> vae.VAE:
    """The default for images."""
    shape = (1, 28, 28)
    return vae.assemble(
        vae.Architecture(
            event_shape=shape,
            likelihood="bernoulli",
            latent_dim=32,
            network="convolutional",
            width=16,
            num_blocks=1,
        )
    )


def train(model: vae.VAE, x: Tensor, num_steps: int) -> None:
    model.decoder.family.start_at(x)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    objective = vae.Elbo()
    for step in range(num_steps):
        generator = noise.generator(0, "train", step)
        rows = torch.randint(len(x), (BATCH,), generator=generator)
        loss = objective(model, torch.bernoulli(x[rows], generator=generator), generator=generator).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.no_grad()
def anew(model: vae.VAE, x: Tensor, num_samples: int) -> Tensor:
    """Encode for each sample, with this library's laws."""
    generator = noise.generator(1)
    found = []
    for part in x.split(BATCH):
        weights = [
            vae.importance_log_weights(model, model.encoder(part), part, 1, generator=generator)
            for _ in range(num_samples)
        ]
        found.append(vae.importance_weighted_bound(torch.cat(weights)))
    return torch.cat(found)


@torch.no_grad()
def anew_in_torch(model: vae.VAE, x: Tensor, num_samples: int) -> Tensor:
    """Encode for each sample, with torch's laws and its cross-entropy."""
    found = []
    for part in x.split(BATCH):
        weights = []
        for _ in range(num_samples):
            loc, log_scale = model.encoder.network(part).chunk(2, 1)
            posterior = td.Normal(loc, log_scale.exp(), validate_args=False)
            z = posterior.rsample()
            logits = model.decoder.network(z) + model.decoder.family.offset
            log_likelihood = -F.binary_cross_entropy_with_logits(logits, part, reduction="none").flatten(1).sum(1)
            prior = td.Normal(torch.zeros(()), torch.ones(()), validate_args=False)
            weights.append(log_likelihood + (prior.log_prob(z) - posterior.log_prob(z)).sum(1))
        found.append(torch.stack(weights).logsumexp(0) - np.log(num_samples))
    return torch.cat(found)


def ours(precision: str) -> Callable[[vae.VAE, Tensor, int], Tensor]:
    return lambda model, x, num_samples: log_likelihood(
        model, x, num_samples=num_samples, generator=noise.generator(1), precision=precision
    )[0]


WAYS = {
    "anew": anew,
    "anew, torch alone": anew_in_torch,
    "ours, float32": ours("float32"),
    "ours, bfloat16": ours("bfloat16"),
}


def measure(model: vae.VAE, x: Tensor, num_samples: int, rounds: int) -> dict:
    """Microseconds for one sample of one image, by way: median and range; ratios within rounds."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    found = {name: way(model, x[:BATCH], 20) for name, way in WAYS.items()}
    for _ in range(rounds):
        for name, way in WAYS.items():
            start = time.perf_counter()
            found[name] = way(model, x, num_samples)
            times[name].append((time.perf_counter() - start) / len(x) / num_samples * 1e6)
    rows = {}
    for name, own in times.items():
        ratios = {
            other: sorted(theirs / mine for theirs, mine in zip(times[other], own, strict=True))
            for other in ("anew", "anew, torch alone")
        }
        rows[name] = {
            "microseconds": statistics.median(own),
            "range": [min(own), max(own)],
            "faster_than": {other: [statistics.median(each), each[0], each[-1]] for other, each in ratios.items()},
            "log_likelihood_nats": found[name].double().mean().item(),
        }
    change = found["ours, bfloat16"] - found["ours, float32"]  # the same draws
    return {
        "ways": rows,
        "bfloat16_change_nats": change.mean().item(),
        "largest_change_nats": change.abs().max().item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", type=Path, required=True, help="folder of the four .gz files")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    grey = images(options.mnist, "train", 60_000)
    test = torch.bernoulli(images(options.mnist, "t10k", 10_000), generator=noise.generator(0, "binarise"))
    models = {}
    for name, build, shape, num_steps, num_rows, num_samples in (
        ("MLP 784-200-200-50", mlp, (784,), 2000, 200, 500),
        ("convolutional", convolutional, (1, 28, 28), 200, 100, 100),
    ):
        torch.manual_seed(0)
        x = grey.reshape(-1, *shape)
        model = build()
        train(model, x, num_steps)
        rows = torch.randperm(len(test), generator=noise.generator(0, "rows"))[:num_rows]
        images_seen = test[rows].reshape(-1, *shape)
        found = measure(model, images_seen, num_samples, options.rounds)
        models[name] = {"num_rows": num_rows, "num_samples": num_samples, **found}
        print(
            name, {way: round(row["microseconds"], 2) for way, row in found["ways"].items()}, "µs a sample", flush=True
        )
    results = {
        "versions": {"reparam": reparam.__version__, "torch": torch.__version__},
        "machine": {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()},
        "rounds": options.rounds,
        "models": models,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
