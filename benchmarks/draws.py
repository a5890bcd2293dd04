"""How long a draw and its gradient take: our laws against torch's, Pyro's and NumPyro's, interleaved in one run.

`make bench-draws` builds an environment with the peers and writes `benchmarks/results/draws.json`, and from that
`docs/speed.md` (`table.py`). One unit is: make the law from parameters that want a gradient (with the library's default
validation), draw once for each, sum, differentiate. NumPyro's is compiled as a whole, before it is timed. Ratios of
one run mean something; the nanoseconds are this machine's.
"""

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))

import jax
import numpy as np
import numpyro
import numpyro.distributions as nd
import pyro
import pyro.distributions as pd
import torch
import torch.distributions as td
from table import RESULTS, table_of_draws

import reparam
import reparam.distributions as rd

NUM_DRAWS = 100_000


@dataclass(frozen=True)
class Case:
    """One law in every library that has it with a gradient.

    Args:
        parameters: arrays by name, in float32; each wants a gradient.
        laws: library to a function of the parameters.
        sample_shape: draws of the whole batch.
        elements: numbers drawn in all.
    """

    name: str
    parameters: dict[str, np.ndarray]
    laws: dict[str, Callable]
    sample_shape: tuple[int, ...] = ()

    @property
    def elements(self) -> int:
        ours = self.laws["reparam"](*map(torch.from_numpy, self.parameters.values()))
        return int(np.prod((*self.sample_shape, *ours.batch_shape, *ours.event_shape)))


def spread(low: float, high: float, *shape: int) -> np.ndarray:
    """Log-uniform parameters: the same law at one point only would flatter a branch."""
    return np.exp(np.random.default_rng(0).uniform(np.log(low), np.log(high), shape or (NUM_DRAWS,))).astype("float32")


def everywhere(name: str, parameters: dict[str, np.ndarray], libraries: str = "torch numpyro", **renamed: str) -> Case:
    """A case whose class and argument order agree in all libraries that have it."""
    homes = {"torch": td, "pyro": pd, "numpyro": nd}
    laws = {"reparam": getattr(rd, name)}
    for library in libraries.split():
        laws[library] = getattr(homes[library], renamed.get(library, name))
    return Case(name, parameters, laws)


def cases() -> list[Case]:
    loc, scale = spread(0.5, 2.0), spread(0.1, 10.0)
    both = {"loc": loc, "scale": scale}
    shape = spread(0.1, 100.0)
    rng = np.random.default_rng(1)
    found = [
        everywhere("Normal", both),
        everywhere("LogNormal", both),
        everywhere("HalfNormal", {"scale": scale}),
        everywhere("Laplace", both),
        everywhere("AsymmetricLaplace", {**both, "asymmetry": spread(0.5, 2.0)}, "pyro numpyro"),
        everywhere("Logistic", both, "pyro numpyro"),
        everywhere("Cauchy", both),
        everywhere("HalfCauchy", {"scale": scale}),
        everywhere("Gumbel", both),
        everywhere("Uniform", {"low": -loc, "high": scale}),
        everywhere("Exponential", {"rate": scale}),
        everywhere("Weibull", {"scale": scale, "concentration": spread(0.5, 5.0)}),
        everywhere("Pareto", {"scale": scale, "alpha": spread(0.5, 5.0)}),
        everywhere("GeneralizedPareto", {**both, "concentration": loc / 4}, "torch"),
        everywhere("Kumaraswamy", {"concentration1": spread(0.3, 5.0), "concentration0": spread(0.3, 5.0)}),
        everywhere("ContinuousBernoulli", {"probs": spread(0.01, 0.99)}, "torch"),
        everywhere("Stable", {"stability": spread(0.6, 1.9), "skew": loc / 4, "loc": loc, "scale": scale}, "pyro"),
        everywhere("Gamma", {"concentration": shape, "rate": scale}),
        everywhere("Chi2", {"df": shape}),
        everywhere("InverseGamma", {"concentration": spread(0.5, 100.0), "rate": scale}),
        everywhere("Beta", {"concentration1": shape, "concentration0": spread(0.1, 100.0)[::-1].copy()}),
        everywhere("StudentT", {"df": spread(0.5, 100.0), **both}),
        everywhere("FisherSnedecor", {"df1": spread(1.0, 50.0), "df2": spread(1.0, 50.0)[::-1].copy()}, "torch"),
        everywhere("Dirichlet", {"concentration": spread(0.1, 10.0, NUM_DRAWS // 10, 10)}),
        Case(
            "TruncatedNormal",
            {"loc": loc, "scale": scale, "low": loc - scale, "high": loc + 2 * scale},
            {"reparam": rd.TruncatedNormal, "numpyro": lambda *p: nd.TruncatedNormal(p[0], p[1], low=p[2], high=p[3])},
        ),
        everywhere("VonMises", {"loc": loc, "concentration": shape}, ""),
        Case(
            "VonMisesFisher (10)",
            {"loc": unit_vectors(10), "concentration": spread(0.1, 100.0, NUM_DRAWS // 10)},
            {"reparam": rd.VonMisesFisher},
        ),
        Case(
            "RelaxedBernoulli",
            {"temperature": spread(0.1, 1.0), "logits": loc},
            {
                "reparam": lambda t, x: rd.RelaxedBernoulli(t, logits=x),
                "torch": lambda t, x: td.RelaxedBernoulli(t, logits=x),
            },
        ),
        Case(
            "RelaxedOneHotCategorical (10)",
            {"logits": rng.normal(size=(NUM_DRAWS // 10, 10)).astype("float32")},
            {
                "reparam": lambda x: rd.RelaxedOneHotCategorical(torch.tensor(0.5), logits=x),
                "torch": lambda x: td.RelaxedOneHotCategorical(torch.tensor(0.5), logits=x),
            },
        ),
    ]
    return [*found, *multivariate(rng), *mixtures(rng)]


def unit_vectors(dim: int) -> np.ndarray:
    drawn = np.random.default_rng(2).normal(size=(NUM_DRAWS // 10, dim)).astype("float32")
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)


def multivariate(rng: np.random.Generator) -> list[Case]:
    def tril(*batch: int) -> np.ndarray:
        lower = np.tril(rng.normal(size=(*batch, 10, 10)) * 0.3, -1) + np.eye(10) * rng.uniform(
            0.5, 2, (*batch, 10, 10)
        )
        return lower.astype("float32")

    def laws(name: str) -> dict[str, Callable]:
        return {
            "reparam": lambda loc, scale: getattr(rd, name)(loc, scale_tril=scale),
            "torch": lambda loc, scale: getattr(td, name)(loc, scale_tril=scale),
            "numpyro": lambda loc, scale: getattr(nd, name)(loc, scale_tril=scale),
        }

    normal = laws("MultivariateNormal")
    few, many = rng.normal(size=10).astype("float32"), rng.normal(size=(NUM_DRAWS // 10, 10)).astype("float32")
    wishart = {
        "reparam": lambda df, scale: rd.Wishart(df, scale_tril=scale),
        "torch": lambda df, scale: td.Wishart(df, scale_tril=scale),
    }
    return [
        Case("MultivariateNormal (10), one law", {"loc": few, "scale_tril": tril()}, normal, (NUM_DRAWS // 10,)),
        Case("MultivariateNormal (10), a law a draw", {"loc": many, "scale_tril": tril(NUM_DRAWS // 10)}, normal),
        Case(
            "Wishart (10)", {"df": spread(12.0, 40.0, NUM_DRAWS // 100), "scale_tril": tril(NUM_DRAWS // 100)}, wishart
        ),
    ]


def mixtures(rng: np.random.Generator) -> list[Case]:
    logits, locs = (rng.normal(size=(NUM_DRAWS // 10, 5)).astype("float32") for _ in range(2))
    planar = rng.normal(size=(5, 2)).astype("float32")

    def ours(weights: torch.Tensor, locs: torch.Tensor, scales: torch.Tensor) -> td.Distribution:
        return rd.MixtureSameFamily(rd.Categorical(logits=weights), rd.Normal(locs, scales))

    def ours_planar(weights: torch.Tensor, locs: torch.Tensor, scales: torch.Tensor) -> td.Distribution:
        components = rd.Independent(rd.Normal(locs, scales), 1)
        return rd.MixtureSameFamily(rd.Categorical(logits=weights), components)

    return [
        Case(
            "MixtureSameFamily of 5 normals",
            {"logits": logits, "locs": locs, "scales": spread(0.5, 2.0, NUM_DRAWS // 10, 5)},
            {"reparam": ours},
        ),
        Case(
            "MixtureSameFamily of 5 normals (2)",
            {"logits": logits[0], "locs": planar, "scales": spread(0.5, 2.0, 5, 2)},
            {"reparam": ours_planar, "pyro": lambda w, m, s: pd.MixtureOfDiagNormals(m, s, w)},
            (NUM_DRAWS // 10,),
        ),
    ]


def torch_step(case: Case, library: str) -> Callable[[], None]:
    parameters = [torch.from_numpy(value.copy()).requires_grad_() for value in case.parameters.values()]

    def step() -> None:
        drawn = case.laws[library](*parameters).rsample(case.sample_shape)
        torch.autograd.grad(drawn.sum(), parameters)

    return step


def numpyro_step(case: Case) -> Callable[[], None]:
    parameters = tuple(map(jax.numpy.asarray, case.parameters.values()))

    def total(key: jax.Array, *parameters: jax.Array) -> jax.Array:
        return case.laws["numpyro"](*parameters).rsample(key, case.sample_shape).sum()

    compiled = jax.jit(jax.grad(total, argnums=tuple(range(1, 1 + len(parameters)))))
    keys = iter(jax.random.split(jax.random.key(0), 10_000))
    return lambda: jax.block_until_ready(compiled(next(keys), *parameters))


def measure(case: Case, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Nanoseconds an element, one figure a round, the libraries taking turns; a round lasts about ``seconds``."""
    steps = {
        library: numpyro_step(case) if library == "numpyro" else torch_step(case, library) for library in case.laws
    }
    elements, counts, times = case.elements, {}, {library: [] for library in steps}
    for library, step in steps.items():
        step()
        step()
        start = time.perf_counter()
        step()
        counts[library] = max(1, round(seconds / (time.perf_counter() - start)))
    for _ in range(rounds):
        for library, step in steps.items():
            start = time.perf_counter()
            for _ in range(counts[library]):
                step()
            times[library].append((time.perf_counter() - start) / counts[library] / elements * 1e9)
    return times


def summary(times: dict[str, list[float]]) -> dict:
    ours = times["reparam"]
    rows = {}
    for library, theirs in times.items():
        ratios = sorted(mine / other for mine, other in zip(ours, theirs, strict=True))
        rows[library] = {
            "nanoseconds_per_element": statistics.median(theirs),
            "ours_over_theirs": statistics.median(ratios),
            "interval": [ratios[0], ratios[-1]],
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="laws whose name contains this; nothing is written")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="how long one round of one library lasts")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    laws = {}
    for case in cases():
        if options.only and options.only not in case.name:
            continue
        laws[case.name] = summary(measure(case, options.rounds, options.seconds))
        print(
            case.name,
            {name: round(row["nanoseconds_per_element"], 1) for name, row in laws[case.name].items()},
            flush=True,
        )
    versions = {module.__name__: module.__version__ for module in (reparam, torch, pyro, numpyro, jax)}
    machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    results = {"versions": versions, "machine": machine, "rounds": options.rounds, "laws": laws}
    if options.only:
        print(table_of_draws(results["laws"]))
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "draws.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
